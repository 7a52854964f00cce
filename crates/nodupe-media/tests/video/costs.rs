//! What frames cost. `cargo test -p nodupe-media --test video -- --ignored --nocapture seconds` prints it, for the file
//! that `NODUPE_VIDEO` names, or one that is made.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use nodupe_core::{Filter, InputSpec};
use nodupe_media::{Sampling, VideoDecoder, VideoOptions};

use crate::clips::{Clips, ffmpeg};

/// Seconds since some time in the past; and of processor time that this process and those that it has waited for have taken, on Linux.
fn now(start: Instant) -> [f64; 2] {
    let line = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = line.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: f64 = after.split_whitespace().skip(11).take(4).filter_map(|word| word.parse::<f64>().ok()).sum();
    [start.elapsed().as_secs_f64(), ticks / 100.0]
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, [f64; 2]) {
    let start = Instant::now();
    let before = now(start);
    let done = work();
    let after = now(start);
    (done, [after[0] - before[0], after[1] - before[1]])
}

#[test]
#[ignore = "it measures"]
fn seconds() {
    let Some(clips) = Clips::new() else { return };
    let path = env::var_os("NODUPE_VIDEO").map_or_else(
        || {
            let arguments = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
            clips.clip("hd.mp4", "testsrc2=s=1920x1080:r=30:d=60", &arguments).unwrap()
        },
        PathBuf::from,
    );
    let luma = InputSpec::luma(64, 64).with_filter(Filter::Jarosz);
    for round in 0..3 {
        let mut command = ffmpeg();
        command.args(["-v", "error", "-nostdin", "-threads", "2", "-i"]).arg(&path);
        command.args(["-an", "-vf", "fps=1,scale=160:160", "-f", "null", "-"]).stdout(Stdio::null());
        let (status, [wall, processor]) = timed(|| command.status().unwrap());
        assert!(status.success());
        println!("round {round}: ffmpeg alone, 160 x 160, 1 a second: {wall:.2} s, of processor time {processor:.2} s");
        for (name, sampling, specs) in [
            ("160 x 160 RGB", Sampling::Rate(1.0), &[InputSpec::rgb(160, 160)][..]),
            ("64 x 64 luminance", Sampling::Rate(1.0), &[luma]),
            ("both", Sampling::Rate(1.0), &[luma, InputSpec::rgb(160, 160)]),
            ("both, key frames", Sampling::KeyFrames, &[luma, InputSpec::rgb(160, 160)]),
            ("both, scenes", Sampling::Scenes { threshold: 0.3 }, &[luma, InputSpec::rgb(160, 160)]),
        ] {
            let decoder = VideoDecoder::new(VideoOptions::default().with_sampling(sampling).with_threads(2));
            let (frames, time) = timed(|| decoder.frames(&path, specs).unwrap().map(Result::unwrap).count());
            let ratios = (time[0] / wall, time[1] / processor);
            println!(
                "  {name}: {:.2} s ({:.2}), of processor time {:.2} s ({:.2}), {frames} frames",
                time[0], ratios.0, time[1], ratios.1
            );
        }
    }
}
