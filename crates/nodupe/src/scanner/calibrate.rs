//! What threshold a collection asks for, and whether it keeps what it promises.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nodupe_dedup::{Report, TierReport, walk};
use nodupe_eval::{EvalError, GroupScore, Labels, Recipe, Share, TransformSet, generate};

use super::evaluate::EvaluateError;
use crate::effort::Effort;
use crate::scanner::Scanner;

/// The sets that copies are made for.
const SETS: [TransformSet; 2] = [TransformSet::Basic, TransformSet::Heavy];
/// Files that are looked at to find one photograph to copy.
const FILES_PER_PHOTOGRAPH: usize = 20;
/// By how many times larger collections thresholds are estimated for.
const LARGER: [usize; 4] = [1, 10, 100, 1_000];

/// How near is near in a collection, and how that was checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Calibrated {
    /// What the chosen backend did: its threshold, and how it was [chosen](TierReport::calibration).
    pub tier: TierReport,
    /// Copies that were made of photographs of the collection, by the transform that made them, and how many were in a group with
    /// their original.
    pub copies: BTreeMap<String, Share>,
    /// Pairs of files of the copied photographs that were reported, and how many of them are true. Photographs that are copies of each other
    /// to begin with count as wrong.
    pub reported: Share,
    /// The estimated thresholds for collections of the same kind that are larger, for the same precision: number of images and
    /// similarity. Empty where the threshold is fixed.
    pub larger: Vec<(usize, f32)>,
}

impl Scanner<'_> {
    /// Reads from the files at and below `roots` how near is near by the chosen backend alone, as a scan of them by it would; then scans them again
    /// with copies among them, which are made of `photographs` of them under `folder`, and counts what is found of these and what of it is wrong.
    ///
    /// Half of the photographs are copied as the basic set of [`nodupe_eval`] has it, half as the heavy one; all of them where there are fewer.
    /// The same files and the same number give the same result. What was made stays in the folder, whose owner removes it.
    ///
    /// # Errors
    /// [`EvaluateError`]: [`EvalError::TooFew`] where there are fewer than two photographs for a set, [`EvalError::Interrupted`] where the
    /// progress cancels, and what a scan fails by.
    pub fn calibrate(
        &self,
        roots: impl IntoIterator<Item = impl Into<PathBuf>>,
        photographs: usize,
        folder: &Path,
    ) -> Result<Calibrated, EvaluateError> {
        let mut roots: Vec<PathBuf> = roots.into_iter().map(Into::into).collect();
        let (files, skipped) = walk(&roots, self.walk, || !self.progress.is_cancelled());
        if let Some(gone) = skipped.into_iter().find(|skipped| roots.contains(&skipped.path)) {
            let source = std::io::Error::other(gone.message);
            return Err(EvalError::Io { path: gone.path, source }.into());
        }
        let named = roots.len();
        let wanted = photographs * FILES_PER_PHOTOGRAPH;
        let paths = files.iter().step_by(files.len().div_ceil(wanted.max(1)).max(1)).map(|file| file.path.clone());
        let paths: Vec<PathBuf> = paths.collect();
        let mut labels = Vec::new();
        for (place, set) in SETS.into_iter().enumerate() {
            let of_set: Vec<PathBuf> = paths.iter().skip(place).step_by(SETS.len()).cloned().collect();
            let recipe = Recipe::new(set, 1).with_photographs(photographs.div_ceil(SETS.len()));
            let folder = folder.join(set.name());
            let made = generate(&of_set, &recipe, &folder, &|_| !self.progress.is_cancelled())?;
            labels.push(Labels::open(made.labels)?);
            roots.push(folder);
        }
        let alone = self.clone().with_effort(Effort::Fast);
        // What is near is read from the collection as it is: with copies among it, it is another one.
        let collection = alone.run(&roots[..named])?.report;
        let report = alone.run(roots)?.report;
        if collection.interrupted || report.interrupted {
            return Err(EvalError::Interrupted.into());
        }
        Ok(calibrated(&collection, &report, &labels))
    }
}

/// What a scan of the collection decides by, and what one of it with the copies finds.
fn calibrated(collection: &Report, report: &Report, labels: &[Labels]) -> Calibrated {
    let mut score = GroupScore::default();
    for labels in labels {
        let groups = report.groups.iter().map(|group| group.files.iter().map(|file| file.path.as_path()));
        score.merge(&GroupScore::of(labels, groups));
    }
    let tier = collection.tiers.last().cloned().unwrap_or_default();
    let estimate = |times: usize| {
        let calibration = tier.calibration?;
        Some((tier.embedded * times, calibration.threshold_of_larger(times as f64)))
    };
    let larger = LARGER.into_iter().filter_map(estimate).collect();
    Calibrated { copies: score.by_transform, reported: score.reported, larger, tier }
}
