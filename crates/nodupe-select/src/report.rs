//! What was tried, in which order, and what became of it.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use nodupe_core::{Device, Package, Reason, Registry, Suitability, Unavailable};

use crate::environment::Source;
use crate::preference::{Choice, Preference};
use crate::table::Table;

/// The two kinds of backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum BackendKind {
    /// Images to vectors.
    Embedding,
    /// Vectors to neighbours.
    Similarity,
}

impl BackendKind {
    /// The environment variable that a preference is read from: `NODUPE_EMBEDDING` or `NODUPE_SIMILARITY`.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Embedding => "NODUPE_EMBEDDING",
            Self::Similarity => "NODUPE_SIMILARITY",
        }
    }

    /// The names of the backends of this kind, strongest first.
    pub(crate) fn names(self, registry: &Registry) -> Vec<&'static str> {
        let mut names: Vec<_> = match self {
            Self::Embedding => registry.embeddings().iter().map(|entry| entry.name).collect(),
            Self::Similarity => registry.similarities().iter().map(|entry| entry.name).collect(),
        };
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Embedding => Self::Similarity,
            Self::Similarity => Self::Embedding,
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedding => "embedding",
            Self::Similarity => "similarity",
        })
    }
}

/// How a backend was chosen: what was asked for, and every attempt with its outcome.
///
/// `Display` prints it as a table. With the feature `serde` it serialises as `kind`, `name` (of the chosen one, or
/// null), `preference`, `source`, `fallback`, `attempts` (each `name`, `package`, `device`, `suitability`, `because`,
/// `outcome`, `reason`, `detail`, `help`), `unmatched` (each as text: `["gpu"]`) and `unused_options`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Which kind of backend.
    pub kind: BackendKind,
    /// What was asked for.
    pub preference: Preference,
    /// Who asked for it.
    pub source: Source,
    /// Whether something else runs than what was asked for, or, where nothing was, something weaker than what this
    /// machine could run if what is missing were put right. It is what the log is warned of.
    pub fallback: bool,
    /// Every backend that could have been taken, in the order in which they were tried or would have been.
    pub attempts: Vec<Attempt>,
    /// What was asked for and stands for no backend at all: [`Choice::Gpu`] in a program whose automatic selection has
    /// none that computes on a graphics processor. (A name that no backend has is an error.)
    pub unmatched: Vec<Choice>,
    /// The keys that were given for backends of this kind and that the chosen one does not know.
    pub unused_options: Vec<String>,
}

/// One backend, and what became of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The name that it is chosen by.
    pub name: &'static str,
    /// The package that it comes from.
    pub package: Package,
    /// Where the chosen one computes, and where others would.
    pub device: Device,
    /// How well it suits what was asked for: it comes before the priority.
    pub suitability: Suitability,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a backend that could have been taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// It was made, and is what runs.
    Selected,
    /// It cannot run here or does not serve: why, and what to do about it.
    Unavailable(Arc<Unavailable>),
    /// One before it was taken.
    NotTried,
}

impl Outcome {
    /// The name in reports: `selected`, `unavailable` or `not-tried`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Selected => "selected",
            Self::Unavailable(_) => "unavailable",
            Self::NotTried => "not-tried",
        }
    }
}

impl Report {
    /// The backend that was chosen; `None` where nothing works.
    pub fn selected(&self) -> Option<&Attempt> {
        let selected = |attempt: &&Attempt| matches!(attempt.outcome, Outcome::Selected);
        self.attempts.iter().find(selected)
    }

    /// The backends that were tried and do not run.
    pub fn unavailable(&self) -> impl Iterator<Item = (&Attempt, &Unavailable)> {
        self.attempts.iter().filter_map(|attempt| Some((attempt, attempt.unavailable()?)))
    }
}

impl Attempt {
    /// Why it does not run; `None` for one that does or was not tried.
    pub fn unavailable(&self) -> Option<&Unavailable> {
        match &self.outcome {
            Outcome::Unavailable(why) => Some(why),
            Outcome::Selected | Outcome::NotTried => None,
        }
    }

    /// The kind of thing that is missing.
    pub fn reason(&self) -> Option<Reason> {
        self.unavailable().map(|why| why.reason)
    }

    /// What is missing, with all that the libraries under the backend said of it.
    pub fn detail(&self) -> Option<String> {
        self.unavailable().map(detail)
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.unavailable()?.help.as_deref()
    }
}

/// The detail and its chain of sources in one line: `a: b: c`. A source that the text before it quotes already is left out.
pub(crate) fn detail(why: &Unavailable) -> String {
    let mut text = why.detail.trim().to_owned();
    let mut source = why.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(said.trim()) {
            text.push_str(": ");
            text.push_str(said.trim());
        }
        source = error.source();
    }
    text
}

/// Why a choice stands for no backend.
pub(crate) fn unmatched_because(choice: &Choice) -> &'static str {
    match choice {
        Choice::Gpu => "no linked backend computes on one",
        Choice::Name(_) => "no linked backend has the name",
    }
}

/// What is missing and what to do about it, as lines of a table.
pub(crate) fn explained(why: &Unavailable) -> String {
    let help = why.help.as_deref().map(|help| format!("\nhelp: {help}"));
    format!("{}: {}{}", why.reason, detail(why), help.unwrap_or_default())
}

/// How well a backend suits what was asked for, as a line of a table.
pub(crate) fn because(suitability: &Suitability) -> String {
    suitability.because().map_or_else(String::new, |because| format!("{}: {because}", suitability.name()))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selected = self.selected().map_or("none", |attempt| attempt.name);
        let fallback = if self.fallback { ", a fallback" } else { "" };
        let (kind, preference, note) = (self.kind, &self.preference, self.source.note());
        writeln!(f, "{kind} backend: {selected}{fallback}; asked for: {preference}{note}")?;
        let mut table = Table::new(["backend", "package", "device", "outcome", ""]);
        for attempt in &self.attempts {
            table.row([
                attempt.name.to_owned(),
                format!("{} {}", attempt.package.name, attempt.package.version),
                attempt.device.to_string(),
                attempt.outcome.name().replace('-', " "),
                attempt.unavailable().map_or_else(|| because(&attempt.suitability), explained),
            ]);
        }
        write!(f, "{table}")?;
        for choice in &self.unmatched {
            write!(f, "\nunmatched: {choice} ({})", unmatched_because(choice))?;
        }
        if !self.unused_options.is_empty() {
            write!(f, "\nunused options: {}", self.unused_options.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Stored<'a> {
            kind: BackendKind,
            name: Option<&'static str>,
            preference: &'a Preference,
            source: Source,
            fallback: bool,
            attempts: &'a [Attempt],
            unmatched: Vec<String>,
            unused_options: &'a [String],
        }
        let stored = Stored {
            kind: self.kind,
            name: self.selected().map(|attempt| attempt.name),
            preference: &self.preference,
            source: self.source,
            fallback: self.fallback,
            attempts: &self.attempts,
            unmatched: self.unmatched.iter().map(Choice::to_string).collect(),
            unused_options: &self.unused_options,
        };
        stored.serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Attempt {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Stored<'a> {
            name: &'static str,
            package: Package,
            device: Device,
            suitability: &'static str,
            because: Option<&'a str>,
            outcome: &'static str,
            reason: Option<Reason>,
            detail: Option<String>,
            help: Option<&'a str>,
        }
        let stored = Stored {
            name: self.name,
            package: self.package,
            device: self.device,
            suitability: self.suitability.name(),
            because: self.suitability.because(),
            outcome: self.outcome.name(),
            reason: self.reason(),
            detail: self.detail(),
            help: self.help(),
        };
        stored.serialize(serializer)
    }
}
