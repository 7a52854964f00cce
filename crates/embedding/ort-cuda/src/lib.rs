#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // one argued exception: `driver` calls the CUDA driver, a C library that is loaded at run time

mod backend;
mod driver;
mod options;
mod provider;

use nodupe_core::{Device, EmbeddingRegistration, package};

/// The backend's entry in the registry.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(backend::NAME, package!(), backend::space, backend::create)
        .with_device(Device::Cuda(0))
        .with_probe(backend::probe)
        .with_priority(100)
        .with_models()
        .with_options(options::OPTIONS);
nodupe_core::submit!(REGISTRATION);
