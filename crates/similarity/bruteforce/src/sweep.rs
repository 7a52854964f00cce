//! The two ways of comparing everything: queries against all rows, and all rows against each other.
//!
//! Both cut the work into blocks that are computed in parallel, on the thread pool of the caller, and give the same
//! answer whatever the number of threads is.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::threads;
use crate::top_k::{Hit, TopK};

/// Blocks of work for each thread, so that one that is held up does not hold up all.
pub(crate) const BLOCKS_PER_THREAD: usize = 4;

/// Rows that can be compared with queries a block at a time.
pub(crate) trait Rows: Sync {
    /// What a query is a slice of, as callers have it.
    type Element: Sync;
    /// Queries as the comparison wants them.
    type Queries<'a>: Send + Sync
    where
        Self: 'a;
    /// Memory that one comparison leaves to the next.
    type Scratch: Default + Send;

    /// The most queries and the most rows that are compared in one call.
    const BLOCK: usize;
    /// Queries that cost as much as one; [`BLOCK`](Self::BLOCK) is a multiple.
    const TOGETHER: usize;

    /// Number of rows, removed ones included.
    fn len(&self) -> usize;

    /// Elements of a query, at least 1.
    fn width(&self) -> usize;

    /// Makes queries ready.
    fn queries<'a>(&'a self, rows: &'a [Self::Element]) -> Self::Queries<'a>;

    /// Rows of this store as queries.
    fn stored(&self, slots: Range<usize>) -> Self::Queries<'_>;

    /// Offers to `sink` every row of `slots` that it wants, within its reach, with the exact distance, in an order that the
    /// queries and the rows decide. `slots` starts at a multiple of [`BLOCK`](Self::BLOCK).
    fn compare(
        &self,
        queries: &Self::Queries<'_>,
        slots: Range<usize>,
        sink: &mut impl Sink,
        scratch: &mut Self::Scratch,
    );
}

/// Where a comparison leaves what it finds.
pub(crate) trait Sink {
    /// The largest distance from this query that matters; offers may lower it.
    fn reach(&self, query: usize) -> f32;
    /// Whether this row may be offered for this query at all.
    fn wants(&self, query: usize, slot: u32) -> bool;
    /// Takes a wanted row, or leaves it if it is beyond reach.
    fn offer(&mut self, query: usize, hit: Hit);
}

/// For each query its `limit` nearest rows, none farther than `max_distance`, nearest first; equal distances by `order`,
/// a total order of slots. Rows that are not `live` are passed over.
pub(crate) fn nearest<R: Rows>(
    rows: &R,
    queries: &[R::Element],
    limit: usize,
    max_distance: f32,
    live: &(impl Fn(u32) -> bool + Sync),
    order: &(impl Fn(u32, u32) -> Ordering + Sync),
) -> Vec<Vec<Hit>> {
    let count = queries.len() / rows.width();
    if count == 0 || limit == 0 {
        return vec![Vec::new(); count];
    }
    let blocks = count.div_ceil(R::BLOCK);
    // Few queries leave threads without work, unless the rows are shared out as well.
    let wanted = (BLOCKS_PER_THREAD * rayon::current_num_threads()).div_ceil(blocks);
    let segment = rows.len().div_ceil(wanted).next_multiple_of(R::BLOCK).max(R::BLOCK);
    queries
        .par_chunks(count.div_ceil(blocks).next_multiple_of(R::TOGETHER) * rows.width())
        .flat_map_iter(|chunk| {
            let prepared = rows.queries(chunk);
            let fresh = || -> Vec<_> {
                (0..chunk.len() / rows.width()).map(|_| TopK::new(limit, max_distance, order)).collect()
            };
            (0..rows.len().div_ceil(segment))
                .into_par_iter()
                .map_init(R::Scratch::default, |scratch, part| {
                    let mut found = Nearest { lists: fresh(), live };
                    for slots in blocks_of::<R>(part * segment..rows.len().min((part + 1) * segment)) {
                        rows.compare(&prepared, slots, &mut found, scratch);
                    }
                    found.lists
                })
                .reduce(fresh, |a, b| a.into_iter().zip(b).map(|(a, b)| a.merge(b)).collect())
                .into_iter()
                .map(TopK::into_sorted)
        })
        .collect()
}

/// Calls `each` with every two live rows within `max_distance` of each other, the lower slot first, once.
///
/// The order is the same for the same rows: by blocks of the left row, in these by blocks of the right row, in these by
/// left slot, then by right slot. Pairs of some blocks at a time are held, however many rows there are. Blocks are compared
/// on `pool`, or else on that of the caller; `each` is called on the caller's own thread.
pub(crate) fn pairs<R: Rows>(
    rows: &R,
    max_distance: f32,
    live: &(impl Fn(u32) -> bool + Sync),
    pool: Option<&ThreadPool>,
    each: &mut dyn FnMut(u32, Hit) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let threads = threads::count(pool);
    let mut blocks = blocks_of::<R>(0..rows.len()).flat_map(|left| {
        let (first, queries) = (left.start as u32, Arc::new(rows.stored(left.clone())));
        blocks_of::<R>(left.start..rows.len()).map(move |right| (first, Arc::clone(&queries), right))
    });
    loop {
        let window: Vec<_> = blocks.by_ref().take(BLOCKS_PER_THREAD * threads).collect();
        if window.is_empty() {
            return ControlFlow::Continue(());
        }
        let compare = || -> Vec<Vec<(u32, Hit)>> {
            let compared = window.par_iter().map_init(R::Scratch::default, |scratch, (first, left, right)| {
                let first = *first;
                let mut found = Pairs { first, max_distance, live, found: Vec::new() };
                rows.compare(left, right.clone(), &mut found, scratch);
                found.found.sort_unstable_by_key(|(left, right)| (*left, right.slot));
                found.found
            });
            compared.collect()
        };
        threads::on(pool, compare).into_iter().flatten().try_for_each(|(left, right)| each(left, right))?;
    }
}

/// Cuts a range of slots into blocks.
fn blocks_of<R: Rows>(slots: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    slots.clone().step_by(R::BLOCK).map(move |start| start..slots.end.min(start + R::BLOCK))
}

struct Nearest<'a, L, O> {
    lists: Vec<TopK<'a, O>>,
    live: &'a L,
}

impl<L: Fn(u32) -> bool, O: Fn(u32, u32) -> Ordering> Sink for Nearest<'_, L, O> {
    fn reach(&self, query: usize) -> f32 {
        self.lists[query].reach()
    }

    fn wants(&self, _: usize, slot: u32) -> bool {
        (self.live)(slot)
    }

    fn offer(&mut self, query: usize, hit: Hit) {
        self.lists[query].push(hit);
    }
}

struct Pairs<'a, L> {
    /// The slot that is query 0.
    first: u32,
    max_distance: f32,
    live: &'a L,
    found: Vec<(u32, Hit)>,
}

impl<L> Pairs<'_, L> {
    fn left(&self, query: usize) -> u32 {
        self.first + query as u32
    }
}

impl<L: Fn(u32) -> bool> Sink for Pairs<'_, L> {
    fn reach(&self, _: usize) -> f32 {
        self.max_distance
    }

    fn wants(&self, query: usize, slot: u32) -> bool {
        let left = self.left(query);
        left < slot && (self.live)(left) && (self.live)(slot)
    }

    fn offer(&mut self, query: usize, hit: Hit) {
        if hit.distance <= self.max_distance {
            self.found.push((self.left(query), hit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;

    #[test]
    fn pairs_stop_when_the_callback_breaks() {
        let mut bits = Bits::new(8);
        bits.extend(&vec![0; 3 * Bits::BLOCK]);
        let mut seen = 0;
        let end = pairs(&bits, 0.0, &|_| true, None, &mut |_, _| {
            seen += 1;
            if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((end, seen), (ControlFlow::Break(()), 5));
    }

    #[test]
    fn ties_at_the_limit_are_told_apart_across_segments() {
        let mut bits = Bits::new(8);
        bits.extend(&vec![0; 3 * Bits::BLOCK]);
        let last = bits.len() as u32 - 1;
        let found = nearest(&bits, &[1], 3, f32::INFINITY, &|slot| slot != last - 1, &|a, b| b.cmp(&a));
        assert_eq!(found, [[last, last - 2, last - 3].map(|slot| Hit { slot, distance: 1.0 })]);
    }

    #[test]
    fn a_row_of_any_segment_is_found() {
        // One thread, so that the number of segments, and that rows do not divide by it, is known.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let numbers = 0..5 * Bits::BLOCK as u16 + 7;
        let mut bits = Bits::new(16);
        bits.extend(&numbers.clone().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
        for number in numbers.step_by(5) {
            let query = number.to_le_bytes();
            let found = pool.install(|| nearest(&bits, &query, 1, f32::INFINITY, &|_| true, &|a, b| a.cmp(&b)));
            assert_eq!(found, [[Hit { slot: number.into(), distance: 0.0 }]]);
        }
    }

    #[test]
    fn an_empty_store_gives_empty_lists() {
        let bits = Bits::new(8);
        let found = nearest(&bits, &[1, 2, 3], 3, f32::INFINITY, &|_| true, &|a, b| a.cmp(&b));
        assert_eq!(found, [const { Vec::new() }; 3]);
        assert!(pairs(&bits, 9.0, &|_| true, None, &mut |_, _| ControlFlow::Break(())).is_continue());
    }
}
