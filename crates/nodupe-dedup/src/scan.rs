//! The pipeline as one call.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nodupe_core::{BoxError, EmbedError, EmbeddingBackend, IndexError, IndexSpec, SimilarityBackend};
use nodupe_media::{PoolOptions, Sampling, VideoFormat, VideoOptions};
use rayon::prelude::*;

use crate::cascade::Cascade;
use crate::embed::EmbedFailure;
use crate::groups::{Found, groups};
use crate::identical::first_of_same_bytes;
use crate::keep::KeepRules;
use crate::linkage::Linkage;
use crate::progress::{Progress, Silent, Stage};
use crate::report::{Report, Skipped, Stats};
use crate::tier_options::TierOptions;
use crate::videos::{stills_of, video_pairs};
use crate::walk::{File, WalkOptions, walk};

/// Makes the empty index of a scan, once it is known how many vectors it will hold; and an exact one ([`IndexSpec::exact`]) where
/// that finds too little.
pub type MakeIndex<'a> = dyn Fn(&IndexSpec<'_>) -> Result<Box<dyn SimilarityBackend>, BoxError> + 'a;

/// Why a scan could not be done at all. What is wrong with one file is an outcome, in [`Report::skipped`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The threshold is not a similarity.
    #[error("{threshold} is no similarity: write a number over 0 and up to 1")]
    Threshold {
        /// What was given.
        threshold: f32,
    },
    /// The precision is none that can be aimed at.
    #[error("{precision} is no precision to aim at: write a number from 0.5 to 1, such as 0.999")]
    Precision {
        /// What was given.
        precision: f64,
    },
    /// Neither the caller nor the backend says from which similarity on two images are near duplicates.
    #[error(
        "the backend {backend} has no calibrated threshold: say from which similarity on two images are duplicates"
    )]
    NoThreshold {
        /// The embedding backend.
        backend: &'static str,
    },
    /// The embedding backend failed.
    #[error("the images could not be embedded")]
    Embed(#[from] EmbedError),
    /// No similarity backend could be made.
    #[error("no index could be made")]
    MakeIndex {
        /// Why.
        source: BoxError,
    },
    /// The similarity backend failed.
    #[error("the index failed")]
    Index(#[from] IndexError),
}

impl From<EmbedFailure> for ScanError {
    fn from(failure: EmbedFailure) -> Self {
        match failure {
            EmbedFailure::Embed(error) => error.into(),
            EmbedFailure::Rows(error) => error.into(),
        }
    }
}

/// What is looked for among files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MediaKinds {
    /// Images and videos.
    #[default]
    All,
    /// Images alone; animations count as their first frame.
    Images,
    /// Videos and animations alone.
    Videos,
}

/// A search for near duplicates among files: a cascade of embedding backends, how near is near, how groups are made.
#[derive(Clone)]
pub struct Scan<'a> {
    tiers: Vec<TierOptions<'a>>,
    make_index: &'a MakeIndex<'a>,
    progress: &'a dyn Progress,
    min_recall: f64,
    linkage: Linkage,
    keep: KeepRules,
    batch: Option<NonZeroUsize>,
    walk: WalkOptions,
    pool: PoolOptions,
    kinds: MediaKinds,
    videos: VideoOptions,
}

impl std::fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("tiers", &self.tiers).field("linkage", &self.linkage).finish_non_exhaustive()
    }
}

impl<'a> Scan<'a> {
    /// See [`with_min_recall`](Self::with_min_recall).
    pub const DEFAULT_MIN_RECALL: f64 = 0.95;

    /// A scan with one backend, its own threshold, average link, and views where they are cheap.
    pub fn new(embedding: &'a dyn EmbeddingBackend, make_index: &'a MakeIndex<'a>) -> Self {
        Self::cascade(vec![TierOptions::new(embedding)], make_index)
    }

    /// A scan that asks several backends, one after the other. Images that one of them finds all but equal are not asked
    /// about again, so that the cheap ones come first; what each finds is merged, whichever is surer.
    pub fn cascade(tiers: Vec<TierOptions<'a>>, make_index: &'a MakeIndex<'a>) -> Self {
        Self {
            tiers,
            make_index,
            progress: &Silent,
            min_recall: Self::DEFAULT_MIN_RECALL,
            linkage: Linkage::default(),
            keep: KeepRules::default(),
            batch: None,
            walk: WalkOptions::default(),
            pool: PoolOptions::default(),
            kinds: MediaKinds::default(),
            videos: Self::video_options(),
        }
    }

    /// How videos are looked at by default: a frame a second, of short videos up to four a second, without black bars.
    pub fn video_options() -> VideoOptions {
        VideoOptions::default().with_sampling(Sampling::Rate(1.0)).with_min_frames(30).with_trims_bars(true)
    }

    /// The part of the near pairs that an approximate index has to find, 0 to 1, as an [`Audit`](crate::Audit) of it says; where
    /// it finds less, the scan goes on with an exact one. 0 goes on in any case.
    #[must_use]
    pub fn with_min_recall(mut self, min_recall: f64) -> Self {
        self.min_recall = min_recall;
        self
    }

    /// How pairs become groups.
    #[must_use]
    pub fn with_linkage(mut self, linkage: Linkage) -> Self {
        self.linkage = linkage;
        self
    }

    /// By which rules one file of each group is [kept](crate::Group::keep). Nothing is done to files.
    #[must_use]
    pub fn with_keep(mut self, keep: KeepRules) -> Self {
        self.keep = keep;
        self
    }

    /// How many images are embedded in one call. `None`: 64, or the most that the backend takes.
    #[must_use]
    pub fn with_batch(mut self, batch: Option<NonZeroUsize>) -> Self {
        self.batch = batch;
        self
    }

    /// What the walk goes into.
    #[must_use]
    pub fn with_walk(mut self, walk: WalkOptions) -> Self {
        self.walk = walk;
        self
    }

    /// Threads and limits of decoding.
    #[must_use]
    pub fn with_decoding(mut self, pool: PoolOptions) -> Self {
        self.pool = pool;
        self
    }

    /// Whether images or videos are left out; files that are, and those that are neither, are in [`Report::skipped`].
    #[must_use]
    pub fn with_kinds(mut self, kinds: MediaKinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Which frames of videos are looked at, and within what limits.
    #[must_use]
    pub fn with_videos(mut self, videos: VideoOptions) -> Self {
        self.videos = videos;
        self
    }

    /// Who is told what goes on.
    #[must_use]
    pub fn with_progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Searches the files at and below `roots`. Every regular file that the walk does not leave out (hidden and ignored ones)
    /// has one outcome: it was looked at, or it is in [`Report::skipped`] with its reason.
    ///
    /// Memory grows with the number of images by their embeddings (each view's, and once more in the index) and some
    /// hundred bytes of bookkeeping; what is in flight while decoding is bounded. Time is linear in the images but for the
    /// search, which is the similarity backend's, and for the pairs inside groups, which are all scored.
    ///
    /// # Errors
    /// [`ScanError`] where a backend fails or a threshold makes no sense; never for the sake of a file.
    pub fn run(&self, roots: &[PathBuf]) -> Result<Report, ScanError> {
        let started = Instant::now();
        let decisions = self.tiers.iter().map(TierOptions::decision).collect::<Result<Vec<_>, _>>()?;
        let progress = self.progress;
        let mut stats = Stats::default();

        progress.begin(Stage::Walk, None);
        let (files, mut skipped) = walk(roots, self.walk, || {
            progress.advance(Stage::Walk, 1);
            !progress.is_cancelled()
        });
        stats.files = files.len();
        stats.bytes = files.iter().map(|file| file.bytes).sum();
        stats.timings.walk = started.elapsed();

        let stage = Instant::now();
        let max_bytes = self.pool.decode.limits.max_file_bytes;
        let first_of_same = first_of_same_bytes(&files, max_bytes, progress);
        let unique: Vec<usize> = (0..files.len()).filter(|&file| first_of_same[file] == file).collect();
        stats.identical = files.len() - unique.len();
        stats.timings.identical = stage.elapsed();

        let is_video = self.videos_among(&files, &unique);
        let (unique, is_video, left_out) = self.asked_for(&files, unique, is_video);
        let mut cascade = Cascade::new(&files, &unique, &is_video);
        for (place, (options, decision)) in self.tiers.iter().zip(&decisions).enumerate() {
            cascade.ask(self, options, *decision, place + 1 == self.tiers.len())?;
        }
        let watching = cascade.watch(self, &self.tiers, &decisions)?;
        let Cascade {
            tiers,
            reports,
            images,
            videos,
            stills,
            failed,
            blank,
            pairs,
            settled,
            same_pixels,
            comparing,
            ..
        } = cascade;
        stats.same_pixels = same_pixels;
        stats.timings.identical += comparing;
        stats.timings.add(&reports, &watching);
        stats.pairs = pairs.len();
        let mut outcome_of = vec![None; files.len()];
        for (file, why) in left_out {
            outcome_of[file] = Some(Skipped::new(files[file].path.clone(), "left-out", why));
        }
        for (image, &file) in unique.iter().enumerate() {
            let path = || files[file].path.clone();
            outcome_of[file] = match (&failed[image], &blank[image]) {
                (Some(error), _) => Some(Skipped::media(path(), error)),
                (None, Some(why)) => Some(Skipped::undescribable(path(), why)),
                (None, None) => None,
            };
        }
        skipped.extend(outcomes(&files, &first_of_same, &outcome_of));
        stats.decoded = images.iter().flatten().count();
        stats.embedded = images.iter().zip(&blank).filter(|(image, blank)| image.is_some() && blank.is_none()).count();
        let is_watched: HashSet<usize> = videos.keys().map(|&video| unique[video as usize]).collect();
        stats.videos = first_of_same.iter().filter(|&first| is_watched.contains(first)).count();
        let is_image: HashSet<usize> =
            unique.iter().zip(&images).filter(|(_, image)| image.is_some()).map(|(&file, _)| file).collect();
        stats.images = first_of_same.iter().filter(|&first| is_image.contains(first)).count();

        let interrupted = progress.is_cancelled();
        let stage = Instant::now();
        progress.begin(Stage::Group, None);
        let found = Found {
            files: &files,
            first_of_same: &first_of_same,
            unique: &unique,
            images: &images,
            videos: &videos,
            tiers: &tiers,
            pairs: &pairs,
            settled: &settled,
            keep: &self.keep,
        };
        let groups = groups(&found, self.linkage);
        stats.groups = groups.len();
        for group in &groups {
            stats.duplicates += group.files.len() - 1;
            stats.duplicate_bytes += group.duplicates().map(|file| file.bytes).sum::<u64>();
        }
        stats.timings.group = stage.elapsed();
        stats.timings.total = started.elapsed();
        // An image that cannot be described may have copies all the same, and is then looked at.
        let grouped: HashSet<&Path> =
            groups.iter().flat_map(|group| &group.files).map(|file| file.path.as_path()).collect();
        skipped.retain(|skipped| !grouped.contains(skipped.path.as_path()));
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        let path = |number: u32| files[unique[number as usize]].path.clone();
        let videos = video_pairs(&tiers, &path);
        let stills = stills_of(&tiers, stills, &path);
        Ok(Report { groups, videos, stills, skipped, tiers: reports, stats, interrupted })
    }

    /// Which of the files of different content are videos.
    fn videos_among(&self, files: &[File], unique: &[usize]) -> Vec<bool> {
        if self.kinds == MediaKinds::Images {
            return vec![false; unique.len()];
        }
        // What cannot be read now cannot be read later, and has its outcome there.
        let is_video = |&file: &usize| {
            !self.progress.is_cancelled() && matches!(VideoFormat::of_path(&files[file].path), Ok(Some(_)))
        };
        unique.par_iter().map(is_video).collect()
    }

    /// Without the files that are not asked for, and these with the reason.
    fn asked_for(
        &self,
        files: &[File],
        unique: Vec<usize>,
        is_video: Vec<bool>,
    ) -> (Vec<usize>, Vec<bool>, Vec<(usize, &'static str)>) {
        let is_left_out = |file: usize, is_video: bool| match self.kinds {
            MediaKinds::All => None,
            MediaKinds::Videos => (!is_video).then_some("it is no video, and only videos are asked for"),
            MediaKinds::Images => {
                let format = VideoFormat::of_path(&files[file].path).ok().flatten();
                format.filter(|format| !format.is_animation()).map(|_| "it is a video, and only images are asked for")
            }
        };
        let mut left_out = Vec::new();
        let asked = unique.into_iter().zip(is_video).filter(|&(file, is_video)| {
            let why = is_left_out(file, is_video);
            left_out.extend(why.map(|why| (file, why)));
            why.is_none()
        });
        let (unique, is_video) = asked.unzip();
        (unique, is_video, left_out)
    }

    pub(crate) fn pool(&self) -> PoolOptions {
        self.pool.clone()
    }

    pub(crate) fn videos(&self) -> VideoOptions {
        self.videos.clone()
    }

    pub(crate) fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    pub(crate) fn make_index(&self) -> &'a MakeIndex<'a> {
        self.make_index
    }

    pub(crate) fn min_recall(&self) -> f64 {
        self.min_recall
    }

    pub(crate) fn batch(&self) -> Option<NonZeroUsize> {
        self.batch
    }
}

/// What was passed over, in the order of the walk: a copy of such a file shares its fate.
fn outcomes(files: &[File], first_of_same: &[usize], outcome_of: &[Option<Skipped>]) -> Vec<Skipped> {
    let skipped = files.iter().zip(first_of_same).filter_map(|(file, &first)| {
        let outcome = outcome_of[first].as_ref()?;
        Some(Skipped { path: file.path.clone(), ..outcome.clone() })
    });
    skipped.collect()
}
