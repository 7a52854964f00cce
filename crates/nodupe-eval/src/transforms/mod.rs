//! The edits that copies are made by.

mod basic;
mod heavy;
mod strong;

use std::fmt;
use std::str::FromStr;

use image::RgbImage;

use crate::error::EvalError;
use crate::random::Random;

/// The quality of the original, and of copies unless a transform says otherwise.
pub(crate) const ORIGINAL_QUALITY: u8 = 92;
const QUALITY: u8 = 88;

/// A list of edits, each of which makes one copy of a photograph: see the crate's documentation for their parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TransformSet {
    /// Crop, two flips, a turn by 25°, another aspect ratio: the edits of imagededup's benchmark.
    Basic,
    /// Ten single edits that each change much.
    Heavy,
    /// Twelve copies, in each of which several edits are combined as people do who post a picture again.
    Strong,
}

impl TransformSet {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::Basic, Self::Heavy, Self::Strong];

    /// Its name: `basic`, `heavy` or `strong`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Heavy => "heavy",
            Self::Strong => "strong",
        }
    }

    /// The names of its transforms, in the order of the copies.
    pub fn transforms(self) -> Vec<&'static str> {
        self.table().iter().map(|transform| transform.name).collect()
    }

    /// How many other photographs the copies of one show.
    pub fn backgrounds(self) -> usize {
        self.table().iter().filter(|transform| transform.needs_other).count()
    }

    pub(crate) fn table(self) -> &'static [Transform] {
        match self {
            Self::Basic => basic::TRANSFORMS,
            Self::Heavy => heavy::TRANSFORMS,
            Self::Strong => strong::TRANSFORMS,
        }
    }
}

impl fmt::Display for TransformSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no transform set of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no transform set `{0}`: the sets are basic, heavy and strong")]
pub struct UnknownSet(String);

impl FromStr for TransformSet {
    type Err = UnknownSet;

    fn from_str(name: &str) -> Result<Self, UnknownSet> {
        Self::ALL.into_iter().find(|set| set.name() == name).ok_or_else(|| UnknownSet(name.to_owned()))
    }
}

/// One edit.
pub(crate) struct Transform {
    pub(crate) name: &'static str,
    pub(crate) quality: u8,
    /// Whether another photograph is in the picture.
    pub(crate) needs_other: bool,
    pub(crate) make: fn(&mut Edit<'_>) -> Result<RgbImage, EvalError>,
}

/// What an edit is made of.
pub(crate) struct Edit<'a> {
    pub(crate) photo: &'a RgbImage,
    /// The other photograph; the photograph itself for edits that need none.
    pub(crate) other: &'a RgbImage,
    pub(crate) random: Random,
}

impl Transform {
    const fn new(name: &'static str, make: fn(&mut Edit<'_>) -> Result<RgbImage, EvalError>) -> Self {
        Self { name, quality: QUALITY, needs_other: false, make }
    }

    const fn at_quality(mut self, quality: u8) -> Self {
        self.quality = quality;
        self
    }

    const fn with_other(mut self) -> Self {
        self.needs_other = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn photo(seed: u32) -> RgbImage {
        RgbImage::from_fn(200, 150, |x, y| Rgb([(x * seed) as u8, (y * 2) as u8, (x ^ (y * seed)) as u8]))
    }

    fn copy(transform: &Transform, photo: &RgbImage, seed: u64) -> RgbImage {
        let mut edit = Edit { photo, other: &self::photo(7), random: Random::of(&[seed]) };
        (transform.make)(&mut edit).unwrap()
    }

    #[test]
    fn the_same_numbers_make_the_same_copy_and_every_copy_differs() {
        for set in TransformSet::ALL {
            for transform in set.table() {
                let one = copy(transform, &photo(1), 1);
                assert_eq!(one, copy(transform, &photo(1), 1), "{}", transform.name);
                assert!(transform.name == "jpeg15" || one != photo(1), "{}", transform.name);
            }
        }
    }

    #[test]
    fn sets_are_those_of_the_documents() {
        assert_eq!(TransformSet::ALL.map(|set| set.transforms().len()), [5, 10, 12]);
        assert_eq!(TransformSet::ALL.map(TransformSet::backgrounds), [0, 1, 2]);
        let heavy = TransformSet::Heavy.transforms();
        assert_eq!(heavy, ["jpeg15", "small", "crop50", "blur", "color", "overlay", "pad", "paste", "gray", "rot90"]);
    }

    #[test]
    fn tiny_and_narrow_pictures_are_edited_without_a_panic() {
        for (width, height) in [(32, 32), (1, 1), (400, 3), (5, 333)] {
            let photo = image::imageops::resize(&photo(3), width, height, image::imageops::FilterType::Nearest);
            for transform in TransformSet::ALL.into_iter().flat_map(TransformSet::table) {
                let copy = copy(transform, &photo, 2);
                assert!(copy.width() > 0 && copy.height() > 0, "{} of {width}x{height}", transform.name);
            }
        }
    }

    #[test]
    fn sizes_are_those_of_the_documents() {
        let size = |set: TransformSet, name: &str| {
            let transform = set.table().iter().find(|transform| transform.name == name).unwrap();
            copy(transform, &photo(1), 3).dimensions()
        };
        for (name, wanted) in [("crop", (175, 131)), ("rot25", (200, 150)), ("square", (150, 150))] {
            assert_eq!(size(TransformSet::Basic, name), wanted, "{name}");
        }
        let heavy = [
            ("small", (50, 37)),
            ("crop50", (140, 105)),
            ("pad", (280, 240)),
            ("paste", (320, 240)),
            ("rot90", (150, 200)),
        ];
        for (name, wanted) in heavy {
            assert_eq!(size(TransformSet::Heavy, name), wanted, "{name}");
        }
    }
}
