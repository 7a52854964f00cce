//! A model that is installed: a folder with its manifest and its files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::catalogue::entry;
use crate::digest::Digest;
use crate::error::ModelError;
use crate::manifest::{Artifact, Format, Manifest};

/// A model that is installed.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    folder: PathBuf,
    manifest: Manifest,
}

impl Model {
    /// The most bytes of a model's file.
    pub const MAX_BYTES: u64 = 4 << 30;

    /// Reads the manifest of a folder. Its files are looked at when they are [`read`](Self::read).
    ///
    /// # Errors
    /// [`ModelError::Io`] where there is none, [`ModelError::Manifest`] and [`ModelError::Version`] where it cannot be used.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, ModelError> {
        let folder = folder.into();
        let path = folder.join(Manifest::FILE);
        let bytes = read(&path, Manifest::MAX_BYTES)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| ModelError::Manifest { path: path.clone(), detail: "it is not UTF-8".to_owned() })?;
        Ok(Self { manifest: Manifest::parse_at(&text, &path)?, folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where the file of a format is; it is there, and not looked into.
    ///
    /// # Errors
    /// [`ModelError::NoArtifact`] where the model has none, [`ModelError::Io`] and [`ModelError::TooLarge`] where it cannot
    /// be read.
    pub fn path(&self, format: Format) -> Result<PathBuf, ModelError> {
        let path = self.folder.join(&self.wanted(format)?.file);
        open(&path, Self::MAX_BYTES)?;
        Ok(path)
    }

    /// The bytes of the file of a format, compared with their digest: what is given to a runtime is what was checked,
    /// also where the file changes meanwhile.
    ///
    /// # Errors
    /// [`ModelError::NoArtifact`], [`ModelError::Io`], [`ModelError::TooLarge`], [`ModelError::WrongDigest`].
    pub fn read(&self, format: Format) -> Result<Vec<u8>, ModelError> {
        let artifact = self.wanted(format)?;
        let path = self.folder.join(&artifact.file);
        let bytes = read(&path, Self::MAX_BYTES)?;
        if let Some(expected) = artifact.digest {
            compare(&path, expected, expected.same_of(&bytes))?;
        }
        Ok(bytes)
    }

    /// Compares every file with its digest, in a fixed amount of memory.
    ///
    /// # Errors
    /// As [`read`](Self::read), for the first file that is wrong.
    pub fn verify(&self) -> Result<(), ModelError> {
        for artifact in &self.manifest.artifacts {
            let path = self.folder.join(&artifact.file);
            let file = open(&path, Self::MAX_BYTES)?;
            if let Some(expected) = artifact.digest {
                let found = expected.same_of_reader(file).map_err(ModelError::io(&path))?;
                compare(&path, expected, found)?;
            }
        }
        Ok(())
    }

    /// Whether the catalogue says something else of this model than its manifest here does, such as another threshold:
    /// fetching it again brings that. A model that the catalogue does not have is never outdated.
    pub fn is_outdated(&self) -> bool {
        entry(&self.manifest.id).is_some_and(|entry| !self.is(entry))
    }

    /// Whether its manifest is this one. Digests that this one leaves open were stated when the model was installed.
    pub(crate) fn is(&self, manifest: &Manifest) -> bool {
        let mut expected = manifest.clone();
        for artifact in &mut expected.artifacts {
            let here = self.manifest.artifacts.iter().find(|here| here.file == artifact.file);
            artifact.digest = artifact.digest.or(here.and_then(|here| here.digest));
        }
        self.manifest == expected
    }

    fn wanted(&self, format: Format) -> Result<&Artifact, ModelError> {
        let none = || ModelError::NoArtifact { id: self.manifest.id.clone(), format };
        self.manifest.artifact(format).ok_or_else(none)
    }
}

impl Manifest {
    /// States the digest of every artifact, as it is in `folder`; those that are stated have to be right. Errors name the
    /// files as if they were in `shown`.
    pub(crate) fn state_digests(&mut self, folder: &Path, shown: &Path) -> Result<(), ModelError> {
        for artifact in &mut self.artifacts {
            let path = folder.join(&artifact.file);
            let reader = open(&path, Model::MAX_BYTES)?;
            let function = artifact.digest.unwrap_or(Digest::Blake3([0; 32]));
            let found = function.same_of_reader(reader).map_err(ModelError::io(&path))?;
            compare(&shown.join(&artifact.file), artifact.digest.unwrap_or(found), found)?;
            artifact.digest = Some(found);
        }
        Ok(())
    }
}

pub(crate) fn compare(path: &Path, expected: Digest, found: Digest) -> Result<(), ModelError> {
    if expected == found { Ok(()) } else { Err(ModelError::WrongDigest { path: path.to_owned(), expected, found }) }
}

/// Opens a regular file of at most `max` bytes: a device or a pipe would be read for ever.
pub(crate) fn open(path: &Path, max: u64) -> Result<impl Read, ModelError> {
    let about = fs::metadata(path).map_err(ModelError::io(path))?;
    if !about.is_file() {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(ModelError::Io { path: path.to_owned(), source });
    }
    if about.len() > max {
        return Err(ModelError::TooLarge { path: path.to_owned(), bytes: about.len(), max });
    }
    // It may grow meanwhile.
    Ok(File::open(path).map_err(ModelError::io(path))?.take(max))
}

pub(crate) fn read(path: &Path, max: u64) -> Result<Vec<u8>, ModelError> {
    let mut bytes = Vec::new();
    open(path, max)?.read_to_end(&mut bytes).map_err(ModelError::io(path))?;
    Ok(bytes)
}
