//! Models that cannot be run here say why, and nothing that a file claims is believed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what helps tests is one of them")]

use std::fs;

use nodupe_candle::REGISTRATION;
use nodupe_core::{Device, Options, Reason, Unavailable};
use nodupe_models::seeded_weights;
use tempfile::TempDir;

const MANIFEST: &str = r#"
    format = 1
    id = "toy"
    revision = "1"
    description = "a model for tests"
    licence = { name = "MIT" }
    architecture = "resnet50"
    [input]
    width = 32
    height = 32
    tensor = { name = "image", element-type = "f32", layout = "nchw" }
    [output]
    name = "embedding"
    dim = 2048
    [[artifact]]
    format = "safetensors"
    file = "weights"
    precision = "f32"
"#;

/// A folder with a model, and the options that mean it.
fn model(manifest: &str, weights: &[u8]) -> (TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.toml"), manifest).unwrap();
    fs::write(folder.path().join("weights"), weights).unwrap();
    let options = Options::new().with_model(folder.path().to_str().unwrap());
    (folder, options)
}

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn create(options: &Options) -> Unavailable {
    (REGISTRATION.create)(options).expect_err("such a model cannot be run")
}

/// What the probe says and what making the backend says, which is the same.
fn refused(manifest: &str) -> Unavailable {
    let (_folder, options) = model(manifest, &[]);
    let why = (REGISTRATION.probe)(&options).expect_err("such a model cannot be run");
    assert_eq!(why.to_string(), create(&options).to_string());
    why
}

#[test]
fn an_architecture_that_is_not_known_is_named_with_those_that_are() {
    let why = refused(&MANIFEST.replace("resnet50", "resnet51"));
    assert_eq!(why.reason, Reason::ModelUnusable);
    for word in ["`resnet51`", "efficientnet-lite0, resnet50, sscd-resnet50"] {
        assert!(why.to_string().contains(word), "{why}");
    }
    let why = refused(&MANIFEST.replace("architecture = \"resnet50\"", ""));
    assert_eq!(why.reason, Reason::ModelUnusable);
}

#[test]
fn a_model_without_safetensors_is_missing_them() {
    let why = refused(&MANIFEST.replace("safetensors", "onnx"));
    assert_eq!(why.reason, Reason::ModelMissing);
    assert!(why.to_string().contains("toy has no safetensors file"), "{why}");
}

#[test]
fn a_manifest_that_contradicts_the_architecture_is_refused() {
    for (from, to) in
        [("dim = 2048", "dim = 512"), ("element-type = \"f32\"", "element-type = \"u8\""), ("\"f32\"\n", "\"int8\"\n")]
    {
        let manifest = MANIFEST.replace(from, to);
        assert_ne!(manifest, MANIFEST);
        assert_eq!(refused(&manifest).reason, Reason::ModelUnusable, "{to}");
    }
}

#[test]
fn a_device_of_another_kind_is_refused() {
    let (_folder, options) = model(MANIFEST, &[]);
    let why = (REGISTRATION.probe)(&options.with_device(Device::Cuda(0))).unwrap_err();
    assert_eq!(why.reason, Reason::Options);
    assert!(why.to_string().contains("cuda:0"), "{why}");
}

#[test]
fn weights_that_are_no_safetensors_file_are_unusable() {
    let header = r#"{"conv1.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let good = file(header, &[0; 8]);
    let lengths = [u64::MAX, 1 << 62, 100_000_001, good.len() as u64, 0];
    let lies = lengths.map(|length| [&length.to_le_bytes(), &good[8..]].concat());
    let truncated = [0, 1, 8, 9, 20, good.len() - 1].map(|length| good[..length].to_vec());
    let headers = [
        ("[2]", "[4611686018427387904, 4]"),          // its size overflows
        ("[2]", "[4294967296, 4294967296]"),          // likewise
        ("[2]", "[1000000000000]"),                   // more than there is
        ("[0,8]", "[0,18446744073709551615]"),        // ends behind the file
        ("[0,8]", "[8,0]"),                           // ends before it begins
        ("[0,8]", "[4,8]"),                           // not what the shape needs
        ("F32", "F99"),                               // unknown
        ("{\"dtype\"", "{\"dtype\":[[[[[[\"dtype\""), // not JSON
    ];
    let headers = headers.map(|(from, to)| file(&header.replacen(from, to, 1), &[0; 8]));
    for weights in lies.into_iter().chain(truncated).chain(headers) {
        let (_folder, options) = model(MANIFEST, &weights);
        let why = create(&options);
        assert_eq!(why.reason, Reason::ModelUnusable, "{why}");
        assert!(why.to_string().contains("no safetensors file"), "{why}");
        assert!(why.source.is_some(), "{why}");
    }
}

#[test]
fn a_tensor_that_is_missing_or_of_another_form_is_named() {
    let cases = [
        ("conv2.weight", "F32", "[64,3,7,7]", 4 * 64 * 3 * 7 * 7, "conv1.weight is missing"),
        (
            "conv1.weight",
            "F32",
            "[64,3,7,6]",
            4 * 64 * 3 * 7 * 6,
            "conv1.weight has the shape [64, 3, 7, 6], and [64, 3, 7, 7]",
        ),
        ("conv1.weight", "F32", "[0,4611686018427387903]", 0, "conv1.weight has the shape"),
        ("conv1.weight", "I64", "[64,3,7,7]", 8 * 64 * 3 * 7 * 7, "conv1.weight is of I64"),
        ("conv1.weight", "F16", "[64,3,7,7]", 2 * 64 * 3 * 7 * 7, "bn1.weight is missing"),
    ];
    for (name, dtype, shape, bytes, said) in cases {
        let header = format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{bytes}]}}}}"#);
        let (_folder, options) = model(MANIFEST, &file(&header, &vec![0; bytes]));
        let why = create(&options);
        assert_eq!(why.reason, Reason::ModelUnusable);
        assert!(why.to_string().contains(said), "{why}");
    }
}

#[test]
fn weights_that_are_not_numbers_name_their_layer() {
    let mut weights = seeded_weights("resnet50", 1).unwrap();
    let (_folder, options) = model(MANIFEST, &weights);
    assert!((REGISTRATION.create)(&options).is_ok());
    // The last number of the file is one of the last layers'.
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let (_folder, options) = model(MANIFEST, &weights);
    let why = create(&options);
    assert_eq!(why.reason, Reason::ModelUnusable);
    assert!(why.to_string().contains("layer4.") && why.to_string().contains("not finite"), "{why}");
}
