#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod hash;
mod orientation;
mod transform;

use nodupe_core::{EmbeddingRegistration, Tier, package};

pub use backend::Perceptual;
pub use hash::hex;

/// The backend's entry in the registry.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(backend::NAME, package!(), backend::space, backend::create)
        .with_priority(20)
        .with_tier(Tier::Hash);
nodupe_core::submit!(REGISTRATION);
