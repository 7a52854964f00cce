//! ONNX graphs, written node by node.
//!
//! Field numbers are those of `onnx.proto3`. Operator set 13 and version 7 of the format (ONNX 1.8, 2020) are what runtimes
//! of the last years all read. Nothing that depends on a machine or on the version of this crate goes into the file: digests
//! of such files are pinned.

mod wire;

use std::collections::BTreeSet;

use wire::Message;

const IR_VERSION: usize = 7;
const OPERATOR_SET: usize = 13;
const FLOAT: usize = 1;
/// The axis of the images, which may be as many as one likes.
const BATCH: &str = "batch";

/// A graph that is being written.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    /// Of both.
    names: BTreeSet<String>,
}

/// An attribute of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute<'a> {
    Int(&'a str, usize),
    Ints(&'a str, &'a [usize]),
}

/// An input or output of the graph: a batch of these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port<'a> {
    pub(super) name: &'a str,
    /// The axes of one, after the batch.
    pub(super) axes: &'a [usize],
}

impl Graph {
    /// Whether something is called so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Adds a node of one output, which is called as it is.
    pub(super) fn node(&mut self, operator: &str, name: &str, inputs: &[&str], attributes: &[Attribute<'_>]) {
        self.names.insert(name.to_owned());
        let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        let node = node.text(2, name).text(3, name).text(4, operator);
        self.nodes.push(attributes.iter().fold(node, |node, attribute| node.message(5, &attribute.message())));
    }

    /// Adds a constant: these numbers in this shape, row-major.
    pub(super) fn initializer(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.names.insert(name.to_owned());
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = Message::default().ints(1, shape).int(2, FLOAT).text(8, name).bytes(9, &bytes);
        self.initializers.push(tensor);
    }

    /// The file. `name` says what the network is.
    pub(super) fn to_onnx(&self, name: &str, input: Port<'_>, output: Port<'_>) -> Vec<u8> {
        let graph = self.nodes.iter().fold(Message::default(), |graph, node| graph.message(1, node)).text(2, name);
        let graph = self.initializers.iter().fold(graph, |graph, tensor| graph.message(5, tensor));
        let graph = graph.message(11, &input.message()).message(12, &output.message());
        let operators = Message::default().text(1, "").int(2, OPERATOR_SET);
        Message::default().int(1, IR_VERSION).text(2, "nodupe").message(7, &graph).message(8, &operators).finish()
    }
}

impl Attribute<'_> {
    fn message(self) -> Message {
        match self {
            Self::Int(name, value) => Message::default().text(1, name).int(3, value).int(20, 2),
            Self::Ints(name, values) => Message::default().text(1, name).ints(8, values).int(20, 7),
        }
    }
}

impl Port<'_> {
    fn message(self) -> Message {
        let batch = Message::default().text(2, BATCH);
        let shape = self.axes.iter().fold(Message::default().message(1, &batch), |shape, axis| {
            shape.message(1, &Message::default().int(1, *axis))
        });
        let tensor = Message::default().int(1, FLOAT).message(2, &shape);
        Message::default().text(1, self.name).message(2, &Message::default().message(1, &tensor))
    }
}
