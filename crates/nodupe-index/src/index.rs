//! An index: a similarity backend that knows where it is saved.

use std::path::{Path, PathBuf};

use nodupe_core::{
    EmbeddingSpace, IndexError, IndexSpec, ItemId, Options, Reason, Registry, SimilarityBackend,
    SimilarityRegistration, Storage, Unavailable,
};

use crate::bundle::{self, WriteLock};
use crate::disk::{Disk, System};
use crate::error::BundleError;
use crate::manifest::Manifest;

/// How many vectors are moved or compared at once.
pub(crate) const CHUNK: usize = 1024;

/// A similarity backend, and the bundle on disk that it was opened from or saved to.
#[derive(Debug)]
pub struct Index {
    backend: Box<dyn SimilarityBackend>,
    /// The folder and the generation there that holds what this index started from.
    saved: Option<(PathBuf, u64)>,
}

impl Index {
    /// An index that is in memory alone until it is saved.
    pub fn new(backend: Box<dyn SimilarityBackend>) -> Self {
        Self { backend, saved: None }
    }

    /// Opens a bundle with the backend that wrote it.
    ///
    /// Format version, lengths and digests are checked before the backend sees a file. Digests find accidents, not malice:
    /// who can write the files can write the manifest.
    ///
    /// # Errors
    /// Those of [`verify`](crate::verify); [`BundleError::UnknownBackend`] where the backend is not in `registry`;
    /// [`IndexError::Unavailable`] where it cannot run here; and whatever it says of its files.
    pub fn open(path: impl AsRef<Path>, registry: &Registry, options: &Options) -> Result<Self, BundleError> {
        Self::open_checked(path.as_ref(), None, registry, options)
    }

    /// Opens a bundle that must hold vectors of `space`.
    ///
    /// # Errors
    /// Those of [`Index::open`], and [`IndexError::SpaceMismatch`] (whose `expected` is the space of the bundle) before
    /// anything but the manifest is read.
    pub fn open_in_space(
        path: impl AsRef<Path>,
        space: &EmbeddingSpace,
        registry: &Registry,
        options: &Options,
    ) -> Result<Self, BundleError> {
        Self::open_checked(path.as_ref(), Some(space), registry, options)
    }

    fn open_checked(
        path: &Path,
        space: Option<&EmbeddingSpace>,
        registry: &Registry,
        options: &Options,
    ) -> Result<Self, BundleError> {
        loop {
            let manifest = bundle::read_manifest(path)?;
            match Self::open_generation(path, &manifest, space, registry, options) {
                Ok(backend) => return Ok(Self { backend, saved: Some((path.to_owned(), manifest.generation)) }),
                // A writer that commits meanwhile takes the files away; then the new ones are there.
                Err(why) => match bundle::read_manifest(path) {
                    Ok(now) if now.generation != manifest.generation => {}
                    _ => return Err(why),
                },
            }
        }
    }

    fn open_generation(
        path: &Path,
        manifest: &Manifest,
        space: Option<&EmbeddingSpace>,
        registry: &Registry,
        options: &Options,
    ) -> Result<Box<dyn SimilarityBackend>, BundleError> {
        if let Some(space) = space.filter(|space| **space != manifest.space) {
            return Err(mismatch(&manifest.space, space).into());
        }
        let registration = registered(path, manifest, registry)?;
        bundle::check(path, manifest)?;
        let dir = path.join(manifest.folder());
        let count = usize::try_from(manifest.count).unwrap_or(usize::MAX);
        let spec = IndexSpec::new(&manifest.space).with_expected_len(count);
        let backend = (registration.open)(&spec, &dir, options)?;
        if *backend.space() != manifest.space {
            return Err(mismatch(&manifest.space, backend.space()).into());
        }
        let len = backend.len()?;
        if manifest.storage == Storage::Snapshot && len != count {
            let detail = format!("it holds {len} vectors, and the manifest says {count}");
            return Err(IndexError::corrupt(dir, detail).into());
        }
        Ok(backend)
    }

    /// The backend: to search, and for all that does not change it.
    pub fn backend(&self) -> &dyn SimilarityBackend {
        &*self.backend
    }

    /// The backend: to add, remove and build.
    pub fn backend_mut(&mut self) -> &mut (dyn SimilarityBackend + 'static) {
        &mut *self.backend
    }

    /// The backend alone.
    pub fn into_backend(self) -> Box<dyn SimilarityBackend> {
        self.backend
    }

    /// The folder that the index was opened from or last saved to.
    pub fn path(&self) -> Option<&Path> {
        self.saved.as_ref().map(|(path, _)| path.as_path())
    }

    /// Saves the index as a bundle in a folder, which is made where it is missing. A bundle that is there is replaced: a
    /// crash at any time leaves the old one or the new one, and a save that fails leaves the old one.
    ///
    /// A live index goes on in the folder that it was last saved to: what it had before is removed.
    ///
    /// # Errors
    /// [`BundleError::Locked`] while another process saves there; [`BundleError::Changed`] where the bundle is not any more
    /// the one that this index was opened from or saved as; [`BundleError::NotABundle`] where the folder holds something
    /// else; [`IndexError::Corrupt`] and [`IndexError::Version`] where its manifest cannot be read; those of
    /// [`SimilarityBackend::save`]; [`IndexError::Io`].
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<Manifest, BundleError> {
        self.save_to(&System, path.as_ref(), None)
    }

    /// [`Index::save`] into the bundle whose lock the caller holds.
    ///
    /// # Errors
    /// Those of [`Index::save`] but [`BundleError::Locked`].
    pub fn save_locked(&mut self, lock: &WriteLock) -> Result<Manifest, BundleError> {
        self.save_to(&System, lock.path(), Some(lock))
    }

    pub(crate) fn save_to(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        held: Option<&WriteLock>,
    ) -> Result<Manifest, BundleError> {
        let here = self.saved.as_ref().filter(|(saved, _)| same_folder(saved, path));
        let mut own = here.map(|(_, generation)| *generation);
        let written = bundle::write(disk, path, held, &mut *self.backend, &mut own);
        if let Some(generation) = own {
            self.saved = Some((path.to_owned(), generation));
        }
        let manifest = written?;
        tracing::debug!(path = %path.display(), generation = manifest.generation, count = manifest.count, "saved");
        Ok(manifest)
    }

    /// Copies all vectors into another, empty index of the same space: the way from one backend to another. It is not
    /// built yet.
    ///
    /// # Errors
    /// [`IndexError::SpaceMismatch`]; [`IndexError::Unsupported`] where this backend does not keep its vectors exactly;
    /// [`IndexError::AlreadyPresent`] where the other is not empty; those of [`SimilarityBackend::add`].
    pub fn convert(&self, mut empty: Box<dyn SimilarityBackend>) -> Result<Self, IndexError> {
        if empty.space() != self.backend.space() {
            return Err(mismatch(empty.space(), self.backend.space()));
        }
        for ids in self.ids()?.chunks(CHUNK) {
            let Some(vectors) = self.backend.vectors(ids)? else {
                return Err(IndexError::Unsupported {
                    backend: self.backend.info().name,
                    operation: "vectors",
                    detail: "it does not keep them exactly, so the index cannot be converted".to_owned(),
                });
            };
            empty.add(ids, vectors.view())?;
        }
        Ok(Self::new(empty))
    }

    /// All ids, in their order.
    pub(crate) fn ids(&self) -> Result<Vec<ItemId>, IndexError> {
        let mut ids = Vec::with_capacity(self.backend.len()?);
        self.backend.for_each_id(&mut |id| {
            ids.push(id.clone());
            std::ops::ControlFlow::Continue(())
        })?;
        ids.sort_unstable();
        Ok(ids)
    }
}

fn mismatch(expected: &EmbeddingSpace, given: &EmbeddingSpace) -> IndexError {
    IndexError::SpaceMismatch { expected: Box::new(expected.clone()), given: Box::new(given.clone()) }
}

/// Whether two paths are of one folder, however they are written.
fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The one backend that is registered under the name of the manifest.
fn registered<'a>(
    path: &Path,
    manifest: &Manifest,
    registry: &'a Registry,
) -> Result<&'a SimilarityRegistration, BundleError> {
    let named = registry.similarities().iter().filter(|entry| entry.name == manifest.backend);
    match named.collect::<Vec<_>>()[..] {
        [one] => {
            if one.package.name != manifest.package.name {
                tracing::warn!(
                    backend = one.name,
                    package = one.package.name,
                    wrote = manifest.package.name,
                    "the index was written by a backend of the same name from another package"
                );
            }
            Ok(one)
        }
        [] => Err(BundleError::UnknownBackend {
            path: path.to_owned(),
            backend: manifest.backend.clone(),
            package: manifest.package.name.clone(),
            registered: registry.similarities().iter().map(|entry| entry.name).collect(),
        }),
        _ => {
            let detail = format!("two packages have registered a backend named `{}`", manifest.backend);
            Err(IndexError::from(Unavailable::new(Reason::Ambiguous, detail)).into())
        }
    }
}
