//! Which images of a tier are near each other.

use std::ops::ControlFlow;
use std::time::Duration;

use nodupe_core::EmbeddingBackend;
use rayon::prelude::*;

use crate::audit::Audit;
use crate::calibration::{Calibration, Copies, Excesses, LEAST_IMAGES, Levels, Strangers, typical_level};
use crate::collection::Collection;
use crate::keypoints::{self, Compared, KeypointRows};
use crate::linkage::NearPair;
use crate::pairs::{self, NearPairs, Wanted};
use crate::progress::{Progress, Stage};
use crate::scan::{Scan, ScanError};
use crate::tier::Near;
use crate::tier_options::Decision;

/// What a search among images by their embeddings found.
pub(crate) struct NearImages {
    /// By their distances.
    pub(crate) pairs: Vec<NearPair>,
    pub(crate) near: Near,
    /// The similarity from which on most images are near duplicates.
    pub(crate) threshold: f32,
    pub(crate) calibration: Option<Calibration>,
    pub(crate) truncated: usize,
    pub(crate) audit: Option<Audit>,
    /// The time that filling and building the index took.
    pub(crate) index: Duration,
}

/// What other tiers found to be copies of each other.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Of images that stand for themselves.
    pub(crate) groups: Vec<Vec<u32>>,
    /// Pairs in groups, of all images.
    pub(crate) pairs: usize,
    /// Whether there are other tiers.
    pub(crate) has_others: bool,
}

/// The pairs that may be near: all that are, and where the threshold is read from the collection, strangers too.
pub(crate) fn near_images(
    collection: &Collection,
    backend: &dyn EmbeddingBackend,
    decision: Decision,
    known: &Known,
    images: usize,
    scan: &Scan<'_>,
) -> Result<NearImages, ScanError> {
    let space = backend.space();
    let wanted = |similarity: f32| Wanted {
        max_distance: space.max_distance(similarity),
        audited_distance: space.max_distance(decision.threshold.unwrap_or(similarity)),
        limit: pairs::LIMIT,
        min_recall: scan.min_recall(),
    };
    let find = |similarity| pairs::find(collection, scan.make_index(), wanted(similarity), scan.progress());
    let strangers = Strangers::new(images, &known.groups);
    let asked = decision.precision.filter(|_| collection.len() >= LEAST_IMAGES);
    let level = asked.and_then(|precision| Some((precision, typical_level(collection, space, &strangers)?)));
    let Some((precision, level)) = level else {
        let threshold = decision.threshold.ok_or(ScanError::NoThreshold { backend: backend.info().name })?;
        let NearPairs { pairs, truncated, audit, index } = find(threshold)?;
        let near = Near::Within(space.max_distance(threshold));
        return Ok(NearImages { pairs, near, threshold, calibration: None, truncated, audit, index });
    };
    let NearPairs { pairs, truncated, audit, index } = find(level)?;
    let levels = Levels::new(images, &pairs, space, &strangers, level);
    let between_strangers = pairs.iter().filter(|pair| strangers.are(pair.a, pair.b));
    let excesses = between_strangers.map(|pair| space.similarity(pair.distance) - levels.lower(pair.a, pair.b));
    let excesses = Excesses::new(excesses, 1.0 - level);
    let fit = excesses.fit(if known.pairs == 0 { Copies::Anywhere } else { Copies::Leftovers });
    let margin = fit.map_or(1.0 - level, |fit| excesses.margin(&fit, precision, known.pairs));
    let levels = levels.with_margin(margin);
    let levels = if known.has_others { levels.with_others(strangers) } else { levels };
    let tail = fit.map_or(0.0, |fit| fit.tail as f32);
    let calibration = Calibration {
        precision,
        level,
        margin,
        tail,
        strangers: fit.map_or(0.0, |fit| fit.strangers),
        expected_wrong: fit.map_or(0.0, |fit| fit.beyond(f64::from(margin))),
        crowded: levels.higher_by(3.0 * tail),
    };
    let threshold = levels.threshold();
    let calibration = Some(calibration);
    Ok(NearImages { pairs, near: Near::Calibrated(levels), threshold, calibration, truncated, audit, index })
}

/// What images have in common that may have anything.
pub(crate) fn compared(rows: &KeypointRows, progress: &dyn Progress) -> Compared {
    progress.begin(Stage::Search, Some(keypoints::steps()));
    let candidates = keypoints::candidates(rows, || {
        progress.advance(Stage::Search, 1);
        if progress.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    progress.begin(Stage::Search, Some(candidates.len()));
    let compared = candidates.into_par_iter().fold(Compared::default, |mut compared, (a, b)| {
        if !progress.is_cancelled() {
            progress.advance(Stage::Search, 1);
            if let Some(found) = rows.compare(a, b) {
                compared.push(a, b, found);
            }
        }
        compared
    });
    compared.reduce(Compared::default, Compared::and)
}
