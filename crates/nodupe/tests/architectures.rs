//! A network that candle builds from weights is the one that an ONNX graph of the same weights describes: also where trained
//! weights cannot be had. (`fetch` brings the conversion that writes the graphs.)
#![cfg(all(feature = "candle", feature = "tract", feature = "fetch"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps tests is one of them")]

use std::fs;
use std::path::Path;

use nodupe::models::{Format, Manifest, convert, seeded_weights};
use nodupe::{EmbeddingBackend, Options, Registry};
use nodupe_conformance::agreement;
#[cfg(feature = "ort")]
use nodupe_conformance::provided;

/// Writes a model with weights that `seed` draws, in both formats; the images are small, and not square.
fn write(folder: &Path, architecture: &str, dim: usize, seed: u64) {
    let text = format!(
        r#"
        format = 1
        id = "seeded"
        revision = "1"
        description = "weights that were never trained"
        licence = {{ name = "MIT" }}
        architecture = "{architecture}"
        [input]
        width = 75
        height = 58
        tensor = {{ name = "image", element-type = "f32", layout = "nchw", mean = [127.0, 120.0, 110.0], std = [64.0, 60.0, 58.0] }}
        [output]
        name = "embedding"
        dim = {dim}
        [[artifact]]
        format = "safetensors"
        file = "seeded.safetensors"
        precision = "f32"
        [[artifact]]
        format = "onnx"
        file = "seeded.onnx"
        precision = "f32"
        "#
    );
    let manifest = Manifest::parse(&text).unwrap();
    fs::write(folder.join(Manifest::FILE), text).unwrap();
    let weights = seeded_weights(architecture, seed).unwrap();
    for (format, bytes) in convert(&manifest, &weights).unwrap() {
        let name = if format == Format::Onnx { "seeded.onnx" } else { "seeded.safetensors" };
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fn backend(name: &str, folder: &Path) -> Box<dyn EmbeddingBackend> {
    let registry = Registry::linked();
    let registration = registry.embeddings().iter().find(|entry| entry.name == name).expect("it is linked");
    (registration.create)(&Options::new().with_model(folder.to_str().unwrap())).unwrap()
}

fn agree(architecture: &str, dim: usize) {
    let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    write(folder.path(), architecture, dim, 1);
    write(other.path(), architecture, dim, 2);
    let candle = backend("candle", folder.path());
    agreement(candle.as_ref(), backend("tract-cpu", folder.path()).as_ref()).unwrap();
    #[cfg(feature = "ort")]
    {
        let registry = Registry::linked();
        let ort = registry.embeddings().iter().find(|entry| entry.name == "ort-cpu").expect("it is linked");
        let ort = (ort.create)(&Options::new().with_model(folder.path().to_str().unwrap()));
        if let Some(ort) = provided(ort, "run `cargo xtask setup`") {
            agreement(candle.as_ref(), ort.as_ref()).unwrap();
        }
    }
    // Other weights are another network: what agrees with everything would not have been measured.
    assert!(agreement(candle.as_ref(), backend("tract-cpu", other.path()).as_ref()).is_err());
}

#[test]
fn efficientnet_lite0_of_candle_is_that_of_its_onnx_graph() {
    agree("efficientnet-lite0", 1280);
}

#[test]
fn resnet50_of_candle_is_that_of_its_onnx_graph() {
    agree("resnet50", 2048);
}

#[test]
fn sscd_resnet50_of_candle_is_that_of_its_onnx_graph() {
    agree("sscd-resnet50", 512);
}
