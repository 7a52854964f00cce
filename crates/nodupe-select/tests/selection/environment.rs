use nodupe_core::{EmbeddingRegistration, EmbeddingSpace, IndexSpec};
use nodupe_select::{Environment, Preference, SelectError, Selector, Source};

use crate::fakes::{embedding, registry, similarity};
use crate::outcomes;

const A: EmbeddingRegistration = embedding("a").with_priority(2);
const B: EmbeddingRegistration = embedding("b").with_priority(1);

fn environment(value: &'static str) -> Environment {
    Environment::from_lookup(move |variable| (variable == "NODUPE_EMBEDDING").then(|| value.into()))
}

#[test]
fn the_call_is_stronger_than_the_environment_and_that_than_the_default() {
    let registry = registry(&[A, B], &[]);
    let selector = |value| Selector::new(&registry).with_environment(environment(value));
    let report = selector("b!").embedding().unwrap().report;
    assert_eq!(outcomes(&report), "b selected");
    assert_eq!(report.source, Source::Environment("NODUPE_EMBEDDING"));

    let called = selector("b!").with_preference(Preference::auto());
    let report = called.embedding().unwrap().report;
    assert_eq!((outcomes(&report).as_str(), report.source), ("a selected, b not-tried", Source::Call));

    let report = selector("").embedding().unwrap().report;
    assert_eq!((outcomes(&report).as_str(), report.source), ("a selected, b not-tried", Source::Default));
}

#[test]
fn each_kind_has_a_variable_of_its_own() {
    let registry = registry(&[A, B], &[similarity("x").with_priority(2), similarity("y").with_priority(1)]);
    let both = Environment::from_lookup(|variable| match variable {
        "NODUPE_EMBEDDING" => Some("b".into()),
        "NODUPE_SIMILARITY" => Some("y".into()),
        _ => None,
    });
    let selector = Selector::new(&registry).with_environment(both);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let embedding = selector.embedding().unwrap().report;
    let similarity = selector.similarity(&IndexSpec::new(&space)).unwrap().report;
    assert_eq!(embedding.selected().unwrap().name, "b");
    assert_eq!(similarity.selected().unwrap().name, "y");
}

#[test]
fn a_variable_that_makes_no_sense_is_an_error_that_names_it() {
    let registry = registry(&[A, B], &[]);
    let choose = |value| {
        let selector = Selector::new(&registry).with_environment(environment(value));
        selector.embedding().unwrap_err()
    };
    let error = choose("a,,b");
    assert!(matches!(error, SelectError::Preference { .. }));
    assert_eq!(error.to_string(), "`a,,b` (from NODUPE_EMBEDDING) is no preference");
    assert_eq!(
        choose("c").to_string(),
        "there is no embedding backend `c` (from NODUPE_EMBEDDING); did you mean `a`?; known are a, b"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_not_ignored() {
    use std::os::unix::ffi::OsStringExt;
    let registry = registry(&[A], &[]);
    let broken = Environment::from_lookup(|_| Some(std::ffi::OsString::from_vec(vec![b'a', 0xff])));
    let error = Selector::new(&registry).with_environment(broken).embedding().unwrap_err();
    assert!(matches!(error, SelectError::UnknownName { .. }), "{error}");
}
