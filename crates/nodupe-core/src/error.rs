//! Why something did not work: one enum for each area, foreign errors as boxed sources.

use std::error::Error;
use std::path::PathBuf;

use crate::item::ItemId;
use crate::space::EmbeddingSpace;
use crate::unavailable::Unavailable;
use crate::view::View;

/// An error of another library, kept as a source.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// A value that no embedding space can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// A vector has at least one dimension.
    #[error("an embedding space has at least one dimension")]
    ZeroDim,
    /// Bits are stored in whole bytes.
    #[error("packed bits come in whole bytes: {bits} is not a multiple of 8")]
    UnalignedBits {
        /// The number of bits that was asked for.
        bits: usize,
    },
    /// A vector that is too long to be meant.
    #[error("{dim} dimensions are more than the {max} that an embedding space may have")]
    TooLarge {
        /// The dimension that was asked for.
        dim: usize,
        /// The largest one.
        max: usize,
    },
    /// The parts do not go together, or a name is not known to this version.
    #[error("no such embedding space: {detail}")]
    Unknown {
        /// Which part, and why.
        detail: String,
    },
}

/// Why a batch could not be embedded. It is the backend that failed: an image without an embedding is an outcome
/// ([`Undescribable`](crate::Undescribable)), not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The images are not what the backend's [`InputSpec`](crate::InputSpec) asks for, or the batch is not whole.
    #[error("wrong images: {detail}")]
    Shape {
        /// What was expected and what was given.
        detail: String,
    },
    /// The backend cannot see images this way.
    #[error("the view {view} needs square images")]
    UnsupportedView {
        /// The view that was asked for.
        view: View,
    },
    /// What the backend made breaks the contract of [`EmbeddingBackend`](crate::EmbeddingBackend).
    #[error("the backend {backend} broke its contract: {detail}")]
    Contract {
        /// The backend's name.
        backend: &'static str,
        /// Which promise.
        detail: String,
    },
    /// The runtime under the backend failed.
    #[error("the backend {backend} failed")]
    Backend {
        /// The backend's name.
        backend: &'static str,
        /// What the runtime said.
        source: BoxError,
    },
}

/// Why an index could not do what it was asked for. A failed call changes nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Vectors of another embedding space: they mean nothing here.
    #[error("vectors of the space {given} do not belong in an index of {expected}")]
    SpaceMismatch {
        /// The space of the index.
        expected: Box<EmbeddingSpace>,
        /// The space of the vectors.
        given: Box<EmbeddingSpace>,
    },
    /// The data is not rows of the dimension of its space.
    #[error("wrong rows: {detail}")]
    Shape {
        /// What was expected and what was given.
        detail: String,
    },
    /// There are not as many ids as rows.
    #[error("{ids} ids were given for {rows} rows")]
    LengthMismatch {
        /// Number of ids.
        ids: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A component is NaN or infinite.
    #[error("row {row} has a component that is not finite")]
    NotFinite {
        /// Which row of the call.
        row: usize,
    },
    /// A row of a cosine space is not of unit length (see [`UNIT_TOLERANCE`](crate::UNIT_TOLERANCE)).
    #[error("row {row} has length {length}, and a cosine space holds unit vectors: normalise it first")]
    NotUnit {
        /// Which row of the call.
        row: usize,
        /// Its length.
        length: f32,
    },
    /// An id stands twice in one call.
    #[error("the id {id} stands twice in one call")]
    DuplicateId {
        /// The id.
        id: ItemId,
    },
    /// An id is in the index already; `upsert` replaces.
    #[error("the id {id} is in the index already; use upsert to replace it")]
    AlreadyPresent {
        /// The id.
        id: ItemId,
    },
    /// No vector of this id is in the index.
    #[error("the id {id} is not in the index")]
    NotFound {
        /// The id.
        id: ItemId,
    },
    /// A distance that nothing can be within.
    #[error("{distance} is no distance: it must be a number from 0 upwards")]
    InvalidDistance {
        /// The distance.
        distance: f32,
    },
    /// The backend cannot do this, now or ever.
    #[error("the backend {backend} cannot {operation}: {detail}")]
    Unsupported {
        /// The backend's name.
        backend: &'static str,
        /// The operation, as the trait calls it.
        operation: &'static str,
        /// Why not.
        detail: String,
    },
    /// The index holds all that it can.
    #[error("the index is full at {limit} vectors")]
    Full {
        /// The most that it holds.
        limit: usize,
    },
    /// The caller's callback asked to stop. The index is as it was.
    #[error("stopped as asked")]
    Cancelled,
    /// A stored index contradicts itself.
    #[error("{path} is damaged: {detail}", path = path.display())]
    Corrupt {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A stored index of a format that this version does not read.
    #[error("{path} has format version {found}, and this program reads up to {supported}: update it", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it says it has.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// Reading or writing failed.
    #[error("{path}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The backend that is needed cannot run here.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The library or server under the backend failed.
    #[error("the backend {backend} failed")]
    Backend {
        /// The backend's name.
        backend: &'static str,
        /// What it said.
        source: BoxError,
    },
}

impl IndexError {
    /// Makes an [`IndexError::Io`] of what the system said about `path`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// An [`IndexError::Corrupt`].
    pub fn corrupt(path: impl Into<PathBuf>, detail: impl Into<String>) -> Self {
        Self::Corrupt { path: path.into(), detail: detail.into() }
    }
}
