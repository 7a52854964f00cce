//! The backend keeps every promise of its trait.

use nodupe_annoy::REGISTRATION;
use nodupe_conformance::SimilaritySuite;
use nodupe_core::Options;

#[test]
fn annoy_keeps_its_promises() {
    nodupe_conformance::similarity(REGISTRATION).with_sequences(8).run().unwrap();
}

#[test]
fn annoy_keeps_its_promises_where_it_asks_its_trees() {
    // Small indexes are searched exactly where nothing is said.
    let options = Options::new().with("annoy.search-k", "100").with("annoy.trees", "8");
    let of_trees =
        |name: &&str| ["search", "within", "pairs", "build", "sequences"].iter().any(|of| name.starts_with(of));
    let checks: Vec<&str> = SimilaritySuite::checks().map(|(name, _)| name).filter(of_trees).collect();
    assert!(checks.len() > 8, "{checks:?}");
    let suite = nodupe_conformance::similarity(REGISTRATION).with_sequences(4).with_options(options);
    suite.with_recall(0.75).only(checks).run().unwrap();
}
