#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod audit;
mod bundle;
#[cfg(test)]
mod crash;
mod disk;
mod error;
mod index;
mod manifest;
mod rescore;

pub use audit::Audit;
pub use bundle::{WriteLock, read_manifest, verify};
pub use error::BundleError;
pub use index::Index;
pub use manifest::{Manifest, PackageVersion, StoredFile};
