//! The pipeline as one call.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nodupe_core::{BoxError, EmbedError, EmbeddingBackend, IndexError, IndexSpec, SimilarityBackend, View};
use nodupe_media::PoolOptions;

use crate::embed::{EmbedFailure, Embedded, Image, embed};
use crate::groups::{Found, Rule, groups, paths};
use crate::identical::first_of_same_bytes;
use crate::linkage::Linkage;
use crate::pairs::{self, NearPairs, Wanted};
use crate::progress::{Progress, Silent, Stage};
use crate::report::{Report, Skipped, Stats};
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

/// A search for near duplicates among files: which backend, how near, how grouped.
#[derive(Clone)]
pub struct Scan<'a> {
    embedding: &'a dyn EmbeddingBackend,
    make_index: &'a MakeIndex<'a>,
    progress: &'a dyn Progress,
    threshold: Option<f32>,
    min_recall: f64,
    linkage: Linkage,
    views: Option<bool>,
    batch: Option<NonZeroUsize>,
    walk: WalkOptions,
    pool: PoolOptions,
}

impl std::fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("embedding", &self.embedding)
            .field("threshold", &self.threshold)
            .field("linkage", &self.linkage)
            .field("views", &self.views)
            .finish_non_exhaustive()
    }
}

impl<'a> Scan<'a> {
    /// See [`with_min_recall`](Self::with_min_recall).
    pub const DEFAULT_MIN_RECALL: f64 = 0.95;

    /// A scan with the backend's own threshold, average link, and views where they are cheap.
    pub fn new(embedding: &'a dyn EmbeddingBackend, make_index: &'a MakeIndex<'a>) -> Self {
        Self {
            embedding,
            make_index,
            progress: &Silent,
            threshold: None,
            min_recall: Self::DEFAULT_MIN_RECALL,
            linkage: Linkage::default(),
            views: None,
            batch: None,
            walk: WalkOptions::default(),
            pool: PoolOptions::default(),
        }
    }

    /// From which similarity on two images are near duplicates: over 0, up to 1. `None`: the backend's calibrated one.
    #[must_use]
    pub fn with_threshold(mut self, threshold: Option<f32>) -> Self {
        self.threshold = threshold;
        self
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

    /// Whether each image is asked for under all eight rotations and flips. `None`: where the backend gives them for
    /// about the price of one ([`CheapViews`](nodupe_core::Orientation::CheapViews)). Never where orientation makes no difference.
    #[must_use]
    pub fn with_views(mut self, views: Option<bool>) -> Self {
        self.views = views;
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
    /// [`ScanError`] where a backend fails or the threshold makes no sense; never for the sake of a file.
    pub fn run(&self, roots: &[PathBuf]) -> Result<Report, ScanError> {
        let started = Instant::now();
        let threshold = self.threshold()?;
        let max_distance = self.embedding.space().max_distance(threshold);
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

        let stage = Instant::now();
        progress.begin(Stage::Embed, Some(unique.len()));
        let Embedded { collection, images, blank, busy } =
            embed(self.embedding, self.views(), self.batch(), self.pool.clone(), paths(&files, &unique), progress)?;
        let mut outcome_of = vec![None; files.len()];
        let images: Vec<Option<Image>> = unique
            .iter()
            .zip(images)
            .map(|(&file, outcome)| match outcome? {
                Ok(image) => Some(image),
                Err(error) => {
                    outcome_of[file] = Some(Skipped::media(files[file].path.clone(), &error));
                    None
                }
            })
            .collect();
        for (image, why) in &blank {
            let file = unique[*image];
            outcome_of[file] = Some(Skipped::undescribable(files[file].path.clone(), why));
        }
        skipped.extend(outcomes(&files, &first_of_same, &outcome_of));
        stats.decoded = images.iter().flatten().count();
        let is_image: HashSet<usize> =
            unique.iter().zip(&images).filter(|(_, image)| image.is_some()).map(|(&file, _)| file).collect();
        stats.images = first_of_same.iter().filter(|&first| is_image.contains(first)).count();
        stats.embedded = collection.len();
        stats.timings.embed = stage.elapsed();
        stats.timings.embed_busy = busy;

        let stage = Instant::now();
        let near = if stats.embedded > 1 {
            let wanted = Wanted { max_distance, limit: pairs::LIMIT, min_recall: self.min_recall };
            pairs::find(&collection, self.make_index, wanted, progress)?
        } else {
            NearPairs::default()
        };
        stats.pairs = near.pairs.len();
        stats.truncated = near.truncated;
        stats.timings.search = stage.elapsed();

        let interrupted = progress.is_cancelled();
        let stage = Instant::now();
        progress.begin(Stage::Group, None);
        let found = Found {
            files: &files,
            first_of_same: &first_of_same,
            unique: &unique,
            images: &images,
            collection: &collection,
            near: &near,
        };
        let rule = Rule {
            backend: self.embedding.info().name,
            space: self.embedding.space(),
            max_distance,
            linkage: self.linkage,
        };
        let groups = groups(&found, &rule, &self.pool.decode);
        stats.groups = groups.len();
        for group in &groups {
            let bytes = group.files.iter().map(|file| file.bytes);
            stats.duplicates += group.files.len() - 1;
            stats.duplicate_bytes += bytes.clone().sum::<u64>() - bytes.max().unwrap_or_default();
        }
        stats.timings.group = stage.elapsed();
        stats.timings.total = started.elapsed();
        // An image that cannot be described may have copies all the same, and is then looked at.
        let grouped: HashSet<&Path> =
            groups.iter().flat_map(|group| &group.files).map(|file| file.path.as_path()).collect();
        skipped.retain(|skipped| !grouped.contains(skipped.path.as_path()));
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Report { groups, skipped, threshold, audit: near.audit, stats, interrupted })
    }

    fn threshold(&self) -> Result<f32, ScanError> {
        let given = self.threshold.or(self.embedding.matching().default_threshold);
        let threshold = given.ok_or(ScanError::NoThreshold { backend: self.embedding.info().name })?;
        if threshold > 0.0 && threshold <= 1.0 { Ok(threshold) } else { Err(ScanError::Threshold { threshold }) }
    }

    fn views(&self) -> &'static [View] {
        self.embedding.matching().orientation.views(self.views)
    }

    fn batch(&self) -> usize {
        let most = self.embedding.max_batch().map_or(usize::MAX, NonZeroUsize::get);
        self.batch.map_or(64, NonZeroUsize::get).min(most)
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
