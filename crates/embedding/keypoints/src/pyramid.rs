//! The scale space of Lowe, *Distinctive image features from scale-invariant keypoints*, 2004, section 3.

use crate::plane::{Blur, Plane};

/// Levels of an octave at which extrema are looked for.
pub(crate) const LEVELS: usize = 3;
/// Standard deviation of the blur of the lowest level of an octave, in its pixels (section 3.3).
pub(crate) const SIGMA: f32 = 1.6;
/// What blur an image is taken to have, in its pixels.
const ASSUMED: f32 = 0.5;
/// The smallest octave.
const MIN_SIDE: usize = 24;

/// An image at one resolution under rising blur.
#[derive(Debug)]
pub(crate) struct Octave {
    /// `LEVELS + 3` planes; the blur of each is `2^(1/LEVELS)` times that of the one before.
    pub(crate) levels: Vec<Plane>,
    /// Pixels of the image that a pixel of this octave is wide.
    pub(crate) step: f32,
}

/// The filters of an octave.
#[derive(Debug, Clone)]
pub(crate) struct Pyramid {
    first: Blur,
    next: Vec<Blur>,
}

/// The blur of a level, in pixels of its octave; levels in between count.
pub(crate) fn sigma_at(level: f32) -> f32 {
    SIGMA * (level / LEVELS as f32).exp2()
}

impl Pyramid {
    pub(crate) fn new() -> Self {
        let between = |from: f32, to: f32| Blur::new((to * to - from * from).sqrt());
        let next = (0..LEVELS + 2).map(|level| between(sigma_at(level as f32), sigma_at((level + 1) as f32)));
        Self { first: between(ASSUMED, SIGMA), next: next.collect() }
    }

    /// The octaves of an image, each half as wide as the one before.
    pub(crate) fn octaves(&self, image: &Plane) -> Vec<Octave> {
        let mut octaves = Vec::new();
        let mut first = self.first.apply(image);
        let mut step = 1.0;
        while first.side >= MIN_SIDE {
            let mut levels = vec![first];
            for blur in &self.next {
                levels.extend(levels.last().map(|level| blur.apply(level)));
            }
            first = levels[LEVELS].halved();
            octaves.push(Octave { levels, step });
            step *= 2.0;
        }
        octaves
    }
}
