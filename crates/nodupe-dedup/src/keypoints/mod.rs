//! Images compared by their keypoints: which parts look alike, and whether they moved as one.

mod affine;
mod compare;
mod enough;
mod matches;
mod vote;

use std::ops::Range;

use nodupe_core::{EmbeddedBatch, EmbeddingSpace, IndexError, InputSpec, Keypoint, Row, Undescribable};

pub use enough::Enough;
pub(crate) use enough::{Compared, Needed};
pub use matches::KeypointMatch;
pub(crate) use vote::{candidates, steps};

/// Bytes of a row's packed bits are kept in words of this many.
const WORD: usize = size_of::<u64>();

/// The keypoints of all images, numbered by whoever puts them in; the rows of one follow each other.
#[derive(Debug)]
pub(crate) struct KeypointRows {
    /// Words of a row.
    words: usize,
    rows: Vec<u64>,
    places: Vec<Place>,
    /// The rows of each image, by its number; empty where it has none.
    of: Vec<Range<u32>>,
    /// The most bits in which two rows that show the same part differ.
    max_distance: u32,
    /// Width and height of what the backend saw, the longer side 1.
    frame: [f32; 2],
}

/// A keypoint in six bytes: there are as many as a hundred times the images.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    /// A fraction of the width, and in the lowest bit whether it is mirrored.
    x: u16,
    /// A fraction of the height.
    y: u16,
    /// Sixteenths of an octave.
    log_size: i8,
    /// Parts of a turn.
    turn: u8,
}

/// The bit of [`Place::x`].
const MIRRORED: u16 = 1;

impl Place {
    fn new(keypoint: &Keypoint) -> Self {
        let fraction = |part: f32| (part.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16;
        Self {
            x: fraction(keypoint.x) & !MIRRORED | if keypoint.mirrored { MIRRORED } else { 0 },
            y: fraction(keypoint.y),
            // Saturates at 2^-8 of the longer side: a pixel of 256.
            log_size: (keypoint.size.log2() * 16.0).round() as i8,
            turn: ((keypoint.angle / std::f32::consts::TAU).rem_euclid(1.0) * 256.0) as u8,
        }
    }

    const fn is_mirrored(self) -> bool {
        self.x & MIRRORED != 0
    }

    /// Where it is in the frame.
    fn at(self, frame: [f32; 2]) -> [f32; 2] {
        let fraction = |part: u16| f32::from(part) / f32::from(u16::MAX);
        [fraction(self.x) * frame[0], fraction(self.y) * frame[1]]
    }
}

impl KeypointRows {
    /// No keypoints yet, of `images` images.
    pub(crate) fn new(space: &EmbeddingSpace, spec: &InputSpec, max_distance: f32, images: usize) -> Self {
        let (width, height) = (spec.width() as f32, spec.height() as f32);
        let longer = width.max(height).max(1.0);
        Self {
            // Floats are kept by their signs, a bit each.
            words: space.dim().div_ceil(64),
            rows: Vec::new(),
            places: Vec::new(),
            of: vec![0..0; images],
            max_distance: max_distance as u32,
            frame: [width / longer, height / longer],
        }
    }

    /// There are so many images more; the number of the first of them.
    pub(crate) fn grow(&mut self, images: usize) -> usize {
        let first = self.of.len();
        self.of.resize(first + images, 0..0);
        first
    }

    /// Puts in a batch: `images` are the numbers of its images. Gives back why some have no keypoints.
    ///
    /// # Errors
    /// [`IndexError::Shape`] where the batch has not as many keypoints as rows.
    pub(crate) fn insert(
        &mut self,
        images: &[usize],
        batch: &EmbeddedBatch,
    ) -> Result<Vec<(usize, Undescribable)>, IndexError> {
        let rows = batch.embeddings();
        if batch.keypoints().len() != rows.len() {
            return Err(IndexError::Shape {
                detail: format!("{} keypoints for {} rows", batch.keypoints().len(), rows.len()),
            });
        }
        let before = self.places.len();
        let most = batch.outcomes().iter().flatten().map(ExactSizeIterator::len).max().unwrap_or_default();
        if most > usize::from(u16::MAX) || before + rows.len() > u32::MAX as usize {
            return Err(IndexError::Shape {
                detail: format!("{most} keypoints of an image, {} of all", before + rows.len()),
            });
        }
        if let Some(odd) = batch.keypoints().iter().find(|one| !(one.size > 0.0 && one.size.is_finite())) {
            return Err(IndexError::Shape { detail: format!("a keypoint of size {}", odd.size) });
        }
        for row in rows.view().iter() {
            self.push(row);
        }
        self.places.extend(batch.keypoints().iter().map(Place::new));
        let mut blank = Vec::new();
        for (&image, outcome) in images.iter().zip(batch.outcomes()) {
            match outcome {
                Ok(rows) => self.of[image] = (before + rows.start) as u32..(before + rows.end) as u32,
                Err(why) => blank.push((image, why.clone())),
            }
        }
        Ok(blank)
    }

    fn push(&mut self, row: Row<'_>) {
        let start = self.rows.len();
        self.rows.resize(start + self.words, 0);
        let words = &mut self.rows[start..];
        match row {
            Row::Bits(bits) => {
                for (place, &byte) in bits.iter().enumerate() {
                    words[place / WORD] |= u64::from(byte) << (8 * (place % WORD));
                }
            }
            Row::F32(values) => {
                for (place, _) in values.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                    words[place / 64] |= 1 << (place % 64);
                }
            }
            _ => {}
        }
    }

    /// Number of images that have keypoints.
    pub(crate) fn len(&self) -> usize {
        self.of.iter().filter(|rows| !rows.is_empty()).count()
    }

    fn row(&self, row: usize) -> &[u64] {
        &self.rows[row * self.words..(row + 1) * self.words]
    }

    fn of_image(&self, image: u32) -> Range<usize> {
        self.of.get(image as usize).map_or(0..0, |rows| rows.start as usize..rows.end as usize)
    }
}

/// In how many bits two rows differ.
#[allow(clippy::inline_always, reason = "a call is not compiled for the instructions that the dispatch found")]
#[inline(always)]
fn differing(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

#[cfg(test)]
pub(crate) mod tests;
