//! Why the backend is not available.

use nodupe_core::{Device, Options, Reason};
use nodupe_ort_cuda::REGISTRATION;

/// Whether this machine has what the test is about not having.
fn has_driver() -> bool {
    std::path::Path::new("/proc/driver/nvidia").exists() || cfg!(windows)
}

#[test]
fn without_a_driver_that_is_the_reason_before_any_model_or_library_is_looked_for() {
    if has_driver() {
        eprintln!("skipped: this machine may have a driver");
        return;
    }
    let options = Options::new().with_model("/nowhere/at-all").with("ort-cuda.library", "/nowhere/libonnxruntime.so");
    for answer in [(REGISTRATION.probe)(&options), (REGISTRATION.create)(&options).map(drop)] {
        let why = answer.unwrap_err();
        assert!(matches!(why.reason, Reason::NoDevice | Reason::Driver | Reason::UnsupportedTarget), "{why}");
        assert!(why.detail.starts_with("no CUDA driver"), "{why}");
        assert!(why.reason == Reason::UnsupportedTarget || why.help.is_some(), "{why}");
    }
}

#[test]
fn another_kind_of_device_is_a_contradiction() {
    let options = Options::new().with_device(Device::Cpu);
    let why = (REGISTRATION.create)(&options).unwrap_err();
    assert_eq!(why.reason, Reason::Options, "{why}");
}

#[test]
fn a_model_of_integers_is_of_another_space() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = r#"
        format = 1
        id = "toy"
        revision = "1"
        description = "a toy"
        licence = { name = "MIT" }
        [input]
        width = 8
        height = 8
        tensor = { name = "image", element-type = "u8", layout = "nhwc" }
        [output]
        name = "embedding"
        dim = 3
        [[artifact]]
        format = "onnx"
        file = "toy.onnx"
        precision = "int8"
    "#;
    std::fs::write(folder.path().join("model.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("toy.onnx"), "").unwrap();
    let options = Options::new().with_model(folder.path().to_str().unwrap());
    let why = (REGISTRATION.space)(&options).unwrap_err();
    assert_eq!(why.reason, Reason::OtherSpace, "{why}");
    assert!(why.detail.contains("8-bit integers"), "{why}");
}
