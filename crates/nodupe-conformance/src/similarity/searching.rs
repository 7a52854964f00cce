//! `search`.

use nodupe_core::{Embeddings, EmbeddingsRef, IndexError, Metric, Neighbor, Neighbors, SimilarityBackend};

use super::adding::other_spaces;
use super::judge::{Truth, close, in_order, part};
use super::subject::{Data, Stage, Subject, go_on, one};
use super::{Entry, Scope};
use crate::data;
use crate::report::{Check, Seen, Verdict, ensure, failed, guard};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Metric,
        Check {
            name: "search-count",
            promise: "a search gives one list for each query, of at most `k` neighbours, exact backends exactly `min(k, len)`",
            run: count,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "search-known-ids",
            promise: "every neighbour is a vector of the index, and none is there twice",
            run: known_ids,
        },
    ),
    (
        Scope::Space,
        Check {
            name: "search-distances",
            promise: "every distance is that of the two vectors, to 1e-5 of `1 + distance`",
            run: distances,
        },
    ),
    (
        Scope::Metric,
        Check { name: "search-order", promise: "neighbours come nearest first, equal distances by id", run: order },
    ),
    (
        Scope::Space,
        Check {
            name: "search-exact",
            promise: "an exact backend gives the neighbours that the reference gives, in its order",
            run: exact,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "search-recall",
            promise: "an approximate backend reaches the recall that it states",
            run: recall,
        },
    ),
    (
        Scope::Space,
        Check {
            name: "search-equal",
            promise: "a vector of the index that equals the query is among its neighbours",
            run: equal,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "search-repeatable",
            promise: "the same call gives the same answer, and a query the same neighbours alone and among others",
            run: repeatable,
        },
    ),
    (
        Scope::Metric,
        Check { name: "search-empty", promise: "an empty index, no queries and `k = 0` give empty lists", run: empty },
    ),
    (
        Scope::Metric,
        Check {
            name: "search-wrong-queries",
            promise: "`search` and `search_within` refuse queries of another space, that are not finite or not of unit length, \
                      also where the answer would be empty",
            run: wrong_queries,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "search-extremes",
            promise: "vectors with very large and very small components are searched without a panic, in order",
            run: extremes,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "search-threads",
            promise: "searches on several threads at once give what one thread gets",
            run: threads,
        },
    ),
];

/// Judges the answer to one query.
type Judge<'a> = &'a dyn Fn(&Stage<'_>, &Truth, &[Neighbor]) -> Result<(), String>;

/// Shows `judge` the truth and the answer to each query at each stage.
fn each_answer(subject: &Subject, data: &Data, ks: &[usize], judge: Judge<'_>) -> Result<(), String> {
    subject.each_stage(data, &mut |stage| {
        let truths: Vec<Truth> =
            (0..data.queries.len()).map(|query| Truth::of(stage, query)).collect::<Result<_, _>>()?;
        for &k in ks {
            let found = stage.index.search(data.queries.view(), k).map_err(failed("search"))?;
            for (query, truth) in truths.iter().enumerate() {
                judge(stage, truth, found.of(query)).map_err(|seen| format!("query {query}, k = {k}: {seen}"))?;
            }
        }
        Ok(())
    })
}

/// The data that most checks run on: far fewer vectors than any block, more than some, and ties.
fn data_sets(subject: &Subject) -> Result<[Data; 3], String> {
    Ok([subject.clusters(3)?, subject.clusters(200)?, subject.ties(60)?])
}

fn count(subject: &Subject) -> Seen {
    for data in data_sets(subject)? {
        subject.each_stage(&data, &mut |stage| {
            let len = stage.reference.len().map_err(failed("len"))?;
            for k in [0, 1, 2, len - 1, len, len + 1, 10 * len, usize::MAX] {
                let found = stage.index.search(data.queries.view(), k).map_err(failed("search"))?;
                ensure!(found.len() == data.queries.len(), "{} queries have {} lists", data.queries.len(), found.len());
                for neighbors in found.iter() {
                    let (given, most) = (neighbors.len(), k.min(len));
                    let right = if stage.index.is_exact() { given == most } else { given <= most };
                    ensure!(right, "k = {k} of {len} gives {given} neighbours");
                }
            }
            Ok(())
        })?;
    }
    Ok(Verdict::Kept)
}

fn known_ids(subject: &Subject) -> Seen {
    for data in data_sets(subject)? {
        each_answer(subject, &data, &[1, 10, 500], &|_, truth, answer| truth.known_ids(answer))?;
    }
    Ok(Verdict::Kept)
}

fn distances(subject: &Subject) -> Seen {
    for data in [subject.clusters(200)?, subject.ties(60)?] {
        each_answer(subject, &data, &[7, 500], &|_, truth, answer| truth.distances(answer))?;
    }
    Ok(Verdict::Kept)
}

fn order(subject: &Subject) -> Seen {
    for data in data_sets(subject)? {
        each_answer(subject, &data, &[10, 500], &|_, _, answer| in_order(answer))?;
    }
    Ok(Verdict::Kept)
}

fn exact(subject: &Subject) -> Seen {
    // More vectors than an index is likely to compare in one block.
    let many = if subject.space().dim() > 100 { 300 } else { 2000 };
    for data in [subject.ties(60)?, subject.ties(300)?, subject.clusters(many)?] {
        each_answer(subject, &data, &[1, 5, 20, 1000], &|stage, truth, answer| {
            if stage.index.is_exact() { truth.agrees(answer) } else { Ok(()) }
        })?;
    }
    Ok(Verdict::Kept)
}

fn recall(subject: &Subject) -> Seen {
    let data = subject.clusters(1000)?;
    subject.each_stage(&data, &mut |stage| {
        if stage.index.is_exact() {
            return Ok(());
        }
        for k in [1, 10, 50] {
            let found = stage.index.search(data.queries.view(), k).map_err(failed("search"))?;
            let mut hits = 0;
            for (query, neighbors) in found.iter().enumerate() {
                hits += Truth::of(stage, query)?.hits(neighbors, k);
            }
            let reached = part(hits, k * data.queries.len());
            ensure!(
                reached >= subject.recall,
                "the recall of the nearest {k} is {reached:.3}, and {} is stated",
                subject.recall
            );
        }
        Ok(())
    })?;
    Ok(Verdict::Kept)
}

fn equal(subject: &Subject) -> Seen {
    for data in [subject.clusters(200)?, subject.ties(60)?] {
        subject.each_stage(&data, &mut |stage| {
            let found = stage.index.search(data.rows.view(), 1).map_err(failed("search"))?;
            for (id, neighbors) in data.ids.iter().zip(found.iter()) {
                ensure!(
                    !stage.reference.contains(id).map_err(failed("contains"))?
                        || neighbors.first().is_some_and(|nearest| close(nearest.distance, 0.0)),
                    "the nearest of the vector of {id:?} is {:?}",
                    neighbors.first()
                );
            }
            Ok(())
        })?;
    }
    Ok(Verdict::Kept)
}

fn repeatable(subject: &Subject) -> Seen {
    for data in [subject.clusters(200)?, subject.ties(60)?] {
        subject.each_stage(&data, &mut |stage| {
            let search = |queries: EmbeddingsRef<'_>| stage.index.search(queries, 10).map_err(failed("search"));
            let within = |queries| stage.index.search_within(queries, 1.0, 10).map_err(failed("search_within"));
            let (first, near) = (search(data.queries.view())?, within(data.queries.view())?);
            for again in 1..4 {
                ensure!(search(data.queries.view())? == first, "search {again} answers otherwise than the first");
                ensure!(within(data.queries.view())? == near, "search_within {again} answers otherwise than the first");
            }
            for query in 0..data.queries.len() {
                let alone = search(one(&data.queries, query)?)?;
                alike(&alone, &first, query, data.exact).map_err(|seen| format!("query {query} alone: {seen}"))?;
            }
            Ok(())
        })?;
    }
    Ok(Verdict::Kept)
}

/// Sees that a query alone has the neighbours that it has among others: the very same where distances are exact, and as
/// near as those where they are not.
fn alike(alone: &Neighbors, among: &Neighbors, query: usize, exact: bool) -> Result<(), String> {
    let (alone, among) = (alone.of(0), among.of(query));
    ensure!(alone.len() == among.len(), "{} neighbours, and {} among others", alone.len(), among.len());
    for (a, b) in alone.iter().zip(among) {
        ensure!(close(a.distance, b.distance) && (!exact || a.id == b.id), "{a:?} is where {b:?} is among others");
    }
    Ok(())
}

fn empty(subject: &Subject) -> Seen {
    let data = subject.clusters(20)?;
    let none = Embeddings::new(subject.space().clone());
    let nothing = |found: &Neighbors, queries: usize, what: &str| {
        ensure!(found.len() == queries && found.iter().all(<[_]>::is_empty), "{what} gives {found:?}");
        ensure!(
            !(0..queries).any(|query| found.is_truncated(query)) || what.starts_with("a limit"),
            "{what} says that it was truncated"
        );
        Ok(())
    };
    let (filled, _) = subject.filled(&data)?;
    let mut index = subject.create()?;
    for built in ["", ", built"] {
        let queries = data.queries.len();
        for k in [0, 1, usize::MAX] {
            let found = index.search(data.queries.view(), k).map_err(failed("search"))?;
            nothing(&found, queries, &format!("k = {k} in an empty index{built}"))?;
            let found = filled.search(none.view(), k).map_err(failed("search for no query"))?;
            nothing(&found, 0, "no query")?;
            let found = index.search_within(data.queries.view(), f32::INFINITY, k).map_err(failed("search_within"))?;
            nothing(&found, queries, &format!("a search within infinity in an empty index{built}"))?;
        }
        index.build(&mut go_on).map_err(failed("build of an empty index"))?;
    }
    let found = filled.search(data.queries.view(), 0).map_err(failed("search"))?;
    nothing(&found, data.queries.len(), "k = 0")?;
    Ok(Verdict::Kept)
}

fn wrong_queries(subject: &Subject) -> Seen {
    let data = subject.clusters(20)?;
    let (filled, _) = subject.filled(&data)?;
    let empty = subject.create()?;
    for (what, index) in [("an index", &*filled), ("an empty index", &*empty)] {
        for other in other_spaces(subject.space()) {
            let rows = data::clusters(&other, 3, 1).map_err(failed("making test vectors"))?;
            let none = Embeddings::new(other.clone());
            for rows in [rows.view(), none.view()] {
                refused(index, rows, &|why| matches!(why, IndexError::SpaceMismatch { .. }))
                    .map_err(|seen| format!("{what} asked for {} vectors of {other}: {seen}", rows.len()))?;
            }
        }
        for (value, rows) in wrong_rows(subject)? {
            let right = |why: &IndexError| match why {
                IndexError::NotFinite { row } => !value.is_finite() && *row == 1,
                IndexError::NotUnit { row, .. } => value.is_finite() && *row == 1,
                _ => false,
            };
            refused(index, rows.view(), &right)
                .map_err(|seen| format!("{what} asked for a vector with the component {value}: {seen}"))?;
        }
    }
    Ok(Verdict::Kept)
}

/// Queries of which the second cannot be: the component that makes it so, and the rows.
fn wrong_rows(subject: &Subject) -> Result<Vec<(f32, Embeddings)>, String> {
    let values: &[f32] = match subject.space().metric() {
        Metric::Cosine => &[f32::NAN, f32::INFINITY, 0.0, 2.0],
        Metric::SquaredEuclidean => &[f32::NAN, f32::NEG_INFINITY],
        _ => &[],
    };
    let dim = subject.space().dim();
    let rows = values.iter().map(|&value| {
        let mut data = vec![0.0; 3 * dim];
        for row in 0..3 {
            data[row * dim] = 1.0;
        }
        data[dim] = value;
        Embeddings::from_f32(subject.space().clone(), data).map(|rows| (value, rows))
    });
    rows.collect::<Result<_, _>>().map_err(failed("making test vectors"))
}

fn refused(
    index: &dyn SimilarityBackend,
    rows: EmbeddingsRef<'_>,
    right: &dyn Fn(&IndexError) -> bool,
) -> Result<(), String> {
    for k in [0, 5] {
        for (call, answer) in [("search", index.search(rows, k)), ("search_within", index.search_within(rows, 1.0, k))]
        {
            match answer {
                Err(why) if right(&why) => {}
                Err(why) => return Err(format!("{call} refuses it for another reason: {why}")),
                Ok(_) => return Err(format!("{call} answers (k or limit {k})")),
            }
        }
    }
    Ok(())
}

fn extremes(subject: &Subject) -> Seen {
    if subject.space().metric() != Metric::SquaredEuclidean {
        return Ok(Verdict::Kept);
    }
    let dim = subject.space().dim();
    let values = [0.0, -0.0, 1e-45, -1e-30, 1e18, -1e19, 1e25, f32::MAX, f32::MIN, 1.0];
    let rows: Vec<f32> = values.iter().flat_map(|&value| vec![value; dim]).collect();
    let rows = Embeddings::from_f32(subject.space().clone(), rows).map_err(failed("making test vectors"))?;
    let data = Data { name: "extremes", ids: data::ids(values.len()), queries: rows.clone(), rows, exact: false };
    each_answer(subject, &data, &[3, 100], &|_, truth, answer| {
        in_order(answer)?;
        truth.known_ids(answer)?;
        truth.distances(answer)
    })?;
    Ok(Verdict::Kept)
}

fn threads(subject: &Subject) -> Seen {
    const THREADS: usize = 8;
    let data = subject.clusters(300)?;
    subject.each_stage(&data, &mut |stage| {
        let index = stage.index;
        let answer = || -> Result<_, String> {
            let near = index.search(data.queries.view(), 10).map_err(failed("search"))?;
            let within = index.search_within(data.queries.view(), 0.5, 20).map_err(failed("search_within"))?;
            Ok((near, within, index.len().map_err(failed("len"))?))
        };
        let wanted = answer()?;
        std::thread::scope(|scope| {
            let work = || {
                for _ in 0..3 {
                    let given = guard(answer)??;
                    ensure!(given == wanted, "another answer than on one thread");
                }
                Ok(())
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            let mut ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            ended.try_for_each(|end| end.unwrap_or_else(|_| Err("a thread ended early".to_owned())))
        })
    })?;
    Ok(Verdict::Kept)
}
