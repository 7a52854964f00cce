//! What was found among videos, for the report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::relation::VideoMatch;
use super::search;
use crate::report::{Still, VideoPair};
use crate::tier::Tier;

/// What two videos have in common by the tier that says most of it, and by which that is, in ascending order.
pub(crate) fn says_most<'t>(tiers: &'t [Tier<'_>]) -> BTreeMap<(u32, u32), (usize, &'t VideoMatch)> {
    let mut most: BTreeMap<(u32, u32), (usize, &VideoMatch)> = BTreeMap::new();
    for (number, tier) in tiers.iter().enumerate() {
        for (pair, found) in &tier.videos.matches {
            let before = most.get(pair);
            if before.is_none_or(|(_, before)| found.says_more_than(before)) {
                most.insert(*pair, (number, found));
            }
        }
    }
    most
}

/// What two videos have in common, in the order of the walk.
pub(crate) fn video_pairs(tiers: &[Tier<'_>], path: &impl Fn(u32) -> PathBuf) -> Vec<VideoPair> {
    let pair = |((a, b), (tier, found)): ((u32, u32), (usize, &VideoMatch))| VideoPair {
        a: path(a),
        b: path(b),
        backend: tiers[tier].info.name,
        found: found.clone(),
    };
    says_most(tiers).into_iter().map(pair).collect()
}

/// Which images are frames of which videos, by the tier in which they are nearest to what is near for it.
pub(crate) fn stills_of(
    tiers: &[Tier<'_>],
    mut stills: Vec<(usize, search::Still)>,
    path: &impl Fn(u32) -> PathBuf,
) -> Vec<Still> {
    stills.sort_by_key(|(tier, still)| (still.image, still.video, *tier));
    stills.dedup_by_key(|(_, still)| (still.image, still.video));
    let still = |(tier, still): (usize, search::Still)| Still {
        image: path(still.image),
        video: path(still.video),
        time: still.time,
        similarity: tiers[tier].space.similarity(still.distance),
        view: still.view,
        backend: tiers[tier].info.name,
    };
    stills.into_iter().map(still).collect()
}
