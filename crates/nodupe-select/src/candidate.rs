//! A registration of either kind, reduced to what selection needs: both kinds are chosen by the same code.

use std::any::Any;
use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nodupe_core::{
    Conflict, Device, EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace, IndexSpec, OptionSpec, Options, Package,
    Reason, Registry, SimilarityBackend, SimilarityRegistration, Suitability, Unavailable,
};

/// A backend that could be made, and how.
pub(crate) struct Candidate<'a, B: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) package: Package,
    pub(crate) device: Device,
    /// The place in automatic selection among those that suit alike; `None`: only by name.
    pub(crate) priority: Option<i32>,
    pub(crate) suitability: Suitability,
    pub(crate) options: &'static [OptionSpec],
    /// Why it is out of the question before anything of it is called.
    refused: Option<Arc<Unavailable>>,
    probe: Box<dyn Fn() -> Result<(), Unavailable> + 'a>,
    create: Box<dyn Fn() -> Result<Made<B>, Unavailable> + 'a>,
}

/// A backend that was made, and where it says that it computes.
pub(crate) struct Made<B: ?Sized> {
    pub(crate) backend: Box<B>,
    pub(crate) device: Device,
}

impl<B: ?Sized> Candidate<'_, B> {
    /// Whether it could be made, without making it.
    pub(crate) fn probe(&self) -> Result<(), Arc<Unavailable>> {
        match &self.refused {
            Some(why) => Err(Arc::clone(why)),
            None => contained(self.package, || (self.probe)()).map_err(Arc::new),
        }
    }

    /// Makes it, unless its probe says that this cannot be.
    pub(crate) fn create(&self) -> Result<Made<B>, Arc<Unavailable>> {
        self.probe()?;
        contained(self.package, || (self.create)()).map_err(Arc::new)
    }
}

/// The embedding backends, strongest first. Those whose space is not `wanted` refuse.
pub(crate) fn embeddings<'a>(
    registry: &Registry,
    options: &'a Options,
    wanted: Option<&'a EmbeddingSpace>,
) -> Vec<Candidate<'a, dyn EmbeddingBackend>> {
    let candidate = |&entry: &EmbeddingRegistration| Candidate {
        name: entry.name,
        package: entry.package,
        device: entry.device,
        priority: entry.priority,
        suitability: Suitability::Good,
        options: entry.options,
        refused: runs_no_model(&entry, options).map(Arc::new),
        probe: Box::new(move || {
            if let Some(wanted) = wanted {
                check_space(&(entry.space)(options)?, wanted)?;
            }
            (entry.probe)(options)
        }),
        create: Box::new(move || {
            let backend = (entry.create)(options)?;
            if let Some(wanted) = wanted {
                check_space(backend.space(), wanted)?;
            }
            let device = backend.info().device;
            Ok(Made { backend, device })
        }),
    };
    in_order(registry.embeddings().iter().map(candidate).collect())
}

/// The similarity backends, those that suit `spec` best first. Those that cannot do what it says refuse.
pub(crate) fn similarities<'a>(
    registry: &Registry,
    options: &'a Options,
    spec: IndexSpec<'a>,
) -> Vec<Candidate<'a, dyn SimilarityBackend>> {
    let candidate = |&entry: &SimilarityRegistration| {
        let (suitability, refused) = match contained(entry.package, || Ok((entry.suitability)(&spec))) {
            Ok(suitability) => (suitability, None),
            Err(why) => (Suitability::Good, Some(Arc::new(why))),
        };
        Candidate {
            name: entry.name,
            package: entry.package,
            device: entry.device,
            priority: entry.priority,
            suitability,
            options: entry.options,
            refused,
            probe: Box::new(move || {
                if !(entry.supports)(spec.space) {
                    let detail = format!("it cannot hold vectors of the space {}", spec.space);
                    return Err(Unavailable::new(Reason::UnsupportedSpace, detail));
                }
                (entry.probe)(&spec, options)
            }),
            create: Box::new(move || {
                let backend = (entry.create)(&spec, options)?;
                check_space(backend.space(), spec.space)?;
                if spec.exact && !backend.is_exact() {
                    return Err(Unavailable::new(Reason::Approximate, "it may miss some of what it should find"));
                }
                let device = backend.info().device;
                Ok(Made { backend, device })
            }),
        }
    };
    in_order(registry.similarities().iter().map(candidate).collect())
}

/// Sorts by suitability and priority and then by name, so that the order never depends on how the program was linked, and
/// refuses names that two packages have registered. What is chosen by name alone comes last.
fn in_order<B: ?Sized>(mut candidates: Vec<Candidate<'_, B>>) -> Vec<Candidate<'_, B>> {
    candidates.sort_by_key(|candidate| {
        let place = candidate.priority.map(|priority| (candidate.suitability.level(), priority));
        (Reverse(place), candidate.name, candidate.package)
    });
    let entries: Vec<(&str, Package)> = candidates.iter().map(|entry| (entry.name, entry.package)).collect();
    for (place, candidate) in candidates.iter_mut().enumerate() {
        let mut others = entries.iter().enumerate().filter(|(other, _)| *other != place);
        if let Some((_, (name, other))) = others.find(|(_, (name, _))| *name == candidate.name) {
            let conflict =
                Conflict { name, first: candidate.package.min(*other), second: candidate.package.max(*other) };
            let why = Unavailable::new(Reason::Ambiguous, conflict.to_string());
            candidate.refused = Some(Arc::new(why.with_help("link only one of the two packages")));
        }
    }
    candidates
}

/// A backend that runs no model is out of the question where one is named: it would find other things than were asked for.
fn runs_no_model(entry: &EmbeddingRegistration, options: &Options) -> Option<Unavailable> {
    let model = options.model().filter(|_| !entry.runs_models)?;
    Some(Unavailable::new(Reason::Options, format!("it runs no models, and the model {model} is asked for")))
}

fn check_space(space: &EmbeddingSpace, wanted: &EmbeddingSpace) -> Result<(), Unavailable> {
    if space == wanted {
        return Ok(());
    }
    let detail = format!("its vectors are of the space {space}, and {wanted} is asked for");
    Err(Unavailable::new(Reason::OtherSpace, detail))
}

/// Calls what a backend registered. Its promise is not to panic; one that does is broken, and the next one gets its turn.
pub(crate) fn contained<T>(package: Package, call: impl FnOnce() -> Result<T, Unavailable>) -> Result<T, Unavailable> {
    // What a panic left half done is not seen again: the call borrows only what it does not change.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        let detail = format!("it panicked: {}", message(&*payload));
        let help = format!("this is a mistake of {} {}: report it there", package.name, package.version);
        Err(Unavailable::new(Reason::Other, detail).with_help(help))
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
