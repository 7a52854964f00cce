//! Why no backend was chosen.

use nodupe_core::{Conflict, OptionError, Registry, SpaceError, closest};

use crate::environment::Source;
use crate::preference::{Preference, PreferenceError};
use crate::report::{BackendKind, Report};

/// Why no backend was chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// A text that is no preference.
    #[error("`{text}`{} is no preference", .origin.note())]
    Preference {
        /// The text.
        text: String,
        /// Who wrote it.
        origin: Source,
        /// What is wrong with it.
        source: PreferenceError,
    },
    /// A name that no registered backend has. Nothing was tried, not even what stands before it in the preference.
    #[error(
        "there is no {kind} backend `{name}`{}{}; {}",
        .origin.note(), hint(*.kind, *.elsewhere, *.suggestion), listed(.known)
    )]
    UnknownName {
        /// The kind that was asked for.
        kind: BackendKind,
        /// The name.
        name: String,
        /// Who asked for it.
        origin: Source,
        /// The names that there are, strongest first.
        known: Vec<&'static str>,
        /// The one that was most likely meant.
        suggestion: Option<&'static str>,
        /// Whether there is a backend of the other kind that has the name.
        elsewhere: bool,
    },
    /// An option that no registered backend declares, or a value that it cannot have. Nothing was tried.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// A name that two packages have registered, where one backend is asked for rather than chosen.
    #[error(transparent)]
    Ambiguous(#[from] Conflict),
    /// A space that there cannot be.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Nothing to try: no backend is linked, none computes on a GPU where only those may be taken, or none takes part in
    /// automatic selection.
    #[error(
        "no {} backend to try for `{}`{}; {}",
        .report.kind, .report.preference, .report.source.note(), listed(.known)
    )]
    NoCandidate {
        /// What was asked for, without attempts.
        report: Box<Report>,
        /// The names that there are, strongest first.
        known: Vec<&'static str>,
    },
    /// Everything that may be taken was tried, and nothing works here.
    #[error("no {} backend works here\n{report}", .report.kind)]
    NothingWorks {
        /// Every attempt.
        report: Box<Report>,
    },
}

impl SelectError {
    /// What was tried, where it came that far.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::NoCandidate { report, .. } | Self::NothingWorks { report } => Some(report),
            _ => None,
        }
    }

    pub(crate) fn unknown(registry: &Registry, kind: BackendKind, name: &str, origin: Source) -> Self {
        let known = kind.names(registry);
        Self::UnknownName {
            kind,
            name: name.to_owned(),
            origin,
            suggestion: closest(name, known.iter().copied()),
            known,
            elsewhere: kind.other().names(registry).contains(&name),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Preference, Self> {
        text.parse().map_err(|source| Self::Preference { text: text.to_owned(), origin: Source::Call, source })
    }
}

fn hint(kind: BackendKind, elsewhere: bool, suggestion: Option<&str>) -> String {
    match suggestion {
        _ if elsewhere => format!("; that is the name of one of the {} backends", kind.other()),
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

fn listed(known: &[&str]) -> String {
    match known {
        [] => "none is linked into this program: enable one of nodupe's features, or link a backend crate".to_owned(),
        names => format!("known are {}", names.join(", ")),
    }
}
