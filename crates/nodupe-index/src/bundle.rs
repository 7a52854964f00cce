//! A bundle on disk: how it is written so that a crash leaves the old one or the new one, and how it is checked.
//!
//! ```text
//! manifest.json      what the bundle is, and the length and digest of every file of it
//! manifest.json.new  the next one, while it is written
//! gen-N/             the files of the backend; N is in the manifest
//! lock               held by who writes
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use nodupe_core::{IndexError, SimilarityBackend, Storage};

use crate::disk::{Disk, System};
use crate::error::BundleError;
use crate::manifest::{FORMAT, Manifest, PackageVersion, StoredFile, folder, generation_of, is_plain};

const MANIFEST: &str = "manifest.json";
const NEXT_MANIFEST: &str = "manifest.json.new";
const LOCK: &str = "lock";

/// What the bundle in a folder says of itself. Nothing but the manifest is read.
///
/// # Errors
/// [`BundleError::NotABundle`] where there is no manifest; [`IndexError::Corrupt`], [`IndexError::Version`] and
/// [`IndexError::Io`].
pub fn read_manifest(path: impl AsRef<Path>) -> Result<Manifest, BundleError> {
    let path = path.as_ref();
    let file = path.join(MANIFEST);
    match Manifest::read(&file) {
        Err(IndexError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            let there = match path.metadata() {
                Ok(found) if found.is_dir() => "it has no manifest.json",
                Ok(_) => "it is a file",
                Err(_) => "there is no such folder",
            };
            Err(BundleError::NotABundle { path: path.to_owned(), detail: there.to_owned() })
        }
        read => Ok(read?),
    }
}

/// Checks the bundle in a folder: its manifest, and the length and digest of every file of a snapshot. The backend is not
/// asked, so it need not be there.
///
/// # Errors
/// Those of [`read_manifest`], and [`IndexError::Corrupt`] for a file that is missing, too many, of another length or of
/// another digest.
pub fn verify(path: impl AsRef<Path>) -> Result<Manifest, BundleError> {
    let manifest = read_manifest(path.as_ref())?;
    check(path.as_ref(), &manifest)?;
    Ok(manifest)
}

/// Checks the files of a bundle against its manifest.
pub(crate) fn check(path: &Path, manifest: &Manifest) -> Result<(), IndexError> {
    let dir = path.join(manifest.folder());
    let found = metadata(&dir)?;
    if !found.is_dir() {
        return Err(IndexError::corrupt(dir, "it is no folder"));
    }
    if manifest.storage != Storage::Snapshot {
        return Ok(());
    }
    // Lengths first: they cost nothing, and most accidents change them.
    for file in &manifest.files {
        let path = dir.join(&file.name);
        let found = metadata(&path)?;
        if !found.is_file() {
            return Err(IndexError::corrupt(path, "it is no file"));
        }
        if found.len() != file.length {
            let detail = format!("it has {} bytes, and the manifest says {}", found.len(), file.length);
            return Err(IndexError::corrupt(path, detail));
        }
    }
    for name in names(&dir)? {
        // What a file browser leaves behind is no part of an index.
        if !name.starts_with('.') && !manifest.files.iter().any(|file| file.name == name) {
            return Err(IndexError::corrupt(dir.join(name), "the manifest knows no such file"));
        }
    }
    for file in &manifest.files {
        let path = dir.join(&file.name);
        if digest(&path)?.to_hex().as_str() != file.blake3.to_ascii_lowercase() {
            return Err(IndexError::corrupt(path, "its digest is not that of the manifest"));
        }
    }
    Ok(())
}

/// What a path of the manifest is, links not followed.
fn metadata(path: &Path) -> Result<fs::Metadata, IndexError> {
    fs::symlink_metadata(path).map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => IndexError::corrupt(path, "it is missing"),
        _ => IndexError::io(path)(why),
    })
}

/// Keeps other writers out of a bundle until it is dropped: for work that takes long and should not find at its end that
/// another has saved meanwhile. Readers are not kept out.
#[derive(Debug)]
pub struct WriteLock {
    path: PathBuf,
    _held: File,
    /// Whether the folder was made for it.
    is_new: bool,
}

impl WriteLock {
    /// Takes the lock of the bundle in a folder, which is made where it is missing.
    ///
    /// # Errors
    /// [`BundleError::Locked`] while another writer has it; [`BundleError::NotABundle`] where the folder holds something
    /// else; [`IndexError::Io`].
    pub fn acquire(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let path = path.as_ref();
        let is_new = !path.exists();
        prepare(&System, path)?;
        Ok(Self { path: path.to_owned(), _held: lock(path)?, is_new })
    }

    /// The folder of the bundle.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An empty folder in the bundle for an index that lives on disk while it is filled
    /// ([`IndexSpec::dir`](nodupe_core::IndexSpec::dir)). The next save removes it.
    ///
    /// # Errors
    /// [`IndexError::Io`].
    pub fn working_dir(&self) -> Result<PathBuf, IndexError> {
        let current = read_manifest(&self.path).ok().map(|manifest| manifest.generation);
        let last = generations(&self.path)?.into_iter().chain(current).max();
        let dir = self.path.join(folder(last.map_or(0, |last| last.saturating_add(1))));
        fs::create_dir(&dir).map_err(IndexError::io(&dir))?;
        Ok(dir)
    }

    /// Gives the lock back where no bundle came of it: a folder that was made for it goes again.
    pub fn abandon(self) {
        if self.is_new && !self.path.join(MANIFEST).exists() {
            // Best effort: what is left is taken for a save that was cut short, and what others have put there stays.
            for generation in generations(&self.path).unwrap_or_default() {
                let _ = fs::remove_dir_all(self.path.join(folder(generation)));
            }
            let _ = fs::remove_file(self.path.join(NEXT_MANIFEST));
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Writes a bundle: the new generation beside the old one, then the manifest over the old manifest, which is the commit.
/// `own` is the generation that the index has here; where another is, it is not replaced. It becomes the new one with the
/// commit, also where something fails after that. Whoever holds the lock already has it in `held`.
pub(crate) fn write(
    disk: &dyn Disk,
    path: &Path,
    held: Option<&WriteLock>,
    backend: &mut dyn SimilarityBackend,
    own: &mut Option<u64>,
) -> Result<Manifest, BundleError> {
    let _lock = if held.is_some() {
        None
    } else {
        prepare(disk, path)?;
        Some(lock(path)?)
    };
    let current = match read_manifest(path) {
        Ok(manifest) => Some(manifest.generation),
        Err(BundleError::NotABundle { .. }) => None,
        Err(why) => return Err(why),
    };
    if let (Some(expected), Some(found)) = (*own, current)
        && expected != found
    {
        return Err(BundleError::Changed { path: path.to_owned(), expected, found });
    }
    let last = generations(path)?.into_iter().chain(current).max();
    let generation = last.map_or(Some(1), |last| last.checked_add(1));
    let Some(generation) = generation else {
        return Err(IndexError::corrupt(path, "no generation is left").into());
    };
    let dir = path.join(folder(generation));
    let manifest = write_generation(disk, path, &dir, backend, generation).inspect_err(|_| {
        // Best effort: the next save removes it where this one cannot.
        let _ = disk.remove_dir(&dir);
        let _ = disk.remove_file(&path.join(NEXT_MANIFEST));
    })?;
    let file = path.join(MANIFEST);
    // From here on the new generation may be the one that counts, so no failure removes it.
    disk.rename(&path.join(NEXT_MANIFEST), &file).map_err(IndexError::io(&file))?;
    *own = Some(generation);
    disk.sync_dir(path).map_err(IndexError::io(path))?;
    for old in generations(path)?.into_iter().filter(|old| *old != generation) {
        let old = path.join(folder(old));
        if let Err(why) = disk.remove_dir(&old) {
            tracing::warn!(path = %old.display(), %why, "an old generation could not be removed; the next save tries again");
        }
    }
    Ok(manifest)
}

/// Everything before the commit.
fn write_generation(
    disk: &dyn Disk,
    path: &Path,
    dir: &Path,
    backend: &mut dyn SimilarityBackend,
    generation: u64,
) -> Result<Manifest, IndexError> {
    disk.create_dir(dir).map_err(IndexError::io(dir))?;
    backend.save(dir)?;
    let storage = backend.storage();
    let mut files = Vec::new();
    if storage == Storage::Snapshot {
        for name in names(dir)? {
            files.push(stored(disk, dir, name, backend.info().name)?);
        }
    }
    disk.sync_dir(dir).map_err(IndexError::io(dir))?;
    let (info, count) = (backend.info(), backend.len()?);
    let manifest = Manifest {
        format: FORMAT,
        generation,
        backend: info.name.to_owned(),
        package: PackageVersion { name: info.package.name.to_owned(), version: info.package.version.to_owned() },
        space: backend.space().clone(),
        count: count as u64,
        storage,
        files,
    };
    let next = path.join(NEXT_MANIFEST);
    let bytes = manifest.to_bytes().map_err(|why| IndexError::Io { path: next.clone(), source: why.into() })?;
    disk.write(&next, &bytes).map_err(IndexError::io(&next))?;
    disk.sync_file(&next).map_err(IndexError::io(&next))?;
    // The folder of the generation and the new manifest have their names on the disk before the manifest has its own.
    disk.sync_dir(path).map_err(IndexError::io(path))?;
    Ok(manifest)
}

/// Puts a file that the backend wrote on the disk and says what it is.
fn stored(disk: &dyn Disk, dir: &Path, name: String, backend: &'static str) -> Result<StoredFile, IndexError> {
    let path = dir.join(&name);
    let found = fs::symlink_metadata(&path).map_err(IndexError::io(&path))?;
    if !is_plain(&name) || !found.is_file() {
        let detail =
            format!("it saved {name:?}, and bundles hold plain files with names of letters, digits, `.`, `_` and `-`");
        return Err(IndexError::Unsupported { backend, operation: "save", detail });
    }
    disk.sync_file(&path).map_err(IndexError::io(&path))?;
    let blake3 = digest(&path)?.to_hex().to_string();
    Ok(StoredFile { name, length: found.len(), blake3 })
}

fn digest(path: &Path) -> Result<blake3::Hash, IndexError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(IndexError::io(path))?;
    hasher.update_reader(file).map_err(IndexError::io(path))?;
    Ok(hasher.finalize())
}

/// Makes the folder of a bundle, or sees that the one that is there is one or is empty.
fn prepare(disk: &dyn Disk, path: &Path) -> Result<(), BundleError> {
    if !path.exists() {
        let made = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made: Vec<&Path> = made.collect();
        disk.create_dir(path).map_err(IndexError::io(path))?;
        // The name of each is in the folder above it.
        for folder in made {
            let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            disk.sync_dir(above).map_err(IndexError::io(above))?;
        }
        return Ok(());
    }
    let not_a_bundle = |detail: String| BundleError::NotABundle { path: path.to_owned(), detail };
    if !path.is_dir() {
        return Err(not_a_bundle("it is a file".to_owned()));
    }
    if path.join(MANIFEST).exists() {
        return Ok(());
    }
    // What a first save leaves that was cut short is ours; anything else is somebody's.
    let ours = |name: &str| [NEXT_MANIFEST, LOCK].contains(&name) || generation_of(name).is_some();
    match names(path)?.into_iter().find(|name| !ours(name)) {
        Some(other) => Err(not_a_bundle(format!("it has {other:?} in it, and no manifest.json; name a new folder"))),
        None => Ok(()),
    }
}

/// Holds off other writers until it is dropped.
fn lock(path: &Path) -> Result<File, BundleError> {
    let file = path.join(LOCK);
    let lock = File::options().write(true).create(true).truncate(false).open(&file);
    let lock = lock.map_err(IndexError::io(&file))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(BundleError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(why)) if why.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!(path = %file.display(), "the file system has no locks: see that nobody else writes the index");
        }
        Err(TryLockError::Error(why)) => return Err(IndexError::io(&file)(why).into()),
    }
    Ok(lock)
}

/// The generations that have a folder.
fn generations(path: &Path) -> Result<Vec<u64>, IndexError> {
    Ok(names(path)?.iter().filter_map(|name| generation_of(name)).collect())
}

/// The names in a folder, sorted. One that is not UTF-8 is no name of ours; it is shown as well as can be.
fn names(dir: &Path) -> Result<Vec<String>, IndexError> {
    let entries = fs::read_dir(dir).map_err(IndexError::io(dir))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>().map_err(IndexError::io(dir))?;
    names.sort_unstable();
    Ok(names)
}
