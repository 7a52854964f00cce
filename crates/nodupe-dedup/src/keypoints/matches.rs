//! What two images have in common by their keypoints.

/// The keypoints that two images share: parts that look alike and moved as one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct KeypointMatch {
    /// How many, each at a place of its own.
    pub matched: u32,
    /// Of the keypoints where the images overlap, in the image that has fewer there, the part that matched: 0 to 1.
    pub agreement: f32,
    /// The part of the first image's keypoints that lie where the images overlap, 0 to 1, and of the second one's.
    pub overlap: [f32; 2],
    /// Whether one is mirrored.
    pub mirrored: bool,
}

impl KeypointMatch {
    /// The least agreement of images that show the same.
    pub const MIN_AGREEMENT: f32 = 0.15;

    /// How far this is from `enough` matched keypoints, as distances are from a threshold: up to 1 it is enough.
    pub(crate) fn ratio(&self, enough: u32) -> f32 {
        let few = enough as f32 / self.matched.max(1) as f32;
        few.max(Self::MIN_AGREEMENT / self.agreement.max(f32::EPSILON))
    }
}
