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

lies! {
    an_index_that_takes_another_space_is_caught, "add-another-space" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            let space = index.space().clone();
            match EmbeddingsRef::new(&space, rows.rows()) {
                Ok(rows) => index.add(ids, rows),
                Err(_) => index.add(ids, rows),
            }
        }
    }

    an_add_that_fails_half_way_is_caught,
    "add-not-finite", "add-not-unit", "add-duplicate-id", "add-present-id", "sequences" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            if ids.len() != rows.len() || rows.space() != index.space() {
                return index.add(ids, rows);
            }
            for (row, id) in ids.iter().enumerate() {
                let one = rows.slice(row..row + 1).unwrap();
                index.add(std::slice::from_ref(id), one).map_err(|why| match why {
                    IndexError::NotFinite { .. } => IndexError::NotFinite { row },
                    IndexError::NotUnit { length, .. } => IndexError::NotUnit { row, length },
                    IndexError::AlreadyPresent { id } if ids.iter().filter(|other| **other == id).count() > 1 => {
                        IndexError::DuplicateId { id }
                    }
                    why => why,
                })?;
            }
            Ok(())
        }
    }

    an_add_that_drops_rows_without_ids_is_caught, "add-lengths" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            let both = ids.len().min(rows.len());
            index.add(&ids[..both], rows.slice(0..both).unwrap())
        }
    }

    an_add_that_overwrites_is_caught, "add-present-id", "sequences" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            index.upsert(ids, rows)
        }
    }

    an_add_that_refuses_nothing_at_all_is_caught, "add-nothing" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            if ids.is_empty() && rows.is_empty() && rows.space() == index.space() {
                return Err(IndexError::LengthMismatch { ids: 0, rows: 0 });
            }
            index.add(ids, rows)
        }
    }

    a_panic_is_a_violation_and_not_the_end, "add-present-id" => {
        fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            assert!(!ids.iter().any(|id| index.contains(id).unwrap()), "there already");
            index.add(ids, rows)
        }
    }

    an_index_that_shows_vectors_only_after_build_is_caught, "add-found-at-once", "upsert-replaces", "search-exact" => {
        fn build(index: &mut NaiveIndex, _: Progress<'_>) -> Result<(), IndexError> {
            BUILT.with_borrow_mut(|built| {
                built.clear();
                index.for_each_id(&mut |id| { built.insert(id.clone()); ControlFlow::Continue(()) })
            })
        }
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let found = index.search(queries, k)?;
            Ok(BUILT.with_borrow(|built| edited(&found, |list| list.retain(|n| built.contains(&n.id)))))
        }
    }

    an_index_that_forgets_removals_is_caught, "remove-count", "remove-forgets", "sequences" => {
        fn remove(index: &mut NaiveIndex, ids: &[ItemId]) -> Result<usize, IndexError> {
            Ok(ids.iter().filter(|id| index.contains(id).unwrap()).collect::<HashSet<_>>().len())
        }
    }

    a_remove_that_counts_what_it_was_asked_is_caught, "remove-count", "sequences" => {
        fn remove(index: &mut NaiveIndex, ids: &[ItemId]) -> Result<usize, IndexError> {
            index.remove(ids).map(|_| ids.len())
        }
    }

    an_upsert_that_keeps_the_old_vector_is_caught, "upsert-replaces", "sequences" => {
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            check_add(index.space(), ids, rows, |_| false)?;
            for (row, id) in ids.iter().enumerate() {
                match index.add(std::slice::from_ref(id), rows.slice(row..row + 1).unwrap()) {
                    Err(IndexError::AlreadyPresent { .. }) => {}
                    done => done?,
                }
            }
            Ok(())
        }
    }

    an_upsert_that_adds_a_second_one_is_caught, "upsert-replaces", "sequences" => {
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            check_add(index.space(), ids, rows, |_| false)?;
            let fresh = |id: &ItemId| ItemId::from(format!("{id}'"));
            let there = |id: &ItemId| index.contains(id).unwrap();
            let ids: Vec<ItemId> = ids.iter().map(|id| if there(id) { fresh(id) } else { id.clone() }).collect();
            index.add(&ids, rows)
        }
    }

    an_upsert_that_removes_before_it_checks_is_caught, "add-not-finite", "add-another-space", "add-duplicate-id" => {
        fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            let first: Vec<ItemId> = ids.iter().take(1).cloned().collect();
            index.remove(&first)?;
            if rows.is_empty() {
                return index.add(ids, rows);
            }
            let mut all = Vec::new();
            index.for_each_id(&mut |id| { all.push(id.clone()); ControlFlow::Continue(()) })?;
            let done = index.upsert(ids, rows);
            if done.is_err() {
                index.remove(&all[..1])?;
            }
            done
        }
    }

    a_wrong_len_is_caught, "ids", "remove-count" => {
        fn len(index: &NaiveIndex) -> usize {
            index.len().unwrap().saturating_sub(1)
        }
    }

    a_contains_that_trims_is_caught, "ids-any-text" => {
        fn contains(index: &NaiveIndex, id: &ItemId) -> bool {
            index.contains(&ItemId::from(id.as_str().trim())).unwrap()
        }
    }

    ids_that_do_not_stop_are_caught, "ids-stop" => {
        fn ids(index: &NaiveIndex, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) {
            index.for_each_id(&mut |id| { let _ = each(id); ControlFlow::Continue(()) }).unwrap();
        }
    }

    ids_that_come_twice_are_caught, "ids", "sequences" => {
        fn ids(index: &NaiveIndex, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) {
            for _ in 0..2 {
                index.for_each_id(each).unwrap();
            }
        }
    }

    progress_in_percent_is_caught, "build-progress" => {
        fn build(_: &mut NaiveIndex, progress: Progress<'_>) -> Result<(), IndexError> {
            let _ = progress(BuildPhase::Linking, 100.0);
            Ok(())
        }
    }

    a_build_that_does_not_stop_is_caught, "build-cancelled" => {
        fn build(_: &mut NaiveIndex, progress: Progress<'_>) -> Result<(), IndexError> {
            let _ = progress(BuildPhase::Linking, 0.5);
            Ok(())
        }
    }

    a_build_that_stops_half_way_is_caught, "build-cancelled" => {
        fn build(index: &mut NaiveIndex, progress: Progress<'_>) -> Result<(), IndexError> {
            let mut first = None;
            index.for_each_id(&mut |id| { first = Some(id.clone()); ControlFlow::Break(()) })?;
            let Some(first) = first else { return Ok(()) };
            let vector = index.vectors(std::slice::from_ref(&first))?.unwrap();
            index.remove(std::slice::from_ref(&first))?;
            if progress(BuildPhase::Compacting, 0.5).is_break() {
                return Err(IndexError::Cancelled);
            }
            index.add(&[first], vector.view())
        }
    }

    an_id_that_is_not_there_is_caught, "search-known-ids", "search-distances", "search-exact" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                for neighbor in list.iter_mut().take(1) {
                    neighbor.id = ItemId::from(format!("{}0", neighbor.id));
                }
            }))
        }
    }

    ids_that_are_off_by_one_are_caught, "search-distances", "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let mut ids = Vec::new();
            index.for_each_id(&mut |id| { ids.push(id.clone()); ControlFlow::Continue(()) })?;
            Ok(edited(&index.search(queries, k)?, |list| {
                for neighbor in list {
                    let place = ids.binary_search(&neighbor.id).unwrap();
                    neighbor.id = ids[(place + 1) % ids.len()].clone();
                }
            }))
        }
    }

    one_neighbour_twice_is_caught, "search-known-ids", "search-order", "search-exact" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                if let [.., before, last] = &mut list[..] {
                    last.clone_from(before);
                }
            }))
        }
    }

    answers_out_of_order_are_caught, "search-order", "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| if list.len() > 2 { list.swap(1, 2) }))
        }
    }

    ties_in_the_order_of_insertion_are_caught, "search-order", "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // By another order of the ids, at any rate.
            Ok(edited(&index.search(queries, usize::MAX)?, |list| {
                list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(b.id.cmp(&a.id)));
                list.truncate(k);
            }))
        }
    }

    a_cut_through_ties_that_keeps_any_is_caught, "search-exact" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // Ordered by id, but not the first of those that are equally near.
            Ok(edited(&index.search(queries, usize::MAX)?, |list| {
                list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(b.id.cmp(&a.id)));
                list.truncate(k);
                list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
            }))
        }
    }

    distances_that_are_not_numbers_are_caught, "search-distances", "search-order" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                if let Some(last) = list.last_mut() {
                    last.distance = f32::NAN;
                }
            }))
        }
    }

    distances_of_another_kind_are_caught, "search-distances", "within-complete", "pairs-once" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| list.iter_mut().for_each(|n| n.distance = n.distance.sqrt())))
        }
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max * max, limit)
        }
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| each(Pair { distance: pair.distance * 0.5, ..pair }))
        }
    }

    distances_of_half_precision_are_caught, "search-distances" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k)?, |list| {
                for n in list { n.distance += 3e-5 * (1.0 + n.distance); }
            }))
        }
    }

    one_neighbour_too_many_is_caught, "search-count" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            index.search(queries, k.saturating_add(1))
        }
    }

    one_neighbour_too_few_is_caught, "search-count", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            index.search(queries, k.min(index.len()?.saturating_sub(1)))
        }
    }

    a_capacity_of_k_is_caught, "search-count", "search-empty" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let _: Vec<Neighbor> = Vec::with_capacity(k);
            index.search(queries, k)
        }
    }

    a_last_block_that_is_left_out_is_caught, "search-exact", "search-equal" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // The vector of the greatest id is never compared.
            let mut last = None;
            index.for_each_id(&mut |id| { last = Some(id.clone()); ControlFlow::Continue(()) })?;
            Ok(edited(&index.search(queries, k.saturating_add(1))?, |list| {
                list.retain(|n| Some(&n.id) != last.as_ref());
                list.truncate(k);
            }))
        }
    }

    an_exact_index_that_misses_is_caught, "search-exact", "sequences" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            Ok(edited(&index.search(queries, k.saturating_add(1))?, |list| {
                if list.len() > k && k > 2 {
                    list.remove(2);
                }
                list.truncate(k);
            }))
        }
    }

    answers_that_change_from_call_to_call_are_caught, "search-repeatable" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            static CALLS: AtomicU32 = AtomicU32::new(0);
            let odd = CALLS.fetch_add(1, Relaxed) % 2 == 1;
            Ok(edited(&index.search(queries, k)?, |list| {
                if let (true, Some(last)) = (odd, list.last_mut()) {
                    last.distance += 1e-7;
                }
            }))
        }
    }

    a_query_that_depends_on_its_neighbours_is_caught, "search-repeatable" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let single = queries.len() == 1;
            Ok(edited(&index.search(queries, k)?, |list| if single { list.pop(); }))
        }
    }

    a_search_that_is_not_thread_safe_is_caught, "search-threads" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            static INSIDE: AtomicU32 = AtomicU32::new(0);
            let alone = INSIDE.fetch_add(1, Relaxed) == 0;
            let found = index.search(queries, k);
            std::thread::sleep(std::time::Duration::from_millis(2));
            INSIDE.fetch_sub(1, Relaxed);
            Ok(edited(&found?, |list| if !alone { list.clear(); }))
        }
    }

    a_search_that_does_not_look_at_the_queries_is_caught, "search-wrong-queries" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            if k == 0 || index.is_empty()? {
                let mut none = Neighbors::new();
                queries.iter().for_each(|_| none.push([], false));
                return Ok(none);
            }
            index.search(queries, k)
        }
    }

    an_empty_index_without_lists_is_caught, "search-empty" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let found = index.search(queries, k)?;
            Ok(if index.is_empty()? { Neighbors::new() } else { found })
        }
    }

    a_distance_by_norms_is_caught, "search-extremes" => {
        fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            // `|a|² + |b|² - 2ab` is infinity minus infinity where the numbers are large.
            let large = |row: Row<'_>| matches!(row, Row::F32(row) if row.iter().any(|x| x.abs() > 1e20));
            let mut rows = queries.iter();
            Ok(edited(&index.search(queries, k)?, |list| {
                if rows.next().is_some_and(large) {
                    for n in list { n.distance = f32::NAN; }
                }
            }))
        }
    }

    a_boundary_that_is_left_out_is_caught, "within-complete", "pairs-complete", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, limit)?;
            Ok(edited(&found, |list| list.retain(|n| n.distance < max)))
        }
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| if pair.distance < max { each(pair) } else { ControlFlow::Continue(()) })
        }
    }

    neighbours_beyond_the_distance_are_caught, "within-distance", "within-complete", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max + 1.0, limit)
        }
    }

    a_limit_that_is_ignored_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, _: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max, usize::MAX)
        }
    }

    a_limit_that_is_not_told_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, limit)?;
            let mut silent = Neighbors::new();
            found.iter().for_each(|list| silent.push(list.to_vec(), false));
            Ok(silent)
        }
    }

    a_limit_that_is_told_where_it_just_fits_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, limit)?;
            let mut eager = Neighbors::new();
            found.iter().for_each(|list| eager.push(list.to_vec(), list.len() == limit));
            Ok(eager)
        }
    }

    a_limit_that_keeps_the_far_ones_is_caught, "within-limit", "sequences" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            let found = index.search_within(queries, max, usize::MAX)?;
            let mut far = Neighbors::new();
            for list in found.iter() {
                far.push(list[list.len().saturating_sub(limit)..].to_vec(), list.len() > limit);
            }
            Ok(far)
        }
    }

    a_distance_that_is_not_looked_at_is_caught, "within-wrong-distance" => {
        fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
            index.search_within(queries, max.max(0.0), limit)
        }
    }

    pairs_that_come_twice_are_caught, "pairs-once", "pairs-stop" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| { let _ = each(pair); each(pair) })
        }
    }

    pairs_the_other_way_round_are_caught, "pairs-once" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| each(Pair { a: pair.b, b: pair.a, ..pair }))
        }
    }

    pairs_of_a_vector_with_itself_are_caught, "pairs-once" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| { let _ = each(Pair { b: pair.a, distance: 0.0, ..pair }); each(pair) })
        }
    }

    pairs_that_are_missed_are_caught, "pairs-complete" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            let mut number = 0;
            index.pairs_within(max, &mut |pair| {
                number += 1;
                if number == 4 { ControlFlow::Continue(()) } else { each(pair) }
            })
        }
    }

    pairs_that_do_not_stop_are_caught, "pairs-stop" => {
        fn pairs(index: &NaiveIndex, max: f32, each: Each<'_>) -> Result<(), IndexError> {
            index.pairs_within(max, &mut |pair| { let _ = each(pair); ControlFlow::Continue(()) })
        }
    }

    a_last_bit_that_is_lost_is_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let vectors = index.vectors(ids)?.unwrap();
            let space = vectors.space().clone();
            let mut floats = Vec::new();
            let mut bytes = Vec::new();
            for row in vectors.view().iter() {
                match row {
                    Row::F32(row) => floats.extend(row.iter().map(|x| f32::from_bits(x.to_bits() & !1))),
                    Row::Bits(row) => bytes.extend(row.iter().map(|x| x & !1)),
                    _ => {}
                }
            }
            let changed = if bytes.is_empty() { Embeddings::from_f32(space, floats) } else { Embeddings::from_bits(space, bytes) };
            changed.map(Some)
        }
    }

    a_sign_of_zero_that_is_lost_is_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let vectors = index.vectors(ids)?.unwrap();
            if vectors.space().metric() != Metric::SquaredEuclidean {
                return Ok(Some(vectors));
            }
            let rows = vectors.view().iter().flat_map(|row| match row {
                Row::F32(row) => row.iter().map(|x| x + 0.0).collect::<Vec<f32>>(),
                _ => Vec::new(),
            });
            Embeddings::from_f32(vectors.space().clone(), rows.collect()).map(Some)
        }
    }

    vectors_in_another_order_are_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let mut sorted = ids.to_vec();
            sorted.sort();
            index.vectors(&sorted)
        }
    }

    vectors_that_are_there_now_and_then_are_caught, "vectors" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            if ids.len().is_multiple_of(2) { index.vectors(ids) } else { Ok(None) }
        }
    }

    vectors_of_nobody_are_caught, "vectors-not-found" => {
        fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let known: Vec<ItemId> = ids.iter().filter(|id| index.contains(id).unwrap()).cloned().collect();
            index.vectors(&known)
        }
    }

    a_save_without_the_last_row_is_caught, "save-open", "sequences" => {
        fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
            let mut last = None;
            index.for_each_id(&mut |id| { last = Some(id.clone()); ControlFlow::Continue(()) })?;
            let mut rest = index.clone();
            rest.remove(&last.into_iter().collect::<Vec<_>>())?;
            rest.save(dir)
        }
    }

    a_save_that_takes_the_vectors_along_is_caught, "save-keeps" => {
        fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
            index.save(dir)?;
            *index = NaiveIndex::new(index.space().clone());
            Ok(())
        }
    }

    a_save_that_needs_a_fresh_folder_name_is_caught, "save-open" => {
        fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
            index.save(dir)?;
            std::fs::write(dir.join("where"), dir.to_string_lossy().as_bytes()).map_err(IndexError::io(dir))?;
            if index.contains(&ItemId::from("one more"))? {
                std::fs::remove_file(dir.join("rows")).map_err(IndexError::io(dir))?;
            }
            Ok(())
        }
    }

    an_open_that_forgives_missing_rows_is_caught, "open-missing-data", "open-another-dim" => {
        fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
            NaiveIndex::open(space.clone(), dir).or_else(|_| Ok(NaiveIndex::new(space)))
        }
    }

    an_open_that_panics_is_caught, "open-missing-data", "open-changed-bytes" => {
        fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
            Ok(NaiveIndex::open(space, dir).unwrap())
        }
    }

    a_snapshot_that_changes_is_caught, "save-keeps" => {
        fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
            let index = NaiveIndex::open(space, dir)?;
            std::fs::write(dir.join("opened"), "yes").map_err(IndexError::io(dir))?;
            Ok(index)
        }
    }

    a_backend_that_claims_too_much_is_caught, "create" => {
        fn create(space: &EmbeddingSpace) -> Result<NaiveIndex, Unavailable> {
            assert_ne!(space.dim(), 511, "odd dimensions are not for us");
            Ok(NaiveIndex::new(space.clone()))
        }
    }

    a_backend_that_claims_too_little_is_caught, "supports" => {
        fn supports(space: &EmbeddingSpace) -> bool {
            space.metric() != Metric::Hamming
        }
    }

    a_backend_of_another_space_is_caught, "probe" => {
        fn create(space: &EmbeddingSpace) -> Result<NaiveIndex, Unavailable> {
            Ok(NaiveIndex::new(space.clone().with_revision("mine")))
        }
    }

    another_name_is_caught, "name" => {
        const REGISTERED: &'static str = "other";
    }

    an_option_of_another_name_is_caught, "options" => {
        const OPTIONS: &'static [OptionSpec] = &[OptionSpec::text("other.key", "")];
    }

    an_option_that_takes_any_value_is_caught, "options" => {
        const OPTIONS: &'static [OptionSpec] = &[OptionSpec::integer("liar.size", 1, 9, "")];
    }
}

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
