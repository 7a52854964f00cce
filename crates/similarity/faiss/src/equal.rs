//! Which of the rows equal a query.
//!
//! A vector that equals the query is always found: no way that a walk takes and nothing that a quantiser rounds may lose it,
//! and a collection with duplicates has many.

use std::collections::HashMap;

use nodupe_core::Row;

const NONE: u32 = u32::MAX;

/// Rows by their hash. Rows of one hash need not be equal.
#[derive(Debug, Default, Clone)]
pub(crate) struct Equal {
    /// The last row of each hash.
    last: HashMap<u64, u32>,
    /// The row before it of the same hash, or [`NONE`].
    before: Vec<u32>,
}

impl Equal {
    /// Takes the next row.
    pub(crate) fn push(&mut self, row: Row<'_>) {
        let slot = self.before.len() as u32;
        self.before.push(self.last.insert(hash(row), slot).unwrap_or(NONE));
    }

    /// The rows of the hash of `row`, the latest first.
    pub(crate) fn like(&self, row: Row<'_>) -> impl Iterator<Item = u32> {
        let before = |&slot: &u32| self.before.get(slot as usize).copied().filter(|&slot| slot != NONE);
        std::iter::successors(self.last.get(&hash(row)).copied(), before)
    }
}

/// Of equal rows the same: the two zeros are equal.
fn hash(row: Row<'_>) -> u64 {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ word).wrapping_mul(SEED);
    match row {
        Row::F32(row) => row.chunks(2).fold(SEED, |state, two| {
            mix(state, two.iter().fold(0, |word, number| word << 32 | u64::from((number + 0.0).to_bits())))
        }),
        Row::Bits(row) => row.iter().fold(SEED, |state, &byte| mix(state, u64::from(byte))),
        _ => SEED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_found_and_the_two_zeros_are_equal() {
        let mut equal = Equal::default();
        for row in [[0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]] {
            equal.push(Row::F32(&row));
        }
        assert_eq!(equal.like(Row::F32(&[0.0, 1.0])).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(equal.like(Row::F32(&[3.0, 2.0])).count(), 0);
    }
}
