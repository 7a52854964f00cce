#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // one argued exception: `environment` maps a file

mod backend;
mod build;
mod environment;
mod failure;
mod forest;
mod nearest;
mod options;
mod tables;
mod view;

use nodupe_core::{SimilarityRegistration, package};

pub use backend::Annoy;

/// The backend's entry in the registry: `annoy`.
pub const REGISTRATION: SimilarityRegistration =
    SimilarityRegistration::new(backend::NAME, package!(), backend::create, backend::open)
        .with_supports(backend::supports)
        .with_priority(30)
        .with_suitability(backend::suitability)
        .with_options(options::SPECS);

nodupe_core::submit!(REGISTRATION);
