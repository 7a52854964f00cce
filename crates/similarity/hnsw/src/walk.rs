//! Walking through the graph to the nodes that are near.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use crate::graph::{Graph, NONE};
use crate::line::prefetch;
use crate::pool::{Pool, Visited};
use crate::rows::Rows;

/// Memory that one walk leaves to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) pool: Pool,
    visited: Visited,
    /// Nodes that were not seen before, and their distances.
    fresh: Vec<u32>,
    near: Vec<f32>,
}

/// [`Scratch`] for as many walks as there are at a time.
#[derive(Debug, Default)]
pub(crate) struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    /// Lends one out for `work`.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        lock().push(scratch);
        result
    }
}

/// Goes from the entry down to just above `level`, at each level to the node that is nearest to `row` (Algorithm 2 of the
/// paper with `ef = 1`). `None` in a graph without nodes.
pub(crate) fn descend<R: Rows>(
    rows: &R,
    graph: &Graph,
    row: &[R::Element],
    level: u8,
    scratch: &mut Scratch,
) -> Option<(u32, f32)> {
    let Scratch { fresh, near, .. } = scratch;
    let entry = graph.entry()?;
    rows.near(row, &[entry], near);
    let mut nearest = (entry, near.first().copied()?);
    for level in (level + 1..=graph.level(entry)).rev() {
        loop {
            fresh.clear();
            fresh.extend(
                graph.links(level, nearest.0).iter().map(|link| link.load(Relaxed)).take_while(|&to| to != NONE),
            );
            rows.near(row, fresh, near);
            let best = fresh.iter().copied().zip(near.iter().copied()).min_by(|a, b| a.1.total_cmp(&b.1));
            match best {
                Some(best) if best.1 < nearest.1 => nearest = best,
                _ => break,
            }
        }
    }
    Some(nearest)
}

/// Walks through one level from `starts` and leaves the `ef` nearest live nodes in the pool of `scratch` (Algorithm 2). It gives
/// up, and says `false`, where it meets hardly any.
pub(crate) fn walk<R: Rows>(
    (rows, graph, level): (&R, &Graph, u8),
    row: &[R::Element],
    starts: impl IntoIterator<Item = (u32, f32)>,
    ef: usize,
    is_live: impl Fn(u32) -> bool,
    scratch: &mut Scratch,
) -> bool {
    let Scratch { pool, visited, fresh, near } = scratch;
    pool.reset(ef);
    visited.reset(graph.len());
    for (node, distance) in starts {
        if visited.insert(node) {
            pool.offer(node, distance, &is_live);
        }
    }
    while let Some((node, next)) = pool.follow() {
        if let Some(next) = next {
            prefetch(graph.links(level, next), 3);
        }
        fresh.clear();
        for link in graph.links(level, node) {
            let to = link.load(Relaxed);
            if to == NONE {
                break;
            }
            if visited.insert(to) {
                fresh.push(to);
            }
        }
        rows.near(row, fresh, near);
        for (&to, &distance) in fresh.iter().zip(near.iter()) {
            pool.offer(to, distance, &is_live);
        }
        if pool.is_crowded() {
            return false;
        }
    }
    true
}
