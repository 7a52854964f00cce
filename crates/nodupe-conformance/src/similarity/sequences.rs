//! Random sequences of calls, compared with the reference after each: what no check of one method sees.

use std::mem::discriminant;

use nodupe_core::{Embeddings, IndexError, ItemId, Neighbors, SimilarityBackend as _};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tempfile::TempDir;

use super::judge::{Truth, in_order};
use super::subject::{Data, Index, Stage, Subject, go_on, ids_of, one, temp_dir};
use super::{Entry, Scope};
use crate::reference::NaiveIndex;
use crate::report::{Check, Seen, Verdict, ensure, failed, guard};

pub(super) const CHECKS: &[Entry] = &[(
    Scope::Metric,
    Check {
        name: "sequences",
        promise: "after any sequence of calls the index holds and answers what the reference does",
        run: sequences,
    },
)];

/// Ids and vectors are few, so that calls meet.
const IDS: usize = 10;

/// One call, its ids and vectors by their numbers.
#[derive(Debug, Clone)]
enum Call {
    Add(Vec<(usize, usize)>),
    Upsert(Vec<(usize, usize)>),
    Remove(Vec<usize>),
    Build,
    Search { query: usize, k: usize },
    SearchWithin { query: usize, distance: u8, limit: usize },
    SaveAndOpen,
}

fn call() -> impl Strategy<Value = Call> {
    let batch = || prop::collection::vec((0..IDS, 0..IDS), 0..5);
    prop_oneof![
        4 => batch().prop_map(Call::Add),
        2 => batch().prop_map(Call::Upsert),
        2 => prop::collection::vec(0..IDS, 0..4).prop_map(Call::Remove),
        1 => Just(Call::Build),
        3 => (0..IDS, 0..IDS + 2).prop_map(|(query, k)| Call::Search { query, k }),
        2 => (0..IDS, 0..4u8, 0..IDS).prop_map(|(query, distance, limit)| Call::SearchWithin { query, distance, limit }),
        1 => Just(Call::SaveAndOpen),
    ]
}

fn sequences(subject: &Subject) -> Seen {
    let mut data = subject.ties(IDS)?;
    data.queries = data.rows.clone();
    let config =
        Config { cases: subject.sequences, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&prop::collection::vec(call(), 1..24), |calls| {
        let played = guard(|| play(subject, &data, &calls)).and_then(|seen| seen);
        played.map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => Ok(Verdict::Kept),
        Err(TestError::Fail(seen, calls)) => Err(format!("{seen}, in the sequence {calls:?}")),
        Err(TestError::Abort(why)) => Err(format!("no sequences were made: {why}")),
    }
}

/// Makes the calls on an index and on the reference.
fn play(subject: &Subject, data: &Data, calls: &[Call]) -> Result<(), String> {
    // Declared before the index, and so there as long: a live index works in it.
    let mut home = None;
    let mut index = subject.create()?;
    let mut reference = NaiveIndex::new(subject.space().clone());
    for (number, call) in calls.iter().enumerate() {
        step(subject, data, call, &mut index, &mut reference, &mut home)
            .map_err(|seen| format!("call {number} of: {seen}"))?;
        ensure!(
            ids_of(&*index)? == ids_of(&reference)?,
            "after call {number} of it holds other ids than the reference"
        );
    }
    Ok(())
}

fn step(
    subject: &Subject,
    data: &Data,
    call: &Call,
    index: &mut Index,
    reference: &mut NaiveIndex,
    home: &mut Option<TempDir>,
) -> Result<(), String> {
    match call {
        Call::Add(batch) => {
            let (ids, rows) = chosen(data, batch)?;
            same(index.add(&ids, rows.view()), || reference.add(&ids, rows.view()))?;
        }
        Call::Upsert(batch) => {
            let (ids, rows) = chosen(data, batch)?;
            same(index.upsert(&ids, rows.view()), || reference.upsert(&ids, rows.view()))?;
        }
        Call::Remove(numbers) => {
            let ids: Vec<ItemId> = numbers.iter().map(|&number| data.ids[number].clone()).collect();
            let counts = same(index.remove(&ids), || reference.remove(&ids))?;
            ensure!(counts.is_none_or(|(given, wanted)| given == wanted), "remove says another number: {counts:?}");
        }
        Call::Build => index.build(&mut go_on).map_err(failed("build"))?,
        Call::Search { query, k } => {
            let found = index.search(one(&data.queries, *query)?, *k).map_err(failed("search"))?;
            let wanted = reference.search(one(&data.queries, *query)?, *k).map_err(failed("search"))?;
            judge(index, reference, data, *query, &found, &wanted)?;
        }
        Call::SearchWithin { query, distance, limit } => {
            let (query_row, max) = (one(&data.queries, *query)?, f32::from(*distance));
            let found = index.search_within(query_row, max, *limit).map_err(failed("search_within"))?;
            let wanted = reference.search_within(query_row, max, *limit).map_err(failed("search_within"))?;
            judge(index, reference, data, *query, &found, &wanted)?;
        }
        Call::SaveAndOpen => {
            let dir = temp_dir()?;
            match index.save(dir.path()) {
                Err(IndexError::Unsupported { .. }) => {}
                saved => {
                    saved.map_err(failed("save"))?;
                    *index = subject.open(dir.path()).map_err(failed("open"))?;
                    *home = Some(dir);
                }
            }
        }
    }
    Ok(())
}

fn chosen(data: &Data, batch: &[(usize, usize)]) -> Result<(Vec<ItemId>, Embeddings), String> {
    let ids = batch.iter().map(|(id, _)| data.ids[*id].clone()).collect();
    let mut rows = Embeddings::new(data.rows.space().clone());
    for (_, row) in batch {
        rows.append(one(&data.rows, *row)?).map_err(failed("making test vectors"))?;
    }
    Ok((ids, rows))
}

/// Both do it, or both refuse it for the same reason. `None` where the backend cannot do such things at all (the
/// reference then does not do it either).
fn same<T>(
    given: Result<T, IndexError>,
    reference: impl FnOnce() -> Result<T, IndexError>,
) -> Result<Option<(T, T)>, String> {
    if let Err(IndexError::Unsupported { .. }) = given {
        return Ok(None);
    }
    match (given, reference()) {
        (Ok(given), Ok(wanted)) => Ok(Some((given, wanted))),
        (Err(given), Err(wanted)) if alike(&given, &wanted) => Ok(None),
        (Ok(_), Err(wanted)) => Err(format!("it does what should be refused: {wanted}")),
        (Err(given), Ok(_)) => Err(format!("it refuses what should be done: {given}")),
        (Err(given), Err(wanted)) => Err(format!("it says `{given}` where `{wanted}` is right")),
    }
}

/// Whether two errors are of one kind. Where an id stands twice and another is there already, either may be said.
fn alike(given: &IndexError, wanted: &IndexError) -> bool {
    let of_ids = |why: &IndexError| matches!(why, IndexError::DuplicateId { .. } | IndexError::AlreadyPresent { .. });
    discriminant(given) == discriminant(wanted) || (of_ids(given) && of_ids(wanted))
}

fn judge(
    index: &Index,
    reference: &NaiveIndex,
    data: &Data,
    query: usize,
    found: &Neighbors,
    wanted: &Neighbors,
) -> Result<(), String> {
    let truth = Truth::of(&Stage { index: &**index, reference, data }, query)?;
    truth.known_ids(found.of(0))?;
    truth.distances(found.of(0))?;
    in_order(found.of(0))?;
    ensure!(
        found.of(0).len() <= wanted.of(0).len(),
        "it finds {} where there are {}",
        found.of(0).len(),
        wanted.of(0).len()
    );
    if index.is_exact() {
        let ids = |found: &Neighbors| found.of(0).iter().map(|n| n.id.clone()).collect::<Vec<_>>();
        ensure!(
            ids(found) == ids(wanted) && found.is_truncated(0) == wanted.is_truncated(0),
            "it answers {found:?} where {wanted:?} is right"
        );
    }
    Ok(())
}
