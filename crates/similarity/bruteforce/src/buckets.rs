//! Rows of packed bits by what they have in a chunk: the tables of multi-index hashing, see [`multi_index`](crate::multi_index).

use std::ops::Range;

use crate::bits::Bits;
use crate::sweep::Rows as _;

/// Fewer rows are looked at one by one.
pub(crate) const MIN_ROWS: usize = 16_384;
/// Levels of a chunk, at most: with more, the buckets that are near outnumber the rows.
pub(crate) const MAX_LEVELS: u32 = 4;
/// What it costs, in rows that are looked at one after the other, to look into a bucket. Measured with a million rows of 256
/// bits.
const PROBE: f64 = 4.0;

/// Bits of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    start: usize,
    pub(crate) width: usize,
}

impl Chunk {
    /// Cuts `bits` into as many chunks as have about a bucket for every four of `len` rows.
    pub(crate) fn all(bits: usize, len: usize) -> Vec<Self> {
        let wanted = (len.max(4) / 4).ilog2().clamp(8, 20) as usize;
        let count = bits.div_ceil(wanted);
        let start = |number: usize| number * bits / count;
        (0..count).map(|number| Self { start: start(number), width: start(number + 1) - start(number) }).collect()
    }

    /// What a row has there. Chunks have at most 32 bits.
    pub(crate) fn key(self, row: &[u64]) -> usize {
        self.key_of(|word| row.get(word).copied().unwrap_or(0))
    }

    /// The same of a row whose words are these: no more than two are asked for.
    fn key_of(self, word: impl Fn(usize) -> u64) -> usize {
        let (first, shift) = (self.start / 64, self.start % 64);
        let low = word(first) >> shift;
        let high = if shift + self.width > 64 { word(first + 1) << (64 - shift) } else { 0 };
        ((low | high) & ((1 << self.width) - 1)) as usize
    }

    /// In how many bits of it two rows differ.
    pub(crate) fn distance(self, a: &[u64], b: &[u64]) -> u32 {
        (self.key(a) ^ self.key(b)).count_ones()
    }

    /// Every difference of fewer bits than `levels`, none first.
    pub(crate) fn flips(self, levels: u32) -> Vec<usize> {
        let mut flips: Vec<usize> = if levels > 0 { vec![0] } else { Vec::new() };
        let mut last: Vec<usize> = flips.clone();
        for _ in 1..levels {
            // Each is made once: a bit is only set above all others.
            let above = |flip: usize| usize::BITS as usize - flip.leading_zeros() as usize;
            last = last.iter().flat_map(|&flip| (above(flip)..self.width).map(move |bit| flip | 1 << bit)).collect();
            flips.extend(&last);
        }
        flips
    }
}

/// Where each bucket of a chunk starts among the rows in the order of buckets; the end of the last one at the end.
#[derive(Debug)]
pub(crate) struct Buckets {
    pub(crate) chunk: Chunk,
    starts: Vec<u32>,
    /// How many rows a row shares its bucket with, in the mean.
    crowd: f64,
}

impl Buckets {
    pub(crate) fn count(chunk: Chunk, bits: &Bits) -> Self {
        let mut starts = vec![0_u32; (1 << chunk.width) + 1];
        for slot in 0..bits.len() {
            starts[chunk.key_of(|word| bits.word(slot, word)) + 1] += 1;
        }
        let squares: f64 = starts.iter().map(|&count| f64::from(count) * f64::from(count)).sum();
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self { chunk, starts, crowd: squares / bits.len().max(1) as f64 }
    }

    /// The slots in the order of buckets, in each ascending.
    pub(crate) fn slots(&self, bits: &Bits) -> Vec<u32> {
        let mut next = self.starts.clone();
        let mut slots = vec![0; bits.len()];
        for slot in 0..bits.len() {
            let place = &mut next[self.chunk.key_of(|word| bits.word(slot, word))];
            slots[*place as usize] = slot as u32;
            *place += 1;
        }
        slots
    }

    pub(crate) fn bucket(&self, key: usize) -> Range<usize> {
        self.starts[key] as usize..self.starts[key + 1] as usize
    }
}

/// The levels of each chunk for a radius, and what a query then costs in rows where a row of a bucket costs `visit`; `None`
/// where no levels are enough.
pub(crate) fn levels(buckets: &[Buckets], radius: u64, visit: f64) -> Option<(Vec<u32>, f64)> {
    if radius >= buckets.len() as u64 * u64::from(MAX_LEVELS) {
        return None;
    }
    let mut levels = vec![0_u32; buckets.len()];
    let mut cost = 0.0;
    for _ in 0..=radius {
        let next = |(chunk, buckets): (usize, &Buckets)| {
            let flips = binomial(buckets.chunk.width, levels[chunk]);
            (levels[chunk] < MAX_LEVELS).then_some((chunk, flips * (PROBE + visit * buckets.crowd)))
        };
        let (chunk, step) = buckets.iter().enumerate().filter_map(next).min_by(|a, b| a.1.total_cmp(&b.1))?;
        levels[chunk] += 1;
        cost += step;
    }
    Some((levels, cost))
}

/// In how many ways `k` of `n` bits can be chosen.
fn binomial(n: usize, k: u32) -> f64 {
    (0..k as usize).map(|i| n.saturating_sub(i) as f64 / (i + 1) as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_are_all_differences_of_few_bits() {
        for width in [1, 5, 11] {
            for levels in 0..=MAX_LEVELS {
                let chunk = Chunk { start: 0, width };
                let mut flips = chunk.flips(levels);
                let count: f64 = (0..levels).map(|k| binomial(width, k)).sum();
                assert!((flips.len() as f64 - count).abs() < 0.5);
                flips.sort_unstable();
                let wanted: Vec<usize> = (0..1_usize << width).filter(|flip| flip.count_ones() < levels).collect();
                assert_eq!(flips, wanted);
            }
        }
    }
}
