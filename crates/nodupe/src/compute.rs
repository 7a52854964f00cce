//! Files to embeddings, without a pipeline.

use std::path::{Path, PathBuf};

use nodupe_core::{EmbedError, EmbeddingBackend, Embeddings, ImageBatch, Undescribable};
use nodupe_media::{DecodePool, Decoded, MediaError, PoolOptions, decode};

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
    /// What is wrong, without the path, in one line.
    pub fn reason(&self) -> String {
        match self {
            Self::Media(error) => error.reason(),
            Self::Undescribable { source, .. } => source.to_string(),
            Self::Embed(error) => error.to_string(),
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
    embed_one(backend, path, decode(path, backend.input_spec()))
}

/// The embeddings of many image files: one outcome a file, each with its place in `paths`, as they are ready. Decoding
/// runs ahead as `decoding` says (`PoolOptions::default()`: on all cores); a file that cannot be embedded costs nothing but
/// its own outcome. Every image is embedded by itself; the
/// pipeline of `nodupe-dedup` fills batches.
pub fn compute_embeddings(
    backend: &dyn EmbeddingBackend,
    paths: impl IntoIterator<Item = PathBuf>,
    decoding: PoolOptions,
) -> impl Iterator<Item = (usize, Result<Embeddings, ComputeError>)> {
    let paths: Vec<PathBuf> = paths.into_iter().collect();
    let decoded = DecodePool::new(decoding).decode(*backend.input_spec(), paths.clone());
    decoded.map(move |(number, decoded)| {
        let path = paths.get(number).cloned().unwrap_or_default();
        (number, embed_one(backend, &path, decoded))
    })
}

fn embed_one(
    backend: &dyn EmbeddingBackend,
    path: &Path,
    decoded: Result<Decoded, MediaError>,
) -> Result<Embeddings, ComputeError> {
    let decoded = decoded?;
    let batch = backend.embed(&ImageBatch::for_spec(backend.input_spec(), &decoded.pixels)?)?;
    match batch.outcomes() {
        [Ok(_)] => Ok(batch.into_embeddings()),
        [Err(why)] => Err(ComputeError::Undescribable { path: path.to_owned(), source: why.clone() }),
        outcomes => {
            let detail = format!("one image has {} outcomes", outcomes.len());
            Err(EmbedError::Contract { backend: backend.info().name, detail }.into())
        }
    }
}
