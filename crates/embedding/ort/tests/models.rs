//! Files that are no models, and models that are not what their manifests say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::num::NonZeroUsize;

use nodupe_conformance::provided;
use nodupe_core::{BackendInfo, EmbeddingBackend, ImageBatch, Reason, Row, Unavailable, package};
use nodupe_models::Format;
use nodupe_ort::{Onnx, Plan, REGISTRATION, Runtime};
use tempfile::TempDir;

mod graph;
use graph::{F32, U8, install, integer, integers, means, model, node, options, value};

/// Whether ONNX Runtime is here.
fn library() -> bool {
    let folder = TempDir::new().unwrap();
    let probed = (REGISTRATION.probe)(&options(&install(folder.path(), "u8", 3, &means("n"))));
    provided(probed, "run `cargo xtask setup`").is_some()
}

fn open(element: &str, dim: usize, onnx: &[u8]) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    let folder = TempDir::new().unwrap();
    (REGISTRATION.create)(&options(&install(folder.path(), element, dim, onnx)))
}

/// What is said of a file that cannot be used.
fn refused(element: &str, dim: usize, onnx: &[u8]) -> String {
    let why = open(element, dim, onnx).unwrap_err();
    assert_eq!(why.reason, Reason::ModelUnusable, "{why}");
    why.detail.into_owned()
}

#[test]
fn a_graph_that_is_what_its_manifest_says_is_run_in_every_form_that_it_may_have() {
    if !library() {
        return;
    }
    let floats = {
        let mean = node("ReduceMean", &["image"], "embedding", &[integers("axes", &[1, 2]), integer("keepdims", 0)]);
        model(&[mean], &[value("image", F32, &["n", "8", "8", "3"])], &[value("embedding", F32, &["n", "3"])])
    };
    // batch × dim × 1 × 1, and another output that nobody asked for.
    let maps = {
        let nodes = [
            node("Cast", &["image"], "floats", &[integer("to", F32)]),
            node("Transpose", &["floats"], "channels", &[integers("perm", &[0, 3, 1, 2])]),
            node("ReduceMean", &["channels"], "embedding", &[integers("axes", &[2, 3]), integer("keepdims", 1)]),
        ];
        let outputs = [value("floats", F32, &["n", "8", "8", "3"]), value("embedding", F32, &["n", "3", "1", "1"])];
        model(&nodes, &[value("image", U8, &["n", "8", "8", "3"])], &outputs)
    };
    // 9 images are more than one piece, also where the graph takes one image at a time.
    let pixels: Vec<u8> = (0..9 * 8 * 8 * 3_u32).map(|i| (i * 7919 % 251) as u8).collect();
    for (element, onnx) in [("u8", means("n")), ("u8", means("1")), ("f32", floats), ("u8", maps)] {
        let backend = open(element, 3, &onnx).unwrap();
        let batch = ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap();
        let embedded = backend.embed(&batch).unwrap();
        for (number, image) in batch.images().enumerate() {
            let mean = |channel: usize| image.iter().skip(channel).step_by(3).map(|x| f32::from(*x)).sum::<f32>();
            let expected = [mean(0), mean(1), mean(2)];
            let Some(Row::F32(row)) = embedded.first_row(number) else { panic!("image {number} has no row") };
            let (dot, length): (f32, f32) = (
                row.iter().zip(expected).map(|(a, b)| a * b).sum(),
                expected.iter().map(|x| x * x).sum::<f32>().sqrt(),
            );
            assert!((dot / length - 1.0).abs() < 1e-6, "image {number}: {row:?}, and {expected:?} is the direction");
        }
    }
}

#[test]
fn a_file_that_is_no_graph_is_refused() {
    if !library() {
        return;
    }
    let whole = means("n");
    for file in [b"It was a dark and stormy night".as_slice(), b"", &whole[..whole.len() / 2], &[0xff; 64]] {
        assert!(refused("u8", 3, file).contains("does not read it"));
    }
}

#[test]
fn a_graph_with_another_input_is_refused_with_what_was_found() {
    if !library() {
        return;
    }
    let two = {
        let sum = node("Add", &["image", "other"], "embedding", &[]);
        let input = |name| value(name, F32, &["n", "3"]);
        model(&[sum], &[input("image"), input("other")], &[value("embedding", F32, &["n", "3"])])
    };
    assert!(refused("f32", 3, &two).contains("2 inputs (image, other)"));
    let other_name = {
        let cast = node("Cast", &["picture"], "embedding", &[integer("to", F32)]);
        model(
            &[cast],
            &[value("picture", U8, &["n", "8", "8", "3"])],
            &[value("embedding", F32, &["n", "8", "8", "3"])],
        )
    };
    assert!(refused("u8", 3, &other_name).contains("called `picture`"));
    assert!(refused("f32", 3, &means("n")).contains("its input `image` is of"));
    let of_shape = |axes: &[&str]| {
        let cast = node("Cast", &["image"], "embedding", &[integer("to", F32)]);
        model(&[cast], &[value("image", U8, axes)], &[value("embedding", F32, axes)])
    };
    assert!(refused("u8", 3, &of_shape(&["n", "3"])).contains("?×3, and its manifest says ?×8×8×3"));
    assert!(refused("u8", 3, &of_shape(&["n", "9", "8", "3"])).contains("?×9×8×3"));
    assert!(refused("u8", 3, &of_shape(&["7", "8", "8", "3"])).contains("takes 7 images"));
}

#[test]
fn a_graph_with_another_output_is_refused_with_what_was_found() {
    if !library() {
        return;
    }
    let input = [value("image", U8, &["n", "8", "8", "3"])];
    let cast = |to| node("Cast", &["image"], "embedding", &[integer("to", to)]);
    let rank = model(&[cast(F32)], &input, &[value("embedding", F32, &["n", "8", "8", "3"])]);
    assert!(refused("u8", 3, &rank).contains("2×8×8×3 for 2 images, and 2×3 is wanted"));
    assert!(refused("u8", 4, &means("n")).contains("2×3 for 2 images, and 2×4 is wanted"));
    // `TensorProto.DOUBLE`
    let doubles = model(&[cast(11)], &input, &[value("embedding", 11, &["n", "8", "8", "3"])]);
    assert!(refused("u8", 3, &doubles).contains("f32 is wanted"));
    let named = {
        let cast = node("Cast", &["image"], "features", &[integer("to", F32)]);
        model(&[cast], &input, &[value("features", F32, &["n", "8", "8", "3"])])
    };
    assert!(refused("u8", 3, &named).contains("no output `embedding`, but features"));
}

#[test]
fn a_graph_that_gives_no_vector_is_refused() {
    if !library() {
        return;
    }
    // x - x is zero, and the root of -x is no number.
    let of = |nodes: &[Vec<u8>]| {
        let mut all = vec![
            node("Cast", &["image"], "floats", &[integer("to", F32)]),
            node("ReduceMean", &["floats"], "means", &[integers("axes", &[1, 2]), integer("keepdims", 0)]),
        ];
        all.extend_from_slice(nodes);
        model(&all, &[value("image", U8, &["n", "8", "8", "3"])], &[value("embedding", F32, &["n", "3"])])
    };
    let zero = of(&[node("Sub", &["means", "means"], "embedding", &[])]);
    let nan = of(&[node("Neg", &["means"], "negative", &[]), node("Sqrt", &["negative"], "embedding", &[])]);
    for onnx in [zero, nan] {
        assert!(refused("u8", 3, &onnx).contains("noise gives no vector"));
    }
}

#[test]
fn batches_of_one_shape_give_what_batches_of_any_do() {
    if !library() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let options = options(&install(folder.path(), "u8", 3, &means("n")));
    let model = nodupe_ort::model(&options).unwrap();
    let runtime = Runtime::loaded().unwrap_or_else(|| {
        (REGISTRATION.create)(&options).unwrap();
        Runtime::loaded().unwrap()
    });
    let bytes = model.read(Format::Onnx).unwrap();
    let pixels: Vec<u8> = (0..11 * 8 * 8 * 3_u32).map(|i| (i * 7919 % 251) as u8).collect();
    let number = |number| NonZeroUsize::new(number).unwrap();
    let embed = |sessions, images, fixed| {
        let (sessions, images) = (number(sessions), number(images));
        let plan = Plan { sessions, threads: number(1), images, fixed, provider: None };
        let backend = Onnx::open(BackendInfo::new("toy", package!()), &runtime, &model, &bytes, &plan, None).unwrap();
        backend.embed(&ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap()).unwrap()
    };
    let wanted = embed(1, 11, false);
    for (sessions, images, fixed) in [(1, 4, true), (3, 4, true), (2, 16, true), (3, 2, false), (16, 3, false)] {
        assert_eq!(embed(sessions, images, fixed), wanted, "{sessions} sessions, {images} images at once, {fixed}");
    }
}

#[test]
fn a_model_without_a_graph_is_unavailable_before_any_library_is_looked_for() {
    let folder = TempDir::new().unwrap();
    let model = install(folder.path(), "u8", 3, &[]);
    std::fs::remove_file(model.join("toy.onnx")).unwrap();
    for answer in [(REGISTRATION.probe)(&options(&model)), (REGISTRATION.create)(&options(&model)).map(drop)] {
        let why = answer.unwrap_err();
        assert_eq!(why.reason, Reason::ModelUnusable);
        assert!(why.detail.contains("toy.onnx") && why.source.is_some(), "{why}");
    }
}
