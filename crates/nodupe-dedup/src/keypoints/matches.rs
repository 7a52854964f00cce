//! What two images have in common by their keypoints.

/// The keypoints that two images share: parts that look alike and moved as one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct KeypointMatch {
    /// How many, each at a place of its own.
    pub matched: u32,
    /// Of the keypoints where the images overlap, in the image that has fewer there, the part that matched: 0 to 1.
    pub agreement: f32,
    /// How evenly these lie among the keypoints that did not match, where the images overlap: near 1 where copies differ everywhere a
    /// little, near 0 where one part is the same and another is not: a frame, a caption, the buttons of an application.
    pub spread: f32,
    /// The part of the first image's keypoints that lie where the images overlap, 0 to 1, and of the second one's.
    pub overlap: [f32; 2],
    /// Whether one is mirrored.
    pub mirrored: bool,
}

impl KeypointMatch {
    /// The least [`agreement`](Self::agreement) of images that show the same.
    pub const MIN_AGREEMENT: f32 = 0.15;
    /// The least product of agreement and [`spread`](Self::spread): the fewer keypoints match, the more evenly they have to lie. Chosen on
    /// three sets of copies (`nodupe eval --sets basic,heavy,strong`, 5,300 images): without it, screenshots and captions that
    /// share a frame make up 0.036 of the pairs in the strong set, with it 0.0006, for 0.007 of the recall in the heavy one.
    pub const MIN_EVEN: f32 = 0.11;

    /// How far this is from `enough` matched keypoints, as distances are from a threshold: up to 1 it is enough.
    pub(crate) fn ratio(&self, enough: u32) -> f32 {
        let over = |least: f32, reached: f32| least / reached.max(f32::EPSILON);
        let few = over(enough as f32, self.matched as f32);
        few.max(over(Self::MIN_AGREEMENT, self.agreement)).max(over(Self::MIN_EVEN, self.agreement * self.spread))
    }
}
