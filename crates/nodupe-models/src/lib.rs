#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod catalogue;
mod digest;
mod error;
mod library;
mod manifest;
mod model;
mod outcomes;
mod pixels;
mod source;

pub use catalogue::{catalogue, entry};
pub use digest::{Digest, Digester, InvalidDigest};
pub use error::ModelError;
pub use library::{FOLDERS_VARIABLE, ModelLibrary, cache_dir};
pub use manifest::{
    Artifact, Format, Input, Layout, Licence, Manifest, Output, Precision, Tensor, TensorElement, Threshold,
};
pub use model::Model;
pub use outcomes::{BLANK_RANGE, outcomes};
pub use source::{Download, Source};
