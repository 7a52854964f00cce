//! Batches, an image a thread.

use std::num::NonZeroUsize;
use std::time::Instant;

use nodupe_core::{
    BackendInfo, BoxError, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, ImageBatch, InputSpec,
    Matching, Reason, Unavailable, package,
};
use nodupe_models::{Format, Manifest, Model, ModelError, Precision, outcomes};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::network::{Network, Runner};

pub(crate) const NAME: &str = "tract-cpu";
const INFO: BackendInfo = BackendInfo::new(NAME, package!());

/// The precision of a model in 8-bit integers as tract runs it: it makes floats of the integers, and never rounds to
/// integers in between as a runtime does that computes in them. See the README for how far the vectors are apart.
const DEQUANTISED: &str = "int8-dequantised";

/// The space of a model's embeddings when tract runs it.
pub(crate) fn space(manifest: &Manifest) -> Result<EmbeddingSpace, ModelError> {
    let artifact = manifest.artifact(Format::Onnx);
    let artifact = artifact.ok_or_else(|| ModelError::NoArtifact { id: manifest.id.clone(), format: Format::Onnx })?;
    let space = manifest.space()?;
    Ok(if artifact.precision == Precision::Int8 { space.with_precision(DEQUANTISED) } else { space })
}

/// An ONNX model run by tract.
#[derive(Debug)]
pub struct TractCpu {
    space: EmbeddingSpace,
    spec: InputSpec,
    matching: Matching,
    network: Network,
    pool: Option<ThreadPool>,
    max_batch: Option<NonZeroUsize>,
}

impl TractCpu {
    /// Reads the model's ONNX file, makes it ready and tries it on an image.
    ///
    /// With `threads`, it has a pool of that many of its own; otherwise it computes on rayon's global pool, which the
    /// application has set up for all that it does.
    ///
    /// # Errors
    /// [`Unavailable`] with [`Reason::ModelMissing`] where the model has no ONNX file; [`Reason::ModelUnusable`] where the
    /// file is not what the manifest says or tract cannot run it, with the name of the operator; [`Reason::Resources`] where
    /// the system gives no threads.
    pub fn new(model: &Model, threads: Option<NonZeroUsize>) -> Result<Self, Unavailable> {
        let started = Instant::now();
        let manifest = model.manifest();
        let backend = Self {
            space: space(manifest)?,
            spec: manifest.input_spec(),
            matching: manifest.matching(),
            network: Network::new(&model.read(Format::Onnx)?, manifest)?,
            pool: threads.map(pool).transpose()?,
            max_batch: None,
        };
        backend.try_one().map_err(|source| {
            let detail = "tract makes no vector of an image with it".to_owned();
            ModelError::Unusable { id: manifest.id.clone(), detail, source: Some(source.into()) }
        })?;
        tracing::debug!(model = manifest.id, took = ?started.elapsed(), "the network is ready");
        Ok(backend)
    }

    /// The same that says it wants no more than so many images in a call. It has no reason of its own to.
    #[must_use]
    pub fn with_max_batch(mut self, images: Option<NonZeroUsize>) -> Self {
        self.max_batch = images;
        self
    }

    /// Runs the network once: what fails on any image fails here.
    fn try_one(&self) -> Result<(), EmbedError> {
        let pixels: Vec<u8> = (0..self.spec.bytes()).map(|place| (place * 31 % 251) as u8).collect();
        let batch = ImageBatch::for_spec(&self.spec, &pixels)?;
        self.embed(&batch).map(|_| ())
    }

    /// The rows of all images, one after the other.
    fn rows(&self, batch: &ImageBatch<'_>) -> Result<Vec<f32>, EmbedError> {
        let mut rows = vec![0.0; batch.len() * self.dim()];
        let images = batch.data().par_chunks(self.spec.bytes());
        let work = |runner: &mut Option<Runner>, (row, image): (&mut [f32], &[u8])| {
            let image = ImageBatch::for_spec(&self.spec, image)?;
            let runner = match runner {
                Some(runner) => runner,
                none => none.insert(self.network.runner().map_err(failed)?),
            };
            self.network.run(runner, &image, row).map_err(failed)
        };
        rows.par_chunks_mut(self.dim()).zip(images).try_for_each_init(|| None, work)?;
        Ok(rows)
    }
}

fn failed(source: BoxError) -> EmbedError {
    EmbedError::Backend { backend: NAME, source }
}

fn pool(threads: NonZeroUsize) -> Result<ThreadPool, Unavailable> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.get()).thread_name(|number| format!("{NAME}-{number}"));
    pool.build().map_err(|source| {
        let detail = format!("the system does not give {threads} threads");
        Unavailable::new(Reason::Resources, detail).with_source(source)
    })
}

impl EmbeddingBackend for TractCpu {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.spec
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.spec)?;
        let rows = match &self.pool {
            Some(pool) => pool.install(|| self.rows(batch)),
            None => self.rows(batch),
        }?;
        outcomes(NAME, &self.space, batch, rows)
    }

    fn matching(&self) -> Matching {
        self.matching
    }

    fn max_batch(&self) -> Option<NonZeroUsize> {
        self.max_batch
    }
}
