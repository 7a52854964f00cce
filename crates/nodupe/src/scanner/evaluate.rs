//! How well a scan finds what is labelled.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nodupe_core::{Describes, EmbeddingBackend, Embeddings, IndexSpec, SimilarityBackend};
use nodupe_dedup::Stage;
use nodupe_eval::{Cost, EvalError, GroupScore, Labels, Measured, Ranking, Vectors, memory, rank};
use nodupe_media::DecodePool;
use nodupe_select::{Preference, SelectError, Selector};

use crate::choice;
use crate::compute::compute_views;
use crate::scanner::{Scanner, ScannerError};

/// Why a scan could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The scan failed.
    #[error(transparent)]
    Scan(#[from] ScannerError),
    /// What was embedded could not be ranked.
    #[error(transparent)]
    Eval(#[from] EvalError),
}

impl From<SelectError> for EvaluateError {
    fn from(error: SelectError) -> Self {
        Self::Scan(error.into())
    }
}

impl Scanner<'_> {
    /// Scans the files of a labelled set, scores the groups, and where `ranked` says so embeds the files once more to rank all pairs by
    /// exact search: by the embeddings of the chosen backend alone, whatever other tiers the scan asks, and not at all where these
    /// describe keypoints.
    ///
    /// The peak of memory is that of this process up to the end of the scan: it is the scan's only where nothing larger ran before, so
    /// give each evaluation a process of its own. The speed of decoding, and the size of the index, are taken after it where `ranked`.
    ///
    /// # Errors
    /// [`EvaluateError`]; [`EvalError::Interrupted`] where the progress cancels.
    pub fn evaluate(&self, labels: &Labels, ranked: bool) -> Result<Measured, EvaluateError> {
        let scanned = self.run(labels.paths())?;
        let peak_memory = memory::peak();
        self.check()?;
        let (report, stats) = (&scanned.report, &scanned.report.stats);
        let groups = report.groups.iter().map(|group| group.files.iter().map(|file| file.path.as_path()));
        let name = |report: &nodupe_select::Report| report.selected().map_or("none", |attempt| attempt.name).to_owned();
        let mut measured = Measured {
            embedding: name(&scanned.embedding),
            model: scanned.space.model().to_owned(),
            tiers: report.tiers.iter().map(|tier| tier.backend.to_owned()).collect(),
            similarity: scanned.similarity.as_ref().map(name),
            // One threshold says it only where one backend was asked, and for all images the same.
            threshold: match &report.tiers[..] {
                [tier] if tier.calibration.is_none() => Some(tier.threshold),
                _ => None,
            },
            groups: GroupScore::of(labels, groups),
            ranking: None,
            cost: Cost {
                images: stats.images as u64,
                unreadable: report.skipped.iter().filter(|skipped| skipped.error != "undescribable").count() as u64,
                decode_seconds: None,
                embed_seconds: stats.timings.embed_busy.as_secs_f64(),
                index_seconds: stats.timings.search.as_secs_f64(),
                total_seconds: stats.timings.total.as_secs_f64(),
                peak_memory,
                index_bytes: None,
            },
        };
        if ranked {
            self.rank(labels, &mut measured)?;
        }
        Ok(measured)
    }

    fn rank(&self, labels: &Labels, measured: &mut Measured) -> Result<(), EvaluateError> {
        let registry = choice::registry(self.registry);
        let backend = choice::selector(&registry, &self.options, self.embedding.as_ref()).embedding()?.backend;
        if backend.matching().describes == Describes::Keypoints {
            // They have no similarity that all pairs could be ranked by.
            return Ok(());
        }
        measured.cost.decode_seconds = Some(self.decode(&*backend, labels.paths())?);
        let vectors = self.vectors(&*backend, labels.paths())?;
        let spec = IndexSpec::new(backend.space()).with_expected_len(vectors.rows().len());
        let mut index = choice::selector(&registry, &self.options, self.similarity.as_ref()).similarity(&spec)?.backend;
        measured.cost.index_bytes = Some(size(&mut *index, &vectors)?);
        drop(index);
        // What ranks is not what is measured: it has to be exact, whatever is wished for.
        let exact = Selector::new(&registry).with_preference(Preference::auto()).similarity(&spec.with_exact())?;
        let mut exact = exact.backend;
        let ranking: Ranking = rank(labels, &vectors, &mut *exact, &|| self.progress.is_cancelled())?;
        measured.ranking = Some(ranking);
        Ok(())
    }

    /// The time that decoding takes alone.
    fn decode(&self, backend: &dyn EmbeddingBackend, paths: Vec<PathBuf>) -> Result<f64, EvaluateError> {
        self.progress.begin(Stage::Embed, Some(paths.len()));
        let started = Instant::now();
        for _ in DecodePool::new(self.decoding.clone()).decode(*backend.input_spec(), paths) {
            self.progress.advance(Stage::Embed, 1);
            self.check()?;
        }
        Ok(started.elapsed().as_secs_f64())
    }

    /// The embeddings of files, in their order, in the views that a scan looks at.
    fn vectors(&self, backend: &dyn EmbeddingBackend, paths: Vec<PathBuf>) -> Result<Vectors, EvaluateError> {
        let views = backend.matching().orientation.views(self.views);
        let mut rows: Vec<Vec<Embeddings>> = vec![Vec::new(); paths.len()];
        self.progress.begin(Stage::Embed, Some(paths.len()));
        for (number, outcome) in compute_views(backend, views, paths, self.decoding.clone()) {
            // What has no embedding is in no pair, and the scan has said why.
            if let Ok(views) = outcome {
                rows[number] = views;
            }
            self.progress.advance(Stage::Embed, 1);
            self.check()?;
        }
        let mut vectors = Vectors::new(backend.space(), views.len());
        for views in rows {
            vectors.push(&views).map_err(EvalError::from)?;
        }
        Ok(vectors)
    }

    fn check(&self) -> Result<(), EvaluateError> {
        if self.progress.is_cancelled() { Err(EvalError::Interrupted.into()) } else { Ok(()) }
    }
}

/// Bytes of an index of the vectors as it is saved.
fn size(index: &mut dyn SimilarityBackend, vectors: &Vectors) -> Result<u64, EvalError> {
    index.add(&vectors.ids(), vectors.rows())?;
    index.build(&mut |_, _| std::ops::ControlFlow::Continue(()))?;
    let io = |source| EvalError::Io { path: std::env::temp_dir(), source };
    let folder = tempfile::tempdir().map_err(io)?;
    index.save(folder.path())?;
    bytes_in(folder.path()).map_err(io)
}

fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
