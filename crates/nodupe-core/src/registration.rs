//! What a backend says of itself before it is made.

use std::path::Path;

use crate::embedding::EmbeddingBackend;
use crate::error::IndexError;
use crate::info::{Device, Package};
use crate::options::{OptionSpec, Options};
use crate::similarity::SimilarityBackend;
use crate::space::{ElementType, EmbeddingSpace};
use crate::suitability::Suitability;
use crate::unavailable::Unavailable;

/// What an index will be asked to hold.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct IndexSpec<'a> {
    /// The space of its vectors.
    pub space: &'a EmbeddingSpace,
    /// About how many there will be; `None` where nobody knows.
    pub expected_len: Option<usize>,
    /// The directory of an index that lives on disk; `None` for one in memory.
    pub dir: Option<&'a Path>,
    /// Bytes of memory that it may take; `None` where nobody knows. (Selection puts in what the machine has free.)
    pub memory: Option<u64>,
    /// Whether a search must find everything that it should ([`SimilarityBackend::is_exact`]).
    pub exact: bool,
}

impl<'a> IndexSpec<'a> {
    /// An index in memory of nobody knows how many vectors.
    pub const fn new(space: &'a EmbeddingSpace) -> Self {
        Self { space, expected_len: None, dir: None, memory: None, exact: false }
    }

    /// The same of about `len` vectors.
    #[must_use]
    pub const fn with_expected_len(mut self, len: usize) -> Self {
        self.expected_len = Some(len);
        self
    }

    /// The same on disk.
    #[must_use]
    pub const fn with_dir(mut self, dir: &'a Path) -> Self {
        self.dir = Some(dir);
        self
    }

    /// The same with so many bytes of memory to take.
    #[must_use]
    pub const fn with_memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// The same that finds everything: selection passes over backends that may miss some.
    #[must_use]
    pub const fn with_exact(mut self) -> Self {
        self.exact = true;
        self
    }
}

/// Makes an embedding backend.
pub type CreateEmbedding = fn(&Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable>;
/// Makes an empty index.
pub type CreateSimilarity = fn(&IndexSpec<'_>, &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable>;
/// Opens an index that [`SimilarityBackend::save`] wrote into a directory.
pub type OpenSimilarity = fn(&IndexSpec<'_>, &Path, &Options) -> Result<Box<dyn SimilarityBackend>, IndexError>;

/// An embedding backend as the registry knows it. A public `const` of this type named `REGISTRATION` is all that a
/// backend crate needs to export.
///
/// ```
/// # use nodupe_core::{EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace, Options, Reason, Unavailable, package};
/// # fn create(_: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> { Err(Unavailable::new(Reason::Other, "")) }
/// # fn space(_: &Options) -> Result<EmbeddingSpace, Unavailable> { Err(Unavailable::new(Reason::Other, "")) }
/// /// The backend's entry in the registry.
/// pub const REGISTRATION: EmbeddingRegistration =
///     EmbeddingRegistration::new("mine", package!(), space, create).with_priority(15);
/// nodupe_core::submit!(REGISTRATION);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EmbeddingRegistration {
    /// The name that it is chosen by.
    pub name: &'static str,
    /// The package that it comes from.
    pub package: Package,
    /// The space of its embeddings with these options, told before anything is loaded.
    pub space: fn(&Options) -> Result<EmbeddingSpace, Unavailable>,
    /// Makes the backend. It has the last word on whether the backend can run: what it refuses feeds the fallback.
    pub create: CreateEmbedding,
    /// Where it computes unless it is told otherwise, known before it is made: what a wish for a GPU goes by.
    pub device: Device,
    /// Whether the backend could be made, told cheaply: what is missing, and what to do about it.
    pub probe: fn(&Options) -> Result<(), Unavailable>,
    /// The place in automatic selection, strongest first; `None`: only by name.
    pub priority: Option<i32>,
    /// Whether it runs a model that the user can name ([`Options::model`]). One that does not is no candidate where a
    /// model is named: it would run something else than what was asked for.
    pub runs_models: bool,
    /// What it may do beside the backend that was chosen; `None`: it stands alone.
    pub tier: Option<Tier>,
    /// What it can be told.
    pub options: &'static [OptionSpec],
}

/// What an embedding backend may do in a cascade, beside the one that was chosen: cheap, on the processor, and without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Tier {
    /// Perceptual hashes: they find copies that changed little, at once.
    Hash,
    /// [Keypoints](crate::Describes::Keypoints): they find what images share, and check what others found.
    Keypoints,
}

impl EmbeddingRegistration {
    /// A backend that can always run, on the processor, is chosen by name alone, and has no options of its own.
    pub const fn new(
        name: &'static str,
        package: Package,
        space: fn(&Options) -> Result<EmbeddingSpace, Unavailable>,
        create: CreateEmbedding,
    ) -> Self {
        const fn always(_: &Options) -> Result<(), Unavailable> {
            Ok(())
        }
        Self {
            name,
            package,
            space,
            create,
            device: Device::Cpu,
            probe: always,
            priority: None,
            runs_models: false,
            tier: None,
            options: &[],
        }
    }

    /// The same that runs the model which [`Options::model`] names.
    #[must_use]
    pub const fn with_models(mut self) -> Self {
        self.runs_models = true;
        self
    }

    /// The same on another device.
    #[must_use]
    pub const fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// The same that asks `probe` first.
    #[must_use]
    pub const fn with_probe(mut self, probe: fn(&Options) -> Result<(), Unavailable>) -> Self {
        self.probe = probe;
        self
    }

    /// The same that takes part in automatic selection, the strongest first.
    #[must_use]
    pub const fn with_priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The same that may serve as a tier of a cascade.
    #[must_use]
    pub const fn with_tier(mut self, tier: Tier) -> Self {
        self.tier = Some(tier);
        self
    }

    /// The same with options of its own; their keys begin with the backend's name and a dot.
    #[must_use]
    pub const fn with_options(mut self, options: &'static [OptionSpec]) -> Self {
        self.options = options;
        self
    }

    /// What [`submit!`](crate::submit) submits.
    pub const fn entry(self) -> Registration {
        Registration::Embedding(self)
    }
}

/// A similarity backend as the registry knows it. A public `const` of this type named `REGISTRATION` is all that a
/// backend crate needs to export.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SimilarityRegistration {
    /// The name that it is chosen by.
    pub name: &'static str,
    /// The package that it comes from.
    pub package: Package,
    /// Makes an empty index. It has the last word on whether the backend can run: what it refuses feeds the fallback.
    pub create: CreateSimilarity,
    /// Opens a saved one.
    pub open: OpenSimilarity,
    /// Whether it can hold vectors of a space. The default holds floats of any metric.
    pub supports: fn(&EmbeddingSpace) -> bool,
    /// Where it computes unless it is told otherwise, known before it is made: what a wish for a GPU goes by.
    pub device: Device,
    /// Whether the backend could be made, told cheaply: what is missing, and what to do about it.
    pub probe: fn(&IndexSpec<'_>, &Options) -> Result<(), Unavailable>,
    /// The place in automatic selection, strongest first; `None`: only by name.
    pub priority: Option<i32>,
    /// How well it suits one index: by its size, its space, its place and the memory that there is. What suits better comes
    /// before what is stronger.
    pub suitability: fn(&IndexSpec<'_>) -> Suitability,
    /// What it can be told.
    pub options: &'static [OptionSpec],
}

impl SimilarityRegistration {
    /// A backend that can always run, on the processor and in memory, holds floats, is chosen by name alone, and has no
    /// options of its own.
    pub const fn new(name: &'static str, package: Package, create: CreateSimilarity, open: OpenSimilarity) -> Self {
        fn floats(space: &EmbeddingSpace) -> bool {
            space.element_type() == ElementType::F32
        }
        const fn always(_: &IndexSpec<'_>, _: &Options) -> Result<(), Unavailable> {
            Ok(())
        }
        fn in_memory(spec: &IndexSpec<'_>) -> Suitability {
            Suitability::in_memory(spec, 0)
        }
        Self {
            name,
            package,
            create,
            open,
            supports: floats,
            device: Device::Cpu,
            probe: always,
            priority: None,
            suitability: in_memory,
            options: &[],
        }
    }

    /// The same that holds vectors of the spaces that `supports` says.
    #[must_use]
    pub const fn with_supports(mut self, supports: fn(&EmbeddingSpace) -> bool) -> Self {
        self.supports = supports;
        self
    }

    /// The same on another device.
    #[must_use]
    pub const fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// The same that asks `probe` first.
    #[must_use]
    pub const fn with_probe(mut self, probe: fn(&IndexSpec<'_>, &Options) -> Result<(), Unavailable>) -> Self {
        self.probe = probe;
        self
    }

    /// The same that takes part in automatic selection, the strongest first.
    #[must_use]
    pub const fn with_priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// The same that says how well it suits what it is asked to hold. Without it, it is taken for an index in memory
    /// ([`Suitability::in_memory`]).
    #[must_use]
    pub const fn with_suitability(mut self, suitability: fn(&IndexSpec<'_>) -> Suitability) -> Self {
        self.suitability = suitability;
        self
    }

    /// The same with options of its own; their keys begin with the backend's name and a dot.
    #[must_use]
    pub const fn with_options(mut self, options: &'static [OptionSpec]) -> Self {
        self.options = options;
        self
    }

    /// What [`submit!`](crate::submit) submits.
    pub const fn entry(self) -> Registration {
        Registration::Similarity(self)
    }
}

/// A registration of either kind.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Registration {
    /// Of an embedding backend.
    Embedding(EmbeddingRegistration),
    /// Of a similarity backend.
    Similarity(SimilarityRegistration),
}

impl From<EmbeddingRegistration> for Registration {
    fn from(registration: EmbeddingRegistration) -> Self {
        registration.entry()
    }
}

impl From<SimilarityRegistration> for Registration {
    fn from(registration: SimilarityRegistration) -> Self {
        registration.entry()
    }
}

inventory::collect!(Registration);

/// Registers a backend in every program that links the crate: [`Registry::linked`](crate::Registry::linked) finds it.
///
/// A crate that nothing names is not linked; write `use that_crate as _;` in the program. Where link-time registration
/// does not work (wasm, static libraries for C, plugins that are loaded at run time), register by hand:
/// [`Registry::register`](crate::Registry::register).
#[macro_export]
macro_rules! submit {
    ($registration:expr) => {
        $crate::__inventory::submit! { $registration.entry() }
    };
}
