//! How alike an image and strangers are.

use rayon::prelude::*;

use super::RANK;
use crate::collection::Collection;
use crate::linkage::NearPair;
use nodupe_core::EmbeddingSpace;

/// Images whose strangers are looked at to learn where to begin.
const SAMPLE: usize = 128;

/// Which images are known to belong together: copies are no strangers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strangers {
    /// The group of each image; its own number where it is in none.
    group: Vec<u32>,
}

impl Strangers {
    /// `groups` are of images that others found to be copies of each other, among `images` in all.
    pub(crate) fn new(images: usize, groups: &[Vec<u32>]) -> Self {
        let mut group: Vec<u32> = (0..images as u32).collect();
        for members in groups {
            for &member in members {
                group[member as usize] = members[0];
            }
        }
        Self { group }
    }

    pub(crate) fn are(&self, a: u32, b: u32) -> bool {
        self.group[a as usize] != self.group[b as usize]
    }
}

/// The similarity that half of the images have to their [`RANK`]th nearest stranger, or less; from a sample of them, evenly spread,
/// by looking at every other one. `None` where there are too few.
pub(crate) fn typical_level(collection: &Collection, space: &EmbeddingSpace, strangers: &Strangers) -> Option<f32> {
    let images = collection.images();
    let sampled: Vec<u32> = images.iter().step_by(images.len().div_ceil(SAMPLE).max(1)).copied().collect();
    let level = |&image: &u32| {
        let others = images.iter().filter(|other| strangers.are(image, **other));
        let mut distances: Vec<f32> = others.map(|&other| collection.distance(space.metric(), image, other)).collect();
        (distances.len() >= RANK).then(|| *distances.select_nth_unstable_by(RANK - 1, f32::total_cmp).1)
    };
    let mut distances: Vec<f32> = sampled.par_iter().filter_map(level).collect();
    if distances.is_empty() {
        return None;
    }
    let middle = distances.len() / 2;
    Some(space.similarity(*distances.select_nth_unstable_by(middle, f32::total_cmp).1))
}

/// What similarity two images have to have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Levels {
    /// Of each image by its number.
    of: Vec<f32>,
    /// Of most images, and the least.
    typical: f32,
    margin: f32,
    /// What other tiers said, where any looked.
    others: Option<Strangers>,
}

impl Levels {
    /// From the pairs whose similarity is at least `typical`, by their distances in `space`. The margin is 0 as yet.
    pub(crate) fn new(
        images: usize,
        pairs: &[NearPair],
        space: &EmbeddingSpace,
        strangers: &Strangers,
        typical: f32,
    ) -> Self {
        let mut near: Vec<Vec<f32>> = vec![Vec::new(); images];
        for pair in pairs.iter().filter(|pair| strangers.are(pair.a, pair.b)) {
            for image in [pair.a, pair.b] {
                near[image as usize].push(pair.distance);
            }
        }
        let level = |mut near: Vec<f32>| {
            let far_enough = near.len() >= RANK;
            let distance = far_enough.then(|| *near.select_nth_unstable_by(RANK - 1, f32::total_cmp).1);
            distance.map_or(typical, |distance| space.similarity(distance).max(typical))
        };
        Self { of: near.into_par_iter().map(level).collect(), typical, margin: 0.0, others: None }
    }

    pub(crate) fn with_margin(mut self, margin: f32) -> Self {
        self.margin = margin;
        self
    }

    /// Other tiers looked as well, and these are strangers to them.
    pub(crate) fn with_others(mut self, strangers: Strangers) -> Self {
        self.others = Some(strangers);
        self
    }

    /// The lower level of two images.
    pub(crate) fn lower(&self, a: u32, b: u32) -> f32 {
        self.of[a as usize].min(self.of[b as usize])
    }

    /// The similarity from which on most images are near duplicates.
    pub(crate) fn threshold(&self) -> f32 {
        (self.typical + self.margin).min(1.0)
    }

    /// The similarity from which on these two are. A burst of thirty shots is a crowd too, and is asked for no more than half of what is left from
    /// the threshold of most to 1; but not where other tiers looked, and found no copies: pages of text are as alike as that.
    pub(crate) fn needed(&self, a: u32, b: u32) -> f32 {
        let threshold = self.threshold();
        let is_doubted = self.others.as_ref().is_some_and(|others| others.are(a, b));
        let most = if is_doubted { 1.0 } else { f32::midpoint(threshold, 1.0) };
        (self.lower(a, b) + self.margin).min(most).max(threshold)
    }

    /// Images whose level is higher than most by `more`.
    pub(crate) fn higher_by(&self, more: f32) -> usize {
        self.of.iter().filter(|level| **level > self.typical + more).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_needs_less_than_all_unless_other_tiers_saw_no_copies() {
        let levels = Levels { of: vec![0.9; 3], typical: 0.2, margin: 0.3, others: None };
        assert!((levels.needed(0, 1) - 0.75).abs() < 1e-6, "half of what is left from 0.5 to 1");
        // To these, the first two are copies.
        let levels = levels.with_others(Strangers::new(3, &[vec![0, 1]]));
        assert!((levels.needed(0, 1) - 0.75).abs() < 1e-6);
        assert!((levels.needed(0, 2) - 1.0).abs() < 1e-6);
    }
}
