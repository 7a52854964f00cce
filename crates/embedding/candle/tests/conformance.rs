//! The suite that every embedding backend passes.

use std::fs;

use nodupe_candle::REGISTRATION;
use nodupe_core::Options;
use nodupe_models::{Manifest, seeded_weights};

/// Small images, so that the suite takes seconds.
const MANIFEST: &str = r#"
    format = 1
    id = "seeded"
    revision = "1"
    description = "weights that were never trained"
    licence = { name = "MIT" }
    architecture = "efficientnet-lite0"
    [input]
    width = 64
    height = 64
    tensor = { name = "image", element-type = "f32", layout = "nchw", mean = [127.0, 127.0, 127.0], std = [128.0, 128.0, 128.0] }
    [output]
    name = "embedding"
    dim = 1280
    [matching]
    threshold = 0.9
    [[artifact]]
    format = "safetensors"
    file = "seeded.safetensors"
    precision = "f32"
"#;

#[test]
fn the_backend_keeps_the_promises_of_the_trait() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(Manifest::FILE), MANIFEST).unwrap();
    let weights = seeded_weights("efficientnet-lite0", 1).unwrap();
    fs::write(folder.path().join("seeded.safetensors"), weights).unwrap();
    let options = Options::new().with_model(folder.path().to_str().unwrap());
    nodupe_conformance::embedding(REGISTRATION).with_options(options).run().unwrap();
}
