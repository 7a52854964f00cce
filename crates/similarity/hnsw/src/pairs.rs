//! Every two vectors that are near each other.

use std::ops::ControlFlow;

use nodupe_core::{ItemId, Pair};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::rows::Rows;
use crate::search::{Searcher, Wanted};
use crate::threads;
use crate::walk::Scratch;

/// Rows that are searched around together for each thread, at most.
const ROWS_A_THREAD: usize = 64;
/// Pairs that are held before fewer rows are searched around together.
const HELD: usize = 1 << 20;
/// Rows that one thread takes at a time.
const TOGETHER: usize = 16;

/// A row, by its first slot, and the later rows that are near it.
struct Around {
    slot: u32,
    found: Vec<(u32, f32)>,
}

impl<R: Rows> Searcher<'_, R> {
    /// Calls `each` with every pair within `max_distance` that the search around the earlier vector finds, on the caller's
    /// own thread. Rows are searched on `pool`, or else on that of the caller.
    pub(crate) fn pairs(
        &self,
        max_distance: f32,
        pool: Option<&ThreadPool>,
        each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let rows: Vec<u32> = (0..self.rows.len() as u32).filter(|&slot| self.equal.is_live(slot)).collect();
        let threads = threads::count(pool);
        let (mut rest, mut rows_a_thread) = (rows.as_slice(), 1);
        while !rest.is_empty() {
            let (window, after) = rest.split_at(rest.len().min(threads * rows_a_thread));
            rest = after;
            let found = threads::on(pool, || -> Vec<Vec<Around>> {
                let some = window.par_chunks(TOGETHER.min(rows_a_thread));
                some.map(|some| self.scratches.with(|scratch| self.around(some, max_distance, scratch))).collect()
            });
            for around in found.iter().flatten() {
                self.tell(around, each)?;
            }
            let held: usize = found.iter().flatten().map(|around| around.found.len()).sum();
            rows_a_thread =
                if held > HELD / 2 { (rows_a_thread / 2).max(1) } else { (2 * rows_a_thread).min(ROWS_A_THREAD) };
        }
        ControlFlow::Continue(())
    }

    fn around(&self, rows: &[u32], max_distance: f32, scratch: &mut Scratch) -> Vec<Around> {
        let linked = self.graph.len() as u32;
        let wanted = Wanted { limit: usize::MAX, max_distance };
        let mut batch: Vec<Around> = rows.iter().map(|&slot| Around { slot, found: Vec::new() }).collect();
        let consider = |around: &mut Around, slot: u32, near: f32| {
            if slot > around.slot && self.equal.is_live(slot) && !self.rows.is_beyond(near, max_distance) {
                let distance = self.rows.exact(self.rows.row(around.slot), slot);
                if distance <= max_distance {
                    around.found.push((slot, distance));
                }
            }
        };
        let row = |around: &Around| self.rows.row(around.slot);
        for around in batch.iter_mut().filter(|around| around.slot < linked) {
            if self.walk(row(around), Some(around.slot), wanted, scratch) {
                scratch.pool.iter().for_each(|(node, near)| consider(around, node, near));
            } else {
                self.scan(around.slot + 1..linked, std::slice::from_mut(around), row, consider);
            }
        }
        let first = rows.first().map_or(linked, |&first| linked.max(first + 1));
        self.scan(first..self.rows.len() as u32, &mut batch, row, consider);
        batch
    }

    fn tell(&self, around: &Around, each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let ids = |slot: u32| self.equal.slots(slot).filter_map(|slot| self.slots.id(slot));
        let mut pair =
            |one: &ItemId, other: &ItemId, distance: f32| each(Pair { a: one.min(other), b: one.max(other), distance });
        let own: Vec<&ItemId> = ids(around.slot).collect();
        let same = self.rows.exact(self.rows.row(around.slot), around.slot);
        for (place, one) in own.iter().enumerate() {
            own[place + 1..].iter().try_for_each(|other| pair(one, other, same))?;
        }
        for &(slot, distance) in &around.found {
            for other in ids(slot) {
                own.iter().try_for_each(|one| pair(one, other, distance))?;
            }
        }
        ControlFlow::Continue(())
    }
}
