//! What a scan is told about an embedding backend that it asks.

use nodupe_core::{Describes, EmbeddingBackend, View};

use crate::scan::ScanError;

/// An embedding backend that a scan asks, and how near is near by it.
#[derive(Clone, Copy)]
pub struct TierOptions<'a> {
    embedding: &'a dyn EmbeddingBackend,
    threshold: Option<f32>,
    precision: Option<f64>,
    views: Option<bool>,
    crops: bool,
}

/// How a tier decides how near is near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decision {
    /// The similarity from which on, where it is given or the backend has one.
    pub(crate) threshold: Option<f32>,
    /// For which precision a threshold is read from the collection, where that has enough images.
    pub(crate) precision: Option<f64>,
}

impl std::fmt::Debug for TierOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TierOptions")
            .field("embedding", &self.embedding)
            .field("threshold", &self.threshold)
            .field("precision", &self.precision)
            .field("views", &self.views)
            .field("crops", &self.crops)
            .finish()
    }
}

impl<'a> TierOptions<'a> {
    /// With the backend's own threshold, and views where they are cheap.
    pub fn new(embedding: &'a dyn EmbeddingBackend) -> Self {
        Self { embedding, threshold: None, precision: None, views: None, crops: false }
    }

    /// From which similarity on two images are near duplicates: over 0, up to 1. `None`: the backend's calibrated one.
    #[must_use]
    pub fn with_threshold(mut self, threshold: Option<f32>) -> Self {
        self.threshold = threshold;
        self
    }

    /// For which precision, the part of the pairs reported that are to be true, a threshold is read from the collection: 0.5 to 1. `None`:
    /// the backend's own is taken. A [threshold](Self::with_threshold) that is given stays. Collections of fewer than 128 images do
    /// not say enough, and what describes keypoints reads from the collection in any case how many are enough.
    ///
    /// Costs a search for the sixteen or so nearest of each image, and 128 images compared with all.
    #[must_use]
    pub fn with_precision(mut self, precision: Option<f64>) -> Self {
        self.precision = precision;
        self
    }

    /// Whether each image is asked for under all eight rotations and flips. `None`: where the backend gives them for
    /// about the price of one ([`CheapViews`](nodupe_core::Orientation::CheapViews)). Never where orientation makes no difference.
    #[must_use]
    pub fn with_views(mut self, views: Option<bool>) -> Self {
        self.views = views;
        self
    }

    /// Whether each image is asked for by its middle and its quarters as well ([`View::CROPS`]): what shows another image as a part of
    /// itself is found. Takes six times as long. Never where rows describe keypoints.
    #[must_use]
    pub fn with_crops(mut self, crops: bool) -> Self {
        self.crops = crops;
        self
    }

    pub(crate) fn embedding(&self) -> &'a dyn EmbeddingBackend {
        self.embedding
    }

    /// The views that it is asked under, the identity first.
    pub(crate) fn views(&self) -> Vec<View> {
        let matching = self.embedding.matching();
        let crops: &[View] = if self.crops && matching.describes == Describes::Image { &View::CROPS } else { &[] };
        [self.orientations(), crops].concat()
    }

    /// Those that frames of videos are asked under: crops would be too many.
    pub(crate) fn orientations(&self) -> &'static [View] {
        self.embedding.matching().orientation.views(self.views)
    }

    pub(crate) fn decision(&self) -> Result<Decision, ScanError> {
        if let Some(precision) = self.precision.filter(|precision| !(0.5..=1.0).contains(precision)) {
            return Err(ScanError::Precision { precision });
        }
        let matching = self.embedding.matching();
        // A threshold that is given decides on images, but of keypoints on rows.
        let is_decided = self.threshold.is_some() && matching.describes == Describes::Image;
        let precision = self.precision.filter(|_| !is_decided);
        match self.threshold.or(matching.default_threshold) {
            Some(threshold) if !(threshold > 0.0 && threshold <= 1.0) => Err(ScanError::Threshold { threshold }),
            // How alike rows of keypoints have to be is in no collection.
            None if precision.is_none() || matching.describes == Describes::Keypoints => {
                Err(ScanError::NoThreshold { backend: self.embedding.info().name })
            }
            threshold => Ok(Decision { threshold, precision }),
        }
    }
}
