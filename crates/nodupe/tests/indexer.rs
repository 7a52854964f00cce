//! Files into an index on disk, out of it, and to what is like them in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![cfg(feature = "dedup")]

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodupe::core::{
    EmbedError, EmbeddedBatch, EmbeddingRegistration, IndexError, Matching, SimilarityRegistration, Storage,
    Undescribable, package,
};
use nodupe::dedup::{Progress, Stage};
use nodupe::index::{BundleError, Index, WriteLock};
use nodupe::{
    BackendInfo, EmbeddingBackend, EmbeddingSpace, Embeddings, ImageBatch, Indexer, IndexerError, InputSpec, Options,
    Registry, Searcher, Wanted,
};
use nodupe_conformance::reference;

#[path = "../../nodupe-index/tests/odd/mod.rs"]
mod odd;

use odd::{Odd, Oddity};

/// Of a grey image one row, two or three as its grey says: the grey, and that turned by one bit and two. Black has none.
struct Turns {
    info: BackendInfo,
    space: EmbeddingSpace,
    spec: InputSpec,
    matching: Matching,
}

fn space(_: &Options) -> Result<EmbeddingSpace, nodupe::Unavailable> {
    Ok(EmbeddingSpace::hamming("turns", 8).unwrap())
}

const TURNS: EmbeddingRegistration = EmbeddingRegistration::new("turns", package!(), space, |options| {
    let info = BackendInfo::new("turns", package!());
    let matching = Matching::default();
    Ok(Box::new(Turns { info, space: space(options)?, spec: InputSpec::luma(8, 8), matching }))
})
.with_priority(1);

/// The same, described as keypoints.
const PARTS: EmbeddingRegistration = EmbeddingRegistration::new("turns", package!(), space, |options| {
    let info = BackendInfo::new("turns", package!());
    let matching = Matching::keypoints(0.5);
    Ok(Box::new(Turns { info, space: space(options)?, spec: InputSpec::luma(8, 8), matching }))
})
.with_priority(1);

fn rows_of(grey: u8) -> Vec<u8> {
    (0..=u32::from(grey % 3)).map(|bits| grey.rotate_left(bits)).collect()
}

impl EmbeddingBackend for Turns {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.spec
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
        for image in batch.images() {
            let before = rows.len();
            if image[0] == 0 {
                outcomes.push(Err(Undescribable::new("it is black")));
            } else {
                rows.extend(rows_of(image[0]));
                outcomes.push(Ok(before..rows.len()));
            }
        }
        EmbeddedBatch::new(Embeddings::from_bits(self.space.clone(), rows).unwrap(), outcomes)
    }

    fn matching(&self) -> Matching {
        self.matching
    }

    fn max_batch(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(2)
    }
}

/// It keeps no vectors.
const FORGETS: SimilarityRegistration = SimilarityRegistration::new(
    "odd",
    package!(),
    |spec, _| Ok(Box::new(Odd { inner: reference::NaiveIndex::new(spec.space.clone()), oddity: Oddity::NoVectors })),
    |spec, dir, _| {
        let inner = reference::NaiveIndex::open(spec.space.clone(), dir)?;
        Ok(Box::new(Odd { inner, oddity: Oddity::NoVectors }))
    },
);

fn registry(similarity: SimilarityRegistration) -> Registry {
    let mut registry = Registry::empty();
    registry.register(TURNS).unwrap();
    registry.register(similarity.with_supports(|_| true).with_priority(1)).unwrap();
    registry
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// One image for each of `greys`, called so.
    fn new(greys: &[u8]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.photos()).unwrap();
        for &grey in greys {
            folder.paint(grey, grey);
        }
        folder
    }

    fn photos(&self) -> PathBuf {
        self.0.path().join("photos")
    }

    fn index(&self) -> PathBuf {
        self.0.path().join("index")
    }

    fn photo(&self, name: u8) -> PathBuf {
        self.photos().canonicalize().unwrap().join(format!("{name}.png"))
    }

    fn paint(&self, name: u8, grey: u8) {
        image::GrayImage::from_pixel(8, 8, image::Luma([grey]))
            .save(self.photos().join(format!("{name}.png")))
            .unwrap();
    }
}

fn found(searcher: &Searcher, path: PathBuf, wanted: Wanted) -> Vec<(PathBuf, f32)> {
    let answers = searcher.search([path], wanted).unwrap();
    let matches = answers.into_iter().next().unwrap().matches.unwrap();
    matches.into_iter().map(|found| (found.path, found.distance)).collect()
}

#[test]
fn an_image_of_several_rows_is_one_match_and_comes_and_goes_as_one() {
    let folder = Folder::new(&[5, 7, 9, 255, 0]);
    let registry = registry(reference::REGISTRATION);
    let indexer = Indexer::new().with_registry(&registry);
    let built = indexer.build(folder.index(), [folder.photos()]).unwrap();
    assert_eq!((built.images, built.manifest.unwrap().count), (4, 3 + 2 + 1 + 1));
    assert_eq!((built.skipped.len(), built.skipped[0].error), (1, "undescribable"));

    let searcher = indexer.open(folder.index()).unwrap();
    let all = found(&searcher, folder.photo(5), Wanted::nearest(4));
    assert_eq!(all.len(), 4, "rows of one image take no places from others: {all:?}");
    assert_eq!(all[0], (folder.photo(5), 0.0));
    // Of 5: 101, 1010, 10100; of 9: 1001; of 7: 111 and 1110.
    assert_eq!(found(&searcher, folder.photo(5), Wanted::within(7.0 / 8.0)).len(), 2);
    assert_eq!(found(&searcher, folder.photo(5), Wanted::within(6.0 / 8.0).with_limit(1)).len(), 1);

    folder.paint(5, 12);
    let updated = indexer.clone().with_update(true).add(folder.index(), [folder.photo(5)]).unwrap();
    assert_eq!((updated.images, updated.updated, updated.manifest.unwrap().count), (1, 1, 1 + 2 + 1 + 1));
    let removed = indexer.remove(folder.index(), [folder.photo(7)]).unwrap();
    assert_eq!((removed.images, removed.manifest.unwrap().count), (vec![folder.photo(7)], 3));
}

/// Stops after some images.
struct Stop(AtomicUsize);

impl Progress for Stop {
    fn advance(&self, stage: Stage, steps: usize) {
        if stage == Stage::Embed {
            // One more after the stop takes nothing away.
            let _ = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(steps));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn what_was_embedded_before_a_stop_is_saved_and_add_goes_on() {
    let greys = [3, 6, 9, 12, 15, 18, 21, 24, 27];
    let folder = Folder::new(&greys);
    let registry = registry(reference::REGISTRATION);
    let indexer = Indexer::new().with_registry(&registry);
    // When the third is told of, the fourth is embedded too: two are embedded at once.
    let stop = Stop(AtomicUsize::new(3));
    let built = indexer.clone().with_progress(&stop).build(folder.index(), [folder.photos()]).unwrap();
    assert!(built.interrupted);
    assert_eq!((built.images, built.manifest.unwrap().count), (4, 4));
    let added = indexer.add(folder.index(), [folder.photos()]).unwrap();
    assert_eq!((added.interrupted, added.present, added.images), (false, 4, 5));
    assert_eq!(added.manifest.unwrap().count, 9);
}

#[test]
fn a_live_index_is_built_changed_and_asked() {
    let folder = Folder::new(&[3, 6, 9]);
    let registry = registry(odd::LIVE);
    let indexer = Indexer::new().with_registry(&registry).with_on_disk(true);
    let built = indexer.build(folder.index(), [folder.photo(3), folder.photo(6)]).unwrap();
    assert_eq!(built.manifest.unwrap().storage, Storage::Live);
    let added = indexer.add(folder.index(), [folder.photos()]).unwrap();
    assert_eq!((added.images, added.present), (1, 2));
    indexer.remove(folder.index(), [folder.photo(3)]).unwrap();
    let searcher = indexer.open(folder.index()).unwrap();
    assert_eq!(found(&searcher, folder.photo(3), Wanted::nearest(9)).len(), 2);
    let names: Vec<_> = std::fs::read_dir(folder.index()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.iter().filter(|name| name.to_string_lossy().starts_with("gen-")).count(), 1, "{names:?}");
}

#[test]
fn an_index_is_never_filled_or_asked_with_other_vectors() {
    let folder = Folder::new(&[3, 6]);
    let registry = registry(reference::REGISTRATION);
    Indexer::new().with_registry(&registry).build(folder.index(), [folder.photo(3)]).unwrap();
    let mut other = Registry::empty();
    other.register(reference::REGISTRATION).unwrap();
    let indexer = Indexer::new().with_registry(&other);
    for error in
        [indexer.add(folder.index(), [folder.photo(6)]).unwrap_err(), indexer.open(folder.index()).unwrap_err()]
    {
        assert!(matches!(&error, IndexerError::Space { space, .. } if space.model() == "turns"), "{error}");
    }
    // What needs no embedding needs no backend for it.
    assert!(indexer.add(folder.index(), [folder.photo(3)]).unwrap().manifest.is_none());
    assert_eq!(indexer.remove(folder.index(), [folder.photo(3)]).unwrap().images.len(), 1);
}

#[test]
fn only_an_index_that_keeps_its_vectors_is_converted() {
    let folder = Folder::new(&[3, 6]);
    let mut registry = registry(FORGETS);
    let indexer = Indexer::new().with_registry(&registry);
    indexer.build(folder.index(), [folder.photos()]).unwrap();
    let to = folder.0.path().join("new/converted");
    let error = indexer.convert(folder.index(), &to).unwrap_err();
    assert!(matches!(error, IndexerError::Index(IndexError::Unsupported { .. })), "{error}");
    assert!(!to.exists());

    registry.register(reference::REGISTRATION).unwrap();
    let indexer = Indexer::new().with_registry(&registry).with_similarity(nodupe::Preference::require("naive"));
    indexer.clone().with_replace(true).build(folder.index(), [folder.photos()]).unwrap();
    let converted = indexer.convert(folder.index(), &to).unwrap();
    assert_eq!((converted.manifest.count, converted.interrupted), (2, false));
    assert!(matches!(indexer.convert(folder.index(), &to), Err(IndexerError::Exists { .. })));
}

#[test]
fn a_change_waits_for_no_other_and_a_failed_one_leaves_nothing() {
    let folder = Folder::new(&[3, 0]);
    let registry = registry(reference::REGISTRATION);
    let indexer = Indexer::new().with_registry(&registry);
    let built = indexer.build(folder.index(), [folder.photo(0)]).unwrap();
    assert!(built.manifest.is_none() && !folder.index().exists());
    let lock = WriteLock::acquire(folder.index()).unwrap();
    let error = indexer.build(folder.index(), [folder.photos()]).unwrap_err();
    assert!(matches!(error, IndexerError::Bundle(BundleError::Locked { .. })), "{error}");
    lock.abandon();
    assert!(!folder.index().exists());
    indexer.build(folder.index(), [folder.photos()]).unwrap();
    assert_eq!(Index::open(folder.index(), &registry, &Options::new()).unwrap().backend().len().unwrap(), 1);
}

#[test]
fn a_backend_whose_rows_are_parts_of_images_fills_and_asks_no_index() {
    let folder = Folder::new(&[3, 6]);
    let mut registry = registry(reference::REGISTRATION);
    let whole = Indexer::new().with_registry(&registry);
    whole.build(folder.index(), [folder.photo(3)]).unwrap();
    // The same space, and rows of another meaning.
    registry = Registry::empty();
    registry.register(PARTS).unwrap();
    registry.register(reference::REGISTRATION.with_supports(|_| true).with_priority(1)).unwrap();
    let indexer = Indexer::new().with_registry(&registry);
    let new = folder.0.path().join("new");
    let errors = [
        indexer.build(&new, [folder.photos()]).unwrap_err(),
        indexer.add(folder.index(), [folder.photo(6)]).unwrap_err(),
        indexer.open(folder.index()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, IndexerError::Parts { backend: "turns" }), "{error}");
        assert!(error.to_string().contains("name another backend"), "{error}");
    }
    assert!(!new.exists());
}
