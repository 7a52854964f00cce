//! Which rows are equal.
//!
//! Equal rows are one node: the lists of a node are short, and rows that are all at no distance from each other would fill
//! them and lead nowhere else. A collection with duplicates has such rows. It also means that a row which equals a
//! query is always found, whatever way a walk takes.

use std::collections::HashMap;

use crate::graph::NONE;
use crate::rows::Rows;

/// For each row the others that equal it, and how many of them are live.
#[derive(Debug, Default, Clone)]
pub(crate) struct Equal {
    /// The first slot of each different row, by its hash, or the next number that is free.
    first: HashMap<u64, u32>,
    /// The next slot with an equal row, or [`NONE`].
    next: Vec<u32>,
    /// Of the first slot of a row: how many slots with that row are not empty. Of others: 0.
    live: Vec<u32>,
}

impl Equal {
    /// The first slot whose row equals this one.
    pub(crate) fn find<R: Rows>(&self, rows: &R, row: &[R::Element]) -> Option<u32> {
        self.look_up(rows, row).1
    }

    /// The key of a row, and its first slot where it has one.
    fn look_up<R: Rows>(&self, rows: &R, row: &[R::Element]) -> (u64, Option<u32>) {
        let mut key = rows.hash(row);
        loop {
            match self.first.get(&key) {
                Some(&first) if rows.row(first) != row => key = key.wrapping_add(1),
                found => return (key, found.copied()),
            }
        }
    }

    /// Takes the rows of the slots that are new.
    pub(crate) fn extend<R: Rows>(&mut self, rows: &R, is_live: impl Fn(u32) -> bool) {
        for slot in self.next.len() as u32..rows.len() as u32 {
            let (key, first) = self.look_up(rows, rows.row(slot));
            self.next.push(NONE);
            self.live.push(0);
            let first = first.unwrap_or(slot);
            if first == slot {
                self.first.insert(key, slot);
            } else {
                self.next[slot as usize] = std::mem::replace(&mut self.next[first as usize], slot);
            }
            self.live[first as usize] += u32::from(is_live(slot));
        }
    }

    /// Notes that a slot which was live is empty now.
    pub(crate) fn remove<R: Rows>(&mut self, rows: &R, slot: u32) {
        if let Some(first) = self.find(rows, rows.row(slot)) {
            self.live[first as usize] -= 1;
        }
    }

    /// Whether a slot is the first of its row and any slot with that row is not empty.
    #[inline]
    pub(crate) fn is_live(&self, slot: u32) -> bool {
        self.live[slot as usize] > 0
    }

    /// The slots of a row, from its first one on, the empty ones included.
    pub(crate) fn slots(&self, first: u32) -> impl Iterator<Item = u32> {
        let next = |&slot: &u32| self.next.get(slot as usize).copied().filter(|&next| next != NONE);
        std::iter::successors(Some(first), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;
    use crate::floats::{Floats, Metric};

    #[test]
    fn equal_rows_share_their_first_slot_and_are_live_until_the_last_is_removed() {
        let mut rows = Bits::new(16);
        rows.extend(&[1, 2, 3, 4, 1, 2, 1, 2]);
        let mut equal = Equal::default();
        equal.extend(&rows, |slot| slot != 2);
        let mut slots: Vec<u32> = equal.slots(0).collect();
        slots.sort_unstable();
        assert_eq!(slots, [0, 2, 3]);
        assert_eq!(equal.find(&rows, rows.row(3)), Some(0));
        assert!(equal.is_live(0) && equal.is_live(1) && !equal.is_live(3));
        equal.remove(&rows, 0);
        assert!(equal.is_live(0));
        equal.remove(&rows, 3);
        assert!(!equal.is_live(0));
    }

    #[test]
    fn the_two_zeros_are_equal() {
        let mut rows = Floats::new(3, Metric::SquaredEuclidean);
        rows.extend(&[0.0, 1.0, -0.0, -0.0, 1.0, 0.0]);
        let mut equal = Equal::default();
        equal.extend(&rows, |_| true);
        assert_eq!(equal.find(&rows, rows.row(1)), Some(0));
    }

    #[test]
    fn rows_of_one_hash_are_told_apart() {
        struct Alike(Bits);
        impl Rows for Alike {
            type Element = u64;
            fn len(&self) -> usize {
                self.0.len()
            }
            fn row(&self, slot: u32) -> &[u64] {
                self.0.row(slot)
            }
            fn near(&self, _: &[u64], _: &[u32], _: &mut Vec<f32>) {}
            fn exact(&self, _: &[u64], _: u32) -> f32 {
                0.0
            }
            fn is_beyond(&self, _: f32, _: f32) -> bool {
                false
            }
            fn hash(&self, _: &[u64]) -> u64 {
                u64::MAX
            }
            fn compact(&mut self, _: &[u32]) {}
        }
        let mut rows = Alike(Bits::new(8));
        rows.0.extend(&[7, 8, 9, 8, 7]);
        let mut equal = Equal::default();
        equal.extend(&rows, |_| true);
        let first: Vec<_> = (0..5).map(|slot| equal.find(&rows, rows.row(slot))).collect();
        assert_eq!(first, [0, 1, 2, 1, 0].map(Some));
    }
}
