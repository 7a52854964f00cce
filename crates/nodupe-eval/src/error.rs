//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

use nodupe_core::IndexError;
use nodupe_media::MediaError;

/// Why something could not be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file could not be read or written.
    #[error("{path}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not the JSON that it should be.
    #[error("{path} is not {what}", path = path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        source: serde_json::Error,
    },
    /// Labels that make no sense.
    #[error("{path}: {detail}", path = path.display())]
    Labels {
        /// The file that they are in.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// There are too few photographs to make a set of.
    #[error(
        "a set of {set} needs at least {needed} readable photographs, {found} were found: name a folder with more of them"
    )]
    TooFew {
        /// The transform set.
        set: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// A photograph could not be read.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A picture could not be made.
    #[error("a picture could not be made: {detail}")]
    Picture {
        /// Why.
        detail: String,
    },
    /// The similarity backend failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl EvalError {
    pub(crate) fn io(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), source }
    }
}
