//! Puts a folder in its place: whoever looks finds the old one or the new one, whole.
//!
//! Under `root`, for the folder `name`: `.lock-name` is locked by whoever installs it, `.new-name` is what they write,
//! `.old-name` what was replaced where a file system cannot exchange two folders. No id begins with a dot, so none of them is
//! taken for a model. What a killed process leaves is removed by the next one that has the lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::ModelError;

/// The right to install one folder.
#[derive(Debug)]
pub(crate) struct Slot {
    destination: PathBuf,
    new: PathBuf,
    old: PathBuf,
    _lock: FileLock,
}

/// A folder that is being written. Dropped without [`commit`](Self::commit) it is removed.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    slot: &'a Slot,
}

/// An exclusive lock of a file, which the system lifts when the process ends.
#[derive(Debug)]
pub(crate) struct FileLock(#[allow(dead_code, reason = "held, not read")] File);

impl FileLock {
    /// Waits until nobody else has it; `None` where `is_cancelled` says so meanwhile.
    pub(crate) fn acquire(path: &Path, is_cancelled: &dyn Fn() -> bool) -> Result<Option<Self>, ModelError> {
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = options.map_err(ModelError::io(path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) if is_cancelled() => return Ok(None),
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
                Err(TryLockError::Error(error)) => return Err(ModelError::io(path)(error)),
            }
        }
    }
}

impl Slot {
    /// Waits until nobody else installs `root/name`, which has to be a plain name; `None` where it was cancelled meanwhile.
    pub(crate) fn acquire(
        root: &Path,
        name: &str,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, ModelError> {
        fs::create_dir_all(root).map_err(ModelError::io(root))?;
        let Some(lock) = FileLock::acquire(&root.join(format!(".lock-{name}")), is_cancelled)? else {
            return Ok(None);
        };
        let beside = |prefix: &str| root.join(format!("{prefix}{name}"));
        let slot = Self { destination: root.join(name), new: beside(".new-"), old: beside(".old-"), _lock: lock };
        slot.tidy()?;
        Ok(Some(slot))
    }

    pub(crate) fn destination(&self) -> &Path {
        &self.destination
    }

    /// An empty folder to write into.
    pub(crate) fn stage(&self) -> Result<Staging<'_>, ModelError> {
        fs::create_dir(&self.new).map_err(ModelError::io(&self.new))?;
        Ok(Staging { slot: self })
    }

    /// Removes what a killed process left; what it had moved away without putting anything in its place comes back.
    fn tidy(&self) -> Result<(), ModelError> {
        if exists(&self.old) && !exists(&self.destination) {
            fs::rename(&self.old, &self.destination).map_err(ModelError::io(&self.old))?;
        }
        remove(&self.old)?;
        remove(&self.new)
    }
}

impl Staging<'_> {
    pub(crate) fn folder(&self) -> &Path {
        &self.slot.new
    }

    /// Brings all of it to the disk, then puts it in its place.
    pub(crate) fn commit(self) -> Result<(), ModelError> {
        let Slot { destination, new, old, .. } = self.slot;
        for entry in fs::read_dir(new).map_err(ModelError::io(new))? {
            let path = entry.map_err(ModelError::io(new))?.path();
            // Windows flushes through handles that may write alone.
            let file = OpenOptions::new().read(true).write(true).open(&path);
            file.and_then(|file| file.sync_all()).map_err(ModelError::io(&path))?;
        }
        sync_folder(new)?;
        if !exists(destination) {
            fs::rename(new, destination).map_err(ModelError::io(destination))?;
        } else if exchange(new, destination).is_err() {
            fs::rename(destination, old).map_err(ModelError::io(destination))?;
            if let Err(error) = fs::rename(new, destination) {
                // Nothing helps where this fails too: the next one that has the lock tries again.
                let _ = fs::rename(old, destination);
                return Err(ModelError::io(destination)(error));
            }
        }
        if let Some(root) = destination.parent() {
            sync_folder(root)?;
        }
        // What was replaced is of no use, and of no harm where it cannot be removed: the next one tries again.
        for replaced in [old, new] {
            if let Err(error) = remove(replaced) {
                tracing::debug!(%error, "what was replaced stays");
            }
        }
        Ok(())
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        let _ = remove(&self.slot.new);
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Removes a folder, a link or a file; nothing is fine too.
fn remove(path: &Path) -> Result<(), ModelError> {
    let removed = match path.symlink_metadata() {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ModelError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Exchanges two folders in one step.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Brings the names in a folder to the disk, where the system has that.
fn sync_folder(folder: &Path) -> Result<(), ModelError> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(ModelError::io(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn slot(root: &Path) -> Slot {
        Slot::acquire(root, "toy", &|| false).unwrap().unwrap()
    }

    fn put(slot: &Slot, text: &str) {
        let staging = slot.stage().unwrap();
        fs::write(staging.folder().join("file"), text).unwrap();
        staging.commit().unwrap();
    }

    fn found(root: &Path) -> String {
        fs::read_to_string(root.join("toy/file")).unwrap()
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_put_in_place_and_replaced_and_nothing_else_stays() {
        let root = tempfile::tempdir().unwrap();
        for text in ["one", "two"] {
            put(&slot(root.path()), text);
            assert_eq!(found(root.path()), text);
        }
        assert_eq!(names(root.path()), [".lock-toy", "toy"]);
    }

    #[test]
    fn what_is_not_committed_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let slot = slot(root.path());
        put(&slot, "old");
        let staging = slot.stage().unwrap();
        fs::write(staging.folder().join("file"), "half").unwrap();
        drop(staging);
        assert_eq!(found(root.path()), "old");
        assert_eq!(names(root.path()), [".lock-toy", "toy"]);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed_and_a_folder_moved_away_comes_back() {
        let root = tempfile::tempdir().unwrap();
        put(&slot(root.path()), "old");
        fs::rename(root.path().join("toy"), root.path().join(".old-toy")).unwrap();
        fs::create_dir(root.path().join(".new-toy")).unwrap();
        fs::write(root.path().join(".new-toy/file"), "half").unwrap();
        let slot = slot(root.path());
        assert_eq!(found(root.path()), "old");
        assert_eq!(names(root.path()), [".lock-toy", "toy"]);
        put(&slot, "new");
        assert_eq!(found(root.path()), "new");
    }

    #[test]
    fn one_installs_at_a_time_and_waiting_can_be_cancelled() {
        let root = tempfile::tempdir().unwrap();
        let held = slot(root.path());
        let asked = AtomicUsize::new(0);
        let waited = Slot::acquire(root.path(), "toy", &|| asked.fetch_add(1, Ordering::Relaxed) == 2).unwrap();
        assert!(waited.is_none());
        assert!(Slot::acquire(root.path(), "toy-2", &|| true).unwrap().is_some());
        drop(held);
        assert!(Slot::acquire(root.path(), "toy", &|| true).unwrap().is_some());
    }

    #[test]
    fn a_reader_always_finds_a_whole_folder_while_it_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        put(&slot(root), "0");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (1..100).for_each(|number| put(&slot(root), &number.to_string())));
            let mut last = 0;
            while !writer.is_finished() {
                // Only where folders can be exchanged is there never a moment without one.
                if cfg!(any(target_os = "linux", target_vendor = "apple")) {
                    let number: u32 = found(root).parse().unwrap();
                    assert!(number >= last);
                    last = number;
                }
            }
        });
        assert_eq!(found(root), "99");
    }
}
