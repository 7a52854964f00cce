//! The backend itself.

use std::fmt;
use std::num::NonZeroUsize;
use std::thread;

use nodupe_core::{
    BackendInfo, BoxError, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, ImageBatch, InputSpec,
    Matching, Options, Reason, Unavailable, package,
};
use nodupe_models::{Format, Model, ModelLibrary, outcomes};
use ort::ep::ExecutionProviderDispatch;

use crate::log;
use crate::options::LIBRARY;
use crate::pool::{Plan, Pool};
use crate::runtime::{Runtime, Search};
use crate::session::GraphError;

pub(crate) const NAME: &str = "ort-cpu";
/// How often a batch gives every session as many images as it takes at once.
const ROUNDS: usize = 4;
const PACKAGES: &[&str] = &["onnxruntime", "onnxruntime-gpu"];

/// A model that ONNX Runtime runs: an embedding backend, on whatever [`Plan`] says.
pub struct Onnx {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    matching: Matching,
    batch: NonZeroUsize,
    pool: Pool,
}

impl Onnx {
    /// The ONNX file of `model`, whose bytes are `bytes`, in sessions as `plan` says, as the backend that `info` names.
    ///
    /// `batch` is what the user wants to embed in one call; `None`: what keeps every session busy.
    ///
    /// # Errors
    /// With [`Reason::ModelUnusable`] where the file is not what the manifest says, [`Reason::LibraryNotFound`] where the
    /// execution provider cannot be set up, [`Reason::Other`] where the runtime does not run the model.
    pub fn open(
        info: BackendInfo,
        runtime: &Runtime,
        model: &Model,
        bytes: &[u8],
        plan: &Plan,
        batch: Option<NonZeroUsize>,
    ) -> Result<Self, Unavailable> {
        let manifest = model.manifest();
        log::take_last_error();
        let pool = Pool::open(runtime, manifest, bytes, plan).map_err(|error| match error {
            GraphError::Model(error) => error.into(),
            GraphError::Provider(source) => {
                let name = plan.provider.as_ref().map_or("", ExecutionProviderDispatch::name);
                let detail = format!("the {name} of {} cannot be set up", runtime.library().display());
                Unavailable::new(Reason::LibraryNotFound, detail).with_source(logged(source))
            }
            GraphError::Runtime(source) => {
                let detail = format!("ONNX Runtime does not run the model {}", manifest.id);
                Unavailable::new(Reason::Other, detail).with_source(logged(source))
            }
        })?;
        // Some rounds, so that a session which is done early has something to do.
        let thought_best = NonZeroUsize::new(ROUNDS * pool.images()).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            info,
            space: manifest.space()?,
            input: manifest.input_spec(),
            matching: manifest.matching(),
            batch: batch.unwrap_or(thought_best),
            pool,
        })
    }
}

/// What a call said and what was logged meanwhile, which is often more.
fn logged(source: BoxError) -> BoxError {
    match log::take_last_error() {
        Some(logged) if !logged.contains(&source.to_string()) => format!("{source}: {logged}").into(),
        Some(logged) => logged.into(),
        None => source,
    }
}

impl EmbeddingBackend for Onnx {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let rows = self.pool.run(batch).map_err(|error| {
            let source = match error {
                GraphError::Model(error) => error.into(),
                GraphError::Provider(source) | GraphError::Runtime(source) => source,
            };
            EmbedError::Backend { backend: self.info.name, source }
        })?;
        outcomes(self.info.name, &self.space, batch, rows)
    }

    fn matching(&self) -> Matching {
        self.matching
    }

    fn max_batch(&self) -> Option<NonZeroUsize> {
        Some(self.batch)
    }
}

impl fmt::Debug for Onnx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onnx").field("info", &self.info).field("space", &self.space).finish_non_exhaustive()
    }
}

/// The model that `options` name, or the one that serves where they name none, with a file that ONNX Runtime reads.
///
/// # Errors
/// With [`Reason::ModelMissing`] and [`Reason::ModelUnusable`].
pub fn model(options: &Options) -> Result<Model, Unavailable> {
    let model = ModelLibrary::from_env().find(options.model())?;
    model.path(Format::Onnx)?;
    Ok(model)
}

pub(crate) fn space(options: &Options) -> Result<EmbeddingSpace, Unavailable> {
    Ok(model(options)?.manifest().space()?)
}

pub(crate) fn probe(options: &Options) -> Result<(), Unavailable> {
    model(options)?;
    search(options)?.probe()
}

pub(crate) fn create(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    let model = model(options)?;
    let runtime = search(options)?.load()?;
    let bytes = model.read(Format::Onnx)?;
    let threads = options.threads().or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let plan = Plan::on_processor(threads, bytes.len(), &model.manifest().input_spec());
    let info = BackendInfo::new(NAME, package!());
    Ok(Box::new(Onnx::open(info, &runtime, &model, &bytes, &plan, options.batch())?))
}

fn search(options: &Options) -> Result<Search, Unavailable> {
    Search::new(options, &LIBRARY, PACKAGES)
}
