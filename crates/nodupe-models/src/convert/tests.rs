use std::collections::{BTreeMap, BTreeSet};

use super::architecture::ALL;
use super::weights::{Role, Source};
use super::*;
use crate::digest::Digest;

fn manifest(architecture: &str, dim: usize) -> Manifest {
    Manifest::parse(&format!(
        r#"
        format = 1
        id = "toy"
        revision = "1"
        description = "drawn by lot"
        licence = {{ name = "MIT" }}
        architecture = "{architecture}"
        input = {{ width = 72, height = 40, tensor = {{ name = "image", element-type = "f32", layout = "nchw" }} }}
        output = {{ name = "embedding", dim = {dim} }}
        [[artifact]]
        format = "onnx"
        file = "toy.onnx"
        precision = "f32"
        [[artifact]]
        format = "safetensors"
        file = "toy.safetensors"
        precision = "f32"
        "#
    ))
    .unwrap()
}

fn files(architecture: &str, dim: usize) -> [Vec<u8>; 3] {
    let weights = seeded_weights(architecture, 1).unwrap();
    let files = convert(&manifest(architecture, dim), &weights).unwrap();
    let [(Format::Onnx, onnx), (Format::Safetensors, tensors)] = <[_; 2]>::try_from(files).unwrap() else {
        panic!("not what the manifest lists")
    };
    [weights, tensors, onnx]
}

/// A field of a message: its number, and what it holds.
#[derive(Debug, Clone, PartialEq)]
enum Field<'a> {
    Int(u64, u64),
    Bytes(u64, &'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = varint(&mut bytes);
        fields.push(if key.is_multiple_of(8) {
            Field::Int(key >> 3, value)
        } else {
            let (held, rest) = bytes.split_at(value as usize);
            bytes = rest;
            Field::Bytes(key >> 3, held)
        });
    }
    fields
}

fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
    let held = |field| match field {
        Field::Bytes(found, held) if found == number => Some(held),
        _ => None,
    };
    fields(message).into_iter().filter_map(held).collect()
}

fn texts(message: &[u8], number: u64) -> Vec<&str> {
    all(message, number).into_iter().map(|text| str::from_utf8(text).unwrap()).collect()
}

/// The constants of a graph by name.
fn initializers(graph: &[u8]) -> BTreeMap<&str, Vec<f32>> {
    let values = |tensor| all(tensor, 9)[0].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    all(graph, 5).into_iter().map(|tensor| (texts(tensor, 8)[0], values(tensor))).collect()
}

#[test]
fn seeded_weights_are_those_of_their_seed() {
    assert_ne!(seeded_weights("efficientnet-lite0", 1).unwrap(), seeded_weights("efficientnet-lite0", 2).unwrap());
    assert!(matches!(seeded_weights("none", 1), Err(ConvertError::UnknownArchitecture { .. })));
}

#[test]
fn files_have_every_tensor_and_nodes_after_what_they_take() {
    for architecture in ALL {
        let [weights, tensors, onnx] = files(architecture.name, architecture.dim);
        assert!(weights == tensors, "{}", architecture.name);
        let graph = all(&onnx, 7)[0];
        let mut known = BTreeSet::from([texts(all(graph, 11)[0], 1)[0]]);
        for tensor in all(graph, 5) {
            assert!(known.insert(texts(tensor, 8)[0]));
            let size = |field| matches!(field, Field::Int(1, _)).then_some(field);
            let sizes = fields(tensor).into_iter().filter_map(size);
            let count: u64 = sizes.map(|field| if let Field::Int(_, size) = field { size } else { 0 }).product();
            assert_eq!(count * 4, all(tensor, 9)[0].len() as u64);
        }
        for node in all(graph, 1) {
            for input in texts(node, 1) {
                assert!(known.contains(input), "{input} in {}", architecture.name);
            }
            assert!(known.insert(texts(node, 2)[0]));
        }
        assert_eq!(texts(all(graph, 12)[0], 1), ["embedding"]);
        assert!(known.contains("embedding"));
    }
}

#[test]
fn the_normalisation_of_a_batch_is_in_the_weights() {
    let [weights, _, onnx] = files("efficientnet-lite0", 1280);
    let mut source = Checked { weights: read(&weights).unwrap(), architecture: "efficientnet-lite0" };
    let mut take = |name: &str, shape: &[usize]| source.tensor(name, shape, Role::Shift).unwrap();
    let kernel = take("_conv_stem.weight", &[32, 3, 3, 3]);
    let [scale, shift, mean, variance] =
        ["weight", "bias", "running_mean", "running_var"].map(|part| take(&format!("_bn0.{part}"), &[32]));
    let constants = initializers(all(&onnx, 7)[0]);
    let (factors, addends) = (&constants["_conv_stem.factors"], &constants["_conv_stem.addends"]);
    // A window of ones: what the convolution gives, normalised, is what the folded one gives.
    for channel in 0..32 {
        let sum = |factors: &[f32]| factors[27 * channel..27 * (channel + 1)].iter().sum::<f32>();
        let normalised =
            (sum(&kernel) - mean[channel]) / (variance[channel] + 1e-3).sqrt() * scale[channel] + shift[channel];
        assert!((sum(factors) + addends[channel] - normalised).abs() < 1e-5);
    }
}

#[test]
fn the_files_are_the_same_bytes_everywhere() {
    // The catalogue states digests of such files.
    let [weights, _, onnx] = files("efficientnet-lite0", 1280);
    assert_eq!(
        Digest::sha256(&weights).to_string(),
        "sha256:1f7144c649b84769adbce553d00998156b6ffe034f96d2f551fec015bef95bb0"
    );
    assert_eq!(
        Digest::sha256(&onnx).to_string(),
        "sha256:b6abc28af37fe091d2f1eb02b29c092b4cd41a1a696e1df4bc9a67f685acb1c3"
    );
}

#[test]
fn a_manifest_that_asks_for_something_else_is_an_error() {
    let weights = seeded_weights("efficientnet-lite0", 1).unwrap();
    let answer = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest("efficientnet-lite0", 1280);
        change(&mut manifest);
        convert(&manifest, &weights).map(|_| ()).unwrap_err()
    };
    for change in [
        &(|manifest: &mut Manifest| manifest.output.dim = 512) as &dyn Fn(&mut Manifest),
        &|manifest| manifest.input.tensor.layout = Layout::Nhwc,
        &|manifest| manifest.input.tensor.element_type = TensorElement::U8,
        &|manifest| manifest.artifacts[0].precision = Precision::F16,
        &|manifest| manifest.output.name = "_conv_stem".to_owned(),
        &|manifest| manifest.output.name = manifest.input.tensor.name.clone(),
    ] {
        assert!(matches!(answer(change), ConvertError::Manifest { .. }));
    }
    let other = answer(&|manifest| {
        manifest.architecture = Some("resnet50".to_owned());
        manifest.output.dim = 2048;
    });
    assert!(matches!(other, ConvertError::MissingTensor { name, .. } if name == "conv1.weight"));
    assert!(matches!(answer(&|manifest| manifest.architecture = None), ConvertError::UnknownArchitecture { .. }));
}

#[test]
fn what_are_no_weights_is_an_error() {
    let manifest = manifest("efficientnet-lite0", 1280);
    let weights = seeded_weights("efficientnet-lite0", 1).unwrap();
    let answer = |bytes: &[u8]| convert(&manifest, bytes).map(|_| ()).unwrap_err();
    for bytes in [&b""[..], b"hello", b"<!DOCTYPE html>", b"PK\x03\x04zip"] {
        assert!(matches!(answer(bytes), ConvertError::Unrecognised { .. }));
    }
    for length in [9, 100, weights.len() / 2, weights.len() - 1] {
        assert!(matches!(answer(&weights[..length]), ConvertError::Safetensors { .. }));
    }
    assert!(matches!(answer(b"\xff\xff\xff\xff\xff\xff\xff\xff{}"), ConvertError::Safetensors { .. }));
}
