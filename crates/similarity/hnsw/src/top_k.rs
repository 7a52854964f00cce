//! Bounded selection of the nearest vectors.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use nodupe_core::{ItemId, Neighbor};

/// The `limit` nearest of the vectors that were pushed, none farther than a given distance; equal distances by id.
#[derive(Debug)]
pub(crate) struct TopK<'a> {
    limit: usize,
    max_distance: f32,
    /// The farthest is at the top, where the next nearer one replaces it.
    heap: BinaryHeap<Ranked<'a>>,
}

#[derive(Debug, PartialEq)]
struct Ranked<'a> {
    distance: f32,
    id: &'a ItemId,
}

impl<'a> TopK<'a> {
    /// An empty selection.
    pub(crate) fn new(limit: usize, max_distance: f32) -> Self {
        // No capacity is reserved: `limit` may be `usize::MAX`.
        Self { limit, max_distance, heap: BinaryHeap::new() }
    }

    /// The largest distance that may still enter.
    pub(crate) fn reach(&self) -> f32 {
        match self.heap.peek() {
            Some(farthest) if self.heap.len() >= self.limit => farthest.distance,
            _ if self.limit == 0 => f32::NEG_INFINITY,
            _ => self.max_distance,
        }
    }

    /// Takes a vector if it belongs to the selection, in place of the farthest if that is full.
    pub(crate) fn push(&mut self, id: &'a ItemId, distance: f32) {
        if distance > self.reach() {
            return;
        }
        let new = Ranked { distance, id };
        if self.heap.len() < self.limit {
            self.heap.push(new);
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && new < *farthest
        {
            *farthest = new;
        }
    }

    /// The selection, nearest first.
    pub(crate) fn into_sorted(self) -> Vec<Neighbor> {
        let neighbor = |ranked: Ranked<'_>| Neighbor { id: ranked.id.clone(), distance: ranked.distance };
        self.heap.into_sorted_vec().into_iter().map(neighbor).collect()
    }
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then_with(|| self.id.cmp(other.id))
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Ranked<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn selects_what_sorting_everything_selects(
            distances in prop::collection::vec(0u8..6, 0..60), limit in 0usize..20, max_distance in 0u8..7,
        ) {
            // Ids in the opposite order of insertion.
            let ids: Vec<ItemId> = (0..60).map(|number| format!("{:02}", 60 - number).into()).collect();
            let all: Vec<(f32, &ItemId)> = distances.iter().map(|&d| f32::from(d)).zip(&ids).collect();
            let mut top = TopK::new(limit, f32::from(max_distance));
            for (distance, id) in &all {
                top.push(id, *distance);
            }
            let mut expected: Vec<_> = all.into_iter().filter(|one| one.0 <= f32::from(max_distance)).collect();
            expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
            expected.truncate(limit);
            let found = top.into_sorted();
            prop_assert_eq!(found.iter().map(|n| (n.distance, &n.id)).collect::<Vec<_>>(), expected);
        }
    }
}
