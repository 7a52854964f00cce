//! An ONNX file before tract makes anything of it: whether it is the network that the manifest speaks of, and whether tract
//! knows its operators.

use std::collections::{BTreeSet, HashSet};

use nodupe_models::{Manifest, TensorElement};
use tract_onnx::Onnx;
use tract_onnx::model::OnnxOpRegister;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorShapeProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::*;

use crate::guard::{brief, guarded};

/// Reads the graph in `bytes` and compares its inputs, outputs and operators with the manifest and with what `onnx` knows.
/// What the graph says of the shapes of its inputs is compared and taken out: the manifest's count from here on.
///
/// # Errors
/// What is wrong with it, for a person.
pub(crate) fn read(bytes: &[u8], onnx: &Onnx, manifest: &Manifest) -> Result<ModelProto, String> {
    let mut proto = guarded(|| onnx.proto_model_for_read(&mut &*bytes)).map_err(|_| "it is no ONNX file".to_owned())?;
    let graph = proto.graph.as_mut().ok_or("it is no ONNX file: there is no graph in it")?;
    check_input(graph, manifest).map_err(|why| brief(&why))?;
    check_output(graph, manifest).map_err(|why| brief(&why))?;
    let mut unknown = BTreeSet::new();
    visit(graph, &onnx.op_register, &mut unknown).map_err(|why| brief(&why))?;
    if unknown.is_empty() {
        return Ok(proto);
    }
    let names: Vec<String> = unknown.into_iter().collect();
    Err(brief(&format!("tract has no operator {}", names.join(", "))))
}

fn check_input(graph: &GraphProto, manifest: &Manifest) -> Result<(), String> {
    // Older files list the weights among the inputs.
    let weights: HashSet<&str> = graph.initializer.iter().map(|weights| weights.name.as_str()).collect();
    let inputs: Vec<_> = graph.input.iter().filter(|input| !weights.contains(input.name.as_str())).collect();
    let [input] = inputs[..] else {
        return Err(format!("it has {} inputs ({}), and one is expected", inputs.len(), names(&inputs)));
    };
    let tensor = &manifest.input.tensor;
    let name = &tensor.name;
    if input.name != *name {
        return Err(format!("its input is called `{}`, and the manifest says `{name}`", input.name));
    }
    let wanted = match tensor.element_type {
        TensorElement::U8 => DataType::Uint8,
        TensorElement::F32 => DataType::Float,
        _ => return Err("its elements are of a type that is new to this program".to_owned()),
    };
    let shape = check_elements(input, wanted)?;
    let wanted = tensor.shape(1, manifest.input.width, manifest.input.height);
    match shape {
        Some(found) if !fits(found, &wanted) => {
            Err(format!("its input `{name}` is {}, and the manifest says {wanted:?} for one image", shown(found)))
        }
        _ => Ok(()),
    }
}

fn check_output(graph: &GraphProto, manifest: &Manifest) -> Result<(), String> {
    let name = &manifest.output.name;
    let Some(output) = graph.output.iter().find(|output| output.name == *name) else {
        let outputs: Vec<_> = graph.output.iter().collect();
        return Err(format!("it has no output `{name}`: its outputs are {}", names(&outputs)));
    };
    check_elements(output, DataType::Float).map(|_| ())
}

/// The shape of a tensor of the wanted elements; `None` where the graph does not say.
fn check_elements(value: &ValueInfoProto, wanted: DataType) -> Result<Option<&TensorShapeProto>, String> {
    let kind = value.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = kind else {
        return Err(format!("`{}` is no tensor", value.name));
    };
    if tensor.elem_type == wanted as i32 {
        return Ok(tensor.shape.as_ref());
    }
    let found = DataType::try_from(tensor.elem_type).map_or("of an unknown type", |kind| kind.as_str_name());
    Err(format!("the elements of `{}` are {found}, and {} is expected", value.name, wanted.as_str_name()))
}

/// Whether a tensor may be of these sizes: what the graph leaves open may be anything.
fn fits(shape: &TensorShapeProto, wanted: &[usize]) -> bool {
    let open_or = |dim: &tract_onnx::pb::tensor_shape_proto::Dimension, wanted: usize| match dim.value {
        Some(dimension::Value::DimValue(found)) => found < 0 || usize::try_from(found) == Ok(wanted),
        _ => true,
    };
    shape.dim.len() == wanted.len() && shape.dim.iter().zip(wanted).all(|(dim, &wanted)| open_or(dim, wanted))
}

fn shown(shape: &TensorShapeProto) -> String {
    let size = |dim: &tract_onnx::pb::tensor_shape_proto::Dimension| match &dim.value {
        Some(dimension::Value::DimValue(size)) => size.to_string(),
        Some(dimension::Value::DimParam(name)) => name.clone(),
        None => "?".to_owned(),
    };
    format!("[{}]", shape.dim.iter().map(size).collect::<Vec<_>>().join(", "))
}

fn names(values: &[&ValueInfoProto]) -> String {
    let names: Vec<String> = values.iter().map(|value| format!("`{}`", value.name)).collect();
    names.join(", ")
}

/// Collects the operators of a graph and of the graphs in its nodes that tract does not know, and takes out the shapes of
/// their inputs: tract reads the names of sizes as expressions, by recursion as deep as they are nested.
fn visit(graph: &mut GraphProto, known: &OnnxOpRegister, unknown: &mut BTreeSet<String>) -> Result<(), String> {
    for input in &mut graph.input {
        if let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        {
            tensor.shape = None;
        }
    }
    for node in &mut graph.node {
        if !known.0.contains_key(&node.op_type) {
            let dot = if node.domain.is_empty() { "" } else { "." };
            unknown.insert(format!("`{}{dot}{}`", node.domain, node.op_type));
        }
        check_axes(node)?;
        for attribute in &mut node.attribute {
            attribute.g.iter_mut().chain(&mut attribute.graphs).try_for_each(|graph| visit(graph, known, unknown))?;
        }
    }
    Ok(())
}

/// Sees that a `Transpose` names each axis once: tract looks for ever for the way to an order that is none, and fills the
/// memory with it.
fn check_axes(node: &NodeProto) -> Result<(), String> {
    let order = node.attribute.iter().find(|attribute| attribute.name == "perm");
    let Some(order) = order.filter(|_| node.op_type == "Transpose") else {
        return Ok(());
    };
    let mut axes = order.ints.clone();
    axes.sort_unstable();
    if axes.iter().zip(0..).all(|(found, axis)| *found == axis) {
        return Ok(());
    }
    Err(format!("its operator Transpose ({}) puts axes in the order {:?}, which is none", node.name, order.ints))
}
