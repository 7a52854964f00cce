//! The embedding backends of a scan, one after the other: each is asked about what those before left open.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use nodupe_core::{Describes, EmbeddingBackend, Undescribable};
use nodupe_media::{MediaError, VideoInfo};
use rayon::prelude::*;

use crate::calibration::Strangers;
use crate::embed::{Asked, Embedded, Image, Seen, embed};
use crate::identical::first_of_same_pixels;
use crate::keypoints::Needed;
use crate::linkage::{Linkage, NearPair, cluster};
use crate::progress::Stage;
use crate::report::TierReport;
use crate::scan::{Scan, ScanError};
use crate::search::{Known, NearImages, compared, near_images};
use crate::tier::{Near, Tier, ratio};
use crate::tier_options::{Decision, TierOptions};
use crate::videos::{self, Seer, Videos, Watched};
use crate::walk::File;

/// The ratio up to which an image is taken for settled: it is what another one is, as far as any tier could tell. A quarter of what a
/// perceptual hash allows is 8 of its 256 bits, which resizing and compression alone exceed seldom.
const SETTLED: f32 = 0.25;

/// Nearer than any tier could say.
const SAME_PIXELS: f32 = -1.0;

/// Two images that were found near each other: their distance is the tier's ratio, below 0 where the pixels are the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TierPair {
    pub(crate) pair: NearPair,
    /// Which tier found it, or was surest; `None` where the pixels are the same.
    pub(crate) tier: Option<usize>,
}

/// The time that videos took.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    pub(crate) watch: Duration,
    pub(crate) busy: Duration,
    pub(crate) search: Duration,
}

/// What is known of the images so far. They are numbered by their places in `unique`.
pub(crate) struct Cascade<'a> {
    files: &'a [File],
    unique: &'a [usize],
    pub(crate) tiers: Vec<Tier<'a>>,
    pub(crate) reports: Vec<TierReport>,
    /// Which files are videos.
    is_video: &'a [bool],
    /// The videos that were decoded.
    pub(crate) videos: HashMap<u32, VideoInfo>,
    /// Images that are frames of videos: which tier found each.
    pub(crate) stills: Vec<(usize, videos::Still)>,
    /// What was decoded.
    pub(crate) images: Vec<Option<Image>>,
    /// Why an image could not be decoded.
    pub(crate) failed: Vec<Option<MediaError>>,
    /// Why no tier could describe an image.
    pub(crate) blank: Vec<Option<Undescribable>>,
    /// Each pair once, the smaller number first, in ascending order.
    pub(crate) pairs: Vec<TierPair>,
    /// For each image the one that stands for it; itself unless it is settled.
    pub(crate) settled: Vec<u32>,
    /// Images that have the pixels of another one.
    pub(crate) same_pixels: usize,
    /// The time that finding these took.
    pub(crate) comparing: Duration,
}

impl<'a> Cascade<'a> {
    pub(crate) fn new(files: &'a [File], unique: &'a [usize], is_video: &'a [bool]) -> Self {
        let count = unique.len();
        Self {
            files,
            unique,
            is_video,
            videos: HashMap::new(),
            stills: Vec::new(),
            tiers: Vec::new(),
            reports: Vec::new(),
            images: vec![None; count],
            failed: std::iter::repeat_with(|| None).take(count).collect(),
            blank: vec![None; count],
            pairs: Vec::new(),
            settled: (0..count as u32).collect(),
            same_pixels: 0,
            comparing: Duration::ZERO,
        }
    }

    /// Asks one more tier about the images that are open. The last one settles nothing: nobody is spared by it.
    pub(crate) fn ask(
        &mut self,
        scan: &Scan<'a>,
        options: &TierOptions<'a>,
        decision: Decision,
        is_last: bool,
    ) -> Result<(), ScanError> {
        let (backend, progress) = (options.embedding(), scan.progress());
        let is_first = self.tiers.is_empty();
        if progress.is_cancelled() && !is_first {
            return Ok(());
        }
        let open: Vec<usize> = (0..self.unique.len())
            .filter(|&image| self.settled[image] as usize == image && !self.is_video[image])
            .filter(|&image| is_first || self.images[image].is_some())
            .collect();

        let stage = Instant::now();
        progress.begin(Stage::Embed, Some(open.len()));
        let paths = open.iter().map(|&image| self.files[self.unique[image]].path.clone()).collect();
        let asked = Asked { of: self.unique.len(), numbers: &open, paths };
        let views = options.views();
        let Embedded { seen, images, blank, busy, decoders } =
            embed(backend, &views, batch(backend, scan.batch()), scan.pool(), asked, decision.threshold, progress)?;
        self.take(images, blank, is_first);
        let embed = stage.elapsed();
        if is_first {
            self.settle_same_pixels(scan);
        }

        let stage = Instant::now();
        let embedded = seen.len();
        let mut tier = Tier {
            info: backend.info(),
            space: backend.space(),
            near: Near::Within(0.0),
            seen,
            videos: Videos::default(),
        };
        let mut report = TierReport {
            backend: backend.info().name,
            threshold: decision.threshold.unwrap_or_default(),
            ..TierReport::default()
        };
        let found: Vec<NearPair> = match &tier.seen {
            _ if embedded < 2 => Vec::new(),
            Seen::Images(collection) => {
                let known = if decision.precision.is_some() { self.known() } else { Known::default() };
                let NearImages { pairs, near, threshold, calibration, truncated, audit, index } =
                    near_images(collection, backend, decision, &known, self.unique.len(), scan)?;
                tier.near = near;
                report = TierReport { threshold, calibration, truncated, audit, index, ..report };
                let ratio =
                    |pair: NearPair| NearPair { distance: tier.of_distance(pair.a, pair.b, pair.distance), ..pair };
                pairs.into_iter().map(ratio).filter(|pair| pair.distance <= 1.0).collect()
            }
            Seen::Keypoints(rows) => {
                let compared = compared(rows, progress);
                let strangers = Strangers::new(self.unique.len(), &self.known().groups);
                let needed = Needed::new(&compared, &strangers, self.unique.len(), decision.precision);
                report.enough = Some(needed.enough());
                tier.near = Near::Sharing(needed);
                let pair = |(a, b, found)| NearPair { a, b, distance: tier.of_match(a, b, &found) };
                compared.shared.into_iter().map(pair).filter(|pair| pair.distance <= 1.0).collect()
            }
        };
        let pairs = found.len();
        let settled = if is_last { 0 } else { self.settle(&found) };
        self.merge(found);
        self.tiers.push(tier);
        self.reports.push(TierReport {
            images: open.iter().filter(|&&image| self.images[image].is_some()).count(),
            embedded,
            pairs,
            settled,
            embed,
            decoders,
            embed_busy: busy,
            search: stage.elapsed(),
            ..report
        });
        Ok(())
    }

    /// Asks the tiers that describe images about the videos. Each is decoded once, and `options` and `decisions` are those of the tiers.
    pub(crate) fn watch(
        &mut self,
        scan: &Scan<'a>,
        options: &[TierOptions<'a>],
        decisions: &[Decision],
    ) -> Result<Watching, ScanError> {
        let (files, unique, progress) = (self.files, self.unique, scan.progress());
        let paths: Vec<(u32, &Path)> = (0..)
            .zip(unique)
            .zip(self.is_video)
            .filter(|(_, is_video)| **is_video)
            .map(|((number, &file), _)| (number, files[file].path.as_path()))
            .collect();
        let mut watching = Watching::default();
        if paths.is_empty() || progress.is_cancelled() {
            return Ok(watching);
        }
        // What a collection said of how near is near counts for frames too.
        let last = options.len().min(self.tiers.len());
        let threshold = |tier: usize| {
            let of_images = self.reports.get(tier).map(|report| report.threshold).filter(|threshold| *threshold > 0.0);
            of_images.or(decisions[tier].threshold)
        };
        let seer = |tier: usize| {
            let (options, threshold) = (options[tier], threshold(tier)?);
            match options.embedding().matching().describes {
                // Where something stronger follows, that finds what they do.
                Describes::Keypoints if tier + 1 < last => None,
                Describes::Keypoints => Some(Seer::Keypoints(videos::Keypoints::new(options.embedding(), threshold))),
                _ => {
                    let views = options.orientations().to_vec();
                    Some(Seer::Images(videos::Frames::new(options.embedding(), views, threshold, unique.len())))
                }
            }
        };
        let seers = (0..last).filter_map(|tier| Some((tier, seer(tier)?)));
        let (seeing, mut seers): (Vec<usize>, Vec<Seer<'a>>) = seers.unzip();
        let started = Instant::now();
        progress.begin(Stage::Watch, Some(paths.len()));
        let Watched { outcomes, busy } =
            videos::watch(&paths, &mut seers, &scan.videos(), scan.pool().threads, progress)?;
        (watching.watch, watching.busy) = (started.elapsed(), busy);
        for (video, outcome) in outcomes {
            match outcome {
                Ok(info) => {
                    let blank = seers.iter().map(|seer| seer.blank().get(&video));
                    // Described by any is described.
                    self.blank[video as usize] =
                        blank.collect::<Option<Vec<_>>>().and_then(|all| all.first().copied().cloned());
                    self.videos.insert(video, info);
                }
                Err(error) => self.failed[video as usize] = Some(error),
            }
        }
        let started = Instant::now();
        for (tier, seer) in seeing.into_iter().zip(seers) {
            let images = match &self.tiers[tier].seen {
                Seen::Images(collection) if collection.len() > 0 => Some(collection),
                _ => None,
            };
            let videos::Found { matches, stills } = seer.search(images, scan.make_index(), progress)?;
            self.stills.extend(stills.into_iter().map(|still| (tier, still)));
            let report = &mut self.reports[tier];
            let (described, frames) = seer.described();
            (report.videos, report.frames, report.video_pairs) = (described.len(), frames, matches.len());
            self.tiers[tier].videos = Videos { described: described.into_iter().collect(), matches };
        }
        let near = |((a, b), (tier, found)): ((u32, u32), (usize, &videos::VideoMatch))| TierPair {
            pair: NearPair { a, b, distance: found.ratio() },
            tier: Some(tier),
        };
        let pairs = videos::says_most(&self.tiers).into_iter().map(near).filter(|pair| pair.pair.distance <= 1.0);
        self.pairs.extend(pairs);
        // Those of images are each there once, and no video is among them.
        self.pairs.sort_unstable_by_key(|pair| (pair.pair.a, pair.pair.b));
        watching.search = started.elapsed();
        Ok(watching)
    }

    /// What the tiers so far found to be copies of each other.
    fn known(&self) -> Known {
        let pairs = standing(&self.pairs, &self.settled);
        let groups = cluster(self.unique.len(), &pairs, 1.0, Linkage::Average, |a, b| ratio(&self.tiers, a, b));
        // With those that an image stands for; the first of a chain is behind none.
        let mut stands_for = vec![1_usize; self.unique.len()];
        for (image, &first) in self.settled.iter().enumerate().rev().filter(|(image, first)| *image != **first as usize)
        {
            stands_for[first as usize] += std::mem::take(&mut stands_for[image]);
        }
        let pairs_of = |count: usize| count * count.saturating_sub(1) / 2;
        let mut pairs = 0;
        for group in &groups {
            let members = group.iter().map(|&image| std::mem::take(&mut stands_for[image as usize])).sum();
            pairs += pairs_of(members);
        }
        pairs += stands_for.into_iter().map(pairs_of).sum::<usize>();
        Known { groups, pairs, has_others: !self.tiers.is_empty() }
    }

    /// What decoding and embedding said of each image.
    fn take(
        &mut self,
        images: Vec<Option<Result<Image, MediaError>>>,
        blank: Vec<(usize, Undescribable)>,
        is_first: bool,
    ) {
        let mut why: HashMap<usize, Undescribable> = blank.into_iter().collect();
        for (image, outcome) in images.into_iter().enumerate() {
            match outcome {
                // Which digest of pixels an image has is the first tier's to say.
                Some(Ok(decoded)) if is_first => {
                    self.images[image] = Some(decoded);
                    self.blank[image] = why.remove(&image);
                }
                // Described by any is described.
                Some(Ok(_)) if !why.contains_key(&image) => self.blank[image] = None,
                Some(Err(error)) if is_first => self.failed[image] = Some(error),
                // A file that could be read before and cannot now was changed meanwhile: what was seen of it counts.
                _ => {}
            }
        }
    }

    /// Lets the first of the images that have the same pixels stand for them, described or not.
    fn settle_same_pixels(&mut self, scan: &Scan<'_>) {
        let started = Instant::now();
        let path = |image: usize| self.files[self.unique[image]].path.as_path();
        let first = first_of_same_pixels(&self.images, path, &scan.pool().decode, scan.progress());
        for (image, first) in (0..).zip(first).filter(|(image, first)| image != first) {
            self.settled[image as usize] = first;
            let pair = NearPair { a: first, b: image, distance: SAME_PIXELS };
            self.pairs.push(TierPair { pair, tier: None });
            self.same_pixels += 1;
        }
        self.comparing = started.elapsed();
    }

    /// Lets the first image stand for those that are all but equal to it. How many are settled now.
    fn settle(&mut self, found: &[NearPair]) -> usize {
        let mut settled = 0;
        // In ascending order: whoever stands for others was looked at before them.
        for pair in found.iter().filter(|pair| pair.distance <= SETTLED) {
            let [a, b] = [pair.a, pair.b].map(|image| self.settled[image as usize] == image);
            if a && b {
                self.settled[pair.b as usize] = pair.a;
                settled += 1;
            }
        }
        settled
    }

    /// Adds pairs to those of the tiers before; of two for the same images the surer one stays.
    fn merge(&mut self, found: Vec<NearPair>) {
        let tier = self.tiers.len();
        self.pairs.extend(found.into_iter().map(|pair| TierPair { pair, tier: Some(tier) }));
        let key = |pair: &TierPair| (pair.pair.a, pair.pair.b);
        self.pairs.par_sort_by(|x, y| {
            key(x).cmp(&key(y)).then(x.pair.distance.total_cmp(&y.pair.distance)).then(x.tier.cmp(&y.tier))
        });
        self.pairs.dedup_by_key(|pair| key(pair));
    }
}

/// The pairs as pairs of the images that stand for them, each once, in ascending order: an image that is near to one that another stands for
/// is near to that.
pub(crate) fn standing(pairs: &[TierPair], settled: &[u32]) -> Vec<NearPair> {
    // One may stand behind an image that is settled itself, which comes before it.
    let stands_for = |mut image: u32| {
        while settled[image as usize] != image {
            image = settled[image as usize];
        }
        image
    };
    let pair = |TierPair { pair, .. }: &TierPair| {
        let (a, b) = (stands_for(pair.a), stands_for(pair.b));
        (a != b).then(|| NearPair { a: a.min(b), b: a.max(b), distance: pair.distance })
    };
    let mut standing: Vec<NearPair> = pairs.iter().filter_map(pair).collect();
    standing.sort_unstable_by(|x, y| (x.a, x.b).cmp(&(y.a, y.b)).then(x.distance.total_cmp(&y.distance)));
    standing.dedup_by_key(|pair| (pair.a, pair.b));
    standing
}

fn batch(backend: &dyn EmbeddingBackend, wish: Option<NonZeroUsize>) -> usize {
    let most = backend.max_batch().map_or(usize::MAX, NonZeroUsize::get);
    wish.map_or(64, NonZeroUsize::get).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_settled_image_is_near_to_its_representative_is_near_to() {
        let pair = |a, b, distance| TierPair { pair: NearPair { a, b, distance }, tier: Some(0) };
        // 1 stands behind 0, 4 behind 3 behind 2.
        let settled = [0, 0, 2, 2, 3, 5];
        let pairs =
            [pair(0, 1, 0.2), pair(1, 5, 0.8), pair(0, 5, 0.9), pair(2, 3, 0.1), pair(3, 4, -1.0), pair(1, 4, 0.7)];
        let standing = standing(&pairs, &settled);
        assert_eq!(standing, [pair(0, 2, 0.7), pair(0, 5, 0.8)].map(|pair| pair.pair));
    }
}
