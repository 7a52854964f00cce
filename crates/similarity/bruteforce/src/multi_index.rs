//! Rows of packed bits within a radius, found without looking at all of them: multi-index hashing (Norouzi, Punjani and
//! Fleet, *Fast Search in Hamming Space with Multi-Index Hashing*, 2012).
//!
//! Rows are cut into chunks of `w` bits, and for each chunk rows are sorted into `2^w` buckets by what they have there. Give
//! chunk `c` a number of levels `l_c`. Two rows that differ in `l_c` bits or more of every chunk differ in `Σ l_c` bits at
//! least. So if that is more than the radius, two rows within it differ in fewer than `l_c` bits of some chunk, and lie in
//! buckets of it that are so near. Levels go where they cost least, by how crowded the buckets of a chunk are; where all of
//! it costs more than looking at every row, that is done instead.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::bits::Bits;
use crate::buckets::{Buckets, Chunk, MAX_LEVELS, MIN_ROWS, levels};
use crate::popcount::{self, LANES, Near};
use crate::sweep::{BLOCKS_PER_THREAD, Rows as _};
use crate::threads;
use crate::top_k::{Hit, TopK};

/// What it costs, in rows that are looked at one after the other, to sort a row by a chunk, and to meet a row that is in a
/// bucket. Measured with a million rows of 256 bits.
const SORT: f64 = 150.0;
const VISIT: f64 = 4.0;
/// Pieces that the buckets of a chunk are cut into.
const PIECES: usize = 256;
/// Pairs with which what is left of a piece waits until they are told.
const HELD: usize = 1 << 18;

/// Counts the rows in the buckets of every chunk, and finds the levels of each for a radius; `None` where that and the
/// search around `queries` rows costs more than `otherwise` rows for each.
fn plan(bits: &Bits, radius: u64, queries: usize, otherwise: f64) -> Option<(Vec<Buckets>, Vec<u32>)> {
    let rows = bits.len() as f64;
    let chunks = Chunk::all(bits.bits(), bits.len());
    // The radius and the number of queries alone tell where it is hopeless.
    let sort = SORT * rows * chunks.len() as f64;
    if bits.len() < MIN_ROWS
        || sort > queries as f64 * otherwise
        || radius >= chunks.len() as u64 * u64::from(MAX_LEVELS)
    {
        return None;
    }
    let buckets: Vec<_> = chunks.into_par_iter().map(|chunk| Buckets::count(chunk, bits)).collect();
    let (levels, cost) = levels(&buckets, radius, VISIT)?;
    (sort + queries as f64 * cost < queries as f64 * otherwise).then_some((buckets, levels))
}

/// For each query its `limit` nearest rows within `max_distance`, as
/// [`sweep::nearest`](crate::sweep::nearest) gives them; `None` where what there is otherwise, at a cost of so many rows a
/// query, costs less.
pub(crate) fn nearest(
    bits: &Bits,
    queries: &[u8],
    otherwise: f64,
    limit: usize,
    max_distance: f32,
    live: &(impl Fn(u32) -> bool + Sync),
    order: &(impl Fn(u32, u32) -> Ordering + Sync),
) -> Option<Vec<Vec<Hit>>> {
    let count = queries.len() / bits.width();
    // The cast rounds down and keeps infinity at the top.
    let radius = max_distance as u64;
    let (buckets, levels) = plan(bits, radius, count, otherwise)?;
    let queries = bits.queries(queries);
    let query = |q: usize| &queries[q * bits.words()..(q + 1) * bits.words()];
    let fresh = || TopK::new(limit, max_distance, order);
    let mut lists: Vec<Option<TopK<'_, _>>> = (0..count).map(|_| None).collect();
    for c in (0..buckets.len()).filter(|&c| levels[c] > 0) {
        let join = Join::new(bits, &buckets, &levels, c, radius);
        let mut keys: Vec<(usize, usize)> = (0..count).map(|q| (join.buckets.chunk.key(query(q)), q)).collect();
        keys.par_sort_unstable();
        // Queries of one bucket are not cut apart, or it would be gathered for each part.
        let alike: Vec<&[(usize, usize)]> = keys.chunk_by(|a, b| a.0 == b.0).collect();
        let found = alike.par_iter().map_init(Scratch::default, |scratch, alike| {
            let Some(&(key, _)) = alike.first() else { return Vec::new() };
            scratch.gather(&join, join.flips.iter().map(|flip| key ^ flip));
            let around = alike.iter().filter_map(|&(_, q)| {
                let mut list = None;
                scratch.each(&join, query(q), 0, |slot, distance| {
                    if live(slot) {
                        list.get_or_insert_with(fresh).push(Hit { slot, distance });
                    }
                });
                Some((q, list?))
            });
            around.collect()
        });
        for (q, list) in found.collect::<Vec<_>>().into_iter().flatten() {
            lists[q] = Some(match lists[q].take() {
                Some(before) => before.merge(list),
                None => list,
            });
        }
    }
    Some(lists.into_iter().map(|list| list.map_or_else(Vec::new, TopK::into_sorted)).collect())
}

/// Whether two rows are near in none of these chunks, the first ones: then nobody has found them yet.
pub(crate) fn is_first(before: &[Buckets], levels: &[u32], a: &[u64], b: &[u64]) -> bool {
    before.iter().zip(levels).all(|(buckets, &levels)| buckets.chunk.distance(a, b) >= levels)
}

/// Calls `each` once with every two rows of `bits` within `radius`, the lower slot first, in no promised order, until it
/// breaks. `None` where looking at every pair costs less. A chunk at a time is sorted, so memory is that of the rows once
/// more, and the pairs of some pieces, whose number is bounded by that of the rows.
pub(crate) fn pairs(
    bits: &Bits,
    radius: u64,
    live: &(impl Fn(u32) -> bool + Sync),
    pool: Option<&ThreadPool>,
    each: &mut dyn FnMut(u32, Hit) -> ControlFlow<()>,
) -> Option<ControlFlow<()>> {
    // Each pair is met from one side alone.
    let (buckets, levels) = threads::on(pool, || plan(bits, radius, bits.len() / 2, bits.len() as f64))?;
    for c in (0..buckets.len()).filter(|&c| levels[c] > 0) {
        let join = threads::on(pool, || Join::new(bits, &buckets, &levels, c, radius));
        let keys: usize = 1 << buckets[c].chunk.width;
        let piece = keys.div_ceil(PIECES);
        let mut pieces: VecDeque<Piece> =
            (0..keys).step_by(piece).map(|start| Piece { keys: start..keys.min(start + piece), joined: 0 }).collect();
        while !pieces.is_empty() {
            let window: Vec<Piece> =
                pieces.drain(..pieces.len().min(BLOCKS_PER_THREAD * threads::count(pool))).collect();
            let found = threads::on(pool, || -> Vec<_> {
                let joined = window
                    .into_par_iter()
                    .map_init(Scratch::default, |scratch, piece| join.within(piece, live, scratch));
                joined.collect()
            });
            for (pairs, rest) in found {
                pieces.extend(rest);
                if pairs.into_iter().try_for_each(|(left, right)| each(left, right)).is_break() {
                    return Some(ControlFlow::Break(()));
                }
            }
        }
    }
    Some(ControlFlow::Continue(()))
}

/// Buckets to join.
#[derive(Debug)]
struct Piece {
    keys: Range<usize>,
    /// Rows of the first of them that were joined already.
    joined: usize,
}

/// The rows in the order of the buckets of one chunk.
struct Join<'a> {
    before: &'a [Buckets],
    buckets: &'a Buckets,
    levels: &'a [u32],
    flips: Vec<usize>,
    radius: u64,
    words: usize,
    slots: Vec<u32>,
    rows: Vec<u64>,
}

impl<'a> Join<'a> {
    fn new(bits: &Bits, buckets: &'a [Buckets], levels: &'a [u32], c: usize, radius: u64) -> Self {
        let slots = buckets[c].slots(bits);
        let words = bits.words();
        let mut rows = vec![0; slots.len() * words];
        rows.par_chunks_exact_mut(words).zip(&slots).for_each(|(row, &slot)| bits.write_row(slot as usize, row));
        let flips = buckets[c].chunk.flips(levels[c]);
        Self { before: &buckets[..c], buckets: &buckets[c], levels, flips, radius, words, slots, rows }
    }

    fn row(&self, place: usize) -> &[u64] {
        &self.rows[place * self.words..(place + 1) * self.words]
    }

    /// The near pairs of which one row is in one of these buckets and the other in the same one or in a later one; and what is
    /// left to join where these are many: rows that are alike have pairs by the square of their number.
    fn within(
        &self,
        Piece { keys, mut joined }: Piece,
        live: &impl Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) -> (Vec<(u32, Hit)>, Option<Piece>) {
        let mut found = Vec::new();
        for key in keys.clone() {
            let own = self.buckets.bucket(key);
            if own.is_empty() {
                continue;
            }
            scratch.gather(self, self.flips.iter().map(|flip| key ^ flip).filter(|&other| other >= key));
            for (i, place) in own.enumerate().skip(std::mem::take(&mut joined)) {
                if found.len() >= HELD {
                    return (found, Some(Piece { keys: key..keys.end, joined: i }));
                }
                let left = self.slots[place];
                if !live(left) {
                    continue;
                }
                // The own bucket comes first, so what is up to the row itself was met before.
                scratch.each(self, self.row(place), i + 1, |right, distance| {
                    if live(right) {
                        found.push((left.min(right), Hit { slot: left.max(right), distance }));
                    }
                });
            }
        }
        (found, None)
    }
}

/// Rows of some buckets of a [`Join`].
#[derive(Default)]
struct Scratch {
    /// Their places in the order of buckets.
    places: Vec<u32>,
    /// The same rows as [`popcount::within`] takes them.
    groups: Vec<u64>,
    near: Vec<Near>,
}

impl Scratch {
    fn gather(&mut self, join: &Join<'_>, keys: impl Iterator<Item = usize>) {
        let Self { places, groups, .. } = self;
        places.clear();
        places.extend(keys.flat_map(|key| join.buckets.bucket(key)).map(|place| place as u32));
        groups.clear();
        groups.resize(places.len().next_multiple_of(LANES) * join.words, 0);
        for (group, places) in groups.chunks_exact_mut(LANES * join.words).zip(places.chunks(LANES)) {
            for (lane, &place) in places.iter().enumerate() {
                for (word, number) in group.iter_mut().skip(lane).step_by(LANES).zip(join.row(place as usize)) {
                    *word = *number;
                }
            }
        }
    }

    /// Calls `found` with the slot of every gathered row from the `first` one on that is within the radius of `row` and that
    /// no chunk before has found, and with its distance.
    fn each(&mut self, join: &Join<'_>, row: &[u64], first: usize, mut found: impl FnMut(u32, f32)) {
        let Self { places, groups, near } = self;
        near.clear();
        popcount::within(groups, row, join.radius, near);
        for near in near.iter().filter(|near| near.row >= first) {
            // Zeros fill the last group up.
            let Some(&place) = places.get(near.row) else { continue };
            if is_first(join.before, join.levels, row, join.row(place as usize)) {
                found(join.slots[place as usize], near.distance as f32);
            }
        }
    }
}

/// Rows in clusters, many more than a chunk has buckets, the first byte of all the same: a chunk that tells nothing.
#[cfg(test)]
pub(crate) fn clusters(bytes: usize, count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let centres: Vec<u8> = (0..count / 8 * bytes).map(|_| next() as u8).collect();
    let mut data = Vec::with_capacity(count * bytes);
    for _ in 0..count {
        let centre = next() as usize % (count / 8) * bytes;
        let start = data.len();
        data.extend_from_slice(&centres[centre..centre + bytes]);
        for _ in 0..next() % 12 {
            data[start + next() as usize % bytes] ^= 1 << (next() % 8);
        }
        data[start] = 7;
    }
    data
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    impl Bits {
        fn of(bits: usize, data: &[u8]) -> Self {
            let mut rows = Self::new(bits);
            rows.extend(data);
            rows
        }
    }

    fn distance(bits: &Bits, a: usize, b: usize) -> u64 {
        let [row, other] = [a, b].map(|slot| {
            let mut row = vec![0; bits.words()];
            bits.write_row(slot, &mut row);
            row
        });
        row.iter().zip(&other).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn pairs_and_neighbours_are_those_of_looking_at_every_row(
            bytes in prop_oneof![Just(32), Just(8), Just(21)], radius in 0u64..14, seed in any::<u64>(),
        ) {
            let data = clusters(bytes, MIN_ROWS + 100, seed);
            let bits = Bits::of(bytes * 8, &data);
            let live = |slot: u32| slot % 5 != 3;
            let mut expected = BTreeMap::new();
            let _ = crate::sweep::pairs(&bits, radius as f32, &live, None, &mut |left, hit| {
                expected.insert((left, hit.slot), hit.distance);
                ControlFlow::Continue(())
            });
            let mut found = BTreeMap::new();
            let mut twice = false;
            let joined = pairs(&bits, radius, &live, None, &mut |left, hit| {
                twice |= found.insert((left, hit.slot), hit.distance).is_some();
                ControlFlow::Continue(())
            });
            if joined.is_some() {
                prop_assert!(!twice);
                prop_assert_eq!(&found, &expected);
            } else {
                prop_assert!(bytes < 32 || radius > 9, "it should have been worth it");
            }

            let order = |a: u32, b: u32| b.cmp(&a);
            let queries = &data[..data.len() / 3];
            let all = crate::sweep::nearest(&bits, queries, 5, radius as f32, &live, &order);
            match nearest(&bits, queries, bits.len() as f64, 5, radius as f32, &live, &order) {
                Some(found) => prop_assert_eq!(found, all),
                None => prop_assert!(bytes < 32 || radius > 9, "it should have been worth it"),
            }
        }
    }

    #[test]
    fn a_pair_at_the_radius_is_found_wherever_its_bits_are() {
        let mut bits = Bits::of(256, &clusters(32, MIN_ROWS, 5));
        let mut row = Vec::new();
        bits.read(0, &mut row);
        for (place, byte) in row.iter_mut().enumerate().take(31) {
            *byte ^= 1 << (place % 8);
        }
        bits.extend(&row);
        let last = bits.len() as u32 - 1;
        let mut seen = false;
        let joined = pairs(&bits, 31, &|_| true, None, &mut |left, hit| {
            seen |= (left, hit.slot) == (0, last);
            ControlFlow::Continue(())
        });
        assert_eq!(distance(&bits, 0, last as usize), 31);
        assert!(seen && joined.is_some(), "{seen} {joined:?}");
    }

    #[test]
    fn pairs_of_many_equal_rows_are_told_before_all_are_found() {
        let mut data = clusters(32, MIN_ROWS, 3);
        let equal = 3_000;
        for _ in 0..equal {
            data.extend_from_slice(&[0x5a; 32]);
        }
        let bits = Bits::of(256, &data);
        let first = MIN_ROWS as u32;
        let (mut most, mut all) = (0, 0_usize);
        let chunk = Chunk::all(256, bits.len())[3];
        let buckets = [Buckets::count(chunk, &bits)];
        let join = Join::new(&bits, &buckets, &[1], 0, 0);
        let mut rest = Some(Piece { keys: 0..1 << chunk.width, joined: 0 });
        let mut scratch = Scratch::default();
        while let Some(piece) = rest.take() {
            let (found, after) = join.within(piece, &|slot| slot >= first, &mut scratch);
            most = most.max(found.len());
            all += found.len();
            rest = after;
        }
        assert_eq!(all, equal * (equal - 1) / 2);
        assert!(most <= HELD + bits.len(), "{most}");
    }
}
