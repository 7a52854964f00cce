//! A network of a few hundred bytes, and models made of it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    reason = "each test binary uses its part, and all of it is tests"
)]

use std::fs;

use nodupe_core::{EmbeddingBackend, Options, Unavailable};
use nodupe_tract_cpu::REGISTRATION;
use prost::Message;
use tempfile::TempDir;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
use tract_onnx::pb::type_proto::{Tensor, Value as Kind};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};

/// Four 3×3 filters over 8×8 pixels.
pub(crate) const DIM: usize = 4 * 6 * 6;

/// `image` (u8, batch × 8 × 8 × 3) to `embedding` (f32, batch × 144): a convolution with f16 weights and an `Abs`.
pub(crate) fn toy() -> ModelProto {
    let nodes = vec![
        node("Cast", &["image"], "floats", vec![int("to", DataType::Float as i64)]),
        node("Transpose", &["floats"], "planes", vec![ints("perm", &[0, 3, 1, 2])]),
        node("Cast", &["halves"], "weights", vec![int("to", DataType::Float as i64)]),
        node("Conv", &["planes", "weights"], "filtered", vec![ints("pads", &[0; 4])]),
        node("Abs", &["filtered"], "positive", vec![]),
        node("Flatten", &["positive"], "embedding", vec![]),
    ];
    // Small multiples of 1/8 are their own f16s: sign, exponent and mantissa of (n - 4) / 8.
    let halves: Vec<u8> = (0..4 * 27).flat_map(|place| EIGHTHS[place * 7 % 9].to_le_bytes()).collect();
    let weights = TensorProto {
        dims: vec![4, 3, 3, 3],
        data_type: DataType::Float16 as i32,
        name: "halves".to_owned(),
        raw_data: halves,
        ..TensorProto::default()
    };
    let graph = GraphProto {
        node: nodes,
        name: "toy".to_owned(),
        initializer: vec![weights],
        input: vec![value("image", DataType::Uint8, &[-1, 8, 8, 3])],
        output: vec![value("embedding", DataType::Float, &[-1, DIM as i64])],
        ..GraphProto::default()
    };
    let operators = OperatorSetIdProto { domain: String::new(), version: 13 };
    ModelProto { ir_version: 7, opset_import: vec![operators], graph: Some(graph), ..ModelProto::default() }
}

/// -4/8 to 4/8 as f16.
const EIGHTHS: [u16; 9] = [0xb800, 0xb600, 0xb400, 0xb000, 0, 0x3000, 0x3400, 0x3600, 0x3800];

/// A network for floats in planes, as classifiers want them: its pixels in a row.
pub(crate) fn planes() -> ModelProto {
    let mut model = toy();
    change(&mut model, |graph| {
        graph.node = vec![node("Flatten", &["image"], "embedding", vec![])];
        graph.initializer.clear();
        graph.input = vec![value("image", DataType::Float, &[-1, 3, 8, 8])];
        graph.output = vec![value("embedding", DataType::Float, &[-1, 192])];
    });
    model
}

pub(crate) fn change(model: &mut ModelProto, how: impl FnOnce(&mut GraphProto)) {
    how(model.graph.as_mut().unwrap());
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("{output}-node"),
        op_type: operator.to_owned(),
        attribute,
        ..NodeProto::default()
    }
}

pub(crate) fn value(name: &str, kind: DataType, sizes: &[i64]) -> ValueInfoProto {
    let dim = |&size: &i64| Dimension {
        value: Some(if size < 0 { Value::DimParam("N".to_owned()) } else { Value::DimValue(size) }),
        ..Dimension::default()
    };
    let shape = TensorShapeProto { dim: sizes.iter().map(dim).collect() };
    let tensor = Tensor { elem_type: kind as i32, shape: Some(shape) };
    let kind = TypeProto { value: Some(Kind::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(kind), ..ValueInfoProto::default() }
}

pub(crate) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i, ..AttributeProto::default() }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    let ints = ints.to_vec();
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Ints as i32, ints, ..AttributeProto::default() }
}

/// An installed model.
pub(crate) struct Installed {
    folder: TempDir,
}

/// Installs a file as a model that takes `tensor` and gives `dim` numbers.
pub(crate) fn install(bytes: &[u8], tensor: &str, dim: usize, precision: &str) -> Installed {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        r#"
        format = 1
        id = "toy"
        revision = "1"
        description = "a toy"
        licence = {{ name = "MIT" }}
        [input]
        width = 8
        height = 8
        tensor = {{ name = "image", {tensor} }}
        [output]
        name = "embedding"
        dim = {dim}
        [[artifact]]
        format = "onnx"
        file = "toy.onnx"
        precision = "{precision}"
        "#
    );
    fs::write(folder.path().join("model.toml"), manifest).unwrap();
    fs::write(folder.path().join("toy.onnx"), bytes).unwrap();
    Installed { folder }
}

pub(crate) const U8: &str = r#"element-type = "u8", layout = "nhwc""#;
pub(crate) const F32: &str =
    r#"element-type = "f32", layout = "nchw", mean = [127.0, 127.0, 127.0], std = [64.0, 64.0, 64.0]"#;

impl Installed {
    pub(crate) fn options(&self) -> Options {
        Options::new().with_model(self.folder.path().to_str().unwrap())
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }

    pub(crate) fn create(&self) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
        (REGISTRATION.create)(&self.options())
    }
}

/// The backend of a file that should be [`toy`].
pub(crate) fn create(bytes: &[u8]) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    install(bytes, U8, DIM, "f16").create()
}

/// The backend of [`toy`], changed.
pub(crate) fn changed(how: impl FnOnce(&mut GraphProto)) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    let mut model = toy();
    change(&mut model, how);
    create(&model.encode_to_vec())
}
