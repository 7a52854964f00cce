//! A save is stopped at every step: what is left is the old bundle or the new one.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nodupe_conformance::data;
use nodupe_conformance::reference::{self, NaiveIndex};
use nodupe_core::{EmbeddingSpace, Options, Registry};

use crate::disk::{Disk, System};
use crate::{BundleError, Index, verify};

/// A disk that fails at one step, and maybe at all that come after it.
struct Failing {
    steps_left: Cell<usize>,
    /// Whether only that one step fails (a full disk) or all after it too (no more power).
    once: bool,
    done: RefCell<Vec<Step>>,
}

#[derive(Debug, Clone)]
enum Step {
    CreateDir(PathBuf),
    Write(PathBuf),
    SyncFile(PathBuf),
    SyncDir(PathBuf),
    Rename(PathBuf),
    Remove,
}

impl Failing {
    fn after(steps: usize, once: bool) -> Self {
        Self { steps_left: Cell::new(steps), once, done: RefCell::default() }
    }

    fn step(&self, step: Step, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.steps_left.get() {
            0 => {
                if self.once {
                    self.steps_left.set(usize::MAX);
                }
                Err(io::Error::other("stopped by the test"))
            }
            left => {
                self.steps_left.set(left - 1);
                self.done.borrow_mut().push(step);
                act()
            }
        }
    }

    /// Takes away what was never put on the disk: the content of files and the names in folders that were not synced. The
    /// name that the commit gave may be on the disk all the same: nothing orders it after the others.
    fn lose_what_was_not_synced(&self, bundle: &Path, old_manifest: Option<&[u8]>, loss: Loss) {
        if loss == Loss::Nothing {
            return;
        }
        let done = self.done.borrow();
        let synced = |path: &Path, from: usize| {
            done[from..].iter().any(|step| matches!(step, Step::SyncDir(dir) if Some(&**dir) == path.parent()))
        };
        let contents: HashSet<&Path> = done
            .iter()
            .filter_map(|step| if let Step::SyncFile(file) = step { Some(file.as_path()) } else { None })
            .collect();
        for (place, step) in done.iter().enumerate().rev() {
            match step {
                Step::Rename(to) if loss == Loss::Everything && !synced(to, place) => match old_manifest {
                    Some(bytes) => fs::write(to, bytes).unwrap(),
                    None => fs::remove_file(to).unwrap(),
                },
                Step::CreateDir(dir) => {
                    // Of the bundle itself the other steps are undone.
                    let generation = (dir != bundle).then(|| fs::read_dir(dir));
                    for file in generation.into_iter().flatten().flatten().map(|file| file.unwrap().path()) {
                        if !synced(&file, place) {
                            fs::remove_file(&file).unwrap();
                        } else if !contents.contains(&*file) {
                            fs::write(&file, "").unwrap();
                        }
                    }
                    if !synced(dir, place) {
                        let _ = fs::remove_dir_all(dir);
                    }
                }
                // Its name may have gone over to that of the manifest since.
                Step::Write(file) if !contents.contains(&**file) => {
                    let _ = fs::write(file, "");
                    if done[place..].iter().any(|step| matches!(step, Step::Rename(_))) {
                        fs::write(bundle.join("manifest.json"), "").unwrap();
                    }
                }
                _ => {}
            }
        }
    }
}

/// What a crash loses of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Nothing,
    Everything,
    /// Everything but the name of the new manifest.
    EverythingButTheCommit,
}

const LOSSES: [Loss; 3] = [Loss::Nothing, Loss::Everything, Loss::EverythingButTheCommit];

impl Disk for Failing {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.step(Step::CreateDir(path.to_owned()), || System.create_dir(path))
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // What is cut short has written a part.
        if self.steps_left.get() == 0 {
            fs::write(path, &bytes[..bytes.len() / 2])?;
        }
        self.step(Step::Write(path.to_owned()), || System.write(path, bytes))
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.step(Step::SyncFile(path.to_owned()), || System.sync_file(path))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step(Step::SyncDir(path.to_owned()), || System.sync_dir(path))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Step::Rename(to.to_owned()), || System.rename(from, to))
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        // What is cut short has removed a part.
        if self.steps_left.get() == 0
            && let Some(file) = fs::read_dir(path)?.next()
        {
            fs::remove_file(file?.path())?;
        }
        self.step(Step::Remove, || System.remove_dir(path))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step(Step::Remove, || System.remove_file(path))
    }
}

const OLD: usize = 5;
const NEW: usize = 8;

fn registry() -> Registry {
    let mut registry = Registry::empty();
    registry.register(reference::REGISTRATION).unwrap();
    registry
}

fn space() -> EmbeddingSpace {
    EmbeddingSpace::cosine("toy", 4).unwrap()
}

fn index(count: usize) -> Index {
    let mut index = Index::new(Box::new(NaiveIndex::new(space())));
    grow(&mut index, 0, count);
    index
}

fn grow(index: &mut Index, from: usize, to: usize) {
    let rows = data::clusters(&space(), to, 1).unwrap();
    let ids = data::ids(to);
    index.backend_mut().add(&ids[from..], rows.view().slice(from..to).unwrap()).unwrap();
}

/// How many vectors the bundle holds; the digests are right and the backend opens it.
fn opened(path: &Path) -> Result<usize, BundleError> {
    let manifest = verify(path)?;
    let len = Index::open(path, &registry(), &Options::new())?.backend().len()?;
    assert_eq!(manifest.count, len as u64);
    Ok(len)
}

/// Saves anew after a crash, and sees that this is what is there then, alone.
fn goes_on(path: &Path) {
    let mut again = index(3);
    again.save(path).unwrap();
    assert_eq!(opened(path).unwrap(), 3);
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names[1..], ["lock", "manifest.json"], "{names:?}");
}

/// A bundle of [`OLD`] vectors, opened to save [`NEW`], and the number of steps that takes.
fn old_bundle(dir: &Path) -> (PathBuf, Index) {
    let path = dir.join("bundle");
    index(OLD).save(&path).unwrap();
    let mut index = Index::open(&path, &registry(), &Options::new()).unwrap();
    grow(&mut index, OLD, NEW);
    (path, index)
}

/// The steps of a save over an old bundle.
fn steps_of_a_save() -> Vec<Step> {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut index) = old_bundle(dir.path());
    let disk = Failing::after(usize::MAX, false);
    index.save_to(&disk, &path, None).unwrap();
    disk.done.take()
}

#[test]
fn a_crash_at_any_step_leaves_the_old_bundle_or_the_new_one() {
    let steps = steps_of_a_save().len();
    assert!(steps > 8, "{steps} steps are too few to be all");
    for loss in LOSSES {
        let mut seen = Vec::new();
        for after in 0..steps {
            let dir = tempfile::tempdir().unwrap();
            let (path, mut index) = old_bundle(dir.path());
            let manifest = fs::read(path.join("manifest.json")).unwrap();
            let disk = Failing::after(after, false);
            let saved = index.save_to(&disk, &path, None);
            disk.lose_what_was_not_synced(&path, Some(&manifest), loss);
            let len = opened(&path).unwrap_or_else(|why| panic!("{loss:?} lost after {after} of {steps} steps: {why}"));
            assert!([OLD, NEW].contains(&len), "{len} vectors after {after} steps");
            assert!(saved.is_err() || len == NEW, "what was said to be saved is lost after {after} steps");
            seen.push(len);
            goes_on(&path);
        }
        assert!(seen.is_sorted(), "{seen:?}: once it is the new one it stays so");
        assert_eq!((seen.first(), seen.last()), (Some(&OLD), Some(&NEW)));
    }
}

#[test]
fn a_crash_of_the_first_save_leaves_no_bundle_or_the_new_one() {
    for loss in LOSSES {
        for after in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("bundle");
            let disk = Failing::after(after, false);
            let saved = index(NEW).save_to(&disk, &path, None);
            disk.lose_what_was_not_synced(&path, None, loss);
            match opened(&path) {
                Ok(len) => assert_eq!(len, NEW),
                Err(BundleError::NotABundle { .. }) => assert!(saved.is_err(), "after {after} steps"),
                Err(why) => panic!("{loss:?} lost after {after} steps: {why}"),
            }
            goes_on(&path);
            if saved.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn a_step_that_fails_is_an_error_that_leaves_the_old_bundle_and_can_be_tried_again() {
    let steps = steps_of_a_save();
    let commit = steps.iter().position(|step| matches!(step, Step::Rename(_))).unwrap();
    for step in 0..steps.len() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut index) = old_bundle(dir.path());
        let saved = index.save_to(&Failing::after(step, true), &path, None);
        assert_eq!(opened(&path).unwrap(), if step > commit { NEW } else { OLD }, "step {step}");
        assert!(saved.is_err() || step > commit);
        // Where the commit itself fails, one cannot be sure that it did: the next save cleans up.
        let cleaned = !path.join("manifest.json.new").exists() && !path.join("gen-2").exists();
        assert!(cleaned || step >= commit, "step {step}");
        index.save(&path).unwrap_or_else(|why| panic!("again after step {step}: {why}"));
        assert_eq!(opened(&path).unwrap(), NEW);
    }
}
