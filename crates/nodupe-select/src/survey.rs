//! What there is, what of it would work, and what automatic selection would take. Nothing is made.

use std::fmt;
use std::sync::Arc;

use nodupe_core::{
    Device, EmbeddingSpace, IndexSpec, OptionSpec, Options, Package, Reason, Registry, Suitability, Unavailable,
};

use crate::candidate::{self, Candidate, contained};
use crate::report::{BackendKind, because, detail, explained};
use crate::table::Table;

/// A registered backend as it stands here and now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackendStatus {
    /// Which kind of backend.
    pub kind: BackendKind,
    /// The name that it is chosen by.
    pub name: &'static str,
    /// The package that it comes from.
    pub package: Package,
    /// Where it computes unless it is told otherwise.
    pub device: Device,
    /// The place in automatic selection among those that suit alike, strongest first; `None`: only by name.
    pub priority: Option<i32>,
    /// How well it suits what was asked about.
    pub suitability: Suitability,
    /// Why it cannot run, as its probe says; `None` where it can, as far as that can be told without making it.
    pub unavailable: Option<Arc<Unavailable>>,
    /// Whether it is the one that automatic selection takes.
    pub automatic: bool,
    /// What it can be told.
    pub options: &'static [OptionSpec],
}

impl BackendStatus {
    /// Whether it could be made, as its probe says.
    pub fn is_available(&self) -> bool {
        self.unavailable.is_none()
    }

    /// The kind of thing that is missing.
    pub fn reason(&self) -> Option<Reason> {
        self.unavailable.as_ref().map(|why| why.reason)
    }

    /// What is missing, with all that the libraries under the backend said of it.
    pub fn detail(&self) -> Option<String> {
        self.unavailable.as_deref().map(detail)
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.unavailable.as_deref()?.help.as_deref()
    }
}

/// Every backend of both kinds, embeddings first, each kind in the order of automatic selection.
///
/// Similarity backends are asked about the space of the embedding backend that automatic selection takes, or where there
/// is none about unit vectors of 512 floats; [`survey_similarities`] asks about another index. Options are not checked
/// against the registry.
pub fn survey(registry: &Registry, options: &Options) -> Vec<BackendStatus> {
    let mut all = survey_embeddings(registry, options);
    let space = all.iter().find(|status| status.automatic).and_then(|status| {
        let mut entries = registry.embeddings().iter();
        let entry = entries.find(|entry| entry.name == status.name)?;
        contained(entry.package, || (entry.space)(options)).ok()
    });
    let space = space.map_or_else(|| EmbeddingSpace::cosine("any", 512), Ok);
    if let Ok(space) = space {
        all.extend(survey_similarities(registry, options, &IndexSpec::new(&space)));
    }
    all
}

/// Every embedding backend, strongest first.
pub fn survey_embeddings(registry: &Registry, options: &Options) -> Vec<BackendStatus> {
    statuses(BackendKind::Embedding, candidate::embeddings(registry, options, None))
}

/// Every similarity backend, in the order of automatic selection for an index of `spec`.
pub fn survey_similarities(registry: &Registry, options: &Options, spec: &IndexSpec<'_>) -> Vec<BackendStatus> {
    let candidates = candidate::similarities(registry, options, *spec);
    statuses(BackendKind::Similarity, candidates)
}

fn statuses<B: ?Sized>(kind: BackendKind, candidates: Vec<Candidate<'_, B>>) -> Vec<BackendStatus> {
    let mut taken = false;
    let status = |candidate: Candidate<'_, B>| {
        let unavailable = candidate.probe().err();
        let automatic = !taken && unavailable.is_none() && candidate.priority.is_some();
        taken |= automatic;
        BackendStatus {
            kind,
            name: candidate.name,
            package: candidate.package,
            device: candidate.device,
            priority: candidate.priority,
            suitability: candidate.suitability,
            unavailable,
            automatic,
            options: candidate.options,
        }
    };
    candidates.into_iter().map(status).collect()
}

/// Statuses as a table; `*` marks those that automatic selection takes.
#[derive(Debug, Clone, Copy)]
pub struct StatusTable<'a>(pub &'a [BackendStatus]);

impl fmt::Display for StatusTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["", "kind", "backend", "package", "device", "priority", "status"]);
        for status in self.0 {
            table.row([
                if status.automatic { "*" } else { "" }.to_owned(),
                status.kind.to_string(),
                status.name.to_owned(),
                format!("{} {}", status.package.name, status.package.version),
                status.device.to_string(),
                status.priority.map_or_else(|| "by name".to_owned(), |priority| priority.to_string()),
                status.unavailable.as_deref().map_or_else(|| available(&status.suitability), explained),
            ]);
        }
        fmt::Display::fmt(&table, f)
    }
}

fn available(suitability: &Suitability) -> String {
    let because = because(suitability);
    if because.is_empty() { "available".to_owned() } else { format!("available; {because}") }
}

/// `kind`, `name`, `package`, `device`, `priority`, `suitability`, `because`, `available`, `reason`, `detail`, `help`, `automatic`, `options`
/// (each `key` and `help`).
#[cfg(feature = "serde")]
impl serde::Serialize for BackendStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Stored<'a> {
            kind: BackendKind,
            name: &'static str,
            package: Package,
            device: Device,
            priority: Option<i32>,
            suitability: &'static str,
            because: Option<&'a str>,
            available: bool,
            reason: Option<Reason>,
            detail: Option<String>,
            help: Option<&'a str>,
            automatic: bool,
            options: Vec<StoredOption>,
        }
        #[derive(serde::Serialize)]
        struct StoredOption {
            key: &'static str,
            help: &'static str,
        }
        let options = self.options.iter().map(|option| StoredOption { key: option.key, help: option.help });
        let stored = Stored {
            kind: self.kind,
            name: self.name,
            package: self.package,
            device: self.device,
            priority: self.priority,
            suitability: self.suitability.name(),
            because: self.suitability.because(),
            available: self.is_available(),
            reason: self.reason(),
            detail: self.detail(),
            help: self.help(),
            automatic: self.automatic,
            options: options.collect(),
        };
        stored.serialize(serializer)
    }
}
