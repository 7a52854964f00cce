#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // one argued exception: `popcount` picks instructions

mod backend;
mod bits;
mod buckets;
mod file;
mod matrix;
mod multi_index;
#[cfg(test)]
mod naive;
mod popcount;
mod sweep;
mod tables;
mod threads;
mod tile;
mod top_k;

use nodupe_core::{SimilarityRegistration, package};

pub use backend::BruteForce;

/// The backend's entry in the registry: `bruteforce`.
pub const REGISTRATION: SimilarityRegistration =
    SimilarityRegistration::new(backend::NAME, package!(), backend::create, backend::open)
        .with_supports(backend::supports)
        .with_priority(10)
        .with_suitability(backend::suitability);

nodupe_core::submit!(REGISTRATION);
