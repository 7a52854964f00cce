//! Backends that run one model agree, and so name one space: measured on a hundred photographs (`NODUPE_PHOTOS`) and on
//! generated pictures.
#![cfg(all(feature = "tract", feature = "ort", feature = "bruteforce", feature = "media"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::panic,
    reason = "what helps tests is one of them"
)]

use std::fs;
use std::path::PathBuf;

use nodupe::core::{EmbeddingRegistration, Row, Unavailable};
use nodupe::index::Index;
use nodupe::media::{DecodePool, PoolOptions};
use nodupe::{EmbeddingBackend, ImageBatch, IndexSpec, InputSpec, ItemId, Options, Preference, Registry, Selector};
use nodupe_conformance::data::{Picture, picture};
use nodupe_conformance::{agreement, agreement_on, provided};

const BRING: &str = "run `cargo xtask setup`";
/// How many images two backends are compared on.
const IMAGES: usize = 100;

fn registration(name: &str) -> EmbeddingRegistration {
    *Registry::linked().embeddings().iter().find(|entry| entry.name == name).expect("it is linked")
}

/// A backend that runs a model, where this machine has what it takes.
fn backend(name: &str, model: &str) -> Option<Box<dyn EmbeddingBackend>> {
    let registration = registration(name);
    let options = Options::new().with_model(model);
    let made = || -> Result<_, Unavailable> {
        (registration.probe)(&options)?;
        (registration.create)(&options)
    };
    provided(made(), BRING)
}

/// Pixels of [`IMAGES`] photographs, as `spec` wants them.
fn photographs(spec: &InputSpec) -> Option<Vec<u8>> {
    let folder = std::env::var_os("NODUPE_PHOTOS").ok_or("NODUPE_PHOTOS is not set");
    let folder = provided(folder, "set it to a folder of photographs")?;
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    // Every so many, so that more than the first few subjects are looked at.
    let step = (paths.len() / IMAGES).max(1);
    let paths: Vec<PathBuf> = paths.into_iter().step_by(step).take(IMAGES + 1).collect();
    let count = paths.len();
    let decoded = DecodePool::new(PoolOptions::default())
        .decode(*spec, (0..count).map(move |number| paths[number].clone()))
        .filter_map(|(_, image)| Some(image.ok()?.pixels));
    Some(decoded.take(IMAGES).flatten().collect())
}

fn agree(a: &str, b: &str, model: &str) {
    let (Some(a), Some(b)) = (backend(a, model), backend(b, model)) else { return };
    let generated = agreement(a.as_ref(), b.as_ref()).unwrap();
    let Some(pixels) = photographs(a.input_spec()) else { return };
    let batch = ImageBatch::for_spec(a.input_spec(), &pixels).unwrap();
    assert!(batch.len() >= IMAGES, "{} images", batch.len());
    let measured = agreement_on(a.as_ref(), b.as_ref(), &batch).unwrap();
    eprintln!("{a} and {b} on {model}: {generated:?}, {measured:?}");
}

#[test]
fn onnx_runtime_and_tract_agree_on_sscd_distilled() {
    agree("ort-cpu", "tract-cpu", "sscd-distilled");
}

#[test]
fn onnx_runtime_and_tract_agree_on_efficientnet_lite0() {
    agree("ort-cpu", "tract-cpu", "efficientnet-lite0");
}

#[cfg(feature = "candle")]
#[test]
fn onnx_runtime_and_candle_agree_on_efficientnet_lite0() {
    agree("ort-cpu", "candle", "efficientnet-lite0");
}

#[test]
fn integers_that_are_turned_back_into_floats_have_a_space_of_their_own() {
    let space = |name: &str| (registration(name).space)(&Options::new().with_model("sscd-int8"));
    let (Some(ort), Some(tract)) = (provided(space("ort-cpu"), BRING), provided(space("tract-cpu"), BRING)) else {
        return;
    };
    assert_eq!(ort.precision(), "int8");
    assert_ne!(ort, tract);
    // And rightly so: their vectors are further apart than one space allows.
    let (Some(ort), Some(tract)) = (backend("ort-cpu", "sscd-int8"), backend("tract-cpu", "sscd-int8")) else { return };
    let pixels: Vec<u8> = (0..3).flat_map(|seed| picture(ort.input_spec(), Picture::Scene, seed)).collect();
    let batch = ImageBatch::for_spec(ort.input_spec(), &pixels).unwrap();
    let (ort, tract) = (ort.embed(&batch).unwrap(), tract.embed(&batch).unwrap());
    let cosine = |image| match (ort.first_row(image), tract.first_row(image)) {
        (Some(Row::F32(a)), Some(Row::F32(b))) => a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum(),
        _ => panic!("image {image} has no row"),
    };
    let worst = (0..batch.len()).map(cosine).fold(1.0, f64::min);
    assert!((0.9..0.9999).contains(&worst), "{worst}");
}

/// What one backend has put into an index, another one finds.
#[test]
fn an_index_of_one_backend_is_searched_with_another() {
    let (Some(ort), Some(_)) = (backend("ort-cpu", "sscd-distilled"), backend("tract-cpu", "sscd-distilled")) else {
        return;
    };
    let registry = Registry::linked();
    let spec = ort.input_spec();
    let pixels: Vec<u8> = (0..20).flat_map(|seed| picture(spec, Picture::Scene, seed)).collect();
    let batch = ImageBatch::for_spec(ort.input_spec(), &pixels).unwrap();
    let embedded = ort.embed(&batch).unwrap();
    let ids: Vec<ItemId> = (0..embedded.embeddings().len()).map(|row| ItemId::from(format!("{row:03}"))).collect();
    let selector = Selector::new(&registry);
    let index = selector.similarity(&IndexSpec::new(ort.space())).unwrap().backend;
    let mut index = Index::new(index);
    index.backend_mut().add(&ids, embedded.embeddings().view()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    index.save(&bundle).unwrap();

    let opened = Index::open(&bundle, &registry, &Options::new()).unwrap();
    let searching = Selector::new(&registry)
        .with_options(Options::new().with_model("sscd-distilled"))
        .with_preference(Preference::prefer(["tract-cpu"]))
        .producing(opened.backend().space())
        .embedding()
        .unwrap();
    assert_eq!(searching.backend.info().name, "tract-cpu");
    let queries = searching.backend.embed(&batch).unwrap();
    let found = opened.backend().search(queries.embeddings().view(), 1).unwrap();
    for (id, neighbors) in ids.iter().zip(found.iter()) {
        assert_eq!((&neighbors[0].id, neighbors[0].distance < 1e-3), (id, true));
    }
}

#[test]
fn where_no_backend_of_the_space_is_left_nothing_takes_its_place() {
    let Some(tract) = backend("tract-cpu", "sscd-distilled") else { return };
    let mut left = Registry::empty();
    for name in ["perceptual", "histogram"] {
        for entry in Registry::linked().embeddings().iter().filter(|entry| entry.name == name) {
            left.register(*entry).unwrap();
        }
    }
    let error = Selector::new(&left).producing(tract.space()).embedding().unwrap_err();
    assert!(error.to_string().contains("sscd-distilled"), "{error}");
}
