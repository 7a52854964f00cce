//! The backend itself.

use std::fmt;
use std::num::NonZeroUsize;

use nodupe_core::{
    BackendInfo, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, Embeddings, ImageBatch, InputSpec,
    Keypoint, Matching, OptionSpec, Options, Reason, SpaceError, Unavailable, Undescribable, package,
};
use rayon::prelude::*;

use crate::descriptor::{BITS, describe, orientations};
use crate::detect::{extrema, strongest};
use crate::plane::Plane;
use crate::pyramid::{Pyramid, sigma_at};

pub(crate) const NAME: &str = "keypoints";

/// Pixels a side of the image that is looked at.
const SIDE: usize = 256;
/// Rows of an image, at most.
const COUNT: usize = 96;
/// Rows of an image, at least: fewer say nothing.
const FEWEST: usize = 8;
/// The similarity from which on two rows may show the same: 36 of the 128 bits may differ.
const THRESHOLD: f32 = 1.0 - 36.0 / BITS as f32;

/// How many keypoints.
pub(crate) const KEYPOINTS: OptionSpec = OptionSpec::integer(
    "keypoints.count",
    FEWEST as u64,
    4_096,
    "keypoints of an image, at most (default 96): more find more and take more memory",
);

/// Keypoints of an image, each described by 128 bits that turning, mirroring, resizing and brightness leave nearly as they are.
pub struct Keypoints {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    pyramid: Pyramid,
    count: usize,
}

/// The keypoints of one image with their descriptors.
type Described = Result<Vec<(Keypoint, u128)>, Undescribable>;

impl Keypoints {
    /// With at most so many keypoints an image; `None`: 96.
    ///
    /// # Errors
    /// None in practice: that of [`EmbeddingSpace::hamming`].
    pub fn new(count: Option<NonZeroUsize>) -> Result<Self, SpaceError> {
        Ok(Self {
            info: BackendInfo::new(NAME, package!()),
            space: sift()?,
            input: InputSpec::luma(SIDE as u32, SIDE as u32),
            pyramid: Pyramid::new(),
            count: count.map_or(COUNT, NonZeroUsize::get),
        })
    }

    fn describe(&self, luma: &[u8]) -> Described {
        let octaves = self.pyramid.octaves(&Plane::of_luma(SIDE, luma));
        let mut all = Vec::with_capacity(self.count);
        'places: for extremum in strongest(extrema(&octaves), self.count, &octaves) {
            let octave = &octaves[extremum.octave];
            let level = &octave.levels[extremum.level.round() as usize];
            let (place, sigma) = ([extremum.x, extremum.y], sigma_at(extremum.level));
            for angle in orientations(level, place, sigma) {
                if all.len() == self.count {
                    break 'places;
                }
                let descriptor = describe(level, place, sigma, angle);
                let part = octave.step / SIDE as f32;
                let keypoint = Keypoint {
                    x: extremum.x * part,
                    y: extremum.y * part,
                    size: sigma * part,
                    angle,
                    mirrored: descriptor.mirrored,
                };
                all.push((keypoint, descriptor.bits));
            }
        }
        if all.len() < FEWEST {
            return Err(Undescribable::new(format!("{} keypoints, at least {FEWEST} are needed", all.len())));
        }
        Ok(all)
    }
}

impl EmbeddingBackend for Keypoints {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let described: Vec<Described> =
            batch.data().par_chunks_exact(SIDE * SIDE).map(|luma| self.describe(luma)).collect();
        let (mut rows, mut keypoints) = (Vec::new(), Vec::new());
        let outcomes = described.into_iter().map(|described| {
            let start = keypoints.len();
            for (keypoint, bits) in described? {
                keypoints.push(keypoint);
                rows.extend(bits.to_le_bytes());
            }
            Ok(start..keypoints.len())
        });
        let outcomes = outcomes.collect();
        let embeddings = Embeddings::from_bits(self.space.clone(), rows)
            .map_err(|source| EmbedError::Backend { backend: NAME, source: source.into() })?;
        EmbeddedBatch::new(embeddings, outcomes)?.with_keypoints(keypoints)
    }

    fn matching(&self) -> Matching {
        Matching::keypoints(THRESHOLD)
    }
}

impl fmt::Debug for Keypoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypoints").field("count", &self.count).finish_non_exhaustive()
    }
}

pub(crate) fn create(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    let count = options.get(&KEYPOINTS).map_err(|why| Unavailable::new(Reason::Options, why.to_string()))?;
    Ok(Box::new(Keypoints::new(count).map_err(impossible)?))
}

pub(crate) fn space(_: &Options) -> Result<EmbeddingSpace, Unavailable> {
    sift().map_err(impossible)
}

fn sift() -> Result<EmbeddingSpace, SpaceError> {
    EmbeddingSpace::hamming("sift-keypoints", BITS)
}

fn impossible(source: SpaceError) -> Unavailable {
    Unavailable::new(Reason::Other, "the space of the keypoints was refused").with_source(source)
}
