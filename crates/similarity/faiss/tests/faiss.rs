//! What the indexes of FAISS find, where exact search of everything says what there is to find.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_conformance::data::{clusters, ids};
use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{
    BuildPhase, EmbeddingSpace, Embeddings, IndexError, ItemId, Neighbors, Options, Reason, SimilarityBackend,
};
use nodupe_faiss::Faiss;

fn go_on(_: BuildPhase, _: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn with(index: &str) -> Options {
    Options::new().with("faiss.index", index).with_threads(NonZeroUsize::new(2))
}

fn cosine() -> EmbeddingSpace {
    EmbeddingSpace::cosine("toy", 16).unwrap()
}

fn filled(rows: &Embeddings, options: &Options) -> (Faiss, Vec<ItemId>) {
    let ids = ids(rows.len());
    let mut index = Faiss::new(rows.space(), options).unwrap();
    index.add(&ids, rows.view()).unwrap();
    (index, ids)
}

fn built(rows: &Embeddings, options: &Options) -> (Faiss, Vec<ItemId>) {
    let (mut index, ids) = filled(rows, options);
    index.build(&mut go_on).unwrap();
    (index, ids)
}

/// What exact search finds.
fn truth_of(rows: &Embeddings, ids: &[ItemId], queries: &Embeddings, k: usize) -> Neighbors {
    let mut truth = NaiveIndex::new(rows.space().clone());
    truth.add(ids, rows.view()).unwrap();
    truth.search(queries.view(), k).unwrap()
}

/// The part of the true neighbours that was found.
fn recall(truth: &Neighbors, found: &Neighbors) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for (truth, found) in truth.iter().zip(found.iter()) {
        hits += truth.iter().filter(|near| found.iter().any(|other| other.id == near.id)).count();
        all += truth.len();
    }
    f64::from(hits as u32) / f64::from(all as u32)
}

#[test]
fn an_index_that_is_trained_says_so_and_each_kind_finds_its_part() {
    let rows = clusters(&cosine(), 3_000, 1).unwrap();
    let queries = clusters(&cosine(), 100, 2).unwrap();
    for (index, trains, least) in
        [("HNSW16", false, 0.95), ("IVF16,Flat", true, 0.8), ("IVF16,SQ8", true, 0.8), ("PQ8x4", true, 0.7)]
    {
        let (mut index_of, ids) = filled(&rows, &with(index));
        let mut phases = Vec::new();
        index_of
            .build(&mut |phase, done| {
                phases.push((phase, done));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(phases.contains(&(BuildPhase::Training, 1.0)), trains, "{index}");
        assert_eq!(phases.last(), Some(&(BuildPhase::Linking, 1.0)), "{index}");
        let found = recall(&truth_of(&rows, &ids, &queries, 10), &index_of.search(queries.view(), 10).unwrap());
        assert!(found > least, "{index}: {found}");
        assert!(!index_of.is_exact());
    }
}

#[test]
fn more_probes_and_a_longer_list_of_candidates_find_more() {
    let rows = clusters(&cosine(), 4_000, 1).unwrap();
    let queries = clusters(&cosine(), 100, 2).unwrap();
    let part = |index: &str, key: &str, value: &str| {
        let (index, ids) = built(&rows, &with(index).with(key, value));
        recall(&truth_of(&rows, &ids, &queries, 20), &index.search(queries.view(), 20).unwrap())
    };
    let pairs = [("IVF64,Flat", "faiss.nprobe", "1", "64"), ("PQ4x4", "faiss.refine", "1", "100")];
    for (index, key, low, high) in pairs {
        let (low, high) = (part(index, key, low), part(index, key, high));
        assert!(low < high - 0.05 && high > 0.99, "{index} {key}: {low} and {high}");
    }
    assert!(part("HNSW2", "faiss.ef-search", "20") < part("HNSW2", "faiss.ef-search", "400"));
    assert!(part("HNSW4", "faiss.ef-construction", "4") < part("HNSW4", "faiss.ef-construction", "200"));
}

#[test]
fn what_is_added_after_the_build_is_found_at_once_and_linked_by_the_next() {
    for (space, index) in [
        (cosine(), "HNSW16"),
        (cosine(), "IVF4,Flat"),
        (cosine(), "IVF4,SQ8"),
        (EmbeddingSpace::hamming("toy", 128).unwrap(), "BHNSW16"),
        (EmbeddingSpace::hamming("toy", 128).unwrap(), "BIVF4"),
    ] {
        let rows = clusters(&space, 1_200, 3).unwrap();
        let ids = ids(rows.len());
        let mut backend = Faiss::new(&space, &with(index)).unwrap();
        for (part, built) in [(0..500, true), (500..1_000, true), (1_000..1_200, false)] {
            backend.add(&ids[part.clone()], rows.view().slice(part.clone()).unwrap()).unwrap();
            let fresh = rows.view().slice(part.clone()).unwrap();
            let found = backend.search_within(fresh, 0.0, usize::MAX).unwrap();
            assert!(found.iter().zip(&ids[part]).all(|(found, id)| found.iter().any(|near| near.id == *id)), "{index}");
            if built {
                backend.build(&mut go_on).unwrap();
            }
        }
        assert_eq!(backend.vectors(&ids).unwrap().unwrap(), rows, "{index}");
        let queries = clusters(&space, 100, 3).unwrap();
        let (truth, found) = (truth_of(&rows, &ids, &queries, 5), backend.search(queries.view(), 5).unwrap());
        // By distance: which of several equally near ones is found makes no difference.
        let far = |lists: &Neighbors| lists.iter().flatten().map(|near| f64::from(near.distance)).sum::<f64>();
        assert!(far(&found) <= far(&truth) * 1.02 + 1e-6, "{index}: {} and {}", far(&found), far(&truth));
    }
}

#[test]
fn removed_vectors_are_left_out_and_as_many_others_are_found() {
    for index in ["HNSW16", "IVF4,Flat", "PQ8x4", "Flat"] {
        let rows = clusters(&cosine(), 2_000, 4).unwrap();
        let (mut backend, ids) = built(&rows, &with(index));
        // All that is near each of some queries, but fewer than make the next build start again.
        let queries = rows.view().slice(0..8).unwrap().to_owned();
        let near = backend.search(queries.view(), 60).unwrap();
        let gone: Vec<ItemId> = near.iter().flatten().map(|near| near.id.clone()).collect();
        backend.remove(&gone).unwrap();
        let kept: Vec<ItemId> = ids.iter().filter(|id| !gone.contains(id)).cloned().collect();
        let truth = truth_of(&backend.vectors(&kept).unwrap().unwrap(), &kept, &queries, 10);
        for _ in 0..2 {
            let found = backend.search(queries.view(), 10).unwrap();
            assert!(found.iter().all(|found| found.len() == 10), "{index}");
            assert!(recall(&truth, &found) > 0.85, "{index}: {}", recall(&truth, &found));
            backend.build(&mut go_on).unwrap();
        }
    }
}

#[test]
fn a_third_removed_makes_the_next_build_start_again_and_forget_them() {
    let rows = clusters(&cosine(), 900, 4).unwrap();
    let size = |remove: usize| {
        let (mut backend, ids) = built(&rows, &with("HNSW8"));
        backend.remove(&ids[..remove]).unwrap();
        backend.build(&mut go_on).unwrap();
        let dir = tempfile::tempdir().unwrap();
        backend.save(dir.path()).unwrap();
        std::fs::metadata(dir.path().join("index")).unwrap().len()
    };
    assert_eq!(size(0), size(300));
    assert!(size(301) < size(0) * 3 / 4);
}

#[test]
fn an_index_that_outgrew_its_training_is_trained_again() {
    let rows = clusters(&cosine(), 1_000, 4).unwrap();
    let ids = ids(rows.len());
    let mut backend = Faiss::new(&cosine(), &with("IVF4,Flat")).unwrap();
    let mut trained = Vec::new();
    for part in [0..200, 200..700, 700..1_000] {
        backend.add(&ids[part.clone()], rows.view().slice(part).unwrap()).unwrap();
        let mut is_trained = false;
        backend
            .build(&mut |phase, _| {
                is_trained |= phase == BuildPhase::Training;
                ControlFlow::Continue(())
            })
            .unwrap();
        trained.push(is_trained);
    }
    assert_eq!(trained, [true, false, true]);
}

#[test]
fn too_few_vectors_to_train_with_are_all_looked_at() {
    let rows = clusters(&cosine(), 300, 4).unwrap();
    let (backend, ids) = built(&rows, &with("IVF64,PQ8"));
    let queries = clusters(&cosine(), 20, 5).unwrap();
    assert_eq!(backend.search(queries.view(), 10).unwrap(), truth_of(&rows, &ids, &queries, 10));
}

#[test]
fn all_within_a_distance_are_found_by_lists_that_are_all_visited() {
    for space in [cosine(), EmbeddingSpace::squared_euclidean("toy", 16).unwrap()] {
        let rows = clusters(&space, 1_500, 6).unwrap();
        let (backend, ids) = built(&rows, &with("IVF8,Flat"));
        let queries = clusters(&space, 30, 6).unwrap();
        let mut truth = NaiveIndex::new(space.clone());
        truth.add(&ids, rows.view()).unwrap();
        for max in [0.0, 0.05, 0.4, 2.0, f32::INFINITY] {
            let wanted = truth.search_within(queries.view(), max, usize::MAX).unwrap();
            let found = backend.search_within(queries.view(), max, usize::MAX).unwrap();
            for (wanted, found) in wanted.iter().zip(found.iter()) {
                assert_eq!(wanted.len(), found.len(), "within {max}");
            }
        }
    }
}

#[test]
fn a_flat_index_gives_ties_in_the_order_of_their_ids() {
    let space = EmbeddingSpace::hamming("toy", 16).unwrap();
    let rows = clusters(&space, 3_000, 7).unwrap();
    let queries = clusters(&space, 50, 8).unwrap();
    let (backend, ids) = built(&rows, &with("BFlat"));
    assert!(backend.is_exact());
    assert_eq!(backend.search(queries.view(), 10).unwrap(), truth_of(&rows, &ids, &queries, 10));
}

#[test]
fn searches_on_many_threads_find_what_one_finds() {
    for index in ["Flat", "HNSW16", "IVF16,Flat", "IVF16,PQ4x4"] {
        let rows = clusters(&cosine(), 3_000, 9).unwrap();
        let queries = clusters(&cosine(), 64, 10).unwrap();
        let (backend, _) = built(&rows, &with(index));
        let alone = backend.search(queries.view(), 10).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        assert_eq!(backend.search(queries.view(), 10).unwrap(), alone, "{index}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_quantised_index_that_keeps_no_vectors_says_so() {
    let rows = clusters(&cosine(), 1_000, 11).unwrap();
    let options = with("SQ8").with("faiss.keep-vectors", "false");
    let (mut backend, ids) = filled(&rows, &options);
    for built in [false, true] {
        if built {
            backend.build(&mut go_on).unwrap();
        }
        assert_eq!(backend.vectors(&ids[..3]).unwrap(), None);
        let pairs = backend.pairs_within(0.1, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(pairs, Err(IndexError::Unsupported { .. })));
    }
    // Distances are those of the rounded vectors: near the true ones.
    let truth = truth_of(&rows, &ids, &rows.view().slice(0..50).unwrap().to_owned(), 5);
    let found = backend.search(rows.view().slice(0..50).unwrap(), 5).unwrap();
    assert!(recall(&truth, &found) > 0.9);
    let dir = tempfile::tempdir().unwrap();
    backend.save(dir.path()).unwrap();
    assert_eq!(std::fs::metadata(dir.path().join("rows")).unwrap().len(), 0);
    let opened = Faiss::open(&cosine(), dir.path(), &Options::new()).unwrap();
    assert_eq!(opened.vectors(&ids[..3]).unwrap(), None);
    assert_eq!(opened.search(rows.view().slice(0..50).unwrap(), 5).unwrap(), found);
}

#[test]
fn an_index_opens_as_it_was_with_its_kind_and_the_parameters_that_are_given() {
    let rows = clusters(&cosine(), 2_000, 12).unwrap();
    let queries = clusters(&cosine(), 50, 13).unwrap();
    for index in ["HNSW8", "IVF32,Flat", "IVF32,PQ8x4"] {
        let (mut backend, ids) = built(&rows, &with(index).with("faiss.nprobe", "2"));
        backend.remove(&ids[..100]).unwrap();
        backend.add(&ids[..50], rows.view().slice(0..50).unwrap()).unwrap();
        let before = backend.search(queries.view(), 5).unwrap();
        let dir = tempfile::tempdir().unwrap();
        backend.save(dir.path()).unwrap();
        let mut opened = Faiss::open(&cosine(), dir.path(), &Options::new().with("faiss.nprobe", "2")).unwrap();
        assert_eq!(opened.search(queries.view(), 5).unwrap(), before, "{index}");
        assert!(!opened.is_exact(), "auto would look at all of so few");
        opened.build(&mut go_on).unwrap();
        assert!(!opened.is_exact());
        assert_eq!(opened.vectors(&ids[50..51]).ok(), None);
        assert_eq!(opened.vectors(&ids[100..]).unwrap().unwrap(), rows.view().slice(100..2_000).unwrap().to_owned());
    }
}

#[test]
fn files_that_are_not_those_that_were_saved_are_refused() {
    let rows = clusters(&cosine(), 400, 12).unwrap();
    let save = |index: &str, dir: &Path| built(&rows, &with(index)).0.save(dir).unwrap();
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    save("HNSW8", dir.path());
    save("IVF4,Flat", other.path());
    let open = |space: &EmbeddingSpace| Faiss::open(space, dir.path(), &Options::new());
    open(&cosine()).unwrap();
    // Of another metric: the rows would be fine.
    let euclidean = EmbeddingSpace::squared_euclidean("toy", 16).unwrap();
    assert!(matches!(open(&euclidean), Err(IndexError::Corrupt { .. })));
    let index = dir.path().join("index");
    let good = std::fs::read(&index).unwrap();
    for bad in [std::fs::read(other.path().join("index")).unwrap(), good[..good.len() - 1].to_vec(), Vec::new()] {
        std::fs::write(&index, bad).unwrap();
        assert!(matches!(open(&cosine()), Err(IndexError::Corrupt { .. })));
    }
    std::fs::remove_file(&index).unwrap();
    assert!(matches!(open(&cosine()), Err(IndexError::Io { .. })));
}

#[test]
fn options_that_cannot_be_are_refused() {
    for (key, value) in [
        ("faiss.index", "HNSW0"),
        ("faiss.index", "PQ7"),
        ("faiss.index", "BFlat"),
        ("faiss.index", "nonsense"),
        ("faiss.nprobe", "0"),
        ("faiss.ef-search", "x"),
        ("faiss.keep-vectors", "perhaps"),
    ] {
        let options = Options::new().with(key, value);
        let why = Faiss::new(&cosine(), &options).unwrap_err();
        assert_eq!(why.reason, Reason::Options, "{key}={value}");
        let opened = Faiss::open(&cosine(), Path::new("nowhere"), &options);
        assert!(matches!(opened, Err(IndexError::Unavailable(_))));
    }
}
