//! A step of the cascade: an embedding backend, what it saw, and how near is near.

use nodupe_core::{BackendInfo, EmbeddingSpace};

use crate::calibration::Levels;
use crate::embed::Seen;
use crate::keypoints::{KeypointMatch, Needed};
use crate::report::Evidence;
use crate::videos::Videos;

/// What an embedding backend saw in the images of a scan.
///
/// Backends measure differently. So that what they say can be compared, a tier gives for two images a **ratio**: their distance, divided by
/// the largest at which they are near duplicates. Up to 1 they are, and the nearer to 0 the surer.
#[derive(Debug)]
pub(crate) struct Tier<'a> {
    pub(crate) info: &'a BackendInfo,
    pub(crate) space: &'a EmbeddingSpace,
    /// How near two images are near duplicates.
    pub(crate) near: Near,
    pub(crate) seen: Seen,
    pub(crate) videos: Videos,
}

/// How near is near.
#[derive(Debug)]
pub(crate) enum Near {
    /// Within a distance.
    Within(f32),
    /// Nearer than strangers are.
    Calibrated(Levels),
    /// With more keypoints in common than strangers have.
    Sharing(Needed),
}

/// The ratio of two images that share no keypoints: strangers, or copies of which too little is left. Were it larger, one such
/// copy would keep out others of its group.
const STRANGERS: f32 = 1.5;

impl Tier<'_> {
    /// How near two images are, as a part of how near they have to be.
    fn ratio(&self, a: u32, b: u32) -> f32 {
        match &self.seen {
            Seen::Images(collection) => self.of_distance(a, b, collection.distance(self.space.metric(), a, b)),
            Seen::Keypoints(rows) => rows.compare(a, b).map_or(STRANGERS, |found| self.of_match(a, b, &found)),
        }
    }

    /// The distance of two images as a ratio.
    pub(crate) fn of_distance(&self, a: u32, b: u32, distance: f32) -> f32 {
        let max_distance = match &self.near {
            Near::Within(max_distance) => *max_distance,
            Near::Calibrated(levels) => self.space.max_distance(levels.needed(a, b)),
            Near::Sharing(_) => 0.0,
        };
        if distance <= 0.0 {
            0.0
        } else if max_distance > 0.0 {
            distance / max_distance
        } else {
            f32::INFINITY
        }
    }

    /// What two images share as a ratio.
    pub(crate) fn of_match(&self, a: u32, b: u32, found: &KeypointMatch) -> f32 {
        match &self.near {
            Near::Sharing(needed) => needed.ratio(a, b, found).min(STRANGERS),
            _ => STRANGERS,
        }
    }

    /// What speaks for two images being duplicates, and how alike they are by it.
    pub(crate) fn evidence(&self, a: u32, b: u32) -> (f32, Evidence) {
        let backend = self.info.name;
        if let Some(found) = self.videos.found(a, b) {
            return (found.similarity, Evidence::Frames { backend, found: found.clone() });
        }
        match &self.seen {
            Seen::Images(collection) => {
                let (distance, seeing) = collection.closest(self.space.metric(), a, b);
                (self.space.similarity(distance), Evidence::Embedding { backend, seeing, distance })
            }
            Seen::Keypoints(rows) => {
                let found = rows.compare(a, b).unwrap_or_default();
                (found.agreement, Evidence::Keypoints { backend, found })
            }
        }
    }
}

/// How near two images are by the tier that finds them nearest.
pub(crate) fn ratio(tiers: &[Tier<'_>], a: u32, b: u32) -> f32 {
    // Of videos, only those that saw them say anything.
    let of_videos = tiers.iter().filter_map(|tier| tier.videos.ratio(a, b)).reduce(f32::min);
    of_videos.unwrap_or_else(|| tiers.iter().map(|tier| tier.ratio(a, b)).fold(f32::INFINITY, f32::min))
}
