use nodupe_core::{EmbeddingRegistration, OptionError, OptionSpec, Options, Registry, SimilarityRegistration};
use nodupe_select::SelectError;

use crate::fakes::{embedding, made, no_library, registry, selector, similarity};

const BINS: &[OptionSpec] = &[OptionSpec::integer("histogram.bins", 1, 256, "bins a channel")];
const SIZE: &[OptionSpec] = &[OptionSpec::integer("perceptual.size", 1, 256, "size")];
const EF: &[OptionSpec] = &[OptionSpec::integer("hnsw.ef", 1, 256, "breadth of a search")];
const HISTOGRAM: EmbeddingRegistration = embedding("histogram").with_priority(1).with_options(BINS);
const PERCEPTUAL: EmbeddingRegistration = embedding("perceptual").with_priority(2).with_options(SIZE);
const HNSW: SimilarityRegistration = similarity("hnsw").with_priority(1).with_options(EF);

fn all() -> Registry {
    registry(&[HISTOGRAM, PERCEPTUAL], &[HNSW])
}

#[test]
fn an_unknown_name_is_an_error_even_behind_one_that_works() {
    let error = selector(&all(), "histogram,preceptual").embedding().unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no embedding backend `preceptual`; did you mean `perceptual`?; known are perceptual, histogram"
    );
    let SelectError::UnknownName { known, suggestion, .. } = error else { panic!("{error}") };
    assert_eq!((known, suggestion), (vec!["perceptual", "histogram"], Some("perceptual")));
    assert_eq!(made(), 0);
}

#[test]
fn a_name_of_the_other_kind_is_said_to_be_one() {
    let text = selector(&all(), "hnsw").embedding().unwrap_err().to_string();
    assert!(text.contains("that is the name of one of the similarity backends"), "{text}");
}

#[test]
fn with_nothing_linked_the_error_says_so() {
    let nothing = registry(&[], &[]);
    for preference in ["auto", "gpu!", "hnsw"] {
        let text = selector(&nothing, preference).embedding().unwrap_err().to_string();
        assert!(text.contains("none is linked into this program"), "{text}");
    }
}

#[test]
fn options_are_checked_before_anything_is_made() {
    let choose = |key: &str, value: &str| {
        let options = Options::new().with(key, value);
        selector(&all(), "auto").with_options(options).embedding().unwrap_err()
    };
    assert!(matches!(choose("histogram.bims", "8"), SelectError::Options(OptionError::UnknownKey { .. })));
    assert!(matches!(choose("histogram.bins", "0"), SelectError::Options(OptionError::Value { .. })));
    assert_eq!(made(), 0);
}

#[test]
fn options_of_backends_that_were_not_chosen_are_listed_as_unused() {
    let given = Options::new().with("histogram.bins", "8").with("perceptual.size", "8").with("hnsw.ef", "8");
    let unused = |registry: &Registry, preference: &str| {
        let selector = selector(registry, preference).with_options(given.clone());
        selector.embedding().unwrap().report.unused_options
    };
    assert_eq!(unused(&all(), "auto"), ["histogram.bins"]);
    assert_eq!(unused(&all(), "histogram"), ["perceptual.size"]);
    let broken = registry(&[HISTOGRAM, PERCEPTUAL.with_probe(no_library)], &[HNSW]);
    assert_eq!(unused(&broken, "auto"), ["perceptual.size"]);
}
