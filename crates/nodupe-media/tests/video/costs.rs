//! What frames cost. `cargo test --release -p nodupe-media --test video -- --ignored --nocapture seconds` prints it, for the file
//! that `NODUPE_VIDEO` names, or one that is made.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use nodupe_core::{Filter, InputSpec};
use nodupe_media::{Sampling, VideoDecoder, VideoOptions};

use crate::clips::{Clips, ffmpeg};

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
        let started = Instant::now();
        let mut command = ffmpeg();
        command.args(["-v", "error", "-nostdin", "-threads", "2", "-i"]).arg(&path);
        command.args(["-an", "-vf", "fps=1,scale=160:160", "-f", "null", "-"]).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
        let reference = started.elapsed().as_secs_f64();
        println!("round {round}: ffmpeg alone, to 160 x 160 at 1 a second: {reference:.2} s");
        for (name, sampling, specs) in [
            ("160 x 160 RGB", Sampling::Rate(1.0), &[InputSpec::rgb(160, 160)][..]),
            ("64 x 64 luminance", Sampling::Rate(1.0), &[luma]),
            ("both", Sampling::Rate(1.0), &[luma, InputSpec::rgb(160, 160)]),
            ("both, key frames", Sampling::KeyFrames, &[luma, InputSpec::rgb(160, 160)]),
            ("both, scenes", Sampling::Scenes { threshold: 0.3 }, &[luma, InputSpec::rgb(160, 160)]),
        ] {
            let started = Instant::now();
            let decoder = VideoDecoder::new(VideoOptions::default().with_sampling(sampling).with_threads(2));
            let frames = decoder.frames(&path, specs).unwrap().map(Result::unwrap).count();
            let time = started.elapsed().as_secs_f64();
            println!("  {name}: {time:.2} s ({:.2}), {frames} frames", time / reference);
        }
    }
}
