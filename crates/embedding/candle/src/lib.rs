#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod architecture;
mod backend;
mod device;
mod layer;
mod processor;
mod weights;
mod workers;

use nodupe_core::{EmbeddingRegistration, package};

pub use backend::Candle;
use device::Place;

/// The entry of the backend on the processor in the registry.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(Place::Cpu.backend(), package!(), backend::space, |options| {
        backend::create(Place::Cpu, options)
    })
    .with_probe(|options| backend::probe(Place::Cpu, options))
    .with_models()
    .with_priority(50);
nodupe_core::submit!(REGISTRATION);

/// The entry of the backend on an NVIDIA GPU.
#[cfg(feature = "cuda")]
pub const CUDA_REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(Place::Cuda.backend(), package!(), backend::space, |options| {
        backend::create(Place::Cuda, options)
    })
    .with_probe(|options| backend::probe(Place::Cuda, options))
    .with_models()
    .with_device(nodupe_core::Device::Cuda(0))
    .with_priority(90);
#[cfg(feature = "cuda")]
nodupe_core::submit!(CUDA_REGISTRATION);

/// The entry of the backend on an Apple GPU.
#[cfg(feature = "metal")]
pub const METAL_REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(Place::Metal.backend(), package!(), backend::space, |options| {
        backend::create(Place::Metal, options)
    })
    .with_probe(|options| backend::probe(Place::Metal, options))
    .with_models()
    .with_device(nodupe_core::Device::Metal(0))
    .with_priority(85);
#[cfg(feature = "metal")]
nodupe_core::submit!(METAL_REGISTRATION);
