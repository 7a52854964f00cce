//! How alike two images have to be, read from the strangers of the collection.
//!
//! A similarity says little by itself: screenshots of one application are as alike as copies of a photograph that were cropped. So what
//! counts is by how much two images are nearer to each other than each is to strangers.
//!
//! 1. The **level** of an image is the similarity of its [`RANK`]th nearest stranger: local scaling, as Zelnik-Manor and Perona have it
//!    (*Self-tuning spectral clustering*, 2004), and as Conneau et al. (*Word translation without parallel data*, 2018) use
//!    against hubs, items that are near to everything. The **excess** of two images is their similarity beyond the lower of their levels.
//! 2. The excesses of strangers fall off exponentially, as extreme-value theory has for what lies beyond a high level (Pickands, *Statistical
//!    inference using extreme order statistics*, 1975; shape 0). They are told from those of copies, which are all over the range,
//!    as a mixture of two distributions: Efron, *Microarrays, empirical Bayes and the two-groups model*, 2008.
//! 3. The **margin** is the least excess beyond which so few strangers are expected as the wanted precision allows.

mod excess;
mod levels;

pub(crate) use excess::{Copies, Excesses};
pub(crate) use levels::{Levels, Strangers, typical_level};

/// Which stranger of an image is its level: there are fewer copies that no other tier knows of than that.
pub(crate) const RANK: usize = 16;
/// In smaller collections the nearest strangers are not near enough to tell of the tail.
pub(crate) const LEAST_IMAGES: usize = 8 * RANK;

/// How the threshold of a backend was chosen for a collection.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// The precision that was asked for: the part of the pairs reported that are to be true, 0 to 1.
    pub precision: f64,
    /// The similarity that half of the images have to their sixteenth nearest stranger, or less.
    pub level: f32,
    /// By how much the similarity of two images has to exceed the lower of their levels.
    pub margin: f32,
    /// The excess over the level at which pairs of strangers are 1/e as many: the scale of their tail.
    pub tail: f32,
    /// Pairs of strangers that exceed the lower of their levels.
    pub strangers: f64,
    /// Those of them that are expected to exceed it by the margin.
    pub expected_wrong: f64,
    /// Images that look like so many others that they are held to more evidence: their level is three tails higher than most.
    pub crowded: usize,
}

impl Calibration {
    /// The threshold that a collection of the same kind with so many times the images is estimated to ask for, for the same precision, up to 1.
    ///
    /// Pairs of strangers are the square of that times as many, and what is found is that times as many: so the threshold is where
    /// strangers are as much rarer, further down their exponential tail.
    pub fn threshold_of_larger(&self, times: f64) -> f32 {
        (self.level + self.margin + self.tail * times.max(f64::MIN_POSITIVE).ln() as f32).min(1.0)
    }
}
