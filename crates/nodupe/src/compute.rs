//! Files to embeddings, without a pipeline.

use std::collections::VecDeque;
use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nodupe_core::{EmbedError, EmbeddingBackend, Embeddings, ImageBatch, Undescribable};
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
    embed_one(backend, path, &decode(path, backend.input_spec())?.pixels)
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
    let paths: Arc<[PathBuf]> = paths.into_iter().collect();
    let spec = *backend.input_spec();
    let drawn = Arc::clone(&paths);
    let drawn = (0..paths.len()).map(move |number| drawn.get(number).cloned().unwrap_or_default());
    let wanted = backend.max_batch().map_or(BATCH, NonZeroUsize::get);
    Computing {
        backend,
        batch: wanted.min(BATCH_BYTES / spec.bytes().max(1)).max(1),
        paths,
        decoding: DecodePool::new(decoding).decode(spec, drawn),
        waiting: Vec::new(),
        pixels: Vec::new(),
        ready: VecDeque::new(),
    }
}

/// Images a batch for a backend that does not care.
const BATCH: usize = 64;
/// Bytes of pixels that wait for a batch to be full.
const BATCH_BYTES: usize = 64 << 20;

type Outcome = (usize, Result<Embeddings, ComputeError>);

struct Computing<'a> {
    backend: &'a dyn EmbeddingBackend,
    batch: usize,
    paths: Arc<[PathBuf]>,
    decoding: Decoding,
    /// Whose pixels `pixels` are, in their order.
    waiting: Vec<usize>,
    pixels: Vec<u8>,
    ready: VecDeque<Outcome>,
}

impl Iterator for Computing<'_> {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        loop {
            if let Some(outcome) = self.ready.pop_front() {
                return Some(outcome);
            }
            match self.decoding.next() {
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
    /// Embeds what waits.
    fn embed(&mut self) {
        let paths: Vec<&Path> = self.waiting.iter().map(|&number| self.path(number)).collect();
        let outcomes = match embed_batch(self.backend, &paths, &self.pixels) {
            Ok(outcomes) => outcomes,
            // An error of the backend is that of one image, and may be for the size of the batch.
            Err(_) if paths.len() > 1 => {
                let images = self.pixels.chunks_exact(self.backend.input_spec().bytes().max(1));
                paths.iter().zip(images).map(|(path, pixels)| embed_one(self.backend, path, pixels)).collect()
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

fn embed_one(backend: &dyn EmbeddingBackend, path: &Path, pixels: &[u8]) -> Result<Embeddings, ComputeError> {
    // There is one outcome, and if there were none that would be an error already.
    embed_batch(backend, &[path], pixels)?.pop().unwrap_or_else(|| Err(broken(backend, 1, 0).into()))
}

/// One outcome for each of `paths`, whose pixels follow each other.
fn embed_batch(
    backend: &dyn EmbeddingBackend,
    paths: &[&Path],
    pixels: &[u8],
) -> Result<Vec<Result<Embeddings, ComputeError>>, EmbedError> {
    let batch = backend.embed(&ImageBatch::for_spec(backend.input_spec(), pixels)?)?;
    if batch.outcomes().len() != paths.len() {
        return Err(broken(backend, paths.len(), batch.outcomes().len()));
    }
    let rows = batch.embeddings().view();
    let outcome = |(path, outcome): (&&Path, &Result<Range<usize>, Undescribable>)| match outcome {
        Ok(range) => match rows.slice(range.clone()) {
            Some(rows) => Ok(rows.to_owned()),
            None => Err(broken(backend, range.len(), 0).into()),
        },
        Err(why) => Err(ComputeError::Undescribable { path: path.to_path_buf(), source: why.clone() }),
    };
    Ok(paths.iter().zip(batch.outcomes()).map(outcome).collect())
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
