//! Why an index of images could not be made, changed or asked.

use std::path::PathBuf;

use nodupe_core::{EmbeddingSpace, IndexError};
use nodupe_index::BundleError;
use nodupe_select::SelectError;

/// Why an index of images could not be made, changed or asked. What is wrong with one file is an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexerError {
    /// There is an index already where a new one should be.
    #[error("{path} is an index already", path = path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// No backend of the kind that was asked for can run.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// No backend gives embeddings of the space that the index holds.
    #[error("no backend here gives embeddings of {space}, which the index holds; {help}")]
    Space {
        /// The space of the index.
        space: Box<EmbeddingSpace>,
        /// What to do about it.
        help: String,
        /// What was tried.
        source: Box<SelectError>,
    },
    /// The rows of a backend describe parts of images. Parts that are alike say nothing of their images one by one, so an index does
    /// not hold them.
    #[error(
        "an index holds embeddings of whole images, and those of {backend} describe keypoints in them; name another backend, or \
         compare the files themselves: a scan does ask {backend}"
    )]
    Parts {
        /// The backend.
        backend: &'static str,
    },
    /// The bundle could not be opened or saved.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The similarity backend failed.
    #[error(transparent)]
    Index(#[from] IndexError),
}
