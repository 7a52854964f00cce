//! The suite passes what is honest and names every lie.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

mod liar;

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use liar::{Honest, Lie, Provided, caught, registration};
use nodupe_conformance::reference::{self, NaiveIndex};
use nodupe_conformance::{SimilaritySuite, similarity};
use nodupe_core::{
    BuildPhase, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, ItemId, Metric, Neighbor, Neighbors, OptionSpec,
    Pair, Row, SimilarityBackend as _, Unavailable, check_add,
};

#[test]
fn the_reference_keeps_every_promise_in_every_space() {
    let passed = similarity(reference::REGISTRATION).run().unwrap();
    assert_eq!(passed.skipped, []);
    assert_eq!(passed.spaces.len(), 14);
    let all: HashSet<_> = SimilaritySuite::checks().map(|(name, _)| name).filter(|name| *name != "create").collect();
    assert_eq!(passed.checks.iter().copied().collect::<HashSet<_>>(), all);
}

#[test]
fn the_provided_methods_of_the_trait_keep_every_promise() {
    let passed = similarity(registration::<Provided>()).run().unwrap();
    assert_eq!(passed.skipped, []);
}

#[test]
fn an_approximate_backend_that_finds_enough_passes() {
    struct Approximate;
    impl Lie for Approximate {
        const EXACT: bool = false;

        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // Every fifteenth neighbour is missed, never the first.
            let found = index.search(queries, k)?;
            Ok(edited(&found, |list| {
                let kept = list.drain(..).enumerate().filter(|(place, _)| place % 15 != 14);
                *list = kept.map(|(_, neighbor)| neighbor).collect();
            }))
        }
    }
    similarity(registration::<Approximate>())
        .only(["search-recall", "search-exact", "search-count", "search-equal", "sequences"])
        .run()
        .unwrap();
    let why = similarity(registration::<Approximate>()).with_recall(0.95).only(["search-recall"]).run().unwrap_err();
    assert!(why.names("search-recall"), "{why}");
}

#[test]
fn a_backend_that_cannot_remove_save_or_keep_vectors_passes_and_says_so() {
    struct Modest;
    fn cannot<T>(operation: &'static str) -> Result<T, IndexError> {
        Err(IndexError::Unsupported { backend: "liar", operation, detail: "a test".to_owned() })
    }
    impl Lie for Modest {
        fn remove(_: &mut NaiveIndex, _: &[ItemId]) -> Result<usize, IndexError> {
            cannot("remove")
        }
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            check_add(index.space(), ids, rows, |_| false)?;
            cannot("upsert")
        }
        fn save(_: &mut NaiveIndex, _: &Path) -> Result<(), IndexError> {
            cannot("save")
        }
        fn vectors(_: &NaiveIndex, _: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            Ok(None)
        }
        fn pairs(_: &NaiveIndex, _: f32, _: Each<'_>) -> Result<(), IndexError> {
            cannot("pairs_within")
        }
    }
    let checks = SimilaritySuite::checks().map(|(name, _)| name);
    let checks = checks.filter(|name| !["create", "within-wrong-distance"].contains(name));
    let passed = similarity(registration::<Modest>()).only(checks).run().unwrap();
    let skipped: HashSet<_> = passed.skipped.iter().map(|skipped| skipped.check).collect();
    for check in ["remove-count", "upsert-replaces", "vectors", "pairs-complete", "save-open", "open-missing-data"] {
        assert!(skipped.contains(check), "{check} is not among {skipped:?}");
    }
}

type Each<'a> = &'a mut dyn FnMut(Pair<'_>) -> ControlFlow<()>;

/// The same neighbours with each list changed.
fn edited(found: &Neighbors, mut edit: impl FnMut(&mut Vec<Neighbor>)) -> Neighbors {
    let mut changed = Neighbors::new();
    for query in 0..found.len() {
        let mut list = found.of(query).to_vec();
        edit(&mut list);
        changed.push(list, found.is_truncated(query));
    }
    changed
}

thread_local! {
    /// The ids that a liar has built: each check runs on one thread.
    static BUILT: RefCell<HashSet<ItemId>> = RefCell::default();
}

/// A backend that does one thing wrong, and the checks that must say so.
macro_rules! lies {
    ($($test:ident, $($check:literal),+ => { $($method:item)* })+) => {$(
        #[test]
        fn $test() {
            struct Liar;
            impl Lie for Liar { $($method)* }
            caught::<Liar>(&[$($check),+]);
        }
    )+};
}

mod answers;
mod changes;

type Progress<'a> = &'a mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>;

#[test]
fn a_false_approximate_index_is_caught_by_its_recall() {
    struct Poor;
    impl Lie for Poor {
        const EXACT: bool = false;

        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| list.truncate(k / 2 + 1)))
        }
        fn within(
            index: &NaiveIndex,
            queries: EmbeddingsRef<'_>,
            max: f32,
            limit: usize,
        ) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search_within(queries, max, limit)?, |list| list.truncate(1)))
        }
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            let mut even = false;
            index.pairs_within(max, &mut |pair| {
                even = !even;
                if even { each(pair) } else { ControlFlow::Continue(()) }
            })
        }
    }
    caught::<Poor>(&["search-recall", "within-complete", "pairs-complete"]);
}

#[test]
fn violations_read_as_a_list_and_name_the_space() {
    struct Short;
    impl Lie for Short {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            index.search(queries, k.saturating_add(1))
        }
    }
    let why = similarity(registration::<Short>()).only(["search-count"]).run().unwrap_err();
    let text = format!("{why:?}");
    assert!(text.starts_with("the backend `liar` does not keep 3 promises:\n  search-count ("), "{text}");
    assert!(text.contains("cosine f32x8: clusters before build: k = 0 of 3 gives 1 neighbours"), "{text}");
    assert_eq!(text, why.to_string());
}

#[test]
fn an_unknown_check_and_no_supported_space_are_violations() {
    struct Picky;
    impl Lie for Picky {
        fn supports(space: &EmbeddingSpace) -> bool {
            space.dim() == 16
        }
    }
    assert!(similarity(registration::<Honest>()).only(["serach-count"]).run().unwrap_err().names("serach-count"));
    let picky = similarity(registration::<Picky>()).only(["search-count"]);
    assert!(picky.run().unwrap_err().names("create"));
    let passed = picky.with_spaces([EmbeddingSpace::cosine("mine", 16).unwrap()]).run().unwrap();
    assert_eq!(passed.spaces.len(), 1);
}
