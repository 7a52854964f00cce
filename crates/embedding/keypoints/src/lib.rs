#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod descriptor;
mod detect;
mod patch;
mod plane;
mod pyramid;

use nodupe_core::{EmbeddingRegistration, Tier, package};

pub use backend::Keypoints;

/// The backend's entry in the registry: a tier of a cascade, and alone only by name.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(backend::NAME, package!(), backend::space, backend::create)
        .with_tier(Tier::Keypoints)
        .with_options(&[backend::KEYPOINTS]);
nodupe_core::submit!(REGISTRATION);
