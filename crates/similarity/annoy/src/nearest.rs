//! The nearest of the vectors that one query met.

/// A vector within the distance: its item and how far away it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) distance: f32,
    pub(crate) item: u32,
}

/// Keeps the nearest `limit` vectors and all that are as near as the last of those: which of them come first is a matter
/// of their ids, which are looked up at the end.
#[derive(Debug)]
pub(crate) struct Nearest {
    limit: usize,
    /// Nothing farther than this is wanted any more.
    bound: f32,
    hits: Vec<Hit>,
    /// How many are let in before the farthest are dropped.
    room: usize,
}

impl Nearest {
    /// At most `limit` vectors, but for equal distances, and none beyond `max_distance`.
    pub(crate) fn new(limit: usize, max_distance: f32) -> Self {
        Self { limit, bound: max_distance, hits: Vec::new(), room: Self::room(limit) }
    }

    fn room(len: usize) -> usize {
        len.saturating_mul(2).saturating_add(64)
    }

    pub(crate) fn push(&mut self, hit: Hit) {
        if hit.distance > self.bound || self.limit == 0 {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() > self.room {
            self.shrink();
            self.room = Self::room(self.hits.len());
        }
    }

    fn shrink(&mut self) {
        if self.hits.len() <= self.limit {
            return;
        }
        let (_, last, _) =
            self.hits.select_nth_unstable_by(self.limit.saturating_sub(1), |a, b| a.distance.total_cmp(&b.distance));
        self.bound = last.distance;
        self.hits.retain(|hit| hit.distance <= self.bound);
    }

    /// What was kept, in no order.
    pub(crate) fn into_hits(mut self) -> Vec<Hit> {
        self.shrink();
        self.hits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_nearest_are_kept_with_all_that_tie_with_the_last(
            distances in prop::collection::vec(0u8..20, 0..500), limit in 0usize..40, max in 0u8..20,
        ) {
            let mut nearest = Nearest::new(limit, f32::from(max));
            for (item, distance) in (0u32..).zip(&distances) {
                nearest.push(Hit { distance: f32::from(*distance), item });
            }
            let mut kept: Vec<u32> = nearest.into_hits().iter().map(|hit| hit.item).collect();
            kept.sort_unstable();
            let mut sorted: Vec<u8> = distances.iter().copied().filter(|distance| *distance <= max).collect();
            sorted.sort_unstable();
            let last = limit.checked_sub(1).map(|last| sorted.get(last).copied().unwrap_or(max));
            let wanted = |distance: u8| last.is_some_and(|last| distance <= last);
            let expected: Vec<u32> =
                (0u32..).zip(&distances).filter(|(_, distance)| wanted(**distance)).map(|(item, _)| item).collect();
            prop_assert_eq!(kept, expected);
        }
    }
}
