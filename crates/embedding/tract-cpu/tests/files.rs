//! Files that are not the model that was meant: each is refused when the backend is made, with what is wrong.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "what helps tests is one of them")]

mod toy;

use nodupe_core::{EmbeddingBackend, ImageBatch, Options, Reason, Row, Unavailable};
use nodupe_tract_cpu::REGISTRATION;
use prost::Message;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto};

use toy::{DIM, F32, U8, change, changed, create, install, int, ints, node, toy, value};

/// Sees that a model was refused as unusable and that the reason speaks of all of `words`.
fn refused(made: Result<Box<dyn EmbeddingBackend>, Unavailable>, words: &[&str]) {
    let why = made.expect_err(&format!("{words:?}"));
    assert_eq!(why.reason, Reason::ModelUnusable, "{why}");
    let mut text = why.to_string();
    let mut source = std::error::Error::source(&why);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    assert!(text.starts_with("the model toy cannot be used: "), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[test]
fn the_unchanged_model_runs() {
    assert_eq!(create(&toy().encode_to_vec()).unwrap().to_string(), "tract-cpu(dim=144)");
}

#[test]
fn files_that_are_no_onnx_are_refused() {
    let whole = toy().encode_to_vec();
    let text = b"# A model\n\nThis is a text about one.\n";
    for bytes in [&text[..], b"", b"\0\0\0\0", &whole[..whole.len() / 2], &whole[..10], b"PK\x03\x04 not one either"] {
        refused(create(bytes), &["no ONNX file"]);
    }
}

#[test]
fn an_operator_that_tract_does_not_know_is_named() {
    let unknown = |domain: &'static str| {
        move |graph: &mut GraphProto| {
            graph.node[4].op_type = "Frobnicate".to_owned();
            graph.node[4].domain = domain.to_owned();
        }
    };
    refused(changed(unknown("")), &["tract has no operator `Frobnicate`"]);
    refused(changed(unknown("com.example")), &["tract has no operator `com.example.Frobnicate`"]);
}

#[test]
fn an_unknown_operator_inside_another_one_is_named() {
    let branch = |operator: &str| GraphProto {
        node: vec![node(operator, &["positive"], "branch", vec![])],
        output: vec![value("branch", DataType::Float, &[])],
        ..GraphProto::default()
    };
    let attribute = |name: &str, operator: &str| AttributeProto {
        name: name.to_owned(),
        g: Some(branch(operator)),
        ..AttributeProto::default()
    };
    let choice = |graph: &mut GraphProto| {
        let branches = vec![attribute("then_branch", "Flatten"), attribute("else_branch", "Frobnicate")];
        graph.node[5] = node("If", &["positive"], "embedding", branches);
    };
    refused(changed(choice), &["`Frobnicate`"]);
}

#[test]
fn an_operator_that_tract_knows_and_cannot_run_as_it_is_used_is_named() {
    let nodes = [
        node("MatMul", &["planes", "weights"], "filtered", vec![]),
        node("Conv", &["planes"], "filtered", vec![]),
        node("Resize", &["planes"], "filtered", vec![]),
        node("Cast", &["planes"], "filtered", vec![int("to", 9999)]),
        node("Transpose", &["planes"], "filtered", vec![ints("perm", &[0, 2, 2, 1])]),
    ];
    for node in nodes {
        let operator = node.op_type.clone();
        refused(changed(|graph| graph.node[3] = node), &[&operator]);
    }
}

#[test]
fn other_inputs_are_refused_with_what_was_found() {
    let two = |graph: &mut GraphProto| graph.input.push(value("mask", DataType::Float, &[1]));
    refused(changed(two), &["2 inputs", "`image`", "`mask`"]);
    refused(changed(|graph| graph.input.clear()), &["0 inputs"]);
    let renamed = |graph: &mut GraphProto| {
        graph.input[0].name = "pixels".to_owned();
        graph.node[0].input[0] = "pixels".to_owned();
    };
    refused(changed(renamed), &["`pixels`", "`image`"]);
    let float = |graph: &mut GraphProto| graph.input[0] = value("image", DataType::Float, &[-1, 8, 8, 3]);
    refused(changed(float), &["`image`", "FLOAT", "UINT8"]);
    for sizes in [&[-1, 16, 16, 3][..], &[-1, 3, 8, 8], &[4, 8, 8, 3], &[-1, 8, 8], &[]] {
        let shape = |graph: &mut GraphProto| graph.input[0] = value("image", DataType::Uint8, sizes);
        refused(changed(shape), &["`image`", "[1, 8, 8, 3]"]);
    }
    refused(changed(|graph| graph.input[0].r#type = None), &["`image` is no tensor"]);
}

#[test]
fn other_outputs_are_refused_with_what_was_found() {
    let renamed = |graph: &mut GraphProto| {
        graph.output[0].name = "logits".to_owned();
        graph.node[5].output[0] = "logits".to_owned();
    };
    refused(changed(renamed), &["no output `embedding`", "`logits`"]);
    // Named and never computed.
    refused(changed(|graph| graph.node[5].output[0] = "elsewhere".to_owned()), &[]);
    let maps = |graph: &mut GraphProto| graph.node[5].op_type = "Abs".to_owned();
    refused(changed(maps), &["1,4,6,6", "[1, 144]"]);
    refused(install(&toy().encode_to_vec(), U8, 512, "f16").create(), &["1,144", "[1, 512]"]);
    let bytes = |graph: &mut GraphProto| {
        graph.node[0] = node("Flatten", &["image"], "embedding", vec![]);
        graph.node.truncate(1);
        graph.output[0] = value("embedding", DataType::Uint8, &[-1, 192]);
    };
    refused(changed(bytes), &["`embedding`", "UINT8", "FLOAT"]);
}

#[test]
fn a_network_that_gives_no_numbers_is_refused() {
    for half in [0x7e00u16, 0x7c00] {
        let weights = |graph: &mut GraphProto| graph.initializer[0].raw_data[..2].copy_from_slice(&half.to_le_bytes());
        refused(changed(weights), &["tract makes no vector"]);
    }
}

#[test]
fn tensors_of_any_size_are_not_made() {
    let pads = |graph: &mut GraphProto| graph.node[3].attribute[0].ints = vec![1 << 20; 4];
    refused(changed(pads), &["Conv", "bytes"]);
    let weights = |graph: &mut GraphProto| graph.initializer[0].dims = vec![1 << 40, 1 << 40, 3, 3];
    refused(changed(weights), &[]);
}

#[test]
fn a_panic_of_tract_is_an_error() {
    let none = |graph: &mut GraphProto| graph.node[3].attribute.push(ints("strides", &[0, 0]));
    refused(changed(none), &["tract panicked", "divide by zero"]);
}

#[test]
fn weights_in_other_files_are_refused() {
    let outside = |graph: &mut GraphProto| {
        graph.initializer[0].raw_data.clear();
        graph.initializer[0].data_location = Some(DataLocation::External as i32);
    };
    refused(changed(outside), &["external data"]);
}

#[test]
fn other_outputs_beside_the_one_that_is_meant_do_not_matter() {
    let more = |graph: &mut GraphProto| graph.output.insert(0, value("positive", DataType::Float, &[-1, 4, 6, 6]));
    assert_eq!(changed(more).unwrap().dim(), DIM);
}

#[test]
fn shapes_that_an_exporter_made_up_do_not_matter() {
    let odd = |graph: &mut GraphProto| {
        graph.value_info = vec![value("planes", DataType::Float, &[7, 7, 7])];
        let mut image = value("image", DataType::Uint8, &[-1, -1, -1, 3]);
        // tract reads names as expressions.
        let deep = "(".repeat(100_000);
        if let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) = &mut image.r#type.as_mut().unwrap().value {
            let dim = &mut tensor.shape.as_mut().unwrap().dim[0];
            dim.value = Some(tract_onnx::pb::tensor_shape_proto::dimension::Value::DimParam(deep));
        }
        graph.input[0] = image;
    };
    assert_eq!(changed(odd).unwrap().dim(), DIM);
}

#[test]
fn a_model_without_an_onnx_file_is_missing_and_told_by_the_probe() {
    let model = install(&toy().encode_to_vec(), U8, DIM, "f16");
    model.remove("toy.onnx");
    let why = (REGISTRATION.probe)(&model.options()).unwrap_err();
    assert!(why.to_string().contains("toy.onnx"), "{why}");
    assert_eq!(model.create().unwrap_err().reason, why.reason);
    let nowhere = Options::new().with_model("no-such-model");
    assert_eq!((REGISTRATION.probe)(&nowhere).unwrap_err().reason, Reason::ModelMissing);
    assert_eq!((REGISTRATION.space)(&nowhere).unwrap_err().reason, Reason::ModelMissing);
}

#[test]
fn eight_bit_integers_that_are_run_as_floats_are_a_space_of_their_own() {
    let model = install(&toy().encode_to_vec(), U8, DIM, "int8");
    assert_eq!((REGISTRATION.space)(&model.options()).unwrap().precision(), "int8-dequantised");
    assert_eq!(model.create().unwrap().space().precision(), "int8-dequantised");
}

#[test]
fn pixels_reach_the_network_as_the_manifest_says() {
    let model = install(&toy::planes().encode_to_vec(), F32, 192, "f32");
    let backend = model.create().unwrap();
    let pixels: Vec<u8> = (0..2 * 192).map(|place| (place * 31 % 251) as u8).collect();
    let batch = ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap();
    let embedded = backend.embed(&batch).unwrap();
    for image in 0..2 {
        let Some(Row::F32(row)) = embedded.first_row(image) else { panic!("image {image} has no row") };
        let value = |place: usize| (f32::from(pixels[image * 192 + place]) - 127.0) / 64.0;
        let planes: Vec<f32> = (0..192).map(|place| value(place % 64 * 3 + place / 64)).collect();
        let length = planes.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!(row.iter().zip(&planes).all(|(given, wanted)| (given - wanted / length).abs() < 1e-6));
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let model = install(&toy().encode_to_vec(), U8, DIM, "f16");
    let pixels: Vec<u8> = (0..37 * 192u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let embedded = [None, Some(1), Some(5)].map(|threads: Option<usize>| {
        let threads = threads.and_then(std::num::NonZeroUsize::new);
        let backend = (REGISTRATION.create)(&model.options().with_threads(threads)).unwrap();
        backend.embed(&ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap()).unwrap()
    });
    assert_eq!(embedded[0], embedded[1]);
    assert_eq!(embedded[0], embedded[2]);
}

#[test]
fn an_unused_node_that_is_unknown_is_named_all_the_same() {
    let mut model = toy();
    change(&mut model, |graph| graph.node.push(NodeProto { op_type: "Extra".to_owned(), ..NodeProto::default() }));
    refused(create(&model.encode_to_vec()), &["`Extra`"]);
}
