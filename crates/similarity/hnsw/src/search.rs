//! Searching: through the graph where that is less work than looking at everything, and through all that is not in it.

use std::ops::Range;

use nodupe_core::{Neighbor, SlotMap};
use rayon::prelude::*;

use crate::equal::Equal;
use crate::graph::Graph;
use crate::rows::Rows;
use crate::top_k::TopK;
use crate::walk::{Scratch, Scratches, descend, walk};

/// Queries that are answered together: the rows that are looked at one after the other are then read from the cache.
const TOGETHER: usize = 16;
/// Rows that are looked at together.
const BLOCK: u32 = 64;
/// A walk looks at about this many rows for each candidate that it keeps, and at random.
const ROWS_A_CANDIDATE: usize = 16;

/// What is searched.
pub(crate) struct Searcher<'a, R> {
    pub(crate) rows: &'a R,
    pub(crate) slots: &'a SlotMap,
    pub(crate) equal: &'a Equal,
    pub(crate) graph: &'a Graph,
    pub(crate) ef: usize,
    pub(crate) scratches: &'a Scratches,
}

/// Which neighbours a query wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The most.
    pub(crate) limit: usize,
    /// None is farther.
    pub(crate) max_distance: f32,
}

/// A query on its way: its selection, and the row that equals it, which was offered first.
struct Query<'a, 'q, E> {
    row: &'q [E],
    equal: Option<u32>,
    top: TopK<'a>,
}

impl<'a, R: Rows> Searcher<'a, R> {
    /// What each row of `queries` wants, nearest first.
    pub(crate) fn nearest(&self, queries: &R, wanted: Wanted) -> Vec<Vec<Neighbor>> {
        let numbers: Vec<u32> = (0..queries.len() as u32).collect();
        let threads = rayon::current_num_threads();
        let together = numbers.len().div_ceil(threads).clamp(1, TOGETHER);
        numbers
            .par_chunks(together)
            .flat_map_iter(|some| {
                let query = |&number: &u32| {
                    let row = queries.row(number);
                    let top = TopK::new(wanted.limit, wanted.max_distance);
                    Query { row, equal: self.equal.find(self.rows, row), top }
                };
                let mut batch: Vec<Query<'a, '_, R::Element>> = some.iter().map(query).collect();
                self.scratches.with(|scratch| self.answer(&mut batch, wanted, scratch));
                batch.into_iter().map(|query| query.top.into_sorted())
            })
            .collect()
    }

    /// Fills the selections of some queries.
    fn answer(&self, batch: &mut [Query<'a, '_, R::Element>], wanted: Wanted, scratch: &mut Scratch) {
        if wanted.limit == 0 {
            return;
        }
        let linked = self.graph.len() as u32;
        for query in &mut *batch {
            if let Some(first) = query.equal {
                self.push(&mut query.top, first, self.rows.exact(query.row, first));
            }
            if self.walk(query.row, query.equal, wanted, scratch) {
                scratch.pool.iter().for_each(|(node, near)| self.consider(query, node, near));
            } else {
                self.scan(
                    0..linked,
                    std::slice::from_mut(query),
                    |query| query.row,
                    |query, slot, near| {
                        self.consider(query, slot, near);
                    },
                );
            }
        }
        let rest = linked..self.rows.len() as u32;
        self.scan(rest, batch, |query| query.row, |query, slot, near| self.consider(query, slot, near));
    }

    /// Offers a row to a query unless it is too far for certain.
    fn consider(&self, query: &mut Query<'a, '_, R::Element>, slot: u32, near: f32) {
        let is_wanted = query.equal != Some(slot) && self.equal.is_live(slot);
        if is_wanted && !self.rows.is_beyond(near, query.top.reach()) {
            self.push(&mut query.top, slot, self.rows.exact(query.row, slot));
        }
    }

    /// Offers every vector of a row.
    fn push(&self, top: &mut TopK<'a>, first: u32, distance: f32) {
        for id in self.equal.slots(first).filter_map(|slot| self.slots.id(slot)) {
            top.push(id, distance);
        }
    }

    /// Leaves the nodes that a row wants in the pool of `scratch`, and others that are near; `false` where the rows of the
    /// graph are to be looked at one by one instead.
    ///
    /// The pool doubles until it holds twice as many nodes as are within the distance.
    pub(crate) fn walk(&self, row: &[R::Element], equal: Option<u32>, wanted: Wanted, scratch: &mut Scratch) -> bool {
        scratch.pool.reset(0);
        let nodes = self.graph.len();
        let Some(nearest) = descend(self.rows, self.graph, row, 0, scratch) else {
            return nodes == 0;
        };
        let equal = equal.filter(|&first| (first as usize) < nodes).map(|first| {
            let mut distance = Vec::with_capacity(1);
            self.rows.near(row, &[first], &mut distance);
            (first, distance.first().copied().unwrap_or_default())
        });
        let mut ef = if wanted.max_distance == f32::INFINITY { self.ef.max(wanted.limit) } else { self.ef };
        loop {
            if self.is_scan_cheaper(ef) {
                return false;
            }
            let starts = std::iter::once(nearest).chain(equal);
            let is_live = |node: u32| self.equal.is_live(node);
            if !walk((self.rows, self.graph, 0), row, starts, ef, is_live, scratch) {
                return false;
            }
            let is_within = |found: &(u32, f32)| !self.rows.is_beyond(found.1, wanted.max_distance);
            let within = scratch.pool.iter().take_while(is_within).filter(|found| self.equal.is_live(found.0)).count();
            if !scratch.pool.is_full() {
                // No way leads to as many as there are.
                return false;
            }
            if within >= wanted.limit || within <= ef / 2 {
                return true;
            }
            ef *= 2;
        }
    }

    /// Whether looking at every row of the graph is less work than a walk. One that goes over nodes without live vectors
    /// is as much longer as there are more of those.
    fn is_scan_cheaper(&self, ef: usize) -> bool {
        let nodes = self.graph.len() as f64;
        let live = nodes.min(self.slots.len() as f64);
        (ef as f64) * ROWS_A_CANDIDATE as f64 * nodes >= live * live
    }

    /// Calls `each` with every one of `queries` and every live first slot in `slots`, at its quick distance.
    pub(crate) fn scan<'r, Q>(
        &self,
        slots: Range<u32>,
        queries: &mut [Q],
        row: impl Fn(&Q) -> &'r [R::Element],
        mut each: impl FnMut(&mut Q, u32, f32),
    ) where
        R::Element: 'r,
    {
        let (mut live, mut near) = (Vec::new(), Vec::new());
        for start in slots.clone().step_by(BLOCK as usize) {
            live.clear();
            live.extend((start..slots.end.min(start + BLOCK)).filter(|&slot| self.equal.is_live(slot)));
            for query in &mut *queries {
                self.rows.near(row(query), &live, &mut near);
                live.iter().zip(&near).for_each(|(&slot, &near)| each(query, slot, near));
            }
        }
    }
}
