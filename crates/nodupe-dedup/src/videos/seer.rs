//! A backend that sees the frames of videos.

use std::collections::HashMap;

use nodupe_core::{EmbeddingBackend, ImageBatch, IndexError, Undescribable, View};

use super::search::{Found, search};
use super::{frames, keypoints};
use crate::collection::Collection;
use crate::embed::{EmbedFailure, check};
use crate::progress::Progress;
use crate::scan::{MakeIndex, ScanError};

/// A backend that sees the frames of videos, and what it saw.
#[derive(Debug)]
pub(crate) enum Seer<'a> {
    /// Images of them.
    Images(frames::Seen<'a>),
    /// Their keypoints.
    Keypoints(keypoints::Seen<'a>),
}

impl Seer<'_> {
    pub(super) fn backend(&self) -> &dyn EmbeddingBackend {
        match self {
            Self::Images(seen) => seen.backend,
            Self::Keypoints(seen) => seen.backend,
        }
    }

    /// Looks at frames of a video that follow those before.
    ///
    /// # Errors
    /// Where the backend fails or breaks its promises.
    pub(super) fn look(&mut self, video: u32, times: &[f64], pixels: &[u8]) -> Result<(), EmbedFailure> {
        match self {
            Self::Images(seen) => {
                let batch = ImageBatch::for_spec(seen.backend.input_spec(), pixels)?;
                let batches = match seen.views() {
                    [View::Identity] => vec![seen.backend.embed(&batch)?],
                    views => seen.backend.embed_views(&batch, views)?,
                };
                check(seen.backend, seen.views(), times.len(), &batches)?;
                seen.push(video, times, &batches)?;
            }
            Self::Keypoints(seen) => {
                let chosen = seen.choose(video, times);
                if chosen.is_empty() {
                    return Ok(());
                }
                let spec = *seen.backend.input_spec();
                let pixels: Vec<u8> = chosen
                    .iter()
                    .flat_map(|place| &pixels[place * spec.bytes()..(place + 1) * spec.bytes()])
                    .copied()
                    .collect();
                let times: Vec<f64> = chosen.iter().map(|place| times[*place]).collect();
                let batch = seen.backend.embed(&ImageBatch::for_spec(&spec, &pixels)?)?;
                check(seen.backend, &[View::Identity], times.len(), std::slice::from_ref(&batch))?;
                seen.push(video, &times, &batch)?;
            }
        }
        Ok(())
    }

    /// There are no more frames of a video, which count only if it `is_whole`.
    ///
    /// # Errors
    /// Where the backend broke its promises.
    pub(super) fn finish(&mut self, video: u32, duration: Option<f64>, is_whole: bool) -> Result<(), IndexError> {
        match self {
            Self::Images(seen) => seen.finish(video, duration, is_whole)?,
            Self::Keypoints(seen) => seen.finish(video, duration, is_whole),
        }
        Ok(())
    }

    /// Why a video could not be described.
    pub(crate) fn blank(&self) -> &HashMap<u32, Undescribable> {
        match self {
            Self::Images(seen) => &seen.blank,
            Self::Keypoints(seen) => &seen.blank,
        }
    }

    /// The videos that could be described, and how many frames of them are told from each other.
    pub(crate) fn described(&self) -> (Vec<u32>, usize) {
        match self {
            Self::Images(seen) => (seen.described().collect(), seen.frames()),
            Self::Keypoints(seen) => (seen.described().collect(), seen.frames()),
        }
    }

    /// What the videos have in common with each other, and with `images`.
    ///
    /// # Errors
    /// Where an index fails.
    pub(crate) fn search(
        &self,
        images: Option<&Collection>,
        make_index: &MakeIndex<'_>,
        progress: &dyn Progress,
    ) -> Result<Found, ScanError> {
        match self {
            Self::Images(seen) => search(seen, images, make_index, progress),
            Self::Keypoints(seen) => Ok(Found { matches: seen.search(progress), ..Found::default() }),
        }
    }
}
