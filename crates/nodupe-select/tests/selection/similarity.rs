use nodupe_core::{EmbeddingSpace, IndexSpec, SimilarityRegistration, Suitability};
use nodupe_select::{Environment, SelectError};

use crate::fakes::{made, no_server, registry, selector, similarity};
use crate::outcomes;

/// Strong, but not for a few vectors.
const GRAPH: SimilarityRegistration = similarity("graph").with_priority(50).with_suitability(graph_suits);
const EXACT: SimilarityRegistration = similarity("exact").with_priority(10).with_supports(|_| true);

fn graph_suits(spec: &IndexSpec<'_>) -> Suitability {
    if spec.expected_len.is_some_and(|len| len < 5000) { Suitability::poor("they are few") } else { Suitability::Good }
}

#[test]
fn the_order_follows_what_the_index_will_hold() {
    let registry = registry(&[], &[GRAPH, EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let choose = |spec: IndexSpec<'_>| outcomes(&selector(&registry, "auto").similarity(&spec).unwrap().report);
    assert_eq!(choose(IndexSpec::new(&space)), "graph selected, exact not-tried");
    assert_eq!(choose(IndexSpec::new(&space).with_expected_len(100)), "exact selected, graph not-tried");
}

#[test]
fn what_suits_best_comes_before_what_is_stronger_and_the_report_says_why() {
    let made_for_it =
        similarity("made-for-it").with_priority(1).with_suitability(|_| Suitability::best("it is made for it"));
    let by_name = similarity("by-name").with_suitability(|_| Suitability::best("it is better still"));
    let registry = registry(&[], &[GRAPH, made_for_it, by_name, EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let spec = IndexSpec::new(&space).with_expected_len(100);
    let report = selector(&registry, "auto").similarity(&spec).unwrap().report;
    assert_eq!(outcomes(&report), "made-for-it selected, exact not-tried, graph not-tried");
    let because: Vec<_> = report.attempts.iter().map(|attempt| attempt.suitability.because()).collect();
    assert_eq!(because, [Some("it is made for it"), None, Some("they are few")]);
    assert!(report.to_string().contains("best: it is made for it"), "{report}");
    assert!(!report.fallback);
    assert_eq!(
        outcomes(&selector(&registry, "graph").similarity(&spec).unwrap().report).split(' ').next(),
        Some("graph")
    );
}

#[test]
fn what_does_not_fit_into_the_memory_of_the_machine_comes_last() {
    let disk = similarity("disk").with_priority(1).with_suitability(|_| Suitability::Good);
    let registry = registry(&[], &[similarity("memory").with_priority(50), disk]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let choose = |spec: IndexSpec<'_>, memory| {
        let selector = selector(&registry, "auto").with_environment(Environment::empty().with_memory(memory));
        let report = selector.similarity(&spec).unwrap().report;
        report.selected().unwrap().name
    };
    let spec = IndexSpec::new(&space).with_expected_len(1_000);
    assert_eq!((choose(spec, 16_000), choose(spec, 15_999)), ("memory", "disk"));
    assert_eq!(choose(spec.with_memory(16_000), 15_999), "memory", "the caller knows better");
    assert_eq!(choose(spec.with_dir(std::path::Path::new("index")), 16_000), "disk");
    assert!(Environment::process() != Environment::process().with_memory(0), "this machine says how much it has");
}

#[test]
fn an_approximate_backend_is_none_where_everything_must_be_found() {
    let approximate =
        SimilarityRegistration::new("approximate", EXACT.package, crate::fakes::create_approximate, EXACT.open);
    let registry = registry(&[], &[approximate.with_priority(90), EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let choose = |preference: &str, spec: IndexSpec<'_>| selector(&registry, preference).similarity(&spec);
    let spec = IndexSpec::new(&space);
    assert_eq!(outcomes(&choose("auto", spec).unwrap().report), "approximate selected, exact not-tried");
    let report = choose("auto", spec.with_exact()).unwrap().report;
    assert_eq!(outcomes(&report), "approximate approximate, exact selected");
    assert!(!report.fallback, "nothing could have made it exact");
    let error = choose("approximate!", spec.with_exact()).unwrap_err();
    assert!(matches!(&error, SelectError::NothingWorks { .. }), "{error}");
}

#[test]
fn a_space_that_a_backend_cannot_hold_is_a_reason() {
    let registry = registry(&[], &[GRAPH, EXACT]);
    let bits = EmbeddingSpace::hamming("m", 256).unwrap();
    let spec = IndexSpec::new(&bits);
    let chosen = selector(&registry, "auto").similarity(&spec).unwrap();
    assert_eq!(outcomes(&chosen.report), "graph unsupported-space, exact selected");
    assert!(!chosen.report.fallback, "nothing could have made it hold bits");
    assert_eq!(chosen.backend.space(), &bits);

    let error = selector(&registry, "graph!").similarity(&spec).unwrap_err();
    assert!(matches!(&error, SelectError::NothingWorks { report } if outcomes(report) == "graph unsupported-space"));
    assert!(selector(&registry, "graph").similarity(&spec).unwrap().report.fallback);
}

#[test]
fn a_panic_in_suitability_or_supports_is_a_reason() {
    let suits = similarity("suits").with_priority(90).with_suitability(|_| panic!("no such need"));
    let supports = similarity("supports").with_priority(80).with_supports(|_| panic!("no such space"));
    let registry = registry(&[], &[suits, supports, EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let report = selector(&registry, "auto").similarity(&IndexSpec::new(&space)).unwrap().report;
    assert_eq!(outcomes(&report), "suits other, supports other, exact selected");
    assert_eq!(report.attempts[0].detail().unwrap(), "it panicked: no such need");
}

#[test]
fn an_index_of_another_space_than_was_asked_for_is_refused() {
    let liar = SimilarityRegistration::new(
        "liar",
        EXACT.package,
        |_, options| {
            let space = EmbeddingSpace::cosine("of the liar", 8).unwrap();
            crate::fakes::create_similarity(&IndexSpec::new(&space), options)
        },
        EXACT.open,
    );
    let registry = registry(&[], &[liar.with_priority(99), EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let report = selector(&registry, "auto").similarity(&IndexSpec::new(&space)).unwrap().report;
    assert_eq!(outcomes(&report), "liar other-space, exact selected");
}

#[test]
fn a_probe_is_asked_before_anything_is_made() {
    let registry = registry(&[], &[GRAPH.with_probe(no_server)]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let error = selector(&registry, "auto").similarity(&IndexSpec::new(&space)).unwrap_err();
    assert_eq!(outcomes(error.report().unwrap()), "graph server-unreachable");
    assert_eq!(made(), 0);
}

#[test]
fn a_check_fails_as_the_choice_would_and_makes_nothing() {
    let options = |key: &str| nodupe_core::Options::new().with(key, "1");
    let registry = registry(&[], &[GRAPH.with_probe(no_server), EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let spec = IndexSpec::new(&space);
    for (preference, works) in
        [("auto", true), ("graph", true), ("graph,gpu", true), ("graph!", false), ("gpu!", false)]
    {
        let selector = selector(&registry, preference);
        let checked = selector.check_similarity(&spec);
        assert_eq!(checked.is_ok(), works, "{preference}");
        assert_eq!(made(), 0, "{preference}");
        if let Err(error) = checked {
            assert_eq!(error.to_string(), selector.similarity(&spec).unwrap_err().to_string());
        }
    }
    let unknown = selector(&registry, "exact,garph").check_similarity(&spec).unwrap_err();
    assert!(matches!(unknown, SelectError::UnknownName { .. }), "{unknown}");
    let mistyped = selector(&registry, "auto").with_options(options("exact.no")).check_similarity(&spec).unwrap_err();
    assert!(matches!(mistyped, SelectError::Options(_)), "{mistyped}");
    let bits = EmbeddingSpace::hamming("m", 256).unwrap();
    let held = selector(&registry, "graph!").check_similarity(&IndexSpec::new(&bits)).unwrap_err();
    assert_eq!(outcomes(held.report().unwrap()), "graph unsupported-space");
}
