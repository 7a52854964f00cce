//! Why a model cannot be used.

use std::io;
use std::path::PathBuf;

use nodupe_core::{BoxError, Reason, Unavailable};

use crate::digest::Digest;
use crate::manifest::Format;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The catalogue has it, and it is not installed.
    #[error("the model {id} is not installed")]
    NotInstalled {
        /// The model.
        id: String,
    },
    /// No model is installed.
    #[error("no model is installed")]
    NoneInstalled {
        /// The first of the catalogue.
        first: String,
    },
    /// Nobody knows it.
    #[error("there is no model `{name}`; known are {}{}", .known.join(", "), hint(.suggestion.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The ids of the catalogue and of what is installed.
        known: Vec<String>,
        /// The closest of them.
        suggestion: Option<String>,
    },
    /// The model has no file of the format that the backend reads.
    #[error("the model {id} has no {format} file")]
    NoArtifact {
        /// The model.
        id: String,
        /// The format.
        format: Format,
    },
    /// The manifest cannot be read.
    #[error("{path} is no manifest of a model: {detail}", path = .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The manifest is of a newer format.
    #[error("{path} has format version {found}, and this program reads up to {supported}: update it", path = .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it says it has.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// A file is not the one that the manifest means.
    #[error("{path} is not the file that was meant: its digest is {found}, and {expected} is expected", path = .path.display())]
    WrongDigest {
        /// The file.
        path: PathBuf,
        /// The digest that the manifest states.
        expected: Digest,
        /// That of the file.
        found: Digest,
    },
    /// Another model is installed under the same name.
    #[error(
        "another {id} is installed, of revision {there}, and this one is of revision {revision}: it is replaced only when asked to"
    )]
    OtherInstalled {
        /// The model.
        id: String,
        /// The revision of the new one.
        revision: String,
        /// That of the installed one.
        there: String,
    },
    /// A file is larger than any model that is meant.
    #[error("{path} has {bytes} bytes, more than the {max} that a model may have", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The most that is read.
        max: u64,
    },
    /// The contents of a model's file are not what the manifest says, or nothing that the backend can run.
    #[error("the model {id} cannot be used: {detail}")]
    Unusable {
        /// The model.
        id: String,
        /// What is wrong.
        detail: String,
        /// What the library under the backend said.
        source: Option<BoxError>,
    },
    /// There is no folder for caches: neither `XDG_CACHE_HOME` nor a home.
    #[error("there is no folder to keep models in: set NODUPE_MODELS, or HOME")]
    NoCache,
    /// Reading or writing failed.
    #[error("{path}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl ModelError {
    /// Makes a [`ModelError::Io`] of what the system said about `path`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// A [`ModelError::Unusable`].
    pub fn unusable(id: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Unusable { id: id.into(), detail: detail.into(), source: None }
    }

    /// The command of `nodupe` that helps, where one does.
    pub fn command(&self) -> Option<String> {
        match self {
            Self::NotInstalled { id } | Self::NoneInstalled { first: id } => Some(format!("nodupe models fetch {id}")),
            Self::Unknown { .. } => Some("nodupe models list".to_owned()),
            Self::WrongDigest { .. } => Some("nodupe models verify".to_owned()),
            _ => None,
        }
    }
}

/// What selection shows: a model that is not there, or one that cannot be used.
impl From<ModelError> for Unavailable {
    fn from(error: ModelError) -> Self {
        let reason = match &error {
            ModelError::NotInstalled { .. }
            | ModelError::NoneInstalled { .. }
            | ModelError::Unknown { .. }
            | ModelError::NoCache
            | ModelError::NoArtifact { .. } => Reason::ModelMissing,
            _ => Reason::ModelUnusable,
        };
        let help = error.command().map(|command| format!("run `{command}`"));
        let (detail, source) = match error {
            ModelError::Io { path, source } => (path.display().to_string(), Some(source.into())),
            ModelError::Unusable { id, detail, source } => (format!("the model {id} cannot be used: {detail}"), source),
            error => (error.to_string(), None),
        };
        let mut unavailable = Self::new(reason, detail);
        unavailable.help = help.map(Into::into);
        unavailable.source = source;
        unavailable
    }
}
