//! The backend keeps its promises.

use nodupe_conformance::embedding;
use nodupe_core::Options;
use nodupe_histogram::REGISTRATION;

#[test]
fn the_backend_keeps_its_promises_with_any_number_of_bins() {
    for bins in [None, Some("2"), Some("256")] {
        let options = bins.map_or(Options::new(), |bins| Options::new().with("histogram.bins", bins));
        embedding(REGISTRATION).with_options(options).run().unwrap();
    }
}

#[test]
fn it_is_registered_with_32_bins_for_who_says_nothing() {
    let registry = nodupe_core::Registry::linked();
    let entry = registry.embeddings().iter().find(|entry| entry.name == "histogram").unwrap();
    let backend = (entry.create)(&Options::new()).unwrap();
    assert_eq!(backend.to_string(), "histogram(dim=96)");
    assert_eq!(entry.priority, Some(10));
}

#[test]
fn two_numbers_of_bins_are_two_spaces() {
    let space = |bins: &str| (REGISTRATION.space)(&Options::new().with("histogram.bins", bins)).unwrap();
    assert_ne!(space("32"), space("64"));
}
