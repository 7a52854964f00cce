//! The frames of videos by their keypoints: crops, logos and frames in frames.

use std::collections::HashMap;
use std::ops::ControlFlow;

use nodupe_core::{EmbeddedBatch, EmbeddingBackend, IndexError, Undescribable, View};
use rayon::prelude::*;

use super::align::{Alike, Frames, align};
use super::relation::{Scale, VideoMatch};
use crate::keypoints::{self, KeypointMatch, KeypointRows};
use crate::progress::{Progress, Stage};

/// Seconds between two frames that are looked at: within a scene, keypoints find any frame by any other one.
const EVERY: f64 = 2.0;
/// The most frames of a video, which are 630 KB of 96 keypoints each: so many of its beginning.
const MOST: usize = 300;
/// How many keypoints frames have to share; that several of them do so, in the same order, says the rest.
const ENOUGH: u32 = 10;
/// From which mean closeness on a part counts that is no duplicate.
const LEAST_OF_PART: f32 = 0.4;

/// The videos of a scan as a backend saw them that describes keypoints.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(super) backend: &'a dyn EmbeddingBackend,
    /// Frames have numbers of their own.
    rows: KeypointRows,
    /// The video of each, and which of its frames it is.
    of: Vec<(u32, u32)>,
    frames: HashMap<u32, Frames>,
    pub(super) blank: HashMap<u32, Undescribable>,
    begun: HashMap<u32, Begun>,
}

/// A video of which more is to come.
#[derive(Debug, Default)]
struct Begun {
    /// The numbers of its frames, and when they are.
    frames: Vec<(usize, f64)>,
    looked_at: Option<f64>,
    last: f64,
    blank: Option<Undescribable>,
}

impl<'a> Seen<'a> {
    /// Nothing yet. Rows as alike as `threshold` may show the same.
    pub(crate) fn new(backend: &'a dyn EmbeddingBackend, threshold: f32) -> Self {
        let rows = KeypointRows::new(backend.space(), backend.input_spec(), backend.space().max_distance(threshold), 0);
        let (frames, blank, begun) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { backend, rows, of: Vec::new(), frames, blank, begun }
    }

    /// Which of the frames at these times are to be looked at, of those that follow the ones before.
    pub(super) fn choose(&mut self, video: u32, times: &[f64]) -> Vec<usize> {
        let begun = self.begun.entry(video).or_default();
        let mut count = begun.frames.len();
        let mut chosen = Vec::new();
        for (place, &time) in times.iter().enumerate() {
            begun.last = time;
            if count < MOST && begun.looked_at.is_none_or(|before| time >= before + EVERY) {
                begun.looked_at = Some(time);
                count += 1;
                chosen.push(place);
            }
        }
        chosen
    }

    /// Takes the frames of a video that were chosen.
    ///
    /// # Errors
    /// [`IndexError`] where the backend breaks its promises.
    pub(super) fn push(&mut self, video: u32, times: &[f64], batch: &EmbeddedBatch) -> Result<(), IndexError> {
        let begun = self.begun.entry(video).or_default();
        let first = self.rows.grow(times.len());
        let numbers: Vec<usize> = (first..first + times.len()).collect();
        let blank = self.rows.insert(&numbers, batch)?;
        for (&number, &time) in numbers.iter().zip(times) {
            match blank.iter().find(|(image, _)| *image == number) {
                Some((_, why)) => _ = begun.blank.get_or_insert_with(|| why.clone()),
                None => begun.frames.push((number, time)),
            }
        }
        self.of.resize(first + times.len(), (video, u32::MAX));
        Ok(())
    }

    /// There are no more frames of a video; those that it had count for nothing unless it `is_whole`.
    pub(super) fn finish(&mut self, video: u32, duration: Option<f64>, is_whole: bool) {
        let Some(begun) = self.begun.remove(&video).filter(|_| is_whole) else { return };
        if begun.frames.is_empty() {
            let why = begun.blank.unwrap_or_else(|| Undescribable::new("it has no frames"));
            self.blank.insert(video, why);
            return;
        }
        for (place, (number, _)) in (0..).zip(&begun.frames) {
            self.of[*number] = (video, place);
        }
        let times: Vec<[f64; 2]> = begun.frames.iter().map(|(_, time)| [*time; 2]).collect();
        let last = begun.last;
        let duration = duration.filter(|duration| (last..last + 2.0 * EVERY).contains(duration)).unwrap_or(last + 1.0);
        let is_steady = vec![true; times.len()];
        self.frames.insert(video, Frames { times, is_steady, period: EVERY.min(duration), duration });
    }

    /// Number of their frames.
    pub(crate) fn frames(&self) -> usize {
        self.frames.values().map(|frames| frames.times.len()).sum()
    }

    /// The videos that could be described.
    pub(crate) fn described(&self) -> impl Iterator<Item = u32> {
        self.frames.keys().copied()
    }

    /// What any two videos have in common, the smaller number first.
    pub(crate) fn search(&self, progress: &dyn Progress) -> HashMap<(u32, u32), VideoMatch> {
        progress.begin(Stage::Align, Some(keypoints::steps()));
        let candidates = keypoints::candidates(&self.rows, || {
            progress.advance(Stage::Align, 1);
            if progress.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let alike = |(a, b): (u32, u32)| {
            let ([(a, of_a), (b, of_b)], found) = if self.of[a as usize].0 <= self.of[b as usize].0 {
                ([self.of[a as usize], self.of[b as usize]], (a, b))
            } else {
                ([self.of[b as usize], self.of[a as usize]], (b, a))
            };
            let are_two = a != b && self.frames.contains_key(&a) && self.frames.contains_key(&b);
            let found = self.rows.compare(found.0, found.1).filter(|_| are_two && !progress.is_cancelled())?;
            let closeness = 1.0 - found.ratio(ENOUGH);
            (closeness >= 0.0).then_some(((a, b), Alike { a: of_a, b: of_b, closeness }, found))
        };
        let mut alike: Vec<((u32, u32), Alike, KeypointMatch)> = candidates.into_par_iter().filter_map(alike).collect();
        alike.par_sort_unstable_by_key(|(pair, alike, _)| (*pair, alike.a, alike.b));
        let pairs: Vec<_> = alike.chunk_by(|one, next| one.0 == next.0).collect();
        pairs.into_par_iter().filter_map(|alike| self.in_common(alike)).collect()
    }

    /// What two videos have in common of which some frames are alike.
    fn in_common(&self, alike: &[((u32, u32), Alike, KeypointMatch)]) -> Option<((u32, u32), VideoMatch)> {
        let pair = alike.first()?.0;
        let frames = [self.frames.get(&pair.0)?, self.frames.get(&pair.1)?];
        let mirrored = alike.iter().filter(|(.., found)| found.mirrored).count();
        let is_mirrored = 2 * mirrored > alike.len();
        let of_kind = alike.iter().filter(|(.., found)| found.mirrored == is_mirrored);
        let agreement =
            of_kind.clone().map(|(.., found)| found.agreement).sum::<f32>() / of_kind.clone().count().max(1) as f32;
        let of_kind: Vec<Alike> = of_kind.map(|(_, alike, _)| *alike).collect();
        let view = if is_mirrored { View::FlipHorizontal } else { View::Identity };
        let scale = Scale { similarity: |_| agreement, least_of_part: LEAST_OF_PART };
        Some((pair, VideoMatch::new(frames, &align(frames[0], frames[1], &of_kind, &|_, _| true), view, scale)?))
    }
}
