//! `search_within` and `pairs_within`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use nodupe_core::{IndexError, ItemId, SimilarityBackend};

use super::judge::{Truth, close, in_order, part, tolerance};
use super::subject::{Data, Stage, Subject, one};
use super::{Entry, Scope};
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Metric,
        Check {
            name: "within-distance",
            promise: "`search_within` gives vectors of the index, each once, at their true distance, none beyond \
                      `max_distance`, nearest first",
            run: distance,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "within-complete",
            promise: "`search_within` of an exact backend gives all that are within, the boundary included, and that of an \
                      approximate one as many as its recall states",
            run: complete,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "within-limit",
            promise: "`search_within` gives at most `limit`, the nearest ones, and says where more were within",
            run: limit,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "within-wrong-distance",
            promise: "`search_within` and `pairs_within` refuse NaN and negative distances with `InvalidDistance`",
            run: wrong_distance,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "pairs-once",
            promise: "`pairs_within` gives each pair once, the smaller id first, at its true distance, none beyond",
            run: pairs_once,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "pairs-complete",
            promise: "`pairs_within` of an exact backend gives every pair within, the boundary included, and that of an \
                      approximate one as many as its recall states",
            run: pairs_complete,
        },
    ),
    (Scope::Metric, Check { name: "pairs-stop", promise: "`pairs_within` stops when it is told to", run: pairs_stop }),
];

fn data_sets(subject: &Subject) -> Result<[Data; 3], String> {
    Ok([subject.clusters(2)?, subject.clusters(200)?, subject.ties(60)?])
}

/// Distances that some vectors are within and others not. On the ties, those that vectors are at.
fn distances(stage: &Stage<'_>, query: usize) -> Result<Vec<f32>, String> {
    let ranked = Truth::of(stage, query)?.ranked;
    let at = |place: usize| ranked.get(place.min(ranked.len().saturating_sub(1))).map(|n| n.distance);
    let of_vectors = [0, ranked.len() / 10, ranked.len() / 2].map(at);
    let mut distances = vec![0.0, f32::INFINITY];
    distances.extend(of_vectors.into_iter().flatten());
    Ok(distances)
}

fn distance(subject: &Subject) -> Seen {
    for data in data_sets(subject)? {
        subject.each_stage(&data, &mut |stage| {
            for query in 0..data.queries.len() {
                let truth = Truth::of(stage, query)?;
                for max in distances(stage, query)? {
                    let found = stage
                        .index
                        .search_within(one(&data.queries, query)?, max, usize::MAX)
                        .map_err(failed("search_within"))?;
                    ensure!(found.len() == 1, "one query has {} lists", found.len());
                    let beyond = found.of(0).iter().find(|n| n.distance > max || n.distance.is_nan());
                    ensure!(beyond.is_none(), "within {max}, {beyond:?} is given");
                    let judged = truth.known_ids(found.of(0)).and_then(|()| truth.distances(found.of(0)));
                    judged
                        .and_then(|()| in_order(found.of(0)))
                        .map_err(|seen| format!("query {query} within {max}: {seen}"))?;
                }
            }
            Ok(())
        })?;
    }
    Ok(Verdict::Kept)
}

fn complete(subject: &Subject) -> Seen {
    for data in data_sets(subject)? {
        subject.each_stage(&data, &mut |stage| {
            let (mut hits, mut all) = (0, 0);
            for query in 0..data.queries.len() {
                let truth = Truth::of(stage, query)?;
                for max in distances(stage, query)? {
                    let found = stage
                        .index
                        .search_within(one(&data.queries, query)?, max, usize::MAX)
                        .map_err(failed("search_within"))?;
                    let given = found.of(0).len();
                    let (surely, possibly) = truth.within(max);
                    ensure!(given <= possibly, "query {query} within {max}: {given} of the {possibly} are given");
                    if stage.index.is_exact() {
                        ensure!(given >= surely, "query {query} within {max}: {given} of the {surely} are given");
                        truth.agrees(found.of(0)).map_err(|seen| format!("query {query} within {max}: {seen}"))?;
                    }
                    hits += given.min(surely);
                    all += surely;
                }
            }
            let reached = part(hits, all);
            ensure!(
                reached >= subject.recall || stage.index.is_exact(),
                "the recall within a distance is {reached:.3}, and {} is stated",
                subject.recall
            );
            Ok(())
        })?;
    }
    Ok(Verdict::Kept)
}

fn limit(subject: &Subject) -> Seen {
    for data in data_sets(subject)? {
        subject.each_stage(&data, &mut |stage| {
            for query in 0..data.queries.len() {
                let truth = Truth::of(stage, query)?;
                for max in distances(stage, query)? {
                    let (surely, possibly) = truth.within(max);
                    for limit in [0, 1, 3, surely.saturating_sub(1), surely, surely + 1, usize::MAX] {
                        let found = stage
                            .index
                            .search_within(one(&data.queries, query)?, max, limit)
                            .map_err(failed("search_within"))?;
                        let (given, cut) = (found.of(0).len(), found.is_truncated(0));
                        let asked = format!("query {query} within {max}, limit {limit} of {surely}");
                        ensure!(given <= limit, "{asked}: {given} are given");
                        ensure!(!cut || given == limit, "{asked}: {given} are given, and it says that it was cut");
                        ensure!(!cut || possibly > limit, "{asked}: it says that it was cut");
                        if stage.index.is_exact() {
                            ensure!(cut || surely <= limit, "{asked}: it does not say that it was cut");
                            ensure!(given >= surely.min(limit), "{asked}: {given} are given");
                            truth.agrees(found.of(0)).map_err(|seen| format!("{asked}: {seen}"))?;
                        }
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(Verdict::Kept)
}

fn wrong_distance(subject: &Subject) -> Seen {
    let data = subject.clusters(20)?;
    let (filled, _) = subject.filled(&data)?;
    let empty = subject.create()?;
    for index in [&*filled, &*empty] {
        for distance in [f32::NAN, -1.0, -f32::MIN_POSITIVE, f32::NEG_INFINITY] {
            let search = index.search_within(data.queries.view(), distance, 5).map(drop);
            let pairs = index.pairs_within(distance, &mut |_| ControlFlow::Continue(()));
            for (call, answer) in [("search_within", search), ("pairs_within", pairs)] {
                match answer {
                    Err(IndexError::InvalidDistance { .. }) => {}
                    Err(why) => return Err(format!("{call} of {distance} fails for another reason: {why}")),
                    Ok(()) => return Err(format!("{call} takes the distance {distance}")),
                }
            }
        }
        // Zero has two signs.
        index.search_within(data.queries.view(), -0.0, 5).map_err(failed("search_within of -0.0"))?;
    }
    Ok(Verdict::Kept)
}

type Pairs = BTreeMap<(ItemId, ItemId), f32>;

const CANNOT: &str = "it has no pairs, since it does not keep the vectors";

/// The pairs of an index, each once and the smaller id first; `None` where it does not keep vectors and says so.
fn pairs_of(index: &dyn SimilarityBackend, max_distance: f32) -> Result<Option<Pairs>, String> {
    let mut pairs = Pairs::new();
    let mut wrong = None;
    let answer = index.pairs_within(max_distance, &mut |pair| {
        if pair.a >= pair.b {
            wrong = Some(format!("the pair of {:?} and {:?} is not in order", pair.a, pair.b));
        }
        if pairs.insert((pair.a.clone(), pair.b.clone()), pair.distance).is_some() {
            wrong = Some(format!("the pair of {:?} and {:?} is given twice", pair.a, pair.b));
        }
        ControlFlow::Continue(())
    });
    match answer {
        Err(IndexError::Unsupported { .. }) => return Ok(None),
        answer => answer.map_err(failed("pairs_within"))?,
    }
    wrong.map_or(Ok(Some(pairs)), Err)
}

/// Distances that some pairs are within and others not.
fn pair_distances(stage: &Stage<'_>) -> Result<Vec<f32>, String> {
    let all = pairs_of(stage.reference, f32::INFINITY)?.unwrap_or_default();
    let mut ranked: Vec<f32> = all.into_values().collect();
    ranked.sort_by(f32::total_cmp);
    let mut distances = vec![0.0, f32::INFINITY];
    distances.extend([ranked.len() / 50, ranked.len() / 3].into_iter().filter_map(|place| ranked.get(place)));
    Ok(distances)
}

fn pairs_once(subject: &Subject) -> Seen {
    let mut kept = true;
    for data in data_sets(subject)? {
        subject.each_stage(&data, &mut |stage| {
            let truth = pairs_of(stage.reference, f32::INFINITY)?.unwrap_or_default();
            for max in pair_distances(stage)? {
                let Some(pairs) = pairs_of(stage.index, max)? else {
                    let kept_vectors = stage.index.vectors(&data.ids[1..2]).map_err(failed("vectors"))?;
                    ensure!(kept_vectors.is_none(), "it keeps vectors, and gives no pairs");
                    kept = false;
                    return Ok(());
                };
                for ((a, b), distance) in &pairs {
                    let Some(wanted) = truth.get(&(a.clone(), b.clone())) else {
                        return Err(format!("{a:?} and {b:?} are no pair of the index"));
                    };
                    ensure!(close(*distance, *wanted), "{a:?} and {b:?} are at {wanted}, and {distance} is said");
                    ensure!(*distance <= max, "{a:?} and {b:?} are at {distance}, beyond {max}");
                }
            }
            Ok(())
        })?;
    }
    Ok(if kept { Verdict::Kept } else { Verdict::Skipped(CANNOT.to_owned()) })
}

fn pairs_complete(subject: &Subject) -> Seen {
    let mut kept = true;
    for data in data_sets(subject)? {
        subject.each_stage(&data, &mut |stage| {
            let truth = pairs_of(stage.reference, f32::INFINITY)?.unwrap_or_default();
            let (mut hits, mut all) = (0, 0);
            for max in pair_distances(stage)? {
                let Some(pairs) = pairs_of(stage.index, max)? else {
                    kept = false;
                    return Ok(());
                };
                let slack = if data.exact || max.is_infinite() { 0.0 } else { tolerance(max) };
                let wanted = truth.iter().filter(|(_, distance)| **distance <= max - slack);
                for (pair, distance) in wanted {
                    all += 1;
                    hits += usize::from(pairs.contains_key(pair));
                    ensure!(
                        !stage.index.is_exact() || pairs.contains_key(pair),
                        "within {max}, the pair of {:?} and {:?} at {distance} is not given",
                        pair.0,
                        pair.1
                    );
                }
            }
            let reached = part(hits, all);
            ensure!(reached >= subject.recall, "the recall of pairs is {reached:.3}, and {} is stated", subject.recall);
            Ok(())
        })?;
    }
    Ok(if kept { Verdict::Kept } else { Verdict::Skipped(CANNOT.to_owned()) })
}

fn pairs_stop(subject: &Subject) -> Seen {
    let (index, _) = subject.filled(&subject.clusters(40)?)?;
    for wanted in [1, 5] {
        let mut calls = 0;
        let answer = index.pairs_within(f32::INFINITY, &mut |_| {
            calls += 1;
            if calls == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match answer {
            Err(IndexError::Unsupported { .. }) => return Ok(Verdict::Skipped(CANNOT.to_owned())),
            answer => answer.map_err(failed("pairs_within that is stopped"))?,
        }
        ensure!(calls == wanted, "stopped at pair {wanted}, it gave {calls}");
    }
    Ok(Verdict::Kept)
}
