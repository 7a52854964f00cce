//! Backends that are made for tests of selection: they can be had or not, and do nothing.

// Each test program uses some of them, and all of it is tests.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_core::{
    BackendInfo, Device, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace,
    Embeddings, EmbeddingsRef, ImageBatch, IndexError, IndexSpec, InputSpec, ItemId, Neighbors, Options, Package,
    Reason, Registry, SimilarityBackend, SimilarityRegistration, Unavailable, package,
};
use nodupe_select::{Environment, Preference, Selector};

pub(crate) const PACKAGE: Package = Package::new("nodupe-fakes", "1.2.0");

thread_local! {
    /// How many backends this thread has made.
    static MADE: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn made() -> usize {
    MADE.get()
}

/// An embedding backend that works, on the processor, of the space `fake`, by name only.
pub(crate) const fn embedding(name: &'static str) -> EmbeddingRegistration {
    EmbeddingRegistration::new(name, PACKAGE, fake_space, create_embedding)
}

/// A similarity backend that holds floats and works, by name only.
pub(crate) const fn similarity(name: &'static str) -> SimilarityRegistration {
    fn open(_: &IndexSpec<'_>, _: &Path, _: &Options) -> Result<Box<dyn SimilarityBackend>, IndexError> {
        Err(Unavailable::new(Reason::Other, "nothing is ever saved").into())
    }
    SimilarityRegistration::new(name, PACKAGE, create_similarity, open)
}

pub(crate) fn fake_space(_: &Options) -> Result<EmbeddingSpace, Unavailable> {
    space("fake")
}

pub(crate) fn other_space(_: &Options) -> Result<EmbeddingSpace, Unavailable> {
    space("other")
}

fn space(model: &str) -> Result<EmbeddingSpace, Unavailable> {
    EmbeddingSpace::cosine(model, 4).map_err(|why| Unavailable::new(Reason::Other, why.to_string()))
}

pub(crate) fn no_library(_: &Options) -> Result<(), Unavailable> {
    let source = std::io::Error::other("cannot open shared object file");
    Err(Unavailable::new(Reason::LibraryNotFound, "libfake.so.1 is not installed")
        .with_help("apt install libfake1")
        .with_source(source))
}

pub(crate) fn no_device(_: &Options) -> Result<(), Unavailable> {
    Err(Unavailable::new(Reason::NoDevice, "there is no NVIDIA GPU in this machine"))
}

pub(crate) fn panicking_probe(_: &Options) -> Result<(), Unavailable> {
    panic!("index out of bounds: {}", 7)
}

pub(crate) fn no_server(_: &IndexSpec<'_>, _: &Options) -> Result<(), Unavailable> {
    Err(Unavailable::new(Reason::ServerUnreachable, "nothing answers at localhost:6333"))
}

pub(crate) fn create_embedding(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    MADE.set(MADE.get() + 1);
    Ok(Box::new(FakeEmbedding {
        info: BackendInfo::new("fake", package!()).on(Device::Cuda(1)),
        space: fake_space(options)?,
        input: InputSpec::rgb(8, 8),
    }))
}

pub(crate) fn panicking_create(_: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    panic!("the runtime is of two minds")
}

pub(crate) fn refusing_create(_: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    Err(Unavailable::new(Reason::WrongVersion, "the library is version 1, 2 is needed").with_help("update it"))
}

pub(crate) fn create_similarity(spec: &IndexSpec<'_>, _: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    MADE.set(MADE.get() + 1);
    Ok(Box::new(FakeSimilarity {
        info: BackendInfo::new("fake", package!()),
        space: spec.space.clone(),
        is_exact: true,
    }))
}

pub(crate) fn create_approximate(spec: &IndexSpec<'_>, _: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    let info = BackendInfo::new("approximate", package!());
    Ok(Box::new(FakeSimilarity { info, space: spec.space.clone(), is_exact: false }))
}

pub(crate) fn registry(embeddings: &[EmbeddingRegistration], similarities: &[SimilarityRegistration]) -> Registry {
    let mut registry = Registry::empty();
    for &entry in embeddings {
        registry.register(entry).unwrap();
    }
    for &entry in similarities {
        registry.register(entry).unwrap();
    }
    registry
}

/// A selector that no environment reaches, and that is asked for `preference` at the call.
pub(crate) fn selector<'r>(registry: &'r Registry, preference: &str) -> Selector<'r> {
    let preference: Preference = preference.parse().unwrap();
    Selector::new(registry).with_environment(Environment::empty()).with_preference(preference)
}

struct FakeEmbedding {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
}

impl EmbeddingBackend for FakeEmbedding {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn embed(&self, _: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        unimplemented!("selection embeds nothing")
    }
}

struct FakeSimilarity {
    info: BackendInfo,
    space: EmbeddingSpace,
    is_exact: bool,
}

impl SimilarityBackend for FakeSimilarity {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn is_exact(&self) -> bool {
        self.is_exact
    }

    fn len(&self) -> Result<usize, IndexError> {
        Ok(0)
    }

    fn contains(&self, _: &ItemId) -> Result<bool, IndexError> {
        Ok(false)
    }

    fn for_each_id(&self, _: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        Ok(())
    }

    fn add(&mut self, _: &[ItemId], _: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        unimplemented!("selection stores nothing")
    }

    fn remove(&mut self, _: &[ItemId]) -> Result<usize, IndexError> {
        Ok(0)
    }

    fn search(&self, _: EmbeddingsRef<'_>, _: usize) -> Result<Neighbors, IndexError> {
        unimplemented!("selection searches nothing")
    }

    fn vectors(&self, _: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        Ok(None)
    }

    fn save(&mut self, _: &Path) -> Result<(), IndexError> {
        unimplemented!("selection saves nothing")
    }
}
