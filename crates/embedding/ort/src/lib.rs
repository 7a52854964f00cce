#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod log;
mod options;
mod pool;
mod runtime;
mod session;

use nodupe_core::{EmbeddingRegistration, package};

pub use backend::{Onnx, model};
pub use pool::{Plan, images_within};
pub use runtime::{LIBRARY_VARIABLE, Runtime, Search};

/// The backend's entry in the registry.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(backend::NAME, package!(), backend::space, backend::create)
        .with_probe(backend::probe)
        .with_priority(70)
        .with_models()
        .with_options(options::OPTIONS);
nodupe_core::submit!(REGISTRATION);
