//! The frames of videos as an embedding backend saw them.

use std::collections::HashMap;

use nodupe_core::{EmbeddedBatch, EmbeddingBackend, Embeddings, IndexError, Undescribable, View};

use super::align::Frames;
use super::summary::summary;
use crate::collection::Collection;

/// The part of the distance at which two images are near duplicates, up to which two frames in a row say the same.
const SAME: f32 = 0.1;

/// The videos of a scan as one embedding backend saw them.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(super) backend: &'a dyn EmbeddingBackend,
    views: Vec<View>,
    /// From which similarity on two images are near duplicates.
    pub(super) threshold: f32,
    /// The rows of each video by its number: its frames in their order, and behind them its summary.
    pub(super) rows: Collection,
    /// When its frames are.
    pub(super) frames: HashMap<u32, Frames>,
    /// Why a video has none.
    pub(super) blank: HashMap<u32, Undescribable>,
    begun: HashMap<u32, Begun>,
}

/// A video of which more is to come.
#[derive(Debug)]
struct Begun {
    /// For each view.
    rows: Vec<Embeddings>,
    times: Vec<[f64; 2]>,
    is_steady: Vec<bool>,
    /// When the first frame was and the last one that were looked at, and how many.
    looked_at: Option<([f64; 2], usize)>,
    blank: Option<Undescribable>,
}

impl<'a> Seen<'a> {
    /// Nothing yet, of files with numbers below `files`.
    pub(crate) fn new(backend: &'a dyn EmbeddingBackend, views: Vec<View>, threshold: f32, files: usize) -> Self {
        let rows = Collection::new(backend.space(), &views, files);
        Self { backend, views, threshold, rows, frames: HashMap::new(), blank: HashMap::new(), begun: HashMap::new() }
    }

    /// Number of their frames.
    pub(crate) fn frames(&self) -> usize {
        self.frames.values().map(|frames| frames.times.len()).sum()
    }

    /// The videos that could be described.
    pub(crate) fn described(&self) -> impl Iterator<Item = u32> {
        self.frames.keys().copied()
    }

    pub(super) fn views(&self) -> &[View] {
        &self.views
    }

    /// Takes the frames of a video that follow those before: when they are shown, and what they became in each view.
    ///
    /// # Errors
    /// [`IndexError`] where rows are of another space than the backend says.
    pub(super) fn push(&mut self, video: u32, times: &[f64], batches: &[EmbeddedBatch]) -> Result<(), IndexError> {
        let space = self.backend.space();
        let near = space.max_distance(self.threshold);
        let begun = self.begun.entry(video).or_insert_with(|| Begun {
            rows: self.views.iter().map(|_| Embeddings::new(space.clone())).collect(),
            times: Vec::new(),
            is_steady: Vec::new(),
            looked_at: None,
            blank: None,
        });
        for (frame, &time) in times.iter().enumerate() {
            let (looked_at, count) = begun.looked_at.get_or_insert(([time; 2], 0));
            (looked_at[1], *count) = (time, *count + 1);
            let outcomes: Result<Vec<_>, _> = batches.iter().map(|batch| batch.outcomes()[frame].clone()).collect();
            let ranges = match outcomes {
                Ok(ranges) => ranges,
                Err(why) => {
                    begun.blank.get_or_insert_with(|| why.clone());
                    continue;
                }
            };
            let count = ranges.iter().map(ExactSizeIterator::len).min().unwrap_or_default();
            // The first frame of those that say the same stands for them, so that they cannot drift away from it.
            let (last, row) = (begun.rows[0].len().checked_sub(1), batches[0].first_row(frame));
            let last = last.and_then(|last| begun.rows[0].get(last)).filter(|_| count == 1);
            let distance = last.zip(row).and_then(|(last, row)| space.metric().distance(last, row));
            let is_within = |most: f32| distance.is_some_and(|distance| distance <= most);
            if let (Some(is_steady), true) = (begun.is_steady.last_mut(), is_within(near)) {
                *is_steady = true;
            }
            if let (Some(times), true) = (begun.times.last_mut(), is_within(SAME * near)) {
                times[1] = time;
                continue;
            }
            for ((rows, batch), range) in begun.rows.iter_mut().zip(batches).zip(ranges) {
                if let Some(new) = batch.embeddings().view().slice(range.start..range.start + count) {
                    rows.append(new)?;
                }
            }
            begun.times.extend(std::iter::repeat_n([time; 2], count));
            begun.is_steady.extend(std::iter::repeat_n(is_within(near), count));
        }
        Ok(())
    }

    /// There are no more frames of a video; those that it had count for nothing unless it `is_whole`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn finish(&mut self, video: u32, duration: Option<f64>, is_whole: bool) -> Result<(), IndexError> {
        let Some(mut begun) = self.begun.remove(&video).filter(|_| is_whole) else { return Ok(()) };
        let Some(([first, last], count)) = begun.looked_at.filter(|_| !begun.times.is_empty()) else {
            let why = begun.blank.unwrap_or_else(|| Undescribable::new("it has no frames"));
            self.blank.insert(video, why);
            return Ok(());
        };
        let mean = (last - first) / (count.max(2) - 1) as f64;
        let period = if mean > 0.0 { mean } else { duration.filter(|duration| *duration < 1.0).unwrap_or(1.0) };
        // What a file says of its duration may be anything.
        let duration =
            duration.filter(|duration| (last..last + 2.0 * period).contains(duration)).unwrap_or(last + period);
        let weights: Vec<f64> = begun.times.iter().map(|times| times[1] - times[0] + period).collect();
        for rows in &mut begun.rows {
            if let Some(summary) = summary(rows.view(), &weights)? {
                rows.append(summary.view())?;
            } else {
                // All views have as many rows.
                let first = rows.view().slice(0..1).map(|row| row.to_owned());
                rows.append(first.as_ref().map_or_else(|| self.rows.rows(0), Embeddings::view))?;
            }
        }
        self.rows.put(video, &begun.rows)?;
        self.frames.insert(video, Frames { times: begun.times, is_steady: begun.is_steady, period, duration });
        Ok(())
    }
}
