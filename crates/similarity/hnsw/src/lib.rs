#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // argued exceptions: `line` aligns rows and fetches them early, `bits` picks an instruction

mod backend;
mod bits;
mod equal;
mod file;
mod floats;
mod graph;
mod index;
mod insert;
mod line;
mod options;
mod pairs;
mod pool;
mod rows;
mod search;
mod threads;
mod top_k;
mod walk;

use nodupe_core::{SimilarityRegistration, package};

pub use backend::Hnsw;

/// The backend's entry in the registry: `hnsw`.
pub const REGISTRATION: SimilarityRegistration =
    SimilarityRegistration::new(backend::NAME, package!(), backend::create, backend::open)
        .with_supports(backend::supports)
        .with_priority(50)
        .with_suitability(backend::suitability)
        .with_options(&options::ALL);

nodupe_core::submit!(REGISTRATION);
