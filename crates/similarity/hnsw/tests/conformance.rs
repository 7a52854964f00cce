//! The backend keeps every promise of its trait.

use nodupe_core::Options;

#[test]
fn hnsw_keeps_its_promises() {
    nodupe_conformance::similarity(nodupe_hnsw::REGISTRATION).with_recall(0.99).run().unwrap();
}

#[test]
fn hnsw_keeps_its_promises_where_it_walks_among_few_vectors_too() {
    // With the usual pool exact search is less work among as few vectors as the suite has.
    let options = Options::new().with("hnsw.ef", "4").with("hnsw.m", "6");
    nodupe_conformance::similarity(nodupe_hnsw::REGISTRATION).with_options(options).with_recall(0.9).run().unwrap();
}
