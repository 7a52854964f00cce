#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod check;
mod distance;
mod embedding;
mod embeddings;
mod error;
mod image;
mod info;
#[cfg(feature = "ndarray")]
mod interop;
mod item;
mod neighbors;
mod options;
mod registration;
mod registry;
mod rows_file;
mod similarity;
mod slot_map;
mod space;
mod suitability;
mod unavailable;
mod view;

pub use check::{check_add, check_distance, check_rows};
pub use distance::{dot, squared_euclidean};
pub use embedding::{Describes, EmbeddedBatch, EmbeddingBackend, Keypoint, Matching, Orientation, Undescribable};
pub use embeddings::{Embeddings, EmbeddingsRef, Row, Rows, UNIT_TOLERANCE};
pub use error::{BoxError, EmbedError, IndexError, SpaceError};
pub use image::{Channels, Filter, Fit, ImageBatch, InputSpec};
pub use info::{BackendInfo, Device, Package, UnknownDevice};
pub use item::ItemId;
pub use neighbors::{Neighbor, Neighbors, Pair};
pub use options::{OptionError, OptionKind, OptionSpec, Options};
pub use registration::{
    CreateEmbedding, CreateSimilarity, EmbeddingRegistration, IndexSpec, OpenSimilarity, Registration,
    SimilarityRegistration, Tier,
};
pub use registry::{Conflict, Registry, closest};
pub use rows_file::{read_rows, write_rows};
pub use similarity::{BuildPhase, SimilarityBackend, Storage};
pub use slot_map::SlotMap;
pub use space::{ElementType, EmbeddingSpace, Metric};
pub use suitability::Suitability;
pub use unavailable::{Reason, Unavailable};
pub use view::View;

/// For [`submit!`]; not part of the API.
#[doc(hidden)]
pub use inventory as __inventory;
