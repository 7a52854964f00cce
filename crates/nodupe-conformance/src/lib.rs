#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod data;
mod embedding;
mod identity;
mod provided;
pub mod reference;
mod report;
mod similarity;

pub use embedding::{Agreement, EmbeddingSuite, agreement, agreement_on, embedding};
pub use provided::{NO_SKIPS_VARIABLE, provided};
pub use report::{Passed, Skipped, Violation, Violations};
pub use similarity::{SimilaritySuite, similarity};

/// Compiles and runs the guide for who writes a backend.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/extending.md")]
struct Extending;
