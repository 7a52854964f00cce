//! Tiny ONNX files, written field by field as `onnx.proto` (IR version 8, opset 13) numbers them, and folders of models.
#![allow(dead_code, clippy::unwrap_used, reason = "the helpers of tests are tests, and each test uses some")]

use std::fs;
use std::path::{Path, PathBuf};

use nodupe_core::Options;

/// `TensorProto.FLOAT` and `TensorProto.UINT8`.
pub(crate) const F32: u64 = 1;
pub(crate) const U8: u64 = 2;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A `ValueInfoProto`; an axis is a number, or a name where it is free.
pub(crate) fn value(name: &str, element: u64, axes: &[&str]) -> Vec<u8> {
    let dimension = |axis: &&str| match axis.parse() {
        Ok(size) => bytes(1, number(1, size)),
        Err(_) => bytes(1, bytes(2, axis)),
    };
    let shape: Vec<u8> = axes.iter().flat_map(dimension).collect();
    let tensor = [number(1, element), bytes(2, shape)].concat();
    [bytes(1, name), bytes(2, bytes(1, tensor))].concat()
}

/// A `NodeProto`.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|input| bytes(1, input));
    let attributes = attributes.iter().flat_map(|attribute| bytes(5, attribute));
    inputs.chain(bytes(2, output)).chain(bytes(4, operator)).chain(attributes).collect()
}

/// An `AttributeProto` of whole numbers (`INTS`), or of one (`INT`).
pub(crate) fn integers(name: &str, values: &[u64]) -> Vec<u8> {
    let values = values.iter().flat_map(|value| number(8, *value));
    bytes(1, name).into_iter().chain(values).chain(number(20, 7)).collect()
}

pub(crate) fn integer(name: &str, value: u64) -> Vec<u8> {
    [bytes(1, name), number(3, value), number(20, 2)].concat()
}

/// A `ModelProto`.
pub(crate) fn model(nodes: &[Vec<u8>], inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Vec<u8> {
    let nodes = nodes.iter().flat_map(|node| bytes(1, node));
    let inputs = inputs.iter().flat_map(|input| bytes(11, input));
    let outputs = outputs.iter().flat_map(|output| bytes(12, output));
    let graph: Vec<u8> = nodes.chain(bytes(2, "toy")).chain(inputs).chain(outputs).collect();
    [number(1, 8), bytes(7, graph), bytes(8, number(2, 13))].concat()
}

/// The means of the three channels of u8 NHWC images of 8×8 pixels: batch × 3.
pub(crate) fn means(batch: &str) -> Vec<u8> {
    let nodes = [
        node("Cast", &["image"], "floats", &[integer("to", F32)]),
        node("ReduceMean", &["floats"], "embedding", &[integers("axes", &[1, 2]), integer("keepdims", 0)]),
    ];
    model(&nodes, &[value("image", U8, &[batch, "8", "8", "3"])], &[value("embedding", F32, &[batch, "3"])])
}

/// A folder with the manifest of a model of 8×8 pixels and `dim` numbers, and `onnx` as its file.
pub(crate) fn install(folder: &Path, element: &str, dim: usize, onnx: &[u8]) -> PathBuf {
    let manifest = format!(
        r#"format = 1
id = "toy"
revision = "1"
description = "a toy"
licence = {{ name = "MIT" }}
[input]
width = 8
height = 8
tensor = {{ name = "image", element-type = "{element}", layout = "nhwc" }}
[output]
name = "embedding"
dim = {dim}
[[artifact]]
format = "onnx"
file = "toy.onnx"
precision = "f32"
"#
    );
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.toml"), manifest).unwrap();
    fs::write(folder.join("toy.onnx"), onnx).unwrap();
    folder.to_owned()
}

pub(crate) fn options(folder: &Path) -> Options {
    Options::new().with_model(folder.to_str().unwrap())
}
