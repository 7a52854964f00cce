//! Bundles are written, checked, refused where they are damaged, and opened as they were.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

mod odd;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nodupe_conformance::data;
use nodupe_conformance::reference::{self, NaiveIndex};
use nodupe_core::{
    EmbeddingSpace, IndexError, Options, Package, Registry, SimilarityBackend as _, SimilarityRegistration, Storage,
    Unavailable,
};
use nodupe_index::{BundleError, Index, WriteLock, read_manifest, verify};
use odd::{Odd, Oddity};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

fn space() -> EmbeddingSpace {
    EmbeddingSpace::cosine("toy", 4).unwrap().with_revision("7")
}

fn naive(space: &EmbeddingSpace, count: usize) -> NaiveIndex {
    let mut index = NaiveIndex::new(space.clone());
    let rows = data::clusters(space, count, 1).unwrap();
    index.add(&data::ids(count), rows.view()).unwrap();
    index
}

fn index(count: usize) -> Index {
    Index::new(Box::new(naive(&space(), count)))
}

fn registry() -> Registry {
    let mut registry = Registry::empty();
    registry.register(reference::REGISTRATION).unwrap();
    registry
}

fn open(path: &Path) -> Result<Index, BundleError> {
    Index::open(path, &registry(), &Options::new())
}

/// A registry whose backend must not be reached.
fn untouchable() -> Registry {
    let mut registry = Registry::empty();
    let entry = SimilarityRegistration::new(
        "naive",
        reference::REGISTRATION.package,
        |_, _| panic!("the backend was made"),
        |_, _, _| panic!("the backend was shown the files"),
    );
    registry.register(entry).unwrap();
    registry
}

/// A bundle of ten vectors.
fn bundle() -> TempDir {
    let dir = tempdir().unwrap();
    index(10).save(dir.path()).unwrap();
    dir
}

#[track_caller]
fn assert_corrupt(path: &Path, what: &str) {
    assert!(matches!(verify(path), Err(BundleError::Index(IndexError::Corrupt { .. }))), "{what}: {:?}", verify(path));
    let opened = Index::open(path, &untouchable(), &Options::new());
    assert!(matches!(opened, Err(BundleError::Index(IndexError::Corrupt { .. }))), "{what}: {opened:?}");
}

#[test]
fn what_is_saved_is_opened_in_every_metric() {
    for space in
        [space(), EmbeddingSpace::squared_euclidean("toy", 3).unwrap(), EmbeddingSpace::hamming("toy", 72).unwrap()]
    {
        for count in [0, 1, 50] {
            let dir = tempdir().unwrap();
            let path = dir.path().join("a").join("bundle");
            let mut saved = Index::new(Box::new(naive(&space, count)));
            let manifest = saved.save(&path).unwrap();
            assert_eq!((manifest.count, manifest.generation), (count as u64, 1));
            assert_eq!((manifest.backend.as_str(), &manifest.space), ("naive", &space));
            assert_eq!(read_manifest(&path).unwrap(), manifest);
            assert_eq!(verify(&path).unwrap(), manifest);
            let opened = open(&path).unwrap();
            let queries = data::clusters(&space, 20, 1).unwrap();
            assert_eq!(
                opened.backend().search(queries.view(), 5).unwrap(),
                saved.backend().search(queries.view(), 5).unwrap()
            );
        }
    }
}

#[test]
fn a_second_save_takes_the_place_of_the_first() {
    let dir = bundle();
    let mut opened = open(dir.path()).unwrap();
    opened.backend_mut().remove(&data::ids(4)).unwrap();
    assert_eq!(opened.save(dir.path()).unwrap().generation, 2);
    assert!(!dir.path().join("gen-1").exists());
    assert_eq!(open(dir.path()).unwrap().backend().len().unwrap(), 6);
    assert_eq!(opened.save(dir.path()).unwrap().generation, 3);
}

#[test]
fn any_changed_byte_and_any_cut_is_found_before_the_backend_sees_a_file() {
    let dir = bundle();
    for name in ["ids", "rows"] {
        let file = dir.path().join("gen-1").join(name);
        let good = fs::read(&file).unwrap();
        for place in 0..good.len() {
            let mut damaged = good.clone();
            damaged[place] ^= 1;
            fs::write(&file, &damaged).unwrap();
            assert_corrupt(dir.path(), &format!("byte {place} of {name}"));
            fs::write(&file, &good[..place]).unwrap();
            assert_corrupt(dir.path(), &format!("{name} cut to {place}"));
        }
        fs::write(&file, [&good[..], b"x"].concat()).unwrap();
        assert_corrupt(dir.path(), &format!("{name} with a byte more"));
        fs::remove_file(&file).unwrap();
        assert_corrupt(dir.path(), &format!("{name} missing"));
        fs::create_dir(&file).unwrap();
        assert_corrupt(dir.path(), &format!("{name} a folder"));
        fs::remove_dir(&file).unwrap();
        fs::write(&file, &good).unwrap();
        verify(dir.path()).unwrap();
    }
    fs::write(dir.path().join("gen-1").join("planted"), "").unwrap();
    assert_corrupt(dir.path(), "a file that the manifest does not know");
    fs::rename(dir.path().join("gen-1").join("planted"), dir.path().join("gen-1").join(".DS_Store")).unwrap();
    open(dir.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let dir = bundle();
    let (generation, elsewhere) = (dir.path().join("gen-1"), dir.path().join("elsewhere"));
    fs::rename(&generation, &elsewhere).unwrap();
    symlink(&elsewhere, &generation).unwrap();
    assert_corrupt(dir.path(), "a generation that is a link");
    fs::remove_file(&generation).unwrap();
    fs::rename(&elsewhere, &generation).unwrap();
    fs::rename(generation.join("rows"), &elsewhere).unwrap();
    symlink(&elsewhere, generation.join("rows")).unwrap();
    assert_corrupt(dir.path(), "a file that is a link");
}

fn change_manifest(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let file = path.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(&file, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[test]
fn names_that_lead_out_of_the_bundle_are_refused() {
    for name in ["../manifest.json", "/etc/passwd", "..", "a/b", "a\\b", "C:x", "", "ids\0", "./ids"] {
        let dir = bundle();
        change_manifest(dir.path(), |manifest| manifest["files"][0]["name"] = name.into());
        assert_corrupt(dir.path(), name);
    }
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 9] = [
        ("format 0", |manifest| manifest["format"] = 0.into()),
        ("a field too many", |manifest| manifest["more"] = 1.into()),
        ("no digest", |manifest| manifest["files"][0]["blake3"] = "abc".into()),
        ("a file twice", |manifest| manifest["files"][1]["name"] = "IDS".into()),
        ("an impossible dim", |manifest| manifest["space"]["dim"] = 0.into()),
        ("bits by cosine", |manifest| manifest["space"]["element_type"] = "bit".into()),
        ("a negative count", |manifest| manifest["count"] = (-1).into()),
        ("a huge length", |manifest| manifest["files"][0]["length"] = u64::MAX.into()),
        ("a list", |manifest| *manifest = serde_json::json!([])),
    ];
    for (what, change) in changes {
        let dir = bundle();
        change_manifest(dir.path(), change);
        assert_corrupt(dir.path(), what);
    }
}

#[test]
fn another_count_is_refused() {
    let dir = bundle();
    for count in [9, 11, u64::MAX] {
        change_manifest(dir.path(), |manifest| manifest["count"] = count.into());
        assert!(matches!(open(dir.path()), Err(BundleError::Index(IndexError::Corrupt { .. }))), "{count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_manifest_is_an_error_or_harmless(place in 0usize..2000, byte: u8, cut: bool) {
        static BUNDLE: LazyLock<(TempDir, Vec<u8>)> = LazyLock::new(|| {
            let dir = bundle();
            let manifest = fs::read(dir.path().join("manifest.json")).unwrap();
            (dir, manifest)
        });
        let (dir, good) = &*BUNDLE;
        let file = dir.path().join("manifest.json");
        let mut bytes = good.clone();
        let place = place % bytes.len();
        if cut { bytes.truncate(place) } else { bytes[place] = byte }
        fs::write(&file, &bytes).unwrap();
        // What opens has all ten vectors: only a name or a version that says nothing of the files is another.
        if let Ok(index) = open(dir.path()) {
            prop_assert_eq!(index.backend().len().unwrap(), 10);
        }
    }
}

#[test]
fn a_newer_format_is_named_as_such_whatever_else_it_has() {
    let dir = bundle();
    fs::write(dir.path().join("manifest.json"), r#"{"format": 2, "chunks": {}}"#).unwrap();
    let newer = |done: Result<(), BundleError>| {
        matches!(done, Err(BundleError::Index(IndexError::Version { found: 2, supported: 1, .. })))
    };
    assert!(newer(verify(dir.path()).map(drop)));
    assert!(newer(open(dir.path()).map(drop)));
    assert!(newer(index(1).save(dir.path()).map(drop)), "a newer bundle is not overwritten");
}

#[test]
fn another_space_is_refused_by_the_manifest_alone() {
    let dir = bundle();
    let other = space().with_revision("8");
    let open = |space: &EmbeddingSpace, registry: &Registry| {
        Index::open_in_space(dir.path(), space, registry, &Options::new())
    };
    match open(&other, &untouchable()) {
        Err(BundleError::Index(IndexError::SpaceMismatch { expected, given })) => {
            assert_eq!((*expected, *given), (space(), other));
        }
        other => panic!("{other:?}"),
    }
    open(&space(), &registry()).unwrap();
}

#[test]
fn a_backend_that_is_not_there_is_named_with_those_that_are() {
    let dir = bundle();
    let mut registry = Registry::empty();
    registry.register(odd::LIVE).unwrap();
    let why = Index::open(dir.path(), &registry, &Options::new()).unwrap_err();
    assert!(
        matches!(&why, BundleError::UnknownBackend { backend, registered, .. } if backend == "naive" && registered == &["odd"]),
        "{why}"
    );
    assert!(why.to_string().contains("needs the backend `naive` of the package nodupe-conformance"), "{why}");
    verify(dir.path()).unwrap();
}

#[test]
fn a_backend_that_cannot_run_here_says_why() {
    let dir = bundle();
    let mut registry = Registry::empty();
    let entry = SimilarityRegistration::new(
        "naive",
        Package::new("other", "1.0.0"),
        |_, _| Err(Unavailable::new(nodupe_core::Reason::NoDevice, "no GPU")),
        |_, _, _| Err(Unavailable::new(nodupe_core::Reason::NoDevice, "no GPU").into()),
    );
    registry.register(entry).unwrap();
    let why = Index::open(dir.path(), &registry, &Options::new()).unwrap_err();
    assert!(matches!(&why, BundleError::Index(IndexError::Unavailable(why)) if why.detail == "no GPU"), "{why}");
}

#[test]
fn who_holds_the_lock_saves_and_nobody_else() {
    let dir = bundle();
    let lock = WriteLock::acquire(dir.path()).unwrap();
    assert!(matches!(WriteLock::acquire(dir.path()), Err(BundleError::Locked { .. })));
    assert!(matches!(index(3).save(dir.path()), Err(BundleError::Locked { .. })));
    let working = lock.working_dir().unwrap();
    assert!(working.starts_with(dir.path()) && fs::read_dir(&working).unwrap().next().is_none());
    let mut writer = open(dir.path()).unwrap();
    writer.save_locked(&lock).unwrap();
    assert_eq!(writer.save_locked(&lock).unwrap().generation, read_manifest(dir.path()).unwrap().generation);
    assert!(!working.exists());
    drop(lock);
    index(3).save(dir.path()).unwrap();
}

#[test]
fn a_lock_that_no_bundle_came_of_leaves_what_was_there_before() {
    let dir = tempdir().unwrap();
    let new = dir.path().join("new");
    let lock = WriteLock::acquire(&new).unwrap();
    lock.working_dir().unwrap();
    lock.abandon();
    assert!(!new.exists());
    index(3).save(&new).unwrap();
    WriteLock::acquire(&new).unwrap().abandon();
    assert_eq!(open(&new).unwrap().backend().len().unwrap(), 3);
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.txt"), "").unwrap();
    assert!(matches!(WriteLock::acquire(&other), Err(BundleError::NotABundle { .. })));
    assert!(!other.join("lock").exists());
    assert!(
        matches!(read_manifest(other.join("thesis.txt")), Err(BundleError::NotABundle { detail, .. }) if detail == "it is a file")
    );
}

#[test]
fn two_writers_do_not_meet() {
    let dir = bundle();
    let lock = fs::File::open(dir.path().join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(index(3).save(dir.path()), Err(BundleError::Locked { .. })));
    // Reading goes on.
    assert_eq!(open(dir.path()).unwrap().backend().len().unwrap(), 10);
    drop(lock);
    index(3).save(dir.path()).unwrap();
}

#[test]
fn a_bundle_can_be_opened_while_it_is_saved_again_and_again() {
    let dir = bundle();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = open(dir.path()).unwrap();
            for _ in 0..100 {
                writer.save(dir.path()).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            assert_eq!(open(dir.path()).unwrap().backend().len().unwrap(), 10);
        }
    });
    assert_eq!(read_manifest(dir.path()).unwrap().generation, 101);
}

#[test]
fn changes_that_another_saved_meanwhile_are_not_overwritten() {
    let dir = bundle();
    let (mut one, mut two) = (open(dir.path()).unwrap(), open(&dir.path().join(".")).unwrap());
    one.backend_mut().remove(&data::ids(1)).unwrap();
    one.save(dir.path()).unwrap();
    two.backend_mut().remove(&data::ids(2)).unwrap();
    let why = two.save(dir.path()).unwrap_err();
    assert!(matches!(why, BundleError::Changed { expected: 1, found: 2, .. }), "{why}");
    assert_eq!(open(dir.path()).unwrap().backend().len().unwrap(), 9);
    let elsewhere = tempdir().unwrap();
    two.save(elsewhere.path()).unwrap();
    assert_eq!(open(elsewhere.path()).unwrap().backend().len().unwrap(), 8);
}

#[test]
fn a_folder_of_somebody_elses_is_left_alone() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("gen-1")).unwrap();
    fs::write(dir.path().join("photo.jpg"), "").unwrap();
    let before = fs::read_dir(dir.path()).unwrap().count();
    assert!(matches!(index(3).save(dir.path()), Err(BundleError::NotABundle { .. })));
    assert!(matches!(index(3).save(dir.path().join("photo.jpg")), Err(BundleError::NotABundle { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
    assert!(matches!(open(dir.path()), Err(BundleError::NotABundle { .. })));
    assert!(matches!(verify(dir.path().join("nowhere")), Err(BundleError::NotABundle { .. })));
}

#[test]
fn a_backend_whose_save_is_no_snapshot_of_plain_files_leaves_the_old_bundle() {
    for oddity in [Oddity::SavesAFolder, Oddity::SavesAnOddName, Oddity::FailsHalfWay] {
        let dir = bundle();
        let mut odd = Index::new(Box::new(Odd { inner: naive(&space(), 3), oddity }));
        let why = odd.save(dir.path()).unwrap_err();
        let right = match oddity {
            Oddity::FailsHalfWay => matches!(why, BundleError::Index(IndexError::Full { .. })),
            _ => matches!(why, BundleError::Index(IndexError::Unsupported { operation: "save", .. })),
        };
        assert!(right, "{why}");
        assert_eq!(open(dir.path()).unwrap().backend().len().unwrap(), 10);
        assert!(!dir.path().join("gen-2").exists());
    }
}

#[test]
fn a_live_index_has_no_digests_and_may_change_after_it_is_saved() {
    let dir = tempdir().unwrap();
    let mut live = Index::new(Box::new(Odd { inner: naive(&space(), 10), oddity: Oddity::Live }));
    let manifest = live.save(dir.path()).unwrap();
    assert_eq!((manifest.storage, manifest.files.len(), manifest.count), (Storage::Live, 0, 10));
    naive(&space(), 4).save(&dir.path().join("gen-1")).unwrap();
    let mut registry = Registry::empty();
    registry.register(odd::LIVE).unwrap();
    let opened = Index::open(dir.path(), &registry, &Options::new()).unwrap();
    assert_eq!(opened.backend().len().unwrap(), 4);
}
