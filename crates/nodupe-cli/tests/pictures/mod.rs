//! Pictures, and the command that looks at them.

use std::path::Path;
use std::process::{Command, Output};

/// Something that hashes well: waves of several lengths, and blobs where the seed puts them.
pub(crate) fn picture(seed: u32) -> image::RgbImage {
    image::RgbImage::from_fn(300, 200, |x, y| {
        let (x, y, s) = (x as f32, y as f32, seed as f32);
        let waves = (x * 0.031 * s).sin() + (y * 0.047 + s).sin() + ((x + y * s) * 0.11).sin() * 0.5;
        let blob = (-((x - 70.0 * s).powi(2) + (y - 60.0).powi(2)) / 900.0).exp() * 2.0;
        let value = ((waves + blob + 2.5) * 40.0).clamp(0.0, 255.0) as u8;
        image::Rgb([value, value.wrapping_mul(3) / 4, 255 - value])
    })
}

pub(crate) fn nodupe(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().unwrap()
}

pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodupe"));
    for variable in ["NODUPE_SIMILARITY", "NODUPE_MODELS", "RUST_LOG"] {
        command.env_remove(variable);
    }
    // Whatever models this machine has: what is looked at here is the command.
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/empty"));
    command.env("NODUPE_EMBEDDING", "perceptual").current_dir(dir).args(args);
    command
}
