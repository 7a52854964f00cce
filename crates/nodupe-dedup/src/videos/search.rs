//! Which videos have something in common, and which images are frames of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use nodupe_core::{EmbeddingSpace, IndexSpec, Metric, Row, View};
use rayon::prelude::*;

use super::align::{Alike, Frames, align};
use super::frames::Seen;
use super::relation::{Scale, VideoMatch};
use crate::calibration::RANK;
use crate::collection::Collection;
use crate::pairs::{self, Wanted};
use crate::progress::{Progress, Stage};
use crate::scan::{MakeIndex, ScanError};

/// Frames of copies may be farther apart than images by this, since many of them have to agree.
const LOOSE: f32 = 1.3;
/// What part of the distance to strangers frames may be apart, that of unrelated vectors.
const OF_UNRELATED: f32 = 0.6;
/// From which part of that on frames have nothing to do with each other, when they are shown at the same time of videos that agree otherwise.
const UNLIKE: f32 = 0.7;
/// The same for the frames of a part that is no duplicate, in the mean.
const PART: f32 = 0.25;
/// What part of its distance to its [`RANK`]th nearest video a frame may be from what it is like.
const BEFORE: f32 = 0.7;
/// What part of the distance otherwise it may be in any case: a video may have many copies.
const ANYWAY: f32 = 0.3;

/// A still image that is a frame of a video, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Still {
    pub(crate) image: u32,
    pub(crate) video: u32,
    /// When the frame is shown first, in seconds.
    pub(crate) time: f64,
    pub(crate) distance: f32,
    /// How the image has to be seen to look like the frame.
    pub(crate) view: View,
}

/// What was found among the videos of a scan by one embedding backend.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The smaller number first.
    pub(crate) matches: HashMap<(u32, u32), VideoMatch>,
    pub(crate) stills: Vec<Still>,
}

/// Finds the videos that have something in common, and the `images` that are frames of them: candidates by one index of all frames and
/// summaries, each pair then compared frame by frame and aligned.
pub(crate) fn search(
    seen: &Seen<'_>,
    images: Option<&Collection>,
    make_index: &MakeIndex<'_>,
    progress: &dyn Progress,
) -> Result<Found, ScanError> {
    let rows = seen.rows.rows(0);
    if seen.frames.is_empty() || progress.is_cancelled() {
        return Ok(Found::default());
    }
    let space = rows.space();
    let near = space.max_distance(seen.threshold);
    let wanted = Wanted { max_distance: near, audited_distance: near, limit: pairs::LIMIT, min_recall: 0.0 };
    let spec = IndexSpec::new(space).with_expected_len(rows.len());
    let mut index = make_index(&spec).map_err(|source| ScanError::MakeIndex { source })?;
    pairs::fill(&mut *index, &pairs::ids(&seen.rows.images_of_rows(0)), &seen.rows, progress)?;

    let (candidates, _) = pairs::candidates(&seen.rows, &*index, wanted, progress)?;
    let mut candidates: Vec<(u32, u32)> = candidates.into_iter().collect();
    candidates.sort_unstable();
    progress.begin(Stage::Align, Some(2 * candidates.len()));
    let loose = (LOOSE * near).min(OF_UNRELATED * unrelated(space));
    let step = || {
        progress.advance(Stage::Align, 1);
        !progress.is_cancelled()
    };
    let crowds = Crowds::new(seen, &candidates, loose, step);
    let in_common = |&pair: &(u32, u32)| Some((pair, compare(seen, &crowds, pair, loose)?));
    let matches = candidates.par_iter().filter(|_| step()).filter_map(in_common).collect();

    let mut stills = Vec::new();
    if let Some(images) = images {
        let mut asked = std::collections::HashSet::new();
        pairs::near(images, &*index, wanted, progress, |image, video| {
            asked.insert((image, video));
        })?;
        let still = |&(image, video): &(u32, u32)| still(seen, images, &crowds, (image, video), near);
        stills = asked.par_iter().filter_map(still).collect();
        stills.sort_unstable_by_key(|still| (still.image, still.video));
    }
    Ok(Found { matches, stills })
}

/// The distance of vectors that have nothing to do with each other: at right angles, or half of their bits.
fn unrelated(space: &EmbeddingSpace) -> f32 {
    match space.metric() {
        Metric::Hamming => space.dim() as f32 / 2.0,
        Metric::Cosine => 1.0,
        _ => f32::INFINITY,
    }
}

/// How near each frame has to be to what it is like.
///
/// What is like frames of many videos says little: noise, a test picture, a title. Such a frame has to be nearer to another one than it is to its
/// [`RANK`]th nearest video, as images have to be nearer than strangers are.
struct Crowds {
    /// Where the frames of each video begin.
    first: HashMap<u32, usize>,
    /// The distances of each frame to the nearest other videos, ascending.
    nearest: Vec<Mutex<Vec<f32>>>,
    within: f32,
}

impl Crowds {
    fn new(seen: &Seen<'_>, candidates: &[(u32, u32)], within: f32, step: impl Fn() -> bool + Sync) -> Self {
        let mut count = 0;
        let mut first = HashMap::new();
        for (&video, frames) in &seen.frames {
            first.insert(video, count);
            count += frames.times.len();
        }
        let crowds = Self { first, nearest: (0..count).map(|_| Mutex::default()).collect(), within };
        candidates.par_iter().filter(|_| step()).for_each(|&(a, b)| {
            let views = 0..seen.views().len();
            let mut alike: Vec<_> = views.flat_map(|view| near_frames(seen, view, (a, b), within)).collect();
            for (video, frame) in [(a, (|one| one.0) as fn(&(u32, u32, f32)) -> u32), (b, |one| one.1)] {
                alike.sort_by(|x, y| frame(x).cmp(&frame(y)).then(x.2.total_cmp(&y.2)));
                for nearest in alike.chunk_by(|one, next| frame(one) == frame(next)).filter_map(|same| same.first()) {
                    crowds.push(video, frame(nearest), nearest.2);
                }
            }
        });
        crowds
    }

    fn push(&self, video: u32, frame: u32, distance: f32) {
        let Some(nearest) = self.first.get(&video).and_then(|first| self.nearest.get(first + frame as usize)) else {
            return;
        };
        let mut nearest = nearest.lock().unwrap_or_else(PoisonError::into_inner);
        let place = nearest.partition_point(|one| *one <= distance);
        if place < RANK {
            nearest.insert(place, distance);
            nearest.truncate(RANK);
        }
    }

    /// How far it may be from what it is like.
    fn allowed(&self, video: u32, frame: u32) -> f32 {
        let nearest = self.first.get(&video).and_then(|first| self.nearest.get(first + frame as usize));
        let strangers =
            nearest.and_then(|nearest| nearest.lock().unwrap_or_else(PoisonError::into_inner).get(RANK - 1).copied());
        strangers.map_or(self.within, |strangers| (BEFORE * strangers).clamp(ANYWAY * self.within, self.within))
    }
}

/// The frames of two videos that are near each other, the first as a view shows it, and how far they are apart.
fn near_frames(seen: &Seen<'_>, view: usize, (a, b): (u32, u32), within: f32) -> Vec<(u32, u32, f32)> {
    let metric = seen.rows.rows(0).space().metric();
    let of_b: Vec<Row<'_>> = frames_of(seen, 0, b).collect();
    let mut near = Vec::new();
    for (frame, row) in (0..).zip(frames_of(seen, view, a)) {
        for (other, of_b) in (0..).zip(&of_b) {
            if let Some(distance) = metric.distance(row, *of_b).filter(|distance| *distance <= within) {
                near.push((frame, other, distance));
            }
        }
    }
    near
}

/// The rows of the frames of a video, without its summary.
fn frames_of<'a>(seen: &'a Seen<'_>, view: usize, video: u32) -> impl Iterator<Item = Row<'a>> {
    let count = seen.frames.get(&video).map_or(0, |frames| frames.times.len());
    seen.rows.rows_of(view, video).take(count)
}

/// What two videos have in common, in the view in which that is most.
fn compare(seen: &Seen<'_>, crowds: &Crowds, (a, b): (u32, u32), within: f32) -> Option<VideoMatch> {
    let frames: [&Frames; 2] = [seen.frames.get(&a)?, seen.frames.get(&b)?];
    let space = seen.rows.rows(0).space();
    let in_view = |(number, &view): (usize, &View)| {
        let near = near_frames(seen, number, (a, b), within);
        let alike = |(of_a, of_b, distance): (u32, u32, f32)| {
            let allowed = crowds.allowed(a, of_a).max(crowds.allowed(b, of_b));
            let alike = Alike { a: of_a, b: of_b, closeness: 1.0 - distance / within };
            (distance <= allowed).then_some(alike)
        };
        let alike: Vec<Alike> = near.into_iter().filter_map(alike).collect();
        let of_a: Vec<Row<'_>> = frames_of(seen, number, a).collect();
        let of_b: Vec<Row<'_>> = frames_of(seen, 0, b).collect();
        let are_unlike = |of_a_at: u32, of_b_at: u32| {
            let rows = of_a.get(of_a_at as usize).zip(of_b.get(of_b_at as usize));
            let distance = rows.and_then(|(a, b)| space.metric().distance(*a, *b));
            distance.is_none_or(|distance| distance > UNLIKE * unrelated(space))
        };
        let found = align(frames[0], frames[1], &alike, &are_unlike);
        let similarity = |closeness: f32| space.similarity((1.0 - closeness) * within);
        let least_of_part = 1.0 - PART * unrelated(space) / within;
        VideoMatch::new(frames, &found, view, Scale { similarity, least_of_part })
    };
    let all = seen.views().iter().enumerate().filter_map(in_view);
    // Of several views the first that explains most.
    all.fold(None, |best: Option<VideoMatch>, next| match best {
        Some(best) if best.ratio() <= next.ratio() => Some(best),
        _ => Some(next),
    })
}

/// The frame that an image is, if it is one.
fn still(
    seen: &Seen<'_>,
    images: &Collection,
    crowds: &Crowds,
    (image, video): (u32, u32),
    near: f32,
) -> Option<Still> {
    let metric = seen.rows.rows(0).space().metric();
    let frames = seen.frames.get(&video)?;
    let mut best: Option<Still> = None;
    for (number, view) in images.views().enumerate() {
        for row in images.rows_of(number, image) {
            for (frame, of_video) in (0..).zip(frames_of(seen, 0, video)) {
                let Some(distance) = metric.distance(row, of_video) else { continue };
                let is_near = distance <= near.min(crowds.allowed(video, frame));
                if !is_near || best.is_some_and(|best| best.distance <= distance) {
                    continue;
                }
                best = Some(Still { image, video, time: frames.times[frame as usize][0], distance, view });
            }
        }
    }
    best
}
