//! Why a backend cannot run here, and what to do about it.

use std::borrow::Cow;
use std::fmt;

use crate::error::BoxError;

/// The kind of thing that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// A library that is loaded at run time was not found.
    LibraryNotFound,
    /// A library or a model is of a version that does not serve.
    WrongVersion,
    /// There is no such device in this machine.
    NoDevice,
    /// The device's driver is missing or too old.
    Driver,
    /// The model's files are not there.
    ModelMissing,
    /// The model's files are there and cannot be used.
    ModelUnusable,
    /// No server answers at the address.
    ServerUnreachable,
    /// Never on this operating system or processor.
    UnsupportedTarget,
    /// The backend cannot hold vectors of this embedding space.
    UnsupportedSpace,
    /// The backend's vectors are of another embedding space than the one that is asked for.
    OtherSpace,
    /// The backend may miss neighbours, and one that finds all is asked for.
    Approximate,
    /// The options contradict each other or what they name is not there.
    Options,
    /// Not enough memory or disk.
    Resources,
    /// Two backends have registered this name.
    Ambiguous,
    /// None of the others.
    Other,
}

impl Reason {
    /// The name in reports: `library-not-found`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::LibraryNotFound => "library-not-found",
            Self::WrongVersion => "wrong-version",
            Self::NoDevice => "no-device",
            Self::Driver => "driver",
            Self::ModelMissing => "model-missing",
            Self::ModelUnusable => "model-unusable",
            Self::ServerUnreachable => "server-unreachable",
            Self::UnsupportedTarget => "unsupported-target",
            Self::UnsupportedSpace => "unsupported-space",
            Self::OtherSpace => "other-space",
            Self::Approximate => "approximate",
            Self::Options => "options",
            Self::Resources => "resources",
            Self::Ambiguous => "ambiguous",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A backend cannot run here: what is missing, and what to do about it.
///
/// ```
/// use nodupe_core::{Reason, Unavailable};
/// let why = Unavailable::new(Reason::LibraryNotFound, "libfoo.so.1 is not installed").with_help("apt install libfoo1");
/// assert_eq!(why.to_string(), "libfoo.so.1 is not installed (apt install libfoo1)");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Unavailable {
    /// The kind of thing that is missing.
    pub reason: Reason,
    /// What is missing, for a person, in lower case and without a full stop.
    pub detail: Cow<'static, str>,
    /// What the person can do about it, where anything can be done.
    pub help: Option<Cow<'static, str>>,
    /// What the library under the backend said.
    pub source: Option<BoxError>,
}

impl Unavailable {
    /// Something is missing: `detail` says what.
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), help: None, source: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Cow<'static, str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with what the library under the backend said.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
