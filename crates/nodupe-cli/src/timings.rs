//! Where the time of a scan went, as a table.

use std::io::{self, Write};
use std::time::Duration;

use nodupe::dedup::Stats;

pub(crate) fn write(out: &mut impl Write, stats: &Stats) -> io::Result<()> {
    let timings = &stats.timings;
    let mut row = |name: &str, time: Duration, count: usize, what: &str| {
        write!(out, "  {name:<10} {:>9.3} s", time.as_secs_f64())?;
        if count > 0 {
            write!(out, "  {:>9.4} ms {what}", time.as_secs_f64() * 1e3 / count as f64)?;
        }
        writeln!(out)
    };
    row("walk", timings.walk, stats.files, "a file")?;
    row("identical", timings.identical, stats.files, "a file")?;
    row("embed", timings.embed, stats.decoded, "an image: all of the following, side by side")?;
    row("  read", timings.decoders.read, stats.decoded, "of processor time")?;
    row("  decode", timings.decoders.decode, stats.decoded, "of processor time")?;
    row("  resize", timings.decoders.resize, stats.decoded, "of processor time")?;
    row("  embed", timings.embed_busy, stats.decoded, "in the embedding backend")?;
    if stats.videos > 0 {
        row("videos", timings.watch, stats.videos, "a video: decoding and embedding, side by side")?;
        row("  embed", timings.watch_busy, stats.videos, "in the embedding backends")?;
    }
    row("index", timings.index, stats.embedded, "an image")?;
    row("search", timings.search.saturating_sub(timings.index), stats.embedded, "an image")?;
    row("group", timings.group, stats.pairs, "a pair")?;
    row("total", timings.total, stats.files, "a file")
}
