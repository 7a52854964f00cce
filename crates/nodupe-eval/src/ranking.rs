//! Pairs by their similarity, against labels: what no threshold has been laid to yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::groups::Share;

/// How alike copies are, and how alike strangers. Rankings of several sets pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ranking {
    /// Number of true pairs: of two files that show the same, whether they have embeddings or not.
    pub positives: u64,
    /// The similarity of every true pair whose images have embeddings.
    pub copies: Vec<f32>,
    /// The similarities of the most alike untrue pairs.
    pub strangers: Vec<f32>,
    /// Down to where `strangers` lacks none; `None` where every untrue pair is in it.
    pub complete_from: Option<f32>,
    /// The similarities of untrue pairs drawn evenly from all of them.
    pub sample: Vec<f32>,
    /// Images that have copies, and of how many of them the most similar other image is one. A tie with a stranger counts against.
    pub nearest: Share,
    /// For each transform the number of copies that it made, and the similarities of originals to them.
    pub by_transform: BTreeMap<String, Similarities>,
}

/// The similarities of some pairs of a number of them: others have none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Similarities {
    /// All pairs.
    pub of: u64,
    /// Of those whose images have embeddings.
    pub known: Vec<f32>,
}

impl Similarities {
    /// How many are at least `similarity`.
    pub fn from(&self, similarity: f32) -> Share {
        Share::new(self.known.iter().filter(|&&known| known >= similarity).count() as u64, self.of)
    }
}

/// What a threshold comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Point {
    /// Pairs of at least this similarity are taken for copies.
    pub threshold: f32,
    /// The part of them that is.
    pub precision: f64,
    /// The part of the true pairs that is among them.
    pub recall: f64,
}

/// Precision and recall at every threshold that makes a difference, the largest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve(Vec<Point>);

impl Ranking {
    /// Pools it with that of another set: one threshold for both.
    pub fn merge(&mut self, other: &Self) {
        self.positives += other.positives;
        self.copies.extend(&other.copies);
        self.strangers.extend(&other.strangers);
        self.complete_from = self.complete_from.into_iter().chain(other.complete_from).reduce(f32::max);
        self.sample.extend(&other.sample);
        self.nearest += other.nearest;
        for (transform, similarities) in &other.by_transform {
            let ours = self.by_transform.entry(transform.clone()).or_default();
            ours.of += similarities.of;
            ours.known.extend(&similarities.known);
        }
    }

    /// Precision against recall over all pairs by their similarity. Pairs of one similarity count together: no order among them is
    /// made up.
    pub fn curve(&self) -> Curve {
        let mut pairs: Vec<(f32, bool)> = Vec::with_capacity(self.copies.len() + self.strangers.len());
        pairs.extend(self.copies.iter().map(|&similarity| (similarity, true)));
        pairs.extend(self.strangers.iter().map(|&similarity| (similarity, false)));
        pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut points, mut correct, mut taken) = (Vec::new(), 0u64, 0u64);
        for alike in pairs.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            taken += alike.len() as u64;
            correct += alike.iter().filter(|(_, is_copy)| *is_copy).count() as u64;
            points.push(Point {
                threshold: alike[0].0,
                precision: correct as f64 / taken as f64,
                recall: if self.positives == 0 { 0.0 } else { correct as f64 / self.positives as f64 },
            });
        }
        Curve(points)
    }
}

impl Curve {
    /// The points, the largest threshold first.
    pub fn points(&self) -> &[Point] {
        &self.0
    }

    /// The micro average precision: precision at each step, weighted by what the step adds to recall, `Σ P(i) · ΔR(i)` over all pairs
    /// of all images together (Douze et al., *The 2021 Image Similarity Dataset and Challenge*, 2021, section 4.3).
    pub fn micro_average_precision(&self) -> f64 {
        let before = std::iter::once(0.0).chain(self.0.iter().map(|point| point.recall));
        self.0.iter().zip(before).map(|(point, before)| point.precision * (point.recall - before)).sum()
    }

    /// Where recall is largest at no less than a precision, and of such places the one of the largest threshold; `None` where no
    /// threshold has that precision.
    pub fn at_precision(&self, precision: f64) -> Option<Point> {
        let most = self.0.iter().rev().find(|point| point.precision >= precision)?;
        self.0.iter().find(|point| point.recall >= most.recall).copied()
    }

    /// At most about `count` points that look like all of them: the ends, and between them those where recall has grown by its part.
    pub fn thinned(&self, count: usize) -> Vec<Point> {
        let most = self.0.last().map_or(0.0, |point| point.recall);
        let step = most / count.max(1) as f64;
        let mut kept: Vec<Point> = Vec::new();
        for point in &self.0 {
            let is_new = kept.last().is_none_or(|last| point.recall >= last.recall + step);
            if is_new {
                kept.push(*point);
            }
        }
        kept.extend(self.0.last().filter(|last| kept.last() != Some(*last)));
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranking(positives: u64, copies: &[f32], strangers: &[f32]) -> Ranking {
        Ranking { positives, copies: copies.to_vec(), strangers: strangers.to_vec(), ..Ranking::default() }
    }

    #[test]
    fn average_precision_is_as_by_hand() {
        // Taken in order: copy (1/1), stranger, copy (2/3), copy (3/4); of four true pairs each adds a quarter of recall.
        let curve = ranking(4, &[0.9, 0.7, 0.6], &[0.8]).curve();
        let wanted = (1.0 + 2.0 / 3.0 + 3.0 / 4.0) / 4.0;
        assert!((curve.micro_average_precision() - wanted).abs() < 1e-12);
        let at = |precision| curve.at_precision(precision).map(|point| (point.threshold, point.recall));
        assert_eq!((at(1.0), at(0.75), at(0.7)), (Some((0.9, 0.25)), Some((0.6, 0.75)), Some((0.6, 0.75))));
    }

    #[test]
    fn pairs_of_one_similarity_count_together() {
        // As scikit-learn's average_precision_score: at 0.5 both are taken at once, so that precision there is one half.
        let curve = ranking(1, &[0.5], &[0.5]).curve();
        assert_eq!((curve.points().len(), curve.micro_average_precision()), (1, 0.5));
        assert_eq!(curve.at_precision(0.9), None);
    }

    #[test]
    fn seeds_are_pooled_under_one_threshold() {
        let mut pooled = ranking(1, &[0.9], &[0.1]);
        pooled.complete_from = Some(0.05);
        let mut other = ranking(1, &[0.5], &[0.6]);
        other.complete_from = Some(0.3);
        pooled.merge(&other);
        let best = pooled.curve().at_precision(1.0).unwrap();
        assert_eq!((best.threshold, best.recall, pooled.complete_from), (0.9, 0.5, Some(0.3)));
    }

    #[test]
    fn nothing_ranked_is_nothing_found() {
        let curve = Ranking::default().curve();
        assert_eq!((curve.micro_average_precision(), curve.at_precision(0.5), curve.thinned(10)), (0.0, None, vec![]));
    }

    proptest! {
        #[test]
        fn better_separation_is_never_worse_and_all_is_within_bounds(
            copies in prop::collection::vec(0u8..50, 1..40),
            strangers in prop::collection::vec(0u8..50, 0..40),
        ) {
            let alike = |numbers: &[u8], more: f32| numbers.iter().map(|&n| f32::from(n) / 50.0 + more).collect::<Vec<_>>();
            let positives = copies.len() as u64;
            let near = ranking(positives, &alike(&copies, 0.0), &alike(&strangers, 0.0)).curve();
            let far = ranking(positives, &alike(&copies, 0.3), &alike(&strangers, 0.0)).curve();
            let (near_ap, far_ap) = (near.micro_average_precision(), far.micro_average_precision());
            prop_assert!((0.0..=1.0 + 1e-9).contains(&near_ap) && far_ap >= near_ap - 1e-9);
            prop_assert!((near.points().last().unwrap().recall - 1.0).abs() < 1e-12);
            let thin = near.thinned(5);
            prop_assert!(thin.len() <= 7 && thin.first() == near.points().first() && thin.last() == near.points().last());
        }
    }
}
