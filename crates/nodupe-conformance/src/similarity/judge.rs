//! Compares one answer with the truth.

use std::collections::{HashMap, HashSet};

use nodupe_core::{ItemId, Neighbor, SimilarityBackend as _};

use super::subject::{Stage, one};
use crate::report::{ensure, failed};

/// How far a distance may be from the true one.
pub(super) fn tolerance(distance: f32) -> f32 {
    1e-5 * (1.0 + distance)
}

/// Whether a distance is the true one, up to rounding.
pub(super) fn close(distance: f32, truth: f32) -> bool {
    // Infinities first: their difference is not a number.
    distance.total_cmp(&truth).is_eq() || (distance - truth).abs() <= tolerance(truth)
}

/// Every vector of the reference with its distance to one query, nearest first, ties by id.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) ranked: Vec<Neighbor>,
    by_id: HashMap<ItemId, f32>,
    exact: bool,
}

impl Truth {
    pub(super) fn of(stage: &Stage<'_>, query: usize) -> Result<Self, String> {
        let query = one(&stage.data.queries, query)?;
        let all = stage.reference.search(query, usize::MAX).map_err(failed("the reference"))?;
        let ranked = all.of(0).to_vec();
        let by_id = ranked.iter().map(|n| (n.id.clone(), n.distance)).collect();
        Ok(Self { ranked, by_id, exact: stage.data.exact })
    }

    /// Every id of an answer is one of the index, and none is there twice.
    pub(super) fn known_ids(&self, answer: &[Neighbor]) -> Result<(), String> {
        let mut seen = HashSet::new();
        for Neighbor { id, .. } in answer {
            ensure!(self.by_id.contains_key(id), "{id:?} is not in the index");
            ensure!(seen.insert(id), "{id:?} is there twice");
        }
        Ok(())
    }

    /// Every distance is that of the two vectors.
    pub(super) fn distances(&self, answer: &[Neighbor]) -> Result<(), String> {
        for Neighbor { id, distance } in answer {
            let Some(truth) = self.by_id.get(id) else {
                return Err(format!("{id:?} is not in the index"));
            };
            ensure!(close(*distance, *truth), "{id:?} is at {truth}, and {distance} is said");
        }
        Ok(())
    }

    /// An answer of an exact index is the first `answer.len()` of the truth: the very same where distances are exact, and
    /// up to distances that differ by less than rounding where they are not.
    pub(super) fn agrees(&self, answer: &[Neighbor]) -> Result<(), String> {
        for (place, (given, wanted)) in answer.iter().zip(&self.ranked).enumerate() {
            let same = if self.exact {
                given.id == wanted.id
            } else {
                let truth = self.by_id.get(&given.id).copied().unwrap_or(f32::NAN);
                (truth - wanted.distance).abs() <= 2.0 * tolerance(wanted.distance)
            };
            ensure!(
                same,
                "{:?} at {} belongs in place {place}, where {:?} at {} is",
                wanted.id,
                wanted.distance,
                given.id,
                given.distance
            );
        }
        Ok(())
    }

    /// How many of an answer are as near as the nearest `wanted` are: what recall counts (by distance, since which of
    /// several equally near ones is returned makes no difference).
    pub(super) fn hits(&self, answer: &[Neighbor], wanted: usize) -> usize {
        let Some(last) = wanted.checked_sub(1).and_then(|last| self.ranked.get(last)) else {
            return 0;
        };
        let reach = last.distance + tolerance(last.distance);
        let near = |n: &&Neighbor| self.by_id.get(&n.id).is_some_and(|distance| *distance <= reach);
        answer.iter().filter(near).count()
    }

    /// How many vectors are within a distance for certain, and how many at most (those that rounding decides included).
    pub(super) fn within(&self, max_distance: f32) -> (usize, usize) {
        let slack = if self.exact || max_distance.is_infinite() { 0.0 } else { tolerance(max_distance) };
        let count = |limit: f32| self.ranked.partition_point(|n| n.distance <= limit);
        (count(max_distance - slack), count(max_distance + slack))
    }
}

/// Neighbours come nearest first, and by id where they are equally near.
pub(super) fn in_order(answer: &[Neighbor]) -> Result<(), String> {
    for two in answer.windows(2) {
        let [first, second] = two else { continue };
        let order = first.distance.partial_cmp(&second.distance);
        ensure!(
            order.is_some_and(|order| order.then_with(|| first.id.cmp(&second.id)).is_lt()),
            "{:?} at {} stands before {:?} at {}",
            first.id,
            first.distance,
            second.id,
            second.distance
        );
    }
    Ok(())
}

/// The recall: how many were found of all that there are, 1 where there are none.
pub(super) fn part(hits: usize, all: usize) -> f64 {
    if all == 0 { 1.0 } else { hits as f64 / all as f64 }
}
