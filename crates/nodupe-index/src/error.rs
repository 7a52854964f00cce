//! Why a bundle could not be written or opened.

use std::path::PathBuf;

use nodupe_core::IndexError;

/// Why a bundle could not be written or opened. Damage, a newer format and failures of the system are those of
/// [`IndexError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The folder is no bundle, and has other things in it.
    #[error("{path} is no index: {detail}", path = path.display())]
    NotABundle {
        /// The folder.
        path: PathBuf,
        /// What is there, or is not.
        detail: String,
    },
    /// Another writer is at it.
    #[error("{path} is being written by another process; try again when it is done", path = path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// Another writer has saved since this index was opened or saved here: its changes would be lost.
    #[error(
        "{path} was saved by another since it was opened (generation {found}, not {expected}); open it again",
        path = path.display()
    )]
    Changed {
        /// The folder.
        path: PathBuf,
        /// The generation that was opened or saved.
        expected: u64,
        /// The one that is there now.
        found: u64,
    },
    /// No backend of the name that the bundle was made with is registered.
    #[error(
        "{path} needs the backend `{backend}` of the package {package}, which this program does not have; it has {}",
        listed(registered),
        path = path.display()
    )]
    UnknownBackend {
        /// The folder.
        path: PathBuf,
        /// The backend.
        backend: String,
        /// The package that it came from.
        package: String,
        /// The backends that there are.
        registered: Vec<&'static str>,
    },
    /// The index, or what is under it, failed.
    #[error(transparent)]
    Index(#[from] IndexError),
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
