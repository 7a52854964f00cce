#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod add;
mod catalogue;
#[cfg(feature = "convert")]
mod convert;
mod digest;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
mod install;
mod library;
mod manifest;
mod model;
mod outcomes;
mod pixels;
mod runtimes;
mod source;

pub use catalogue::{catalogue, entry};
#[cfg(feature = "convert")]
pub use convert::{ConvertError, convert, seeded_weights};
pub use digest::{Digest, Digester, InvalidDigest};
pub use error::ModelError;
#[cfg(feature = "fetch")]
pub use fetch::{FetchError, FetchProgress, Fetcher, Hub, PIP_VARIABLE, Patience, RUNTIME_PACKAGES, RUNTIME_VERSION};
pub use library::{FOLDERS_VARIABLE, ModelLibrary, cache_dir};
pub use manifest::{
    Artifact, Format, Input, Layout, Licence, Manifest, Output, Precision, Tensor, TensorElement, Threshold,
};
pub use model::Model;
pub use outcomes::{BLANK_RANGE, outcomes};
pub use runtimes::{Runtime, installed_runtimes, runtimes_in};
pub use source::{Download, Source};
