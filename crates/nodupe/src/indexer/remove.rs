//! Files out of an index.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nodupe_index::{Index, Manifest, WriteLock, read_manifest};

use super::ids::{path_of, real_path};
use super::{Indexer, IndexerError};

/// What was taken out of an index.
#[derive(Debug)]
#[non_exhaustive]
pub struct Removed {
    /// The bundle as it was saved; `None` where nothing was taken out, and it is as it was.
    pub manifest: Option<Manifest>,
    /// The images that were taken out, by path.
    pub images: Vec<PathBuf>,
    /// What was named and has nothing in the index.
    pub unknown: Vec<PathBuf>,
}

impl Indexer<'_> {
    /// Takes the images at and below `paths` out of an index and saves it. The paths need not be there any more.
    ///
    /// # Errors
    /// [`IndexerError`]. The index is then as it was.
    pub fn remove(
        &self,
        path: impl AsRef<Path>,
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Result<Removed, IndexerError> {
        let named: Vec<PathBuf> = paths.into_iter().map(Into::into).collect();
        // A path means the file itself; as it is written, it may be an id of the application's own.
        let meant: Vec<[PathBuf; 2]> = named.iter().map(|path| [path.clone(), real_path(path)]).collect();
        let all: HashSet<&Path> = meant.iter().flatten().map(PathBuf::as_path).collect();
        let mut met = HashSet::new();
        let mut removed = self.remove_where(path.as_ref(), |image| {
            let named = image.ancestors().filter(|folder| all.contains(folder));
            let named: Vec<PathBuf> = named.map(Path::to_owned).collect();
            let is_named = !named.is_empty();
            met.extend(named);
            is_named
        })?;
        let is_unknown = |(_, meant): &(&PathBuf, &[PathBuf; 2])| meant.iter().all(|path| !met.contains(path));
        let unknown: Vec<PathBuf> =
            named.iter().zip(&meant).filter(is_unknown).map(|(named, _)| named.clone()).collect();
        removed.unknown = unknown;
        Ok(removed)
    }

    /// Takes the images out of an index whose files are not there any more, and saves it. What is on a disk that is not
    /// mounted is not there.
    ///
    /// # Errors
    /// [`IndexerError`]. The index is then as it was.
    pub fn remove_missing(&self, path: impl AsRef<Path>) -> Result<Removed, IndexerError> {
        self.remove_where(path.as_ref(), |image| match image.symlink_metadata() {
            Ok(_) => false,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        })
    }

    fn remove_where(&self, path: &Path, mut goes: impl FnMut(&Path) -> bool) -> Result<Removed, IndexerError> {
        let registry = self.registry();
        self.checked(&registry)?;
        read_manifest(path)?;
        let lock = WriteLock::acquire(path)?;
        let mut index = Index::open(path, &registry, &self.options)?;
        let (mut ids, mut images) = (Vec::new(), BTreeSet::new());
        index.backend().for_each_id(&mut |id| {
            let image = path_of(id);
            if goes(&image) {
                ids.push(id.clone());
                images.insert(image);
            }
            ControlFlow::Continue(())
        })?;
        let mut removed = Removed { manifest: None, images: images.into_iter().collect(), unknown: Vec::new() };
        if !ids.is_empty() {
            index.backend_mut().remove(&ids)?;
            removed.manifest = Some(index.save_locked(&lock)?);
        }
        Ok(removed)
    }
}
