//! `remove`, `upsert`, and what an index says it holds.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use nodupe_core::{IndexError, ItemId, SimilarityBackend};

use super::judge::close;
use super::subject::{Data, Index, State, Subject, go_on, ids_of, one};
use super::{Entry, Scope};
use crate::data;
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Metric,
        Check {
            name: "remove-count",
            promise: "`remove` says how many were there; unknown ids and ids that stand twice are no error and do not count",
            run: remove_count,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "remove-forgets",
            promise: "a vector that was removed is not found, held or listed any more, and its id can be added again",
            run: remove_forgets,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "upsert-replaces",
            promise: "`upsert` puts a vector in place of the one of the same id, and adds those whose ids are new",
            run: upsert_replaces,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "ids",
            promise: "`len`, `is_empty`, `contains` and `for_each_id` tell the same, each id once",
            run: ids,
        },
    ),
    (Scope::Metric, Check { name: "ids-stop", promise: "`for_each_id` stops when it is told to", run: ids_stop }),
    (
        Scope::Metric,
        Check {
            name: "ids-any-text",
            promise: "an id is any text: empty, long, with NUL, line ends, slashes and any script",
            run: ids_any_text,
        },
    ),
];

/// Removes, or says (`None`) that the backend cannot; that must be so for all ids, and change nothing.
fn removed(index: &mut Index, data: &Data, ids: &[ItemId]) -> Result<Option<usize>, String> {
    let before = State::of(&**index, data.queries.view())?;
    match index.remove(ids) {
        Ok(count) => Ok(Some(count)),
        Err(IndexError::Unsupported { .. }) => {
            before.unchanged(&State::of(&**index, data.queries.view())?, "remove, which it cannot,")?;
            Ok(None)
        }
        Err(why) => Err(failed("remove")(why)),
    }
}

const CANNOT: &str = "it cannot remove";

fn remove_count(subject: &Subject) -> Seen {
    let data = subject.clusters(40)?;
    let unknown = ItemId::from("nobody");
    for built in [false, true] {
        let (mut index, _) = subject.filled(&data)?;
        if built {
            index.build(&mut go_on).map_err(failed("build"))?;
        }
        let [a, b, c] = [0, 20, 39].map(|number: usize| data.ids[number].clone());
        let calls = [
            (vec![a.clone()], 1),
            (vec![a.clone()], 0),
            (vec![unknown.clone(), b.clone(), unknown.clone(), b.clone(), a.clone(), c], 2),
            (vec![], 0),
            (vec![unknown.clone()], 0),
        ];
        let mut left = data.ids.len();
        for (ids, wanted) in calls {
            let Some(count) = removed(&mut index, &data, &ids)? else {
                return Ok(Verdict::Skipped(CANNOT.to_owned()));
            };
            ensure!(count == wanted, "remove of {ids:?} says {count}, and {wanted} were there");
            left -= wanted;
            let len = index.len().map_err(failed("len"))?;
            ensure!(len == left, "{left} vectors are left, and len says {len}");
        }
    }
    Ok(Verdict::Kept)
}

fn remove_forgets(subject: &Subject) -> Seen {
    let data = subject.clusters(60)?;
    for built in [false, true] {
        let (mut index, _) = subject.filled(&data)?;
        if built {
            index.build(&mut go_on).map_err(failed("build"))?;
        }
        let gone: Vec<ItemId> = data.ids.iter().step_by(2).cloned().collect();
        if removed(&mut index, &data, &gone)?.is_none() {
            return Ok(Verdict::Skipped(CANNOT.to_owned()));
        }
        forgotten(&*index, &data, &gone)?;
        index.build(&mut go_on).map_err(failed("build"))?;
        forgotten(&*index, &data, &gone).map_err(|seen| format!("after another build, {seen}"))?;
        // Back with another vector each: that of the id before.
        let shifted = data.rows.view().slice(1..gone.len() + 1).ok_or("the suite has too few test vectors")?;
        index.add(&gone, shifted).map_err(failed("add of removed ids"))?;
        let len = index.len().map_err(failed("len"))?;
        ensure!(len == data.ids.len(), "removed and added again, it says it holds {len}");
        let query = one(&data.rows, 1)?;
        let found = index.search(query, len).map_err(failed("search"))?;
        ensure!(
            found.of(0).iter().any(|n| n.id == gone[0] && close(n.distance, 0.0)),
            "{:?}, removed and added again with another vector, is not found by it",
            gone[0]
        );
        // Down to nothing.
        removed(&mut index, &data, &data.ids)?;
        ensure!(index.is_empty().map_err(failed("is_empty"))?, "without its vectors it is not empty");
        let found = index.search(data.queries.view(), 5).map_err(failed("search"))?;
        ensure!(found.iter().all(<[_]>::is_empty), "without its vectors it finds some");
    }
    Ok(Verdict::Kept)
}

fn forgotten(index: &dyn SimilarityBackend, data: &Data, gone: &[ItemId]) -> Result<(), String> {
    let gone: BTreeSet<&ItemId> = gone.iter().collect();
    let listed = ids_of(index)?;
    for id in &gone {
        ensure!(!listed.contains(*id), "for_each_id names {id:?}, which was removed");
        ensure!(
            !index.contains(id).map_err(failed("contains"))?,
            "contains says that {id:?} is there, which was removed"
        );
    }
    for k in [1, data.ids.len()] {
        let found = index.search(data.rows.view(), k).map_err(failed("search"))?;
        let ghost = found.iter().flatten().find(|neighbor| gone.contains(&neighbor.id));
        ensure!(ghost.is_none(), "a search finds {ghost:?}, which was removed");
        let kept = data.ids.len() - gone.len();
        ensure!(
            !index.is_exact() || found.iter().all(|neighbors| neighbors.len() == k.min(kept)),
            "a search for {k} of the {kept} that are left finds another number"
        );
    }
    let mut ghost = None;
    let pairs = index.pairs_within(f32::INFINITY, &mut |pair| {
        ghost = [pair.a, pair.b].into_iter().find(|id| gone.contains(id)).cloned();
        if ghost.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match pairs {
        Ok(()) | Err(IndexError::Unsupported { .. }) => {}
        Err(why) => return Err(failed("pairs_within")(why)),
    }
    ensure!(ghost.is_none(), "a pair has {ghost:?}, which was removed");
    Ok(())
}

fn upsert_replaces(subject: &Subject) -> Seen {
    let data = subject.clusters(40)?;
    let rows = data::clusters(subject.space(), 6, 9).map_err(failed("making test vectors"))?;
    // Three that are there and three that are not.
    let mut ids = data::ids(43).split_off(37);
    ids.rotate_left(1);
    for built in [false, true] {
        let (mut index, _) = subject.filled(&data)?;
        if built {
            index.build(&mut go_on).map_err(failed("build"))?;
        }
        match index.upsert(&ids, rows.view()) {
            Err(IndexError::Unsupported { .. }) => return Ok(Verdict::Skipped(CANNOT.to_owned())),
            done => done.map_err(failed("upsert"))?,
        }
        let len = index.len().map_err(failed("len"))?;
        ensure!(len == 43, "3 of 40 replaced and 3 added are 43, and len says {len}");
        ids_of(&*index)?;
        for (row, id) in ids.iter().enumerate() {
            let found = index.search(one(&rows, row)?, 43).map_err(failed("search"))?;
            let own: Vec<f32> = found.of(0).iter().filter(|n| n.id == *id).map(|n| n.distance).collect();
            ensure!(
                own.len() == 1 && close(own[0], 0.0),
                "a search for the new vector of {id:?} finds that id at the distances {own:?}"
            );
        }
        if let Some(vectors) = index.vectors(&ids).map_err(failed("vectors"))? {
            ensure!(vectors == rows, "vectors gives other vectors than the new ones");
        }
    }
    Ok(Verdict::Kept)
}

fn ids(subject: &Subject) -> Seen {
    let data = subject.clusters(50)?;
    subject.each_stage(&data, &mut |stage| {
        let wanted = ids_of(stage.reference)?;
        let listed = ids_of(stage.index)?;
        ensure!(
            listed == wanted,
            "for_each_id does not name the ids that it holds: {:?}",
            listed.symmetric_difference(&wanted).next()
        );
        let len = stage.index.len().map_err(failed("len"))?;
        ensure!(len == wanted.len(), "len says {len} of {}", wanted.len());
        ensure!(!stage.index.is_empty().map_err(failed("is_empty"))?, "is_empty says yes");
        for id in data.ids.iter().chain([&ItemId::from("nobody"), &ItemId::from("")]) {
            let there = stage.index.contains(id).map_err(failed("contains"))?;
            ensure!(there == wanted.contains(id), "contains says {there} of {id:?}");
        }
        Ok(())
    })?;
    let empty = subject.create()?;
    ensure!(ids_of(&*empty)?.is_empty(), "an empty index names ids");
    ensure!(empty.is_empty().map_err(failed("is_empty"))?, "an empty index is not empty");
    Ok(Verdict::Kept)
}

fn ids_stop(subject: &Subject) -> Seen {
    let (index, _) = subject.filled(&subject.clusters(20)?)?;
    for wanted in [1, 7] {
        let mut calls = 0;
        let stop = &mut |_: &ItemId| {
            calls += 1;
            if calls == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        index.for_each_id(stop).map_err(failed("for_each_id that is stopped"))?;
        ensure!(calls == wanted, "stopped at call {wanted}, it made {calls}");
    }
    Ok(Verdict::Kept)
}

/// Ids as no one should name anything, and as someone will.
pub(super) fn odd_ids() -> Vec<ItemId> {
    let mut ids: Vec<ItemId> = [
        "",
        " ",
        "\0",
        "\0ff",
        "a\0ff",
        "\\xff",
        "a",
        "A",
        "..",
        "/",
        "../../etc",
        "C:\\x",
        "new\nline",
        "\r\n",
        "tab\t",
        "\"quoted\"",
        "{}",
        "%00",
        "-",
        "ÿ",
        "é",
        "e\u{301}",
        "写真",
        "🖼️",
        "\u{feff}",
        "\u{202e}rtl",
        "0",
        "00",
        "null",
    ]
    .map(ItemId::from)
    .to_vec();
    ids.extend(["x".repeat(255), "x".repeat(256), "é".repeat(40_000)].map(ItemId::from));
    ids
}

fn ids_any_text(subject: &Subject) -> Seen {
    let odd = odd_ids();
    let mut data = subject.clusters(odd.len())?;
    data.ids = odd;
    subject.each_stage(&data, &mut |stage| {
        ensure!(
            ids_of(stage.index)? == ids_of(stage.reference)?,
            "for_each_id does not give back the ids as they were"
        );
        for (row, id) in data.ids.iter().enumerate() {
            let there = stage.reference.contains(id).map_err(failed("contains"))?;
            let held = stage.index.contains(id).map_err(failed("contains"))?;
            ensure!(held == there, "contains says {held} of {:?}", short(id));
            let found = stage.index.search(one(&data.rows, row)?, data.ids.len()).map_err(failed("search"))?;
            ensure!(
                !there || found.of(0).iter().any(|neighbor| neighbor.id == *id),
                "a search for the vector of {:?} does not find it",
                short(id)
            );
        }
        Ok(())
    })?;
    Ok(Verdict::Kept)
}

fn short(id: &ItemId) -> String {
    id.as_str().chars().take(20).collect()
}
