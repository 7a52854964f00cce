//! Fallback for real: what the command does as models, libraries and devices are taken away.
#![cfg(all(feature = "tract", feature = "ort"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests is one of them")]

use std::path::Path;
use std::process::{Command, Output};

use nodupe_conformance::provided;
use serde_json::Value;

const BRING: &str = "run `cargo xtask setup`";

/// Two pictures and a crop of the first.
fn photos() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let one = image::RgbImage::from_fn(320, 240, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let wave = |a: f32, b: f32, c: f32| (((x * a + y * b) * 0.02 + c).sin() * 110.0 + 128.0) as u8;
        let disc = (x - 90.0).hypot(y - 100.0) < 50.0;
        image::Rgb(if disc { [250, 240, 20] } else { [wave(1.0, 0.3, 1.0), wave(-0.4, 1.1, 2.0), wave(2.0, 1.7, 0.5)] })
    });
    one.save(folder.path().join("one.png")).unwrap();
    image::imageops::crop_imm(&one, 20, 15, 280, 210).to_image().save(folder.path().join("crop.jpg")).unwrap();
    // Something else altogether: blocks of colours that have nothing to do with each other.
    let block = |x: u32, y: u32| (x / 40 * 7919 + y / 30 * 104_729).wrapping_mul(2_654_435_761).to_le_bytes();
    let two = image::RgbImage::from_fn(320, 240, |x, y| image::Rgb([block(x, y)[1], block(x, y)[2], block(x, y)[3]]));
    two.save(folder.path().join("two.png")).unwrap();
    folder
}

/// The command with nothing of the user's own settings but the cache that holds models and libraries.
fn nodupe(args: &[&str], settings: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodupe"));
    for variable in ["NODUPE_EMBEDDING", "NODUPE_SIMILARITY", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.args(args).envs(settings.iter().copied()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The chosen embedding backend, and why each before it was passed over.
fn chosen(output: &Output) -> (String, Vec<(String, String, String)>) {
    assert!(output.status.success(), "{}", stderr(output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = &found["selection"]["embedding"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attempts = report["attempts"].as_array().unwrap().iter();
    let passed = attempts
        .filter(|attempt| attempt["outcome"] == "unavailable")
        .map(|attempt| (text(&attempt["name"]), text(&attempt["reason"]), text(&attempt["help"])));
    (text(&report["name"]), passed.collect())
}

/// Whether this machine has a model; `false` has been said.
fn has_model(id: &str) -> bool {
    let found = nodupe(&["models", "path", id], &[]);
    provided(if found.status.success() { Ok(()) } else { Err(stderr(&found)) }, BRING).is_some()
}

fn has_runtime() -> bool {
    let listed = nodupe(&["runtimes", "list"], &[]);
    let is_there =
        String::from_utf8_lossy(&listed.stdout).contains("onnxruntime") || std::env::var_os("ORT_DYLIB_PATH").is_some();
    provided(if is_there { Ok(()) } else { Err("ONNX Runtime is not there") }, BRING).is_some()
}

#[test]
fn without_a_model_the_perceptual_hash_serves_and_a_warning_says_how_to_fetch_one() {
    let (photos, nothing) = (photos(), tempfile::tempdir().unwrap());
    let photos = photos.path().to_str().unwrap();
    let output =
        nodupe(&["scan", "--json", photos], &[("NODUPE_MODELS", nothing.path()), ("XDG_CACHE_HOME", nothing.path())]);
    let (name, passed) = chosen(&output);
    assert_eq!(name, "perceptual");
    let help = "run `nodupe models fetch sscd-distilled`";
    for backend in ["ort-cpu", "tract-cpu"] {
        let wanted = (backend.to_owned(), "model-missing".to_owned(), help.to_owned());
        assert!(passed.contains(&wanted), "{passed:?}");
    }
    assert!(stderr(&output).contains("WARN") && stderr(&output).contains(help), "{}", stderr(&output));
}

#[test]
fn with_a_model_and_no_onnx_runtime_tract_serves() {
    if !has_model("sscd-distilled") {
        return;
    }
    let photos = photos();
    let absent = photos.path().join("libonnxruntime.so");
    let arguments = ["scan", "--json", "--model", "sscd-distilled", photos.path().to_str().unwrap()];
    let output = nodupe(&arguments, &[("ORT_DYLIB_PATH", &absent)]);
    let (name, passed) = chosen(&output);
    assert_eq!(name, "tract-cpu");
    assert!(passed.iter().any(|(name, reason, _)| name == "ort-cpu" && reason == "library-not-found"), "{passed:?}");
    assert!(stderr(&output).contains("WARN"), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["space"]["model"], "sscd-distilled");
    let paths = found["groups"][0]["paths"].as_array().unwrap();
    assert_eq!((found["groups"].as_array().unwrap().len(), paths.len()), (1, 2), "the crop is found: {found:#}");
}

#[test]
fn with_all_of_it_onnx_runtime_serves_without_a_word() {
    if !has_model("sscd-distilled") || !has_runtime() {
        return;
    }
    let photos = photos();
    let output = nodupe(&["scan", "--json", "--model", "sscd-distilled", photos.path().to_str().unwrap()], &[]);
    assert_eq!(chosen(&output).0, "ort-cpu");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_model_that_is_not_there_is_an_error_with_the_command_that_fetches_it() {
    let (photos, nothing) = (photos(), tempfile::tempdir().unwrap());
    let photos = photos.path().to_str().unwrap();
    let settings = [("NODUPE_MODELS", nothing.path()), ("XDG_CACHE_HOME", nothing.path())];
    for command in ["scan", "embed"] {
        let output = nodupe(&[command, "--model", "sscd-int8", photos], &settings);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("run `nodupe models fetch sscd-int8`"), "{}", stderr(&output));
    }
    let output = nodupe(&["scan", "--model", "sscd-destilled", photos], &settings);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `sscd-distilled`?"), "{}", stderr(&output));
}

#[test]
fn a_model_is_never_replaced_by_a_backend_that_runs_none() {
    if !has_model("sscd-distilled") {
        return;
    }
    let photos = photos();
    let output = nodupe(
        &["scan", "--embedding", "perceptual!", "--model", "sscd-distilled", photos.path().to_str().unwrap()],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("it runs no models"), "{}", stderr(&output));
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;

    /// Whether this machine has a GPU: then there is nothing to take away.
    fn has_driver() -> bool {
        Path::new("/proc/driver/nvidia/version").exists()
    }

    #[test]
    fn a_preferred_gpu_that_is_not_there_is_passed_over_with_the_reason() {
        if has_driver() {
            println!("skipped: this machine has a CUDA driver, which cannot be taken away");
            return;
        }
        let photos = photos();
        let output = nodupe(&["scan", "--json", "--embedding", "ort-cuda", photos.path().to_str().unwrap()], &[]);
        let (name, passed) = chosen(&output);
        assert_ne!(name, "ort-cuda");
        assert!(passed.iter().any(|(name, ..)| name == "ort-cuda"), "{passed:?}");
        let said = stderr(&output);
        assert!(said.contains("WARN") && said.contains("no CUDA driver"), "{said}");
    }

    #[test]
    fn a_required_gpu_that_is_not_there_is_an_error_with_the_reason_and_what_to_install() {
        if has_driver() {
            println!("skipped: this machine has a CUDA driver, which cannot be taken away");
            return;
        }
        let photos = photos();
        let output = nodupe(&["scan", "--embedding", "ort-cuda!", photos.path().to_str().unwrap()], &[]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(said.contains("no CUDA driver") && said.contains("install"), "{said}");
    }
}
