//! The main job: folders to groups, with backends chosen on the way.

#[cfg(feature = "eval")]
mod calibrate;
#[cfg(feature = "eval")]
mod evaluate;

use std::cell::RefCell;
use std::path::PathBuf;

use nodupe_core::{Describes, EmbeddingBackend, EmbeddingSpace, IndexSpec, Options, Registry, Tier};
use nodupe_dedup::{
    KeepRules, Linkage, MediaKinds, Progress, Report, Scan, ScanError, Silent, TierOptions, WalkOptions,
};
use nodupe_media::{PoolOptions, VideoOptions};
use nodupe_select::{Preference, SelectError, Selected};

use crate::choice;
use crate::effort::Effort;

#[cfg(feature = "eval")]
pub use calibrate::Calibrated;
#[cfg(feature = "eval")]
pub use evaluate::EvaluateError;

/// Finds near duplicates in folders: chooses the backends, then runs the pipeline.
///
/// ```no_run
/// use nodupe::{Preference, Scanner};
/// let found = Scanner::new().with_embedding(Preference::require("perceptual")).run(["photos"])?;
/// for group in &found.report.groups {
///     println!("{} files from {}", group.files.len(), group.files[0].path.display());
/// }
/// # Ok::<(), nodupe::ScannerError>(())
/// ```
#[derive(Clone)]
pub struct Scanner<'a> {
    registry: Option<&'a Registry>,
    embedding: Option<Preference>,
    similarity: Option<Preference>,
    options: Options,
    effort: Effort,
    threshold: Option<f32>,
    precision: Option<f64>,
    min_recall: f64,
    linkage: Linkage,
    keep: KeepRules,
    views: Option<bool>,
    walk: WalkOptions,
    decoding: PoolOptions,
    kinds: MediaKinds,
    videos: VideoOptions,
    progress: &'a dyn Progress,
}

/// What a scan found, and with what.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scanned {
    /// The groups, the files that were passed over, the figures.
    pub report: Report,
    /// The space of the chosen backend's embeddings: which model at which precision.
    pub space: EmbeddingSpace,
    /// How the embedding backend was chosen.
    pub embedding: nodupe_select::Report,
    /// How the similarity backend that searched these was chosen; `None` where fewer than two images had an embedding, so that none was needed.
    pub similarity: Option<nodupe_select::Report>,
}

/// Why a scan could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScannerError {
    /// No backend of the kind that was asked for can run.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The pipeline failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

/// Finds near duplicates at and below `roots` with the best backends that run here and their own thresholds.
///
/// # Errors
/// [`ScannerError`] where no backend runs or one fails; never for the sake of a file.
#[doc(alias = "find_duplicates")]
pub fn scan(roots: impl IntoIterator<Item = impl Into<PathBuf>>) -> Result<Scanned, ScannerError> {
    Scanner::new().run(roots)
}

impl Default for Scanner<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Scanner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner")
            .field("embedding", &self.embedding)
            .field("similarity", &self.similarity)
            .field("options", &self.options)
            .field("effort", &self.effort)
            .field("threshold", &self.threshold)
            .field("precision", &self.precision)
            .field("linkage", &self.linkage)
            .field("views", &self.views)
            .finish_non_exhaustive()
    }
}

impl<'a> Scanner<'a> {
    /// See [`with_precision`](Self::with_precision).
    pub const DEFAULT_PRECISION: f64 = 0.999;

    /// The best backends that run here, thresholds for the default precision, average link.
    pub fn new() -> Self {
        Self {
            registry: None,
            embedding: None,
            similarity: None,
            options: Options::new(),
            effort: Effort::default(),
            threshold: None,
            precision: Some(Self::DEFAULT_PRECISION),
            min_recall: Scan::DEFAULT_MIN_RECALL,
            linkage: Linkage::default(),
            keep: KeepRules::default(),
            views: None,
            walk: WalkOptions::default(),
            decoding: PoolOptions::default(),
            kinds: MediaKinds::default(),
            videos: Scan::video_options(),
            progress: &Silent,
        }
    }

    /// Chooses among these backends instead of all that are linked.
    #[must_use]
    pub fn with_registry(mut self, registry: &'a Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Which embedding backend; otherwise what `NODUPE_EMBEDDING` says, and else the strongest that runs.
    #[must_use]
    pub fn with_embedding(mut self, preference: Preference) -> Self {
        self.embedding = Some(preference);
        self
    }

    /// Which similarity backend; otherwise what `NODUPE_SIMILARITY` says, and else the strongest for the size.
    #[must_use]
    pub fn with_similarity(mut self, preference: Preference) -> Self {
        self.similarity = Some(preference);
        self
    }

    /// What the backends are told when they are made. A batch size also decides how many images are embedded at once.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How much is done to find duplicates.
    #[must_use]
    pub fn with_effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// From which similarity on two images are near duplicates by the chosen backend: over 0, up to 1. `None`: what the
    /// [precision](Self::with_precision) asks for. Other tiers of the cascade keep their own.
    #[must_use]
    pub fn with_threshold(mut self, threshold: Option<f32>) -> Self {
        self.threshold = threshold;
        self
    }

    /// For which precision, the part of the pairs reported that are to be true, thresholds are read from the collection: 0.5 to 1.
    /// Those of hashes ([`Tier::Hash`]) are fixed, far from where chance brings strangers: in a larger collection, and where many images
    /// look alike, others need more. See [`TierOptions::with_precision`]. `None`: every backend's own threshold.
    #[must_use]
    pub fn with_precision(mut self, precision: Option<f64>) -> Self {
        self.precision = precision;
        self
    }

    /// The part of the near pairs that an approximate index has to find, 0 to 1; where an audit of it says less, the scan goes on
    /// with an exact one: see [`Scan::with_min_recall`].
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

    /// By which rules one file of each group is [kept](nodupe_dedup::Group::keep). Nothing is done to files.
    #[must_use]
    pub fn with_keep(mut self, keep: KeepRules) -> Self {
        self.keep = keep;
        self
    }

    /// Whether the chosen backend is asked for each image under all eight rotations and flips. `None`: where that is cheap,
    /// and with [`Effort::Thorough`].
    #[must_use]
    pub fn with_views(mut self, views: Option<bool>) -> Self {
        self.views = views;
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
    pub fn with_decoding(mut self, decoding: PoolOptions) -> Self {
        self.decoding = decoding;
        self
    }

    /// Whether images or videos are left out.
    #[must_use]
    pub fn with_kinds(mut self, kinds: MediaKinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Which frames of videos are looked at, and within what limits; otherwise as [`Scan::video_options`] says.
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

    /// Finds near duplicates among the files at and below `roots`.
    ///
    /// # Errors
    /// [`ScannerError`] where no backend runs or one fails; never for the sake of a file.
    pub fn run(&self, roots: impl IntoIterator<Item = impl Into<PathBuf>>) -> Result<Scanned, ScannerError> {
        let registry = choice::registry(self.registry);
        let selector =
            |preference: &Option<Preference>| choice::selector(&registry, &self.options, preference.as_ref());
        let Selected { backend, report: embedding, .. } = selector(&self.embedding).embedding()?;
        let [hash, keypoints] =
            [Tier::Hash, Tier::Keypoints].map(|tier| self.beside(&registry, tier, backend.as_ref()));

        let similarity_selector = selector(&self.similarity);
        // A wish that cannot be met is said now and not after hours of decoding.
        similarity_selector.check_similarity(&IndexSpec::new(backend.space()))?;
        let similarity = RefCell::new(None);
        let make_index = |spec: &IndexSpec<'_>| {
            if spec.space != backend.space() {
                // What was wished for may not hold the vectors of another tier.
                return Ok(selector(&Some(Preference::auto())).similarity(spec)?.backend);
            }
            let selected = similarity_selector.similarity(spec)?;
            similarity.replace(Some(selected.report));
            Ok(selected.backend)
        };
        let views = self.views.or((self.effort == Effort::Thorough).then_some(true));
        let chosen = TierOptions::new(backend.as_ref()).with_threshold(self.threshold).with_views(views);
        let is_hash =
            registry.embeddings().iter().any(|one| one.name == backend.info().name && one.tier == Some(Tier::Hash));
        let first = if is_hash { Some(chosen) } else { hash.as_deref().map(TierOptions::new) };
        let crops = self.effort == Effort::Thorough;
        let last = (!is_hash).then_some(chosen.with_precision(self.precision).with_crops(crops));
        let tiers = first
            .into_iter()
            .chain(keypoints.as_deref().map(|one| TierOptions::new(one).with_precision(self.precision)))
            .chain(last);
        let roots: Vec<PathBuf> = roots.into_iter().map(Into::into).collect();
        let scan = Scan::cascade(tiers.collect(), &make_index)
            .with_min_recall(self.min_recall)
            .with_linkage(self.linkage)
            .with_keep(self.keep.clone())
            .with_batch(self.options.batch())
            .with_walk(self.walk)
            .with_decoding(self.decoding.clone())
            .with_kinds(self.kinds)
            .with_videos(self.videos.clone())
            .with_progress(self.progress);
        let report = scan.run(&roots)?;
        let space = backend.space().clone();
        Ok(Scanned { report, space, embedding, similarity: similarity.into_inner() })
    }

    /// The strongest backend that serves as a tier beside the chosen one, where the effort has that tier. One that does not
    /// run is done without.
    fn beside(
        &self,
        registry: &Registry,
        tier: Tier,
        chosen: &dyn EmbeddingBackend,
    ) -> Option<Box<dyn EmbeddingBackend>> {
        if self.effort == Effort::Fast {
            return None;
        }
        let mut serving: Vec<_> = registry.embeddings().iter().filter(|backend| backend.tier == Some(tier)).collect();
        if serving.iter().any(|backend| backend.name == chosen.info().name) {
            return None;
        }
        serving.sort_by_key(|backend| (std::cmp::Reverse(backend.priority), backend.name));
        serving.into_iter().find_map(|backend| {
            let made = (backend.create)(&self.options);
            let made =
                made.inspect_err(|why| tracing::warn!(backend = backend.name, %why, "a tier is left out")).ok()?;
            let matching = made.matching();
            let serves = (matching.describes == Describes::Keypoints) == (tier == Tier::Keypoints);
            if !serves || matching.default_threshold.is_none() {
                tracing::warn!(
                    backend = backend.name,
                    ?tier,
                    "a tier is left out: it is no such backend, or has no threshold"
                );
                return None;
            }
            Some(made)
        })
    }
}
