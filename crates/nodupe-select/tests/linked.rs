//! What is linked into a program: names that two packages have registered, and the short way to a backend.

mod fakes;

use fakes::{create_embedding, embedding, fake_space, no_device, selector, similarity};
use nodupe_core::{EmbeddingRegistration, Package, Reason, Registry, SimilarityRegistration};
use nodupe_select::{SelectError, backends, choose_backend, default_backend_name, factory, make_index};

const TWIN: EmbeddingRegistration = embedding("twin").with_priority(90);
const OTHER_TWIN: EmbeddingRegistration =
    EmbeddingRegistration::new("twin", Package::new("somebody-elses", "0.3.0"), fake_space, create_embedding)
        .with_priority(90);
const GPU: EmbeddingRegistration = embedding("gpu-only").with_priority(50).with_probe(no_device);
const PLAIN: EmbeddingRegistration = embedding("plain").with_priority(10);
const EXACT: SimilarityRegistration = similarity("exact").with_priority(10);
nodupe_core::submit!(TWIN);
nodupe_core::submit!(OTHER_TWIN);
nodupe_core::submit!(GPU);
nodupe_core::submit!(PLAIN);
nodupe_core::submit!(EXACT);

#[test]
fn a_name_of_two_packages_is_never_chosen_and_never_shadows() {
    let registry = Registry::linked();
    let report = selector(&registry, "twin").embedding().unwrap().report;
    let attempts: Vec<_> = report.attempts.iter().map(|attempt| (attempt.name, attempt.reason())).collect();
    assert_eq!(
        attempts,
        [
            ("twin", Some(Reason::Ambiguous)),
            ("twin", Some(Reason::Ambiguous)),
            ("gpu-only", Some(Reason::NoDevice)),
            ("plain", None),
        ]
    );
    let detail = "two packages have registered a backend named `twin`: nodupe-fakes 1.2.0 and somebody-elses 0.3.0";
    assert!(report.attempts[..2].iter().all(|attempt| attempt.detail().unwrap() == detail));
    assert!(selector(&registry, "twin!").embedding().is_err());
}

#[test]
fn the_short_way_uses_what_is_linked() {
    assert_eq!(default_backend_name(), Some("plain"));
    assert_eq!(backends().len(), 5);
    assert_eq!(backends().iter().filter(|status| status.automatic).count(), 2);
    let chosen = choose_backend("gpu-only,plain").unwrap();
    assert_eq!(chosen.report.selected().unwrap().name, "plain");
    assert!(matches!(choose_backend("a,,b"), Err(SelectError::Preference { .. })));
    assert!(matches!(choose_backend("plane!"), Err(SelectError::UnknownName { .. })));
}

#[test]
fn a_factory_is_found_by_its_one_name() {
    let made = (factory("plain").unwrap().create)(&nodupe_core::Options::new());
    assert_eq!(made.unwrap().dim(), 4);
    assert!(matches!(factory("twin"), Err(SelectError::Ambiguous(_))));
    let error = factory("plein").err().unwrap();
    assert_eq!(
        error.to_string(),
        "there is no embedding backend `plein`; did you mean `plain`?; known are twin, gpu-only, plain"
    );
}

#[test]
fn an_index_is_made_for_a_number_of_dimensions() {
    let index = make_index(512, "auto").unwrap().backend;
    assert_eq!(index.space().to_string(), "plain@1 cosine f32x512");
    assert!(matches!(make_index(0, "auto"), Err(SelectError::Space(_))));
}
