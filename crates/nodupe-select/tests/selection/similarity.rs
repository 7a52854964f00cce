use nodupe_core::{EmbeddingSpace, IndexSpec, SimilarityRegistration};
use nodupe_select::SelectError;

use crate::fakes::{made, no_server, registry, selector, similarity};
use crate::outcomes;

/// Strong, but not for a few vectors.
const GRAPH: SimilarityRegistration = similarity("graph").with_priority(50).with_rank(graph_rank);
const EXACT: SimilarityRegistration = similarity("exact").with_priority(10).with_supports(|_| true);

fn graph_rank(spec: &IndexSpec<'_>, priority: i32) -> i32 {
    if spec.expected_len.is_some_and(|len| len < 5000) { 0 } else { priority }
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
fn a_panic_in_rank_or_supports_is_a_reason() {
    let rank = similarity("rank").with_priority(90).with_rank(|_, _| panic!("no such rank"));
    let supports = similarity("supports").with_priority(80).with_supports(|_| panic!("no such space"));
    let registry = registry(&[], &[rank, supports, EXACT]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let report = selector(&registry, "auto").similarity(&IndexSpec::new(&space)).unwrap().report;
    assert_eq!(outcomes(&report), "rank other, supports other, exact selected");
    assert_eq!(report.attempts[0].detail().unwrap(), "it panicked: no such rank");
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
