//! Videos: what their frames say, and when two of them show the same.

mod align;
mod frames;
mod keypoints;
mod outcome;
mod relation;
mod search;
mod seer;
mod summary;
mod watch;

use std::collections::{HashMap, HashSet};

pub(crate) use frames::Seen as Frames;
pub(crate) use keypoints::Seen as Keypoints;
pub(crate) use outcome::{says_most, stills_of, video_pairs};
pub use relation::{Relation, Segment, VideoMatch};
pub(crate) use search::{Found, Still};
pub(crate) use seer::Seer;
pub(crate) use watch::{Watched, watch};

/// What an embedding backend said of the videos of a scan.
#[derive(Debug, Default)]
pub(crate) struct Videos {
    /// Those that it could describe.
    pub(crate) described: HashSet<u32>,
    /// What two of them have in common, the smaller number first.
    pub(crate) matches: HashMap<(u32, u32), VideoMatch>,
}

/// The ratio of two videos that have nothing in common: so far that one video with all of both does not join them, by the mean.
const STRANGERS: f32 = 2.0;

impl Videos {
    /// How near two videos are, as a part of how near they have to be; `None` where either is no video that it could describe.
    pub(crate) fn ratio(&self, a: u32, b: u32) -> Option<f32> {
        let are = self.described.contains(&a) && self.described.contains(&b);
        are.then(|| self.found(a, b).map_or(STRANGERS, |found| found.ratio().min(STRANGERS)))
    }

    pub(crate) fn found(&self, a: u32, b: u32) -> Option<&VideoMatch> {
        self.matches.get(&(a.min(b), a.max(b)))
    }
}
