//! What was found among videos, for the report.

use std::path::PathBuf;

use super::relation::VideoMatch;
use super::search;
use crate::report::{Still, VideoPair};
use crate::tier::Tier;

/// What two videos have in common by the tier that is surest of it, in the order of the walk.
pub(crate) fn video_pairs(tiers: &[Tier<'_>], path: &impl Fn(u32) -> PathBuf) -> Vec<VideoPair> {
    let all = tiers.iter().flat_map(|tier| tier.videos.matches.iter().map(move |(pair, found)| (*pair, tier, found)));
    let mut all: Vec<_> = all.collect();
    all.sort_by(|(x, _, one), (y, _, other)| x.cmp(y).then(one.ratio().total_cmp(&other.ratio())));
    all.dedup_by_key(|(pair, ..)| *pair);
    let pair = |((a, b), tier, found): ((u32, u32), &Tier<'_>, &VideoMatch)| VideoPair {
        a: path(a),
        b: path(b),
        backend: tier.info.name,
        found: found.clone(),
    };
    all.into_iter().map(pair).collect()
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
