//! The folder that an index lives in: made, opened, saved, damaged, taken away.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_annoy::{Annoy, REGISTRATION};
use nodupe_conformance::data;
use nodupe_core::{
    EmbeddingSpace, Embeddings, IndexError, IndexSpec, ItemId, Options, Reason, Registry, SimilarityBackend as _,
};
use nodupe_index::Index;
use tempfile::tempdir;

const DATA: &str = "data.mdb";

fn space() -> EmbeddingSpace {
    EmbeddingSpace::cosine("toy", 8).unwrap()
}

fn rows(count: usize) -> (Vec<ItemId>, Embeddings) {
    (data::ids(count), data::clusters(&space(), count, 1).unwrap())
}

fn in_folder(dir: &Path) -> Annoy {
    Annoy::new(&IndexSpec::new(&space()).with_dir(dir), &Options::new()).unwrap()
}

fn open(dir: &Path) -> Result<Annoy, IndexError> {
    Annoy::open(&space(), dir, &Options::new())
}

fn build(index: &mut Annoy) {
    index.build(&mut |_, _| ControlFlow::Continue(())).unwrap();
}

/// An index of 100 vectors, built, in a folder.
fn filled(dir: &Path) -> Annoy {
    let (ids, rows) = rows(100);
    let mut index = in_folder(dir);
    index.add(&ids, rows.view()).unwrap();
    build(&mut index);
    index
}

#[test]
fn an_index_in_a_folder_is_there_without_being_saved() {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("new/index");
    drop(filled(&folder));
    let mut index = open(&folder).unwrap();
    assert_eq!(index.len().unwrap(), 100);
    index.remove(&data::ids(1)).unwrap();
    drop(index);
    assert_eq!(open(&folder).unwrap().len().unwrap(), 99);
    let why = Annoy::new(&IndexSpec::new(&space()).with_dir(&folder), &Options::new()).unwrap_err();
    assert!(why.source.unwrap().source().unwrap().to_string().contains("open it"));
}

#[test]
fn handles_of_one_process_see_what_the_others_change() {
    let dir = tempdir().unwrap();
    let mut first = filled(dir.path());
    let mut second = open(&dir.path().join("../").join(dir.path().file_name().unwrap())).unwrap();
    let one: ItemId = "one more".into();
    let row = rows(1).1;
    first.add(std::slice::from_ref(&one), row.view()).unwrap();
    assert!(second.contains(&one).unwrap());
    assert!(matches!(second.add(std::slice::from_ref(&one), row.view()), Err(IndexError::AlreadyPresent { .. })));
    drop(first);
    build(&mut second);
    assert_eq!(second.len().unwrap(), 101);
}

#[test]
fn an_index_without_a_folder_leaves_nothing_behind() {
    let index = Annoy::new(&IndexSpec::new(&space()), &Options::new()).unwrap();
    let shown = format!("{index:?}");
    let folder = shown.split('"').find(|part| Path::new(part).is_dir()).unwrap().to_owned();
    drop(index);
    assert!(!Path::new(&folder).exists());
}

#[test]
fn a_bundle_is_changed_in_place_and_saved_anew() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("photos.index");
    let mut registry = Registry::empty();
    registry.register(REGISTRATION).unwrap();
    let (ids, rows) = rows(40);
    let mut index = Index::new(Box::new(Annoy::new(&IndexSpec::new(&space()), &Options::new()).unwrap()));
    index.backend_mut().add(&ids[..20], rows.view().slice(0..20).unwrap()).unwrap();
    index.save(&path).unwrap();
    index.backend_mut().add(&ids[20..30], rows.view().slice(20..30).unwrap()).unwrap();
    drop(index);
    let mut index = Index::open(&path, &registry, &Options::new()).unwrap();
    assert_eq!(index.backend().len().unwrap(), 30);
    assert_eq!(index.save(&path).unwrap().generation, 2);
    index.backend_mut().add(&ids[30..], rows.view().slice(30..40).unwrap()).unwrap();
    assert!(!path.join("gen-1").exists());
    drop(index);
    let index = Index::open(&path, &registry, &Options::new()).unwrap();
    assert_eq!(index.backend().vectors(&ids).unwrap().unwrap(), rows);
}

#[test]
fn a_save_whose_folder_is_taken_back_leaves_the_index_where_it_was() {
    let dir = tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    fs::create_dir(&new).unwrap();
    let mut index = filled(&old);
    index.save(&new).unwrap();
    fs::remove_dir_all(&new).unwrap();
    index.add(&["late".into()], rows(1).1.view()).unwrap();
    drop(index);
    assert!(open(&old).unwrap().contains(&"late".into()).unwrap());
}

#[cfg(unix)]
#[test]
fn an_index_that_was_taken_away_takes_no_changes_but_can_be_saved() {
    let dir = tempdir().unwrap();
    let (gone, saved) = (dir.path().join("gone"), dir.path().join("saved"));
    fs::create_dir(&saved).unwrap();
    let mut index = filled(&gone);
    fs::remove_dir_all(&gone).unwrap();
    let why = index.add(&["late".into()], rows(1).1.view()).unwrap_err();
    assert!(matches!(&why, IndexError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound), "{why}");
    assert!(matches!(index.remove(&data::ids(1)), Err(IndexError::Io { .. })));
    assert_eq!(index.search(rows(3).1.view(), 5).unwrap().of(0).len(), 5);
    index.save(&saved).unwrap();
    index.add(&["late".into()], rows(1).1.view()).unwrap();
    drop(index);
    assert_eq!(open(&saved).unwrap().len().unwrap(), 101);
}

#[test]
fn what_is_no_index_is_refused() {
    let dir = tempdir().unwrap();
    let file = dir.path().join(DATA);
    assert!(matches!(open(dir.path()), Err(IndexError::Io { .. })), "nothing there");
    assert!(matches!(open(&dir.path().join("nowhere")), Err(IndexError::Io { .. })));
    for bytes in [vec![], b"no database".to_vec(), vec![0; 100_000], vec![0xff; 8192]] {
        fs::write(&file, &bytes).unwrap();
        let opened = open(dir.path());
        assert!(matches!(opened, Err(IndexError::Corrupt { .. })), "{} bytes: {opened:?}", bytes.len());
        assert_eq!(fs::read(&file).unwrap(), bytes, "it was changed");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(open(dir.path()), Err(IndexError::Corrupt { .. })), "a folder");
}

#[test]
fn a_file_that_was_cut_is_refused_or_read_without_harm() {
    let dir = tempdir().unwrap();
    let (ids, vectors) = rows(20_000);
    let mut index = in_folder(dir.path());
    index.add(&ids, vectors.view()).unwrap();
    build(&mut index);
    drop(index);
    let file = dir.path().join(DATA);
    let good = fs::read(&file).unwrap();
    assert!(good.len() > 3 << 20);
    let refused = [1, 100, 4095, 4096, 8192, 12_288, good.len() / 2, good.len() - (5 << 18)];
    // LMDB itself leaves a little away at the end.
    let maybe = [good.len() - (1 << 19), good.len() - 100_000, good.len() - 4096, good.len() - 1];
    for length in refused.into_iter().chain(maybe) {
        fs::write(&file, &good[..length]).unwrap();
        match open(dir.path()) {
            Err(IndexError::Corrupt { .. }) => {}
            Ok(index) if maybe.contains(&length) => {
                // Whatever is missing is missed with an error.
                let _ = index.search(vectors.view().slice(0..50).unwrap(), 10);
                let _ = index.vectors(&ids);
                let _ = index.for_each_id(&mut |_| ControlFlow::Continue(()));
            }
            opened => panic!("cut at {length}: {opened:?}"),
        }
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(open(dir.path()).unwrap().vectors(&ids).unwrap().unwrap(), vectors);
}

#[test]
fn an_index_of_another_space_is_refused_by_both_names() {
    let dir = tempdir().unwrap();
    let index = filled(dir.path());
    let others = [
        EmbeddingSpace::cosine("toy", 16).unwrap(),
        EmbeddingSpace::cosine("other", 8).unwrap(),
        EmbeddingSpace::squared_euclidean("toy", 8).unwrap(),
    ];
    let refused = || {
        for other in &others {
            match Annoy::open(other, dir.path(), &Options::new()) {
                Err(IndexError::SpaceMismatch { expected, given }) => {
                    assert_eq!((*expected, &*given), (space(), other));
                }
                opened => panic!("{opened:?}"),
            }
        }
    };
    // While it is open in this process, and when it is not.
    refused();
    drop(index);
    refused();
}

#[test]
fn a_database_that_is_full_says_so_and_is_as_it_was() {
    let dir = tempdir().unwrap();
    let small = Options::new().with("annoy.map-size", "1");
    let mut index = Annoy::new(&IndexSpec::new(&space()).with_dir(dir.path()), &small).unwrap();
    let (ids, vectors) = rows(20_000);
    index.add(&ids[..100], vectors.view().slice(0..100).unwrap()).unwrap();
    let rest = vectors.view().slice(100..20_000).unwrap();
    match index.add(&ids[100..], rest) {
        Err(IndexError::Unavailable(why)) => {
            assert_eq!(why.reason, Reason::Resources);
            assert!(why.help.unwrap().contains("annoy.map-size"));
        }
        added => panic!("{added:?}"),
    }
    assert_eq!(index.len().unwrap(), 100);
    drop(index);
    let mut index = open(dir.path()).unwrap();
    index.add(&ids[100..], rest).unwrap();
    build(&mut index);
    assert_eq!(index.len().unwrap(), 20_000);
}

#[test]
fn ids_may_be_of_any_length() {
    let dir = tempdir().unwrap();
    let long = "/a very long path".repeat(10_000);
    let ids: Vec<ItemId> =
        ["", "\0ff", "short", &long, &long[1..], &long[..511], &long[..512]].map(ItemId::from).into();
    let vectors = rows(ids.len()).1;
    let mut index = in_folder(dir.path());
    index.add(&ids, vectors.view()).unwrap();
    drop(index);
    let mut index = open(dir.path()).unwrap();
    assert_eq!(index.vectors(&ids).unwrap().unwrap(), vectors);
    assert!(matches!(
        index.add(&ids[3..4], vectors.view().slice(0..1).unwrap()),
        Err(IndexError::AlreadyPresent { .. })
    ));
    assert_eq!(index.remove(&ids).unwrap(), ids.len());
    assert!(index.is_empty().unwrap());
}

/// A file that ends before the pages that it counts is refused; LMDB must not leave one like that behind.
#[test]
fn an_index_opens_after_every_change() {
    let dir = tempdir().unwrap();
    let (ids, vectors) = rows(2_000);
    drop(in_folder(dir.path()));
    for turn in 0..40 {
        let mut index = open(dir.path()).unwrap();
        let range = turn * 50..turn * 50 + 50;
        index.add(&ids[range.clone()], vectors.view().slice(range.clone()).unwrap()).unwrap();
        if turn % 3 == 1 {
            index.remove(&ids[range.start - 30..range.start + 40]).unwrap();
        }
        if turn % 4 == 2 {
            build(&mut index);
        }
        if turn % 7 == 5 {
            index.upsert(&ids[..range.end], vectors.view().slice(0..range.end).unwrap()).unwrap();
            index.remove(&ids[..range.end - 10]).unwrap();
        }
    }
    open(dir.path()).unwrap();
}
