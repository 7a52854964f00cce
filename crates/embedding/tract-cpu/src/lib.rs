#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod graph;
mod guard;
mod network;
mod prefix;
mod rewrite;

use nodupe_core::{EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace, Options, Unavailable, package};
use nodupe_models::{Format, Model, ModelError, ModelLibrary};

pub use backend::TractCpu;

/// The backend's entry in the registry.
pub const REGISTRATION: EmbeddingRegistration = EmbeddingRegistration::new(backend::NAME, package!(), space, create)
    .with_probe(probe)
    .with_priority(60)
    .with_models();
nodupe_core::submit!(REGISTRATION);

/// The model that the options name, where it has a file that this backend reads.
fn model(options: &Options) -> Result<Model, ModelError> {
    let model = ModelLibrary::from_env().find(options.model())?;
    model.path(Format::Onnx)?;
    Ok(model)
}

fn space(options: &Options) -> Result<EmbeddingSpace, Unavailable> {
    Ok(backend::space(model(options)?.manifest())?)
}

fn probe(options: &Options) -> Result<(), Unavailable> {
    model(options)?;
    Ok(())
}

fn create(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    let backend = TractCpu::new(&model(options)?, options.threads())?;
    Ok(Box::new(backend.with_max_batch(options.batch())))
}
