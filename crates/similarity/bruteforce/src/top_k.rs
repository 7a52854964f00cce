//! Bounded selection of the nearest rows.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A row and its distance from a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    /// Where the row is stored.
    pub(crate) slot: u32,
    /// Its distance from the query; never NaN.
    pub(crate) distance: f32,
}

/// The `limit` nearest of the hits that were pushed, none farther than a given distance.
///
/// Hits at one distance are told apart by `order`, a total order of slots (that of their ids, which only the caller
/// knows). So the selection depends on what was pushed and not on the sequence, at the boundary too.
pub(crate) struct TopK<'o, O> {
    limit: usize,
    max_distance: f32,
    order: &'o O,
    /// The farthest is at the top, where the next nearer one replaces it.
    heap: BinaryHeap<Ranked<'o, O>>,
}

impl<'o, O: Fn(u32, u32) -> Ordering> TopK<'o, O> {
    /// An empty selection.
    pub(crate) fn new(limit: usize, max_distance: f32, order: &'o O) -> Self {
        // No capacity is reserved: `limit` may be `usize::MAX`.
        Self { limit, max_distance, order, heap: BinaryHeap::new() }
    }

    /// The largest distance that may still enter. A hit at exactly this distance may, if the order of slots favours it.
    pub(crate) fn reach(&self) -> f32 {
        match self.heap.peek() {
            Some(farthest) if self.heap.len() >= self.limit => farthest.hit.distance,
            _ if self.limit == 0 => f32::NEG_INFINITY,
            _ => self.max_distance,
        }
    }

    /// Takes the hit if it belongs to the selection, in place of the farthest if that is full.
    pub(crate) fn push(&mut self, hit: Hit) {
        if hit.distance > self.reach() {
            return;
        }
        let new = Ranked { hit, order: self.order };
        if self.heap.len() < self.limit {
            self.heap.push(new);
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && new < *farthest
        {
            *farthest = new;
        }
    }

    /// The selection of what was pushed to either.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        for ranked in other.heap {
            self.push(ranked.hit);
        }
        self
    }

    /// The selection, nearest first.
    pub(crate) fn into_sorted(self) -> Vec<Hit> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.hit).collect()
    }
}

/// A hit that carries the order of ties, since a heap asks its elements for theirs.
struct Ranked<'o, O> {
    hit: Hit,
    order: &'o O,
}

impl<O: Fn(u32, u32) -> Ordering> Ord for Ranked<'_, O> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_distance = self.hit.distance.total_cmp(&other.hit.distance);
        by_distance.then_with(|| (self.order)(self.hit.slot, other.hit.slot))
    }
}

impl<O: Fn(u32, u32) -> Ordering> PartialOrd for Ranked<'_, O> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<O: Fn(u32, u32) -> Ordering> PartialEq for Ranked<'_, O> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<O: Fn(u32, u32) -> Ordering> Eq for Ranked<'_, O> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids in the opposite order of slots, so that a tie that is broken by slot is seen.
    fn descending(a: u32, b: u32) -> Ordering {
        b.cmp(&a)
    }

    fn selection<'o, O: Fn(u32, u32) -> Ordering>(hits: &[Hit], limit: usize, max: f32, order: &'o O) -> TopK<'o, O> {
        let mut top = TopK::new(limit, max, order);
        for &hit in hits {
            top.push(hit);
        }
        top
    }

    proptest! {
        #[test]
        fn selects_what_sorting_everything_selects(
            distances in prop::collection::vec(0u8..6, 0..60),
            limit in 0usize..20,
            max_distance in 0u8..7,
            cut in 0usize..60,
        ) {
            let max_distance = f32::from(max_distance);
            let hits: Vec<Hit> = (0..).zip(&distances).map(|(slot, &d)| Hit { slot, distance: f32::from(d) }).collect();
            let mut expected: Vec<Hit> = hits.iter().copied().filter(|hit| hit.distance <= max_distance).collect();
            expected.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(descending(a.slot, b.slot)));
            expected.truncate(limit);

            let top = selection(&hits, limit, max_distance, &descending);
            if limit > 0 && expected.len() == limit {
                prop_assert_eq!(Some(top.reach()), expected.last().map(|hit| hit.distance));
            }
            prop_assert_eq!(top.into_sorted(), expected.clone());

            let (left, right) = hits.split_at(cut.min(hits.len()));
            let part = |hits| selection(hits, limit, max_distance, &descending);
            prop_assert_eq!(part(right).merge(part(left)).into_sorted(), expected);
        }
    }

    #[test]
    fn a_limit_beyond_every_row_takes_them_all() {
        let hits: Vec<Hit> = (0..5).map(|slot| Hit { slot, distance: 1.0 }).collect();
        let top = selection(&hits, usize::MAX, f32::INFINITY, &descending);
        assert!(top.reach() == f32::INFINITY);
        assert_eq!(top.into_sorted().iter().map(|hit| hit.slot).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn nothing_enters_a_selection_of_none() {
        let top = selection(&[Hit { slot: 0, distance: 0.0 }], 0, f32::INFINITY, &descending);
        assert!(top.reach() == f32::NEG_INFINITY);
        assert!(top.into_sorted().is_empty());
    }
}
