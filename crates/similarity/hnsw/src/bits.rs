//! Rows of packed bits under the Hamming distance.

use crate::line::prefetch;
use crate::rows::{Rows, mix};

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Rows of packed bits, each filled up with zeros to whole words.
#[derive(Debug, Clone)]
pub(crate) struct Bits {
    /// Bytes of a row as callers have it.
    bytes: usize,
    /// Words of a row as it is kept.
    width: usize,
    words: Vec<u64>,
    /// Whether the processor counts bits by itself.
    popcnt: bool,
}

impl Bits {
    /// No rows yet; `bits` is at least 1.
    pub(crate) fn new(bits: usize) -> Self {
        let bytes = bits.div_ceil(8).max(1);
        #[cfg(target_arch = "x86_64")]
        let popcnt = is_x86_feature_detected!("popcnt");
        #[cfg(not(target_arch = "x86_64"))]
        let popcnt = false;
        Self { bytes, width: bytes.div_ceil(WORD), words: Vec::new(), popcnt }
    }

    /// Other rows of the same width.
    pub(crate) fn with_rows(&self, rows: &[u8]) -> Self {
        let mut other = Self { words: Vec::new(), ..*self };
        other.extend(rows);
        other
    }

    /// Appends rows of whole bytes, each in the next slot.
    pub(crate) fn extend(&mut self, rows: &[u8]) {
        for row in rows.chunks_exact(self.bytes) {
            self.words.extend(row.chunks(WORD).map(|bytes| {
                let mut word = [0; WORD];
                word[..bytes.len()].copy_from_slice(bytes);
                u64::from_le_bytes(word)
            }));
        }
    }

    /// Appends the bytes of the row in a slot to `out`.
    pub(crate) fn read(&self, slot: u32, out: &mut Vec<u8>) {
        let end = out.len() + self.bytes;
        out.extend(self.row(slot).iter().flat_map(|word| word.to_le_bytes()));
        out.truncate(end);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call would leave the features of the caller behind")]
    fn count(&self, row: &[u64], slots: &[u32], distances: &mut Vec<f32>) {
        distances.clear();
        for slot in slots {
            prefetch(self.row(*slot), 2);
        }
        distances.extend(slots.iter().map(|slot| differing(row, self.row(*slot)) as f32));
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "popcnt")]
    fn count_popcnt(&self, row: &[u64], slots: &[u32], distances: &mut Vec<f32>) {
        self.count(row, slots, distances);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "a call would leave the features of the caller behind")]
fn differing(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

impl Rows for Bits {
    type Element = u64;

    fn len(&self) -> usize {
        self.words.len() / self.width
    }

    fn row(&self, slot: u32) -> &[u64] {
        let start = slot as usize * self.width;
        &self.words[start..start + self.width]
    }

    #[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
    fn near(&self, row: &[u64], slots: &[u32], distances: &mut Vec<f32>) {
        #[cfg(target_arch = "x86_64")]
        if self.popcnt {
            // SAFETY: a safe function but for its feature, which the processor was found to have.
            return unsafe { self.count_popcnt(row, slots, distances) };
        }
        self.count(row, slots, distances);
    }

    fn exact(&self, row: &[u64], slot: u32) -> f32 {
        differing(row, self.row(slot)) as f32
    }

    fn is_beyond(&self, near: f32, reach: f32) -> bool {
        near > reach
    }

    fn hash(&self, row: &[u64]) -> u64 {
        row.iter().copied().fold(0, mix)
    }

    fn compact(&mut self, kept: &[u32]) {
        for (new, old) in kept.iter().map(|&old| old as usize).enumerate() {
            self.words.copy_within(old * self.width..(old + 1) * self.width, new * self.width);
        }
        self.words.truncate(kept.len() * self.width);
        self.words.shrink_to_fit();
    }
}
