//! `build`.

use std::ops::ControlFlow;

use nodupe_core::{BuildPhase, IndexError};

use super::subject::{State, Subject, go_on, ids_of};
use super::{Entry, Scope};
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Metric,
        Check {
            name: "build-progress",
            promise: "`build` tells how much is done as numbers from 0 to 1, works on an empty index and a second time, and \
                      keeps every vector",
            run: progress,
        },
    ),
    (
        Scope::Metric,
        Check {
            name: "build-cancelled",
            promise: "`build` stops with `Cancelled` where the progress breaks, and the index is as it was",
            run: cancelled,
        },
    ),
];

fn progress(subject: &Subject) -> Seen {
    let data = subject.clusters(150)?;
    let (mut index, reference) = subject.filled(&data)?;
    for again in 0..3 {
        let mut wrong = None;
        let mut watch = |_: BuildPhase, done: f32| {
            if !(0.0..=1.0).contains(&done) {
                wrong = Some(done);
            }
            ControlFlow::Continue(())
        };
        index.build(&mut watch).map_err(failed(&format!("build number {again}")))?;
        ensure!(wrong.is_none(), "{wrong:?} of a phase is done");
        ensure!(ids_of(&*index)? == ids_of(&reference)?, "build changed the ids");
    }
    if let Some(vectors) = index.vectors(&data.ids).map_err(failed("vectors"))? {
        ensure!(vectors == data.rows, "build changed the vectors");
    }
    let mut empty = subject.create()?;
    empty.build(&mut go_on).map_err(failed("build of an empty index"))?;
    ensure!(empty.is_empty().map_err(failed("is_empty"))?, "an empty index is not empty after build");
    empty.add(&data.ids, data.rows.view()).map_err(failed("add after build of an empty index"))?;
    Ok(Verdict::Kept)
}

fn cancelled(subject: &Subject) -> Seen {
    let data = subject.clusters(150)?;
    for stop_at in [1, 2, 5] {
        let (mut index, _) = subject.filled(&data)?;
        let third: Vec<_> = data.ids.iter().step_by(3).cloned().collect();
        match index.remove(&third) {
            Ok(_) | Err(IndexError::Unsupported { .. }) => {}
            Err(why) => return Err(failed("remove")(why)),
        }
        let before = State::of(&*index, data.queries.view())?;
        let mut calls = 0;
        let mut stop = |_: BuildPhase, _: f32| {
            calls += 1;
            if calls >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match index.build(&mut stop) {
            Err(IndexError::Cancelled) if calls >= stop_at => {
                before.unchanged(&State::of(&*index, data.queries.view())?, "a build that was cancelled")?;
                index.build(&mut go_on).map_err(failed("build after one that was cancelled"))?;
            }
            Ok(()) if calls < stop_at => {}
            Ok(()) => return Err(format!("told to stop at call {stop_at}, it says that it is built")),
            Err(why) => return Err(failed(&format!("build that is told to stop at call {stop_at}"))(why)),
        }
    }
    Ok(Verdict::Kept)
}
