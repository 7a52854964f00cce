//! Clips made here, by ffmpeg.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nodupe_core::InputSpec;
use nodupe_media::{Frame, MediaError, Sampling, VideoDecoder, VideoLimits, VideoOptions, VideoTools};
use tempfile::TempDir;

/// A folder of clips.
pub(crate) struct Clips {
    pub(crate) folder: TempDir,
}

/// What a clip shows that has no other wish: 160 × 120, four seconds, 25 frames a second, all of them different.
pub(crate) const SCENE: &str = "testsrc2=s=160x120:r=25:d=4";
/// H.264 with a key frame each second, in no time.
pub(crate) const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"];
/// H.264 without loss, of RGB.
pub(crate) const LOSSLESS: &[&str] = &["-c:v", "libx264rgb", "-preset", "ultrafast", "-qp", "0", "-g", "25"];

impl Clips {
    /// A folder for clips, where there is an ffmpeg.
    pub(crate) fn new() -> Option<Self> {
        nodupe_conformance::provided(VideoTools::get(), "videos are made and read by it")?;
        Some(Self { folder: tempfile::tempdir().unwrap() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs ffmpeg with `arguments`, whose output is `name`; `None` where this ffmpeg cannot do that.
    pub(crate) fn made(&self, name: &str, arguments: &[&str]) -> Option<PathBuf> {
        let path = self.path(name);
        let mut command = ffmpeg();
        let status = command.args(["-y", "-v", "error", "-nostdin"]).args(arguments).arg(&path).status().unwrap();
        let made = if status.success() { Ok(path) } else { Err(format!("this ffmpeg does not make {name}")) };
        nodupe_conformance::provided(made, "take one with all its encoders, as Debian's is")
    }

    /// A clip of `scene`, encoded by `arguments`.
    pub(crate) fn clip(&self, name: &str, scene: &str, arguments: &[&str]) -> Option<PathBuf> {
        self.made(name, &[&["-f", "lavfi", "-i", scene], arguments].concat())
    }

    /// The usual clip: an MP4 of [`SCENE`].
    pub(crate) fn usual(&self) -> PathBuf {
        self.clip("usual.mp4", SCENE, H264).unwrap()
    }
}

/// The ffmpeg that tests make clips with.
pub(crate) fn ffmpeg() -> Command {
    let mut command = Command::new(env::var_os("NODUPE_FFMPEG").unwrap_or_else(|| "ffmpeg".into()));
    command.stdin(Stdio::null());
    command
}

pub(crate) fn decoder(sampling: Sampling) -> VideoDecoder {
    VideoDecoder::new(VideoOptions::default().with_sampling(sampling).with_threads(1))
}

pub(crate) fn limited(sampling: Sampling, limits: VideoLimits) -> VideoDecoder {
    VideoDecoder::new(VideoOptions::default().with_sampling(sampling).with_threads(1).with_limits(limits))
}

/// All frames, and the error that they end with.
pub(crate) fn read(decoder: &VideoDecoder, path: &Path, spec: &InputSpec) -> (Vec<Frame>, Option<MediaError>) {
    let mut frames = match decoder.frames(path, &[*spec]) {
        Ok(frames) => frames,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut found = Vec::new();
    for frame in &mut frames {
        match frame {
            Ok(frame) => found.push(frame),
            Err(error) => {
                assert!(frames.next().is_none(), "nothing comes after an error");
                return (found, Some(error));
            }
        }
    }
    (found, None)
}

/// The times of all frames of a clip that is whole.
pub(crate) fn times(decoder: &VideoDecoder, path: &Path) -> Vec<f64> {
    let (frames, error) = read(decoder, path, &InputSpec::luma(8, 8));
    assert!(error.is_none(), "{error:?}");
    frames.iter().map(|frame| frame.time).collect()
}

/// Whether times are these, to a millisecond.
pub(crate) fn are_near(times: &[f64], expected: &[f64]) -> bool {
    times.len() == expected.len() && times.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.0015)
}

/// The mean difference of two pictures.
pub(crate) fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}
