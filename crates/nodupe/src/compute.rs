//! Files to embeddings, without a pipeline.

use std::collections::VecDeque;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nodupe_core::{EmbedError, EmbeddedBatch, EmbeddingBackend, Embeddings, ImageBatch, Undescribable, View};
use nodupe_media::{DecodePool, Decoding, MediaError, PoolOptions, decode};

/// Why a file has no embedding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComputeError {
    /// The file could not be read as an image: not there, unknown, broken, or over a limit.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// There is too little in the image to tell it from others.
    #[error("{path}", path = path.display())]
    Undescribable {
        /// The file.
        path: PathBuf,
        /// What is missing.
        source: Undescribable,
    },
    /// The backend failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl ComputeError {
    /// What is wrong, without the path and with all that the libraries below said of it, in one line.
    pub fn reason(&self) -> String {
        match self {
            Self::Media(error) => error.reason(),
            Self::Undescribable { source, .. } => source.to_string(),
            Self::Embed(error) => chain(error),
        }
    }

    /// The kind of reason, as in JSON: `not-found`, `unsupported-format`, `decode`, `limit-exceeded`, `io`,
    /// `undescribable` or `backend`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Media(error) => error.kind(),
            Self::Undescribable { .. } => "undescribable",
            Self::Embed(_) => "backend",
        }
    }
}

/// The embedding of an image file: one row, or several where the backend describes parts of it.
///
/// # Errors
/// [`ComputeError`].
#[doc(alias = "get_embedding")]
pub fn compute_embedding(backend: &dyn EmbeddingBackend, path: impl AsRef<Path>) -> Result<Embeddings, ComputeError> {
    let path = path.as_ref();
    let pixels = decode(path, backend.input_spec())?.pixels;
    as_it_is(backend, embed_one(backend, &[View::Identity], path, &pixels))
}

/// The embeddings of many image files: one outcome a file, each with its place in `paths`, as they are ready. A file that
/// cannot be embedded costs nothing but its own outcome.
///
/// Decoding runs ahead as `decoding` says (`PoolOptions::default()`: on all cores). Images are embedded in batches of as
/// many as the backend takes to advantage, or 64, and of at most 64 MiB of pixels; where a batch fails, its images are
/// embedded one by one.
pub fn compute_embeddings(
    backend: &dyn EmbeddingBackend,
    paths: impl IntoIterator<Item = PathBuf>,
    decoding: PoolOptions,
) -> impl Iterator<Item = (usize, Result<Embeddings, ComputeError>)> {
    compute_views(backend, &[View::Identity], paths, decoding)
        .map(move |(number, outcome)| (number, as_it_is(backend, outcome)))
}

/// [`compute_embeddings`] of every image under each of `views`, which begin with the identity: one list of rows a view,
/// empty where the image cannot be described that way.
pub(crate) fn compute_views<'a>(
    backend: &'a dyn EmbeddingBackend,
    views: &'a [View],
    paths: impl IntoIterator<Item = PathBuf>,
    decoding: PoolOptions,
) -> Computing<'a> {
    let paths: Arc<[PathBuf]> = paths.into_iter().collect();
    let spec = *backend.input_spec();
    let drawn = Arc::clone(&paths);
    let drawn = (0..paths.len()).map(move |number| drawn.get(number).cloned().unwrap_or_default());
    let wanted = backend.max_batch().map_or(BATCH, NonZeroUsize::get);
    Computing {
        backend,
        views,
        batch: wanted.min(BATCH_BYTES / spec.bytes().max(1)).max(1),
        paths,
        decoding: Some(DecodePool::new(decoding).decode(spec, drawn)),
        waiting: Vec::new(),
        pixels: Vec::new(),
        ready: VecDeque::new(),
    }
}

/// Images a batch for a backend that does not care.
const BATCH: usize = 64;
/// Bytes of pixels that wait for a batch to be full.
const BATCH_BYTES: usize = 64 << 20;

/// The rows of an image, one list for each view.
type Rows = Result<Vec<Embeddings>, ComputeError>;

pub(crate) struct Computing<'a> {
    backend: &'a dyn EmbeddingBackend,
    views: &'a [View],
    batch: usize,
    paths: Arc<[PathBuf]>,
    /// `None` once it is stopped.
    decoding: Option<Decoding>,
    /// Whose pixels `pixels` are, in their order.
    waiting: Vec<usize>,
    pixels: Vec<u8>,
    ready: VecDeque<(usize, Rows)>,
}

impl Iterator for Computing<'_> {
    type Item = (usize, Rows);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(outcome) = self.ready.pop_front() {
                return Some(outcome);
            }
            match self.decoding.as_mut()?.next() {
                Some((number, Ok(decoded))) => {
                    self.waiting.push(number);
                    self.pixels.extend_from_slice(&decoded.pixels);
                    if self.waiting.len() >= self.batch {
                        self.embed();
                    }
                }
                Some((number, Err(error))) => return Some((number, Err(error.into()))),
                None if self.waiting.is_empty() => return None,
                None => self.embed(),
            }
        }
    }
}

impl Computing<'_> {
    /// Begins nothing more: what is left to come is what has been embedded.
    #[cfg(feature = "dedup")]
    pub(crate) fn stop(&mut self) {
        self.decoding = None;
    }

    /// Embeds what waits.
    fn embed(&mut self) {
        let paths: Vec<&Path> = self.waiting.iter().map(|&number| self.path(number)).collect();
        let outcomes = match embed_batch(self.backend, self.views, &paths, &self.pixels) {
            Ok(outcomes) => outcomes,
            // An error of the backend is that of one image, and may be for the size of the batch.
            Err(_) if paths.len() > 1 => {
                let images = self.pixels.chunks_exact(self.backend.input_spec().bytes().max(1));
                let one = |(path, pixels): (&&Path, _)| embed_one(self.backend, self.views, path, pixels);
                paths.iter().zip(images).map(one).collect()
            }
            Err(error) => vec![Err(error.into())],
        };
        self.ready.extend(self.waiting.drain(..).zip(outcomes));
        self.pixels.clear();
    }

    fn path(&self, number: usize) -> &Path {
        self.paths.get(number).map_or(Path::new(""), PathBuf::as_path)
    }
}

/// Of the rows of an image those of the first view.
fn as_it_is(backend: &dyn EmbeddingBackend, outcome: Rows) -> Result<Embeddings, ComputeError> {
    outcome?.into_iter().next().ok_or_else(|| broken(backend, 1, 0).into())
}

fn embed_one(backend: &dyn EmbeddingBackend, views: &[View], path: &Path, pixels: &[u8]) -> Rows {
    // There is one outcome, and if there were none that would be an error already.
    embed_batch(backend, views, &[path], pixels)?.pop().unwrap_or_else(|| Err(broken(backend, 1, 0).into()))
}

/// One outcome for each of `paths`, whose pixels follow each other.
fn embed_batch(
    backend: &dyn EmbeddingBackend,
    views: &[View],
    paths: &[&Path],
    pixels: &[u8],
) -> Result<Vec<Rows>, EmbedError> {
    let batch = ImageBatch::for_spec(backend.input_spec(), pixels)?;
    let batches = match views {
        [View::Identity] => vec![backend.embed(&batch)?],
        views => backend.embed_views(&batch, views)?,
    };
    if let Some(wrong) = batches.iter().find(|batch| batch.outcomes().len() != paths.len()) {
        return Err(broken(backend, paths.len(), wrong.outcomes().len()));
    }
    if batches.len() != views.len() {
        return Err(broken(backend, paths.len() * views.len(), paths.len() * batches.len()));
    }
    let of_image = |(image, path): (usize, &&Path)| {
        let of_view = |(view, batch): (usize, &EmbeddedBatch)| {
            let rows = batch.embeddings().view();
            match &batch.outcomes()[image] {
                Ok(range) => match rows.slice(range.clone()) {
                    Some(rows) => Ok(rows.to_owned()),
                    None => Err(broken(backend, range.len(), 0).into()),
                },
                Err(why) if view == 0 => {
                    Err(ComputeError::Undescribable { path: path.to_path_buf(), source: why.clone() })
                }
                Err(_) => Ok(Embeddings::new(backend.space().clone())),
            }
        };
        batches.iter().enumerate().map(of_view).collect()
    };
    Ok(paths.iter().enumerate().map(of_image).collect())
}

fn broken(backend: &dyn EmbeddingBackend, images: usize, outcomes: usize) -> EmbedError {
    EmbedError::Contract { backend: backend.info().name, detail: format!("{images} images have {outcomes} outcomes") }
}

/// An error and its sources in one line; what the text before quotes already is left out.
fn chain(error: &dyn Error) -> String {
    let line = |error: &dyn Error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = line(error);
    let mut source = error.source();
    while let Some(error) = source {
        let said = line(error);
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}
