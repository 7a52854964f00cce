//! What was measured, written down: a page, its plot, and the lines themselves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::Kind;
use super::plot;
use super::summary::{Joined, Reached, Summary};
use crate::command::Failure;

/// How it was measured.
pub(super) struct About {
    pub(super) command: String,
    pub(super) date: String,
    pub(super) machine: String,
    pub(super) loads: Vec<f64>,
    pub(super) versions: Vec<(String, String)>,
    pub(super) threads: usize,
    pub(super) rounds: usize,
    pub(super) passes: usize,
}

/// Vectors of one kind, and all indexes on them.
pub(super) struct Section {
    pub(super) kind: Kind,
    pub(super) dim: usize,
    pub(super) rows: u64,
    pub(super) queries: u64,
    pub(super) k: u64,
    /// How many pairs there are within `radius`.
    pub(super) pairs: Option<u64>,
    pub(super) radius: u32,
    pub(super) source: String,
    pub(super) indexes: Vec<Summary>,
    /// What could not be measured.
    pub(super) failed: Vec<String>,
}

/// The recalls that curves are compared at.
const RECALLS: [f64; 2] = [0.99, 0.999];

pub(super) fn write(folder: &Path, about: &About, sections: &[Section], lines: &[Value]) -> Result<(), Failure> {
    let failure = |path: &Path, why: std::io::Error| Failure::new(format!("{}: {why}", path.display()));
    fs::create_dir_all(folder).map_err(|why| failure(folder, why))?;
    let raw = json!({
        "command": about.command, "date": about.date, "machine": about.machine, "load": span(&about.loads),
        "versions": about.versions, "lines": lines,
    });
    let raw = serde_json::to_string_pretty(&raw).map_err(|why| Failure::new(why.to_string()))? + "\n";
    let files = [("md", page(about, sections)), ("svg", plot::svg(sections)), ("json", raw)];
    for (extension, text) in files {
        let path = folder.join("similarity").with_extension(extension);
        fs::write(&path, text).map_err(|why| failure(&path, why))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

fn page(about: &About, sections: &[Section]) -> String {
    let versions: Vec<String> = about.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let load = span(&about.loads).map_or_else(String::new, |(least, most)| {
        format!("* **Load** (a minute's average, before and after each index): {least:.1} to {most:.1}\n")
    });
    let mut text = format!(
        "# Similarity backends beside their peers

Written by the program that measured it, on {date}; not edited by hand. The lines behind every figure are in
[similarity.json](similarity.json).

```text
{command}
```

* **Machine**: {machine}
{load}* **Versions**: {versions}
* **Threads**: {threads}, of every library, to build and to search
* **Turns**: {rounds}, in which every index is built anew in a process of its own, ours and the peers' alternating and every other
  turn backwards; figures are medians over the turns, of the median of {passes} searches for all queries in one call
* **Recall**: the part of the true nearest neighbours that was found, against exact search and by distance, so that of equally
  near vectors any will do
* **Memory**: what the process holds more (`RssAnon`) when the index is built and its input dropped; the peak is that of the
  whole process (`VmHWM`), input and, for the peers, Python included
* **Saved**: what is on disk

![Recall against queries a second, time to build, memory](similarity.svg)
",
        date = about.date,
        command = about.command,
        machine = about.machine,
        versions = versions.join(", "),
        threads = about.threads,
        rounds = about.rounds,
        passes = about.passes,
    );
    for section in sections {
        text.push_str(&section.page());
    }
    text
}

impl Section {
    pub(super) fn title(&self) -> String {
        let (kind, unit) = match self.kind {
            Kind::Floats => ("Floats", "floats"),
            Kind::Bits => ("Hashes", "bits"),
        };
        format!("{kind}: {} vectors of {} {unit}", thousands(self.rows as f64), self.dim)
    }

    fn page(&self) -> String {
        let mut text = format!("\n## {}\n\n", self.title());
        let _ = writeln!(text, "{}. {} queries, k = {}.\n", self.source, thousands(self.queries as f64), self.k);
        text.push_str("| index | build | memory | peak | saved |");
        let _ =
            writeln!(text, " queries/s at recall {} | at {} |\n|---|--:|--:|--:|--:|--:|--:|", RECALLS[0], RECALLS[1]);
        for index in &self.indexes {
            let [first, second] = RECALLS.map(|recall| at(index.at(recall)));
            let _ = writeln!(
                text,
                "| {}{} | {} | {} | {} | {} | {first} | {second} |",
                index.name,
                options(&index.options),
                seconds(index.build_s),
                mib(index.memory),
                mib(index.peak),
                mib(Some(index.disk)),
            );
        }
        text.push_str("\nBetween two settings the rate is interpolated; `≥` where the fastest setting that was tried finds more.\n");
        if !self.failed.is_empty() {
            let _ = writeln!(text, "Not measured, since it failed: {}.", self.failed.join(", "));
        }
        text.push_str("\n| index | setting | recall | queries/s | best |\n|---|---|--:|--:|--:|\n");
        for index in &self.indexes {
            for point in &index.points {
                let setting = point.setting.as_ref().map_or_else(String::new, |setting| format!("`{setting}`"));
                let (rate, best) = (thousands(point.rate), thousands(point.best));
                let _ = writeln!(text, "| {} | {setting} | {:.4} | {rate} | {best} |", index.name, point.recall);
            }
        }
        text + &self.joins()
    }

    /// The table of pairs, where any index was asked for them.
    fn joins(&self) -> String {
        let joined = self.indexes.iter().filter_map(|index| Some((index, index.pairs.as_ref()?)));
        let mut rows = String::new();
        for (index, Joined { seconds: taken, count }) in joined {
            let found = count.map_or_else(|| "extrapolated".to_owned(), |count| thousands(count as f64));
            let _ = writeln!(rows, "| {} | {} | {found} |", index.name, seconds(*taken));
        }
        let Some(pairs) = self.pairs.filter(|_| !rows.is_empty()) else { return String::new() };
        format!(
            "\n### All pairs within {} bits\n\nThere are {}. A peer searches around every vector; of more than 100,000 vectors \
             around the first 20,000, and the time is extrapolated.\n\n| index | time | pairs found |\n|---|--:|--:|\n{rows}",
            self.radius,
            thousands(pairs as f64),
        )
    }
}

fn options(options: &[String]) -> String {
    if options.is_empty() { String::new() } else { format!(" (`{}`)", options.join(" ")) }
}

fn at(at: Reached) -> String {
    match at {
        Reached::Rate(rate) => thousands(rate),
        Reached::OrMore(rate) => format!("≥ {}", thousands(rate)),
        Reached::Never => "–".to_owned(),
    }
}

/// `0.2 ms`, `0.04 s`, `1.5 s`, `38 s`
pub(super) fn seconds(seconds: f64) -> String {
    let digits = match seconds {
        ..0.01 => return format!("{:.1} ms", seconds * 1e3),
        ..0.1 => 3,
        ..1.0 => 2,
        ..10.0 => 1,
        _ => 0,
    };
    format!("{seconds:.digits$} s")
}

/// `0.6 MiB`, `215 MiB`
pub(super) fn mib(bytes: Option<f64>) -> String {
    let Some(bytes) = bytes else { return "–".to_owned() };
    let mib = bytes / f64::from(1 << 20);
    if mib < 10.0 { format!("{mib:.1} MiB") } else { format!("{mib:.0} MiB") }
}

/// A whole number with commas.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&String::from_utf8_lossy(group));
    }
    text
}

/// The least and the most.
fn span(numbers: &[f64]) -> Option<(f64, f64)> {
    let least = numbers.iter().copied().reduce(f64::min)?;
    Some((least, numbers.iter().copied().reduce(f64::max)?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::summary::Point;
    use super::*;

    pub(in super::super) fn section() -> Section {
        let point = |setting: Option<&str>, recall, rate: f64| Point {
            setting: setting.map(str::to_owned),
            recall,
            rate,
            best: rate * 1.5,
        };
        let index = |name: &str, pairs, points| Summary {
            name: name.to_owned(),
            options: Vec::new(),
            build_s: 24.4,
            memory: Some(3_145_728.0),
            peak: None,
            disk: 1024.0,
            pairs,
            points,
        };
        Section {
            kind: Kind::Bits,
            dim: 256,
            rows: 100_000,
            queries: 2_000,
            k: 10,
            pairs: Some(773_245),
            radius: 31,
            source: "made & drawn".to_owned(),
            indexes: vec![
                index(
                    "nodupe exact",
                    Some(Joined { seconds: 1.94, count: Some(773_245) }),
                    vec![point(None, 1.0, 950.4)],
                ),
                index("peer <graph>", None, vec![point(Some("ef=1"), 0.98, 20_000.0), point(Some("ef=2"), 0.992, 1e4)]),
                index("peer pairs", Some(Joined { seconds: 24.6, count: None }), Vec::new()),
            ],
            failed: vec!["peer broken".to_owned()],
        }
    }

    #[test]
    fn a_section_has_every_index_every_setting_and_the_pairs() {
        let text = section().page();
        for line in [
            "## Hashes: 100,000 vectors of 256 bits",
            "| nodupe exact | 24 s | 3.0 MiB | – | 0.0 MiB | 950 | 950 |",
            "| peer <graph> | `ef=2` | 0.9920 | 10,000 | 15,000 |",
            "| nodupe exact |  | 1.0000 | 950 | 1,426 |",
            "Not measured, since it failed: peer broken.",
            "| nodupe exact | 1.9 s | 773,245 |",
            "| peer pairs | 25 s | extrapolated |",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        // Five sixths of the way from 20,000 down to 10,000, over the logarithm.
        assert!(text.contains("| 11,225 | – |"), "{text}");
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0.0, 999.4, 1e3, 1_234_567.0].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0002, 0.0123, 0.5, 2.345, 38.4].map(seconds), ["0.2 ms", "0.012 s", "0.50 s", "2.3 s", "38 s"]);
    }
}
