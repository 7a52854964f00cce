//! Rows of packed bits within a radius of few queries: the buckets of [`multi_index`](crate::multi_index), kept from `build` on.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::bits::Bits;
use crate::buckets::{Buckets, Chunk, MIN_ROWS, levels};
use crate::multi_index::is_first;
use crate::popcount::{self, Near};
use crate::sweep::Rows as _;
use crate::threads;
use crate::top_k::{Hit, TopK};

/// What it costs to meet a row in a bucket, in rows that are looked at one after the other: its words are anywhere in memory.
/// Measured with a million rows of 256 bits.
const VISIT: f64 = 100.0;

/// The slots of the first rows by the buckets of every chunk: 4 bytes a row and chunk.
#[derive(Debug)]
pub(crate) struct Tables {
    /// Rows that are in them. Those that were added since are looked at one by one.
    len: usize,
    buckets: Vec<Buckets>,
    /// For each chunk the slots in the order of its buckets.
    slots: Vec<Vec<u32>>,
}

/// Where a search within a radius looks.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    tables: &'a Tables,
    levels: Vec<u32>,
    /// Of a query, in rows that are looked at one after the other.
    pub(crate) cost: f64,
}

impl Tables {
    /// Sorts all rows, on `pool` or that of the caller; `None` where they are so few that it would not pay. `progress` is told
    /// how much is done.
    pub(crate) fn new(
        bits: &Bits,
        pool: Option<&ThreadPool>,
        progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> ControlFlow<(), Option<Self>> {
        let len = bits.len();
        if len < MIN_ROWS {
            return ControlFlow::Continue(None);
        }
        let chunks = Chunk::all(bits.bits(), len);
        let (mut buckets, mut slots) = (Vec::with_capacity(chunks.len()), Vec::with_capacity(chunks.len()));
        for some in chunks.chunks(threads::count(pool)) {
            progress(buckets.len() as f32 / chunks.len() as f32)?;
            let sort = |&chunk: &Chunk| {
                let buckets = Buckets::count(chunk, bits);
                let slots = buckets.slots(bits);
                (buckets, slots)
            };
            let sorted: Vec<_> = threads::on(pool, || some.par_iter().map(sort).collect());
            for (own_buckets, own_slots) in sorted {
                buckets.push(own_buckets);
                slots.push(own_slots);
            }
        }
        ControlFlow::Continue(Some(Self { len, buckets, slots }))
    }

    /// Where to look; `None` where looking at every row costs less.
    pub(crate) fn plan(&self, bits: &Bits, radius: u64) -> Option<Plan<'_>> {
        let (levels, cost) = levels(&self.buckets, radius, VISIT)?;
        let cost = cost + (bits.len() - self.len) as f64;
        (cost < bits.len() as f64).then_some(Plan { tables: self, levels, cost })
    }
}

impl Plan<'_> {
    /// For each query its `limit` nearest rows within `max_distance`, for which the plan was made, as
    /// [`sweep::nearest`](crate::sweep::nearest) gives them.
    pub(crate) fn nearest(
        &self,
        bits: &Bits,
        queries: &[u8],
        limit: usize,
        max_distance: f32,
        live: &(impl Fn(u32) -> bool + Sync),
        order: &(impl Fn(u32, u32) -> Ordering + Sync),
    ) -> Vec<Vec<Hit>> {
        let Tables { len, buckets, slots } = self.tables;
        // The cast rounds down.
        let radius = max_distance as u64;
        let flips: Vec<Vec<usize>> =
            buckets.iter().zip(&self.levels).map(|(buckets, &levels)| buckets.chunk.flips(levels)).collect();
        let queries = bits.queries(queries);
        let around = |(row, near): &mut (Vec<u64>, Vec<Near>), query: &[u64]| {
            let mut list = TopK::new(limit, max_distance, order);
            let mut found = |slot: u32, distance: u64| {
                if live(slot) {
                    list.push(Hit { slot, distance: distance as f32 });
                }
            };
            for (c, own) in buckets.iter().enumerate() {
                let key = own.chunk.key(query);
                for slot in flips[c].iter().flat_map(|flip| &slots[c][own.bucket(key ^ flip)]) {
                    bits.write_row(*slot as usize, row);
                    let distance = query.iter().zip(&*row).map(|(a, b)| u64::from((a ^ b).count_ones())).sum();
                    if distance <= radius && is_first(&buckets[..c], &self.levels, query, row) {
                        found(*slot, distance);
                    }
                }
            }
            near.clear();
            let (first, groups) = bits.groups_from(*len);
            popcount::within(groups, query, radius, near);
            for near in &*near {
                let slot = first + near.row;
                if (*len..bits.len()).contains(&slot) {
                    found(slot as u32, near.distance);
                }
            }
            list.into_sorted()
        };
        let scratch = || (vec![0; bits.words()], Vec::new());
        queries.par_chunks_exact(bits.words()).map_init(scratch, around).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::multi_index::clusters;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn neighbours_are_those_of_looking_at_every_row_those_that_came_later_too(
            bytes in prop_oneof![Just(32), Just(8), Just(21)], radius in 0u64..14, later in 0usize..200, seed in any::<u64>(),
        ) {
            let data = clusters(bytes, MIN_ROWS + 300, seed);
            let (first, rest) = data.split_at((MIN_ROWS + 100) * bytes);
            let mut bits = Bits::new(bytes * 8);
            bits.extend(first);
            let ControlFlow::Continue(Some(tables)) = Tables::new(&bits, None, &mut |_| ControlFlow::Continue(())) else {
                return Err(TestCaseError::fail("there are enough rows"));
            };
            bits.extend(&rest[..later * bytes]);
            let Some(plan) = tables.plan(&bits, radius) else {
                prop_assert!(bytes < 32 || radius > 9, "it should have been worth it");
                return Ok(());
            };
            let live = |slot: u32| slot % 5 != 3;
            let order = |a: u32, b: u32| b.cmp(&a);
            let queries = [&data[..100 * bytes], &data[data.len() - 300 * bytes..]].concat();
            for limit in [0, 3, usize::MAX] {
                let found = plan.nearest(&bits, &queries, limit, radius as f32, &live, &order);
                prop_assert_eq!(found, crate::sweep::nearest(&bits, &queries, limit, radius as f32, &live, &order));
            }
        }
    }

    #[test]
    fn sorting_can_be_stopped() {
        let mut bits = Bits::new(64);
        bits.extend(&clusters(8, MIN_ROWS, 1));
        assert!(Tables::new(&bits, None, &mut |_| ControlFlow::Break(())).is_break());
    }
}
