//! What two videos have to do with each other.

use nodupe_core::View;

use super::align::{Aligned, Frames};

/// What two videos have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Relation {
    /// Each shows what the other does, but for little.
    Copy,
    /// The first is a part of the second.
    FirstIsClip,
    /// The second is a part of the first.
    SecondIsClip,
    /// Both show something besides: a common intro, say. They are no duplicates.
    SharesPart,
}

impl Relation {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::FirstIsClip => "a-is-clip-of-b",
            Self::SecondIsClip => "b-is-clip-of-a",
            Self::SharesPart => "shares-part",
        }
    }

    /// Whether one of the two could go.
    pub const fn is_duplicate(self) -> bool {
        !matches!(self, Self::SharesPart)
    }

    /// The same, seen from the other video.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::FirstIsClip => Self::SecondIsClip,
            Self::SecondIsClip => Self::FirstIsClip,
            same => same,
        }
    }

    fn of(coverage: [f32; 2]) -> Self {
        match coverage {
            [a, b] if a >= COPY && b >= COPY => Self::Copy,
            [a, b] if a >= b && a >= CLIP => Self::FirstIsClip,
            [a, b] if b > a && b >= CLIP => Self::SecondIsClip,
            _ => Self::SharesPart,
        }
    }
}

/// The least part of each of two copies that the other one shows.
const COPY: f32 = 0.85;
/// The least part of a clip that the longer video shows.
const CLIP: f32 = 0.7;

/// A stretch of time in which two videos show the same, in seconds from their starts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Segment {
    /// Start and end in the first video.
    pub a: [f64; 2],
    /// Start and end in the second.
    pub b: [f64; 2],
}

/// What the closeness of frames means, from 0, just alike, to 1, the same.
pub(crate) struct Scale<S> {
    /// As a similarity of the backend.
    pub(crate) similarity: S,
    /// From which mean on a part counts for itself. What is of one kind, such as two fractals, is somewhat alike for a while; it is not so all along two
    /// videos.
    pub(crate) least_of_part: f32,
}

/// What two videos have in common.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VideoMatch {
    /// What they have to do with each other.
    pub relation: Relation,
    /// When they show the same, in the order of the first video's time.
    pub segments: Vec<Segment>,
    /// The part of the first video's time that is in segments, 0 to 1, and of the second one's.
    pub coverage: [f32; 2],
    /// Frames of either that say so: those that were told from the ones before.
    pub frames: usize,
    /// The mean similarity of these frames.
    pub similarity: f32,
    /// How the first has to be seen to look like the second.
    pub view: View,
    /// How far the frames are apart, as a part of what is allowed: 0 to 1.
    pub(crate) apart: f32,
}

impl VideoMatch {
    /// What is `found` in two videos.
    pub(crate) fn new(
        [a, b]: [&Frames; 2],
        found: &[Aligned],
        view: View,
        Scale { similarity, least_of_part }: Scale<impl Fn(f32) -> f32>,
    ) -> Option<Self> {
        let of = |found: &[Aligned]| {
            let frames: usize = found.iter().map(|one| one.frames).sum();
            let covered = |video: &Frames, side: fn(&Aligned) -> [f64; 2]| {
                let ranges = found.iter().map(side).collect();
                (union(ranges) / video.duration.max(f64::MIN_POSITIVE)).min(1.0) as f32
            };
            let coverage = [covered(a, |one| one.a), covered(b, |one| one.b)];
            let closeness = found.iter().map(|one| one.closeness * one.frames as f32).sum::<f32>() / frames as f32;
            let apart = 1.0 - closeness;
            (frames > 0).then(|| Self {
                relation: Relation::of(coverage),
                segments: found.iter().map(|one| Segment { a: one.a, b: one.b }).collect(),
                coverage,
                frames,
                similarity: similarity(closeness),
                view,
                apart,
            })
        };
        of(found).filter(|all| all.relation.is_duplicate()).or_else(|| {
            let is_sure = |one: &&Aligned| one.closeness >= least_of_part;
            let sure: Vec<Aligned> = found.iter().filter(is_sure).copied().collect();
            of(&sure)
        })
    }

    /// Whether this says more than what another tier found in the same two videos: duplicates rather than none, and by more frames, which tell times
    /// better.
    pub(crate) fn says_more_than(&self, other: &Self) -> bool {
        let says = |found: &Self| (found.relation.is_duplicate(), found.frames);
        says(self) > says(other)
    }

    /// How far this is from enough, as distances are from a threshold: up to 1 it is enough.
    pub(crate) fn ratio(&self) -> f32 {
        let covered = CLIP / self.coverage[0].max(self.coverage[1]).max(f32::EPSILON);
        if covered > 1.0 { covered } else { covered * self.apart.clamp(0.0, 1.0) }
    }
}

/// How long ranges are together.
fn union(mut ranges: Vec<[f64; 2]>) -> f64 {
    ranges.sort_by(|x, y| x[0].total_cmp(&y[0]));
    let (mut sum, mut until) = (0.0, f64::NEG_INFINITY);
    for [start, end] in ranges {
        sum += (end - start.max(until)).max(0.0);
        until = until.max(end);
    }
    sum
}
