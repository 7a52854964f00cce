#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod options;

use nodupe_core::{EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace, Options, Unavailable, package};

pub use backend::Histogram;
pub use options::BINS;

/// The backend's entry in the registry.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new("histogram", package!(), space, create).with_priority(10).with_options(&[BINS]);
nodupe_core::submit!(REGISTRATION);

fn space(options: &Options) -> Result<EmbeddingSpace, Unavailable> {
    backend::space(options::bins(options)?)
}

fn create(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    Ok(Box::new(Histogram::new(options::bins(options)?)?))
}
