#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // argued exceptions: `native` and, with the feature `gpu`, `gpu` call the C interface of FAISS

mod backend;
mod build;
mod equal;
mod file;
#[cfg(feature = "gpu")]
mod gpu;
mod native;
mod options;
mod plan;
mod search;
mod store;

use nodupe_core::{SimilarityRegistration, package};

pub use backend::Faiss;

/// The backend's entry in the registry: `faiss`.
pub const REGISTRATION: SimilarityRegistration =
    SimilarityRegistration::new(backend::NAME, package!(), backend::create, backend::open)
        .with_supports(backend::supports)
        .with_priority(60)
        .with_suitability(backend::suitability)
        .with_options(&options::ALL);

nodupe_core::submit!(REGISTRATION);
