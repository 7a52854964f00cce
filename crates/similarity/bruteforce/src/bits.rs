//! Rows of packed bits under the Hamming distance.

use std::ops::Range;

use crate::popcount::{self, LANES, Near};
use crate::sweep::{Rows, Sink};
use crate::top_k::Hit;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Rows of one number of bits, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Bits {
    /// Bytes of a row as callers have it.
    bytes: usize,
    /// Words of a row as it is kept.
    words: usize,
    len: usize,
    /// Groups of [`LANES`] rows, the last one filled up with zeros; [`popcount`] says how words lie in them.
    groups: Vec<u64>,
}

impl Bits {
    /// No rows yet; `bits` is at least 1.
    pub(crate) fn new(bits: usize) -> Self {
        let bytes = bits.div_ceil(8).max(1);
        Self { bytes, words: bytes.div_ceil(WORD), len: 0, groups: Vec::new() }
    }

    /// Appends rows of whole bytes, whose unused bits are zero, each in the next slot.
    pub(crate) fn extend(&mut self, rows: &[u8]) {
        for row in rows.chunks_exact(self.bytes) {
            if self.len.is_multiple_of(LANES) {
                self.groups.resize(self.groups.len() + self.words * LANES, 0);
            }
            let first = self.first_word(self.len);
            for (place, word) in self.groups[first..].iter_mut().step_by(LANES).zip(words(row)) {
                *place = word;
            }
            self.len += 1;
        }
    }

    /// Appends the bytes of the row in a slot to `out`.
    pub(crate) fn read(&self, slot: u32, out: &mut Vec<u8>) {
        let end = out.len() + self.bytes;
        out.extend(self.row(slot as usize).flat_map(u64::to_le_bytes));
        out.truncate(end);
    }

    /// Moves the rows of these slots, which ascend, to slots 0, 1, 2, … and drops the others.
    pub(crate) fn compact(&mut self, kept: &[u32]) {
        let mut rest = Self { groups: Vec::with_capacity(self.groups.len()), len: 0, ..*self };
        let mut row = Vec::with_capacity(self.bytes);
        for &slot in kept {
            row.clear();
            self.read(slot, &mut row);
            rest.extend(&row);
        }
        *self = rest;
    }

    /// Bits of a row, those that fill up its last byte included.
    pub(crate) fn bits(&self) -> usize {
        self.bytes * 8
    }

    /// Words of a row.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// A word of the row in a slot.
    pub(crate) fn word(&self, slot: usize, word: usize) -> u64 {
        self.groups[self.first_word(slot) + word * LANES]
    }

    /// Writes the words of the row in a slot over those of `out`.
    pub(crate) fn write_row(&self, slot: usize, out: &mut [u64]) {
        for (place, word) in out.iter_mut().zip(self.row(slot)) {
            *place = word;
        }
    }

    /// The groups from that of a slot on, and the slot of their first row.
    pub(crate) fn groups_from(&self, slot: usize) -> (usize, &[u64]) {
        let first = slot / LANES * LANES;
        (first, self.groups.get(first * self.words..).unwrap_or_default())
    }

    /// Where in the groups the first word of a row is; the others follow at every [`LANES`].
    fn first_word(&self, slot: usize) -> usize {
        slot / LANES * LANES * self.words + slot % LANES
    }

    fn row(&self, slot: usize) -> impl Iterator<Item = u64> {
        let first = self.first_word(slot);
        self.groups.get(first..).unwrap_or_default().iter().step_by(LANES).take(self.words).copied()
    }
}

/// The words of a row of bytes.
fn words(row: &[u8]) -> impl Iterator<Item = u64> {
    row.chunks(WORD).map(|bytes| {
        let mut word = [0; WORD];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    })
}

impl Rows for Bits {
    type Element = u8;
    /// The words of one query after those of another.
    type Queries<'a> = Vec<u64>;
    type Scratch = Vec<Near>;

    /// More than of floats, since a comparison is that much less work.
    const BLOCK: usize = 16 * LANES;
    const TOGETHER: usize = 1;

    fn len(&self) -> usize {
        self.len
    }

    fn width(&self) -> usize {
        self.bytes
    }

    fn queries(&self, rows: &[u8]) -> Vec<u64> {
        rows.chunks_exact(self.bytes).flat_map(words).collect()
    }

    fn stored(&self, slots: Range<usize>) -> Vec<u64> {
        slots.flat_map(|slot| self.row(slot)).collect()
    }

    fn compare(&self, queries: &Vec<u64>, slots: Range<usize>, sink: &mut impl Sink, near: &mut Vec<Near>) {
        let groups = &self.groups[slots.start * self.words..slots.end.next_multiple_of(LANES) * self.words];
        for (q, query) in queries.chunks_exact(self.words).enumerate() {
            near.clear();
            // The cast rounds down and keeps infinity at the top.
            popcount::within(groups, query, sink.reach(q) as u64, near);
            for &Near { row, distance } in &*near {
                let slot = slots.start + row;
                if slot < slots.end && sink.wants(q, slot as u32) {
                    sink.offer(q, Hit { slot: slot as u32, distance: distance as f32 });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::naive;

    fn hamming(a: &[u8], b: &[u8]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>() as f32
    }

    /// Rows of `bytes` each, near each other, some equal: few of their bits are set.
    fn rows(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
        (0usize..2100, any::<u64>()).prop_map(move |(count, seed)| {
            let mut state = seed | 1;
            let next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8 & (state >> 48) as u8 & (state >> 40) as u8
            };
            std::iter::repeat_with(next).take(count * bytes).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn sweeps_agree_with_naive_loops(
            (bytes, data) in prop_oneof![Just(8), Just(32), 1usize..20].prop_flat_map(|bytes| (Just(bytes), rows(bytes))),
            queries in 0usize..5,
            limit in prop_oneof![0usize..30, Just(usize::MAX)],
            max_distance in prop_oneof![(0u8..60).prop_map(f32::from), Just(2.5), Just(f32::INFINITY)],
            threads in 1usize..4,
        ) {
            let mut bits = Bits::new(bytes * 8);
            bits.extend(&data);
            let row = |slot: usize| &data[slot * bytes..][..bytes];
            let queries = &data[..data.len().min(queries * bytes)];
            let distance = |q: usize, slot: usize| hamming(&queries[q * bytes..][..bytes], row(slot));
            naive::check(&bits, queries, (limit, max_distance, threads), distance, |a, b| hamming(row(a), row(b)))?;
        }

        #[test]
        fn rows_come_back_also_after_compaction((bytes, data) in (1usize..20).prop_flat_map(|n| (Just(n), rows(n)))) {
            let mut bits = Bits::new(bytes * 8);
            // In two parts, so that a group is filled by both.
            let (one, other) = data.split_at(data.len() / bytes / 2 * bytes);
            bits.extend(one);
            bits.extend(other);
            let kept: Vec<u32> = (0..bits.len() as u32).filter(|slot| slot % 3 != 1).collect();
            let read = |bits: &Bits| {
                let mut out = Vec::new();
                (0..bits.len() as u32).for_each(|slot| bits.read(slot, &mut out));
                out
            };
            prop_assert_eq!(read(&bits), &data[..]);
            bits.compact(&kept);
            let expected: Vec<u8> = kept.iter().flat_map(|&slot| &data[slot as usize * bytes..][..bytes]).copied().collect();
            prop_assert_eq!(read(&bits), expected);
            let (mut fresh, mut compacted) = (Bits::new(bytes * 8), Vec::new());
            (0..bits.len() as u32).for_each(|slot| bits.read(slot, &mut compacted));
            fresh.extend(&compacted);
            prop_assert_eq!(bits.groups, fresh.groups);
        }
    }

    #[test]
    fn a_length_of_no_whole_bytes_is_rounded_up() {
        let mut bits = Bits::new(12);
        bits.extend(&[0xff, 0x0f, 0, 0]);
        assert_eq!((bits.len(), bits.width()), (2, 2));
    }
}
