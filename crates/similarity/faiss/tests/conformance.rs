//! The backend keeps every promise of its trait.

#![allow(clippy::unwrap_used)]

use nodupe_conformance::SimilaritySuite;
use nodupe_core::{EmbeddingSpace, Options};

fn floats() -> Vec<EmbeddingSpace> {
    vec![EmbeddingSpace::cosine("toy", 24).unwrap(), EmbeddingSpace::squared_euclidean("toy", 24).unwrap()]
}

fn bits() -> Vec<EmbeddingSpace> {
    vec![EmbeddingSpace::hamming("toy", 64).unwrap()]
}

fn suite(index: &str, spaces: Vec<EmbeddingSpace>) -> SimilaritySuite {
    // On one thread, since the vectors are few and the tests run side by side.
    let options = Options::new().with("faiss.index", index).with_threads(std::num::NonZeroUsize::new(1));
    // A description is for floats or for bits, and of parts that not every number of components can be divided into.
    let registration = nodupe_faiss::REGISTRATION.with_supports(|space| matches!(space.dim(), 24 | 64));
    let checks = SimilaritySuite::checks().map(|(name, _)| name).filter(|&name| name != "supports");
    nodupe_conformance::similarity(registration)
        .with_options(options)
        .with_spaces(spaces)
        .only(checks)
        .with_sequences(24)
}

#[test]
fn faiss_keeps_its_promises_where_it_chooses() {
    let options = Options::new().with_threads(std::num::NonZeroUsize::new(1));
    nodupe_conformance::similarity(nodupe_faiss::REGISTRATION).with_options(options).run().unwrap();
}

#[test]
fn graphs_keep_their_promises() {
    suite("HNSW16", floats()).with_recall(0.95).run().unwrap();
}

#[test]
fn inverted_lists_keep_their_promises() {
    // Of 3 lists, for which even the few vectors of the suite are enough, the usual 8 are all.
    suite("IVF3,Flat", floats()).with_recall(0.99).run().unwrap();
}

#[test]
fn quantised_indexes_keep_their_promises_where_vectors_are_kept() {
    // 4 centroids for each of 8 parts.
    suite("PQ8x2", floats()).with_recall(0.8).run().unwrap();
    suite("IVF3,SQ8", floats()).with_recall(0.95).run().unwrap();
}

#[test]
fn binary_indexes_keep_their_promises() {
    suite("BHNSW16", bits()).with_recall(0.95).run().unwrap();
    suite("BIVF3", bits()).with_recall(0.99).run().unwrap();
}
