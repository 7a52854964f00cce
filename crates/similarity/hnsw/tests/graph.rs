//! What the graph finds, where exact search of everything says what there is to find.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use hnsw_rs::anndists::dist::DistDot;
use hnsw_rs::hnsw::Hnsw as Peer;
use nodupe_conformance::data::{clusters, ids};
use nodupe_core::{
    BuildPhase, EmbeddingSpace, Embeddings, IndexError, ItemId, Neighbors, Options, Row, SimilarityBackend,
};
use nodupe_hnsw::Hnsw;

fn go_on(_: BuildPhase, _: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn filled(rows: &Embeddings, options: &Options) -> (Hnsw, Vec<ItemId>) {
    let ids = ids(rows.len());
    let mut index = Hnsw::new(rows.space(), options).unwrap();
    index.add(&ids, rows.view()).unwrap();
    (index, ids)
}

fn threads(count: usize) -> Options {
    Options::new().with_threads(NonZeroUsize::new(count))
}

/// The part of the true neighbours that was found.
fn recall(truth: &Neighbors, found: &Neighbors) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for (truth, found) in truth.iter().zip(found.iter()) {
        hits += truth.iter().filter(|near| found.iter().any(|other| other.id == near.id)).count();
        all += truth.len();
    }
    hits as f64 / all as f64
}

#[test]
fn the_graph_finds_what_that_of_hnsw_rs_finds_with_the_same_numbers() {
    const DIM: usize = 32;
    const M: usize = 16;
    const EF_CONSTRUCTION: usize = 100;
    const EF: usize = 32;
    const K: usize = 10;
    let space = EmbeddingSpace::cosine("toy", DIM).unwrap();
    // Around the same centres.
    let all = clusters(&space, 3_200, 1).unwrap();
    let part = |range| all.view().slice(range).unwrap().to_owned();
    let (rows, queries) = (part(0..3_000), part(3_000..3_200));
    let options = threads(2)
        .with("hnsw.m", M.to_string())
        .with("hnsw.ef-construction", EF_CONSTRUCTION.to_string())
        .with("hnsw.ef", EF.to_string());
    let (mut index, ids) = filled(&rows, &options);
    let truth = index.search(queries.view(), K).unwrap();
    assert_eq!(truth, truth_of(&rows, &ids, &queries, K), "what waits is searched exactly");
    index.build(&mut go_on).unwrap();
    let own = recall(&truth, &index.search(queries.view(), K).unwrap());

    let peer = Peer::<f32, DistDot>::new(M, rows.len(), 16, EF_CONSTRUCTION, DistDot {});
    let floats = |row: Row<'_>| if let Row::F32(row) = row { row.to_vec() } else { Vec::new() };
    rows.view().iter().enumerate().for_each(|(slot, row)| peer.insert((&floats(row), slot)));
    let mut hits = 0;
    for (query, truth) in queries.view().iter().zip(truth.iter()) {
        let found = peer.search(&floats(query), K, EF);
        hits += truth.iter().filter(|near| found.iter().any(|other| ids[other.d_id] == near.id)).count();
    }
    let theirs = hits as f64 / (queries.len() * K) as f64;
    assert!(own > 0.9 && own >= theirs - 0.01, "recall {own}, and {theirs} of hnsw_rs");
}

#[test]
fn removed_vectors_are_walked_over_and_as_many_others_are_found() {
    let space = EmbeddingSpace::squared_euclidean("toy", 12).unwrap();
    let rows = clusters(&space, 2_000, 4).unwrap();
    let (mut index, ids) = filled(&rows, &threads(2).with("hnsw.ef", "24"));
    index.build(&mut go_on).unwrap();
    // All that is near each of some queries, but fewer than make the next build start again.
    let queries = rows.view().slice(0..8).unwrap().to_owned();
    let near = index.search(queries.view(), 60).unwrap();
    let gone: Vec<ItemId> = near.iter().flatten().map(|near| near.id.clone()).collect();
    index.remove(&gone).unwrap();
    let kept: Vec<usize> = (0..ids.len()).filter(|&slot| !gone.contains(&ids[slot])).collect();
    let kept_ids: Vec<ItemId> = kept.iter().map(|&slot| ids[slot].clone()).collect();
    let kept_rows = index.vectors(&kept_ids).unwrap().unwrap();
    let truth = truth_of(&kept_rows, &kept_ids, &queries, 10);
    for build in [false, true] {
        if build {
            index.build(&mut go_on).unwrap();
        }
        let found = index.search(queries.view(), 10).unwrap();
        assert!(found.iter().all(|found| found.len() == 10));
        assert!(recall(&truth, &found) > 0.95, "{}", recall(&truth, &found));
    }
}

#[test]
fn what_is_added_to_a_graph_is_linked_by_the_next_build() {
    let space = EmbeddingSpace::hamming("toy", 256).unwrap();
    let rows = clusters(&space, 3_000, 5).unwrap();
    let ids = ids(rows.len());
    let mut index = Hnsw::new(&space, &threads(2).with("hnsw.ef", "40")).unwrap();
    let mut phases = Vec::new();
    for part in 0..3 {
        let range = part * 1_000..(part + 1) * 1_000;
        index.add(&ids[range.clone()], rows.view().slice(range).unwrap()).unwrap();
        index
            .build(&mut |phase, done| {
                phases.push((phase, done));
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    assert!(phases.contains(&(BuildPhase::Linking, 1.0)));
    let queries = clusters(&space, 200, 6).unwrap();
    let truth = truth_of(&rows, &ids, &queries, 10);
    let found = index.search(queries.view(), 10).unwrap();
    // By distance: which of several equally near ones is found makes no difference.
    let far = |lists: &Neighbors| lists.iter().flatten().map(|near| f64::from(near.distance)).sum::<f64>();
    assert!(far(&found) <= far(&truth) * 1.01, "{} and {}", far(&found), far(&truth));
}

#[test]
fn a_graph_opens_as_it_was_and_with_another_ef() {
    let space = EmbeddingSpace::cosine("toy", 24).unwrap();
    let rows = clusters(&space, 2_000, 7).unwrap();
    let (mut index, ids) = filled(&rows, &threads(2).with("hnsw.ef", "8"));
    index.build(&mut go_on).unwrap();
    index.remove(&ids[..100]).unwrap();
    index.add(&ids[..50], rows.view().slice(0..50).unwrap()).unwrap();
    let queries = clusters(&space, 50, 8).unwrap();
    let before = index.search(queries.view(), 5).unwrap();
    let dir = tempfile::tempdir().unwrap();
    index.save(dir.path()).unwrap();
    let open = |ef: &str| Hnsw::open(&space, dir.path(), &threads(2).with("hnsw.ef", ef).with("hnsw.m", "5")).unwrap();
    assert_eq!(open("8").search(queries.view(), 5).unwrap(), before);
    let held: Vec<ItemId> =
        ids.iter().enumerate().filter(|(slot, _)| !(50..100).contains(slot)).map(|one| one.1.clone()).collect();
    let truth = truth_of(&index.vectors(&held).unwrap().unwrap(), &held, &queries, 5);
    let (few, many) = (recall(&truth, &before), recall(&truth, &open("100").search(queries.view(), 5).unwrap()));
    assert!(many > few.min(0.98) && many > 0.98, "{few} and {many}");
}

#[test]
fn options_out_of_range_are_refused() {
    let space = EmbeddingSpace::cosine("toy", 8).unwrap();
    for (key, value) in [("hnsw.m", "1"), ("hnsw.m", "300"), ("hnsw.ef", "0"), ("hnsw.ef-construction", "x")] {
        let options = Options::new().with(key, value);
        assert_eq!(Hnsw::new(&space, &options).unwrap_err().reason, nodupe_core::Reason::Options);
        let opened = Hnsw::open(&space, std::path::Path::new("nowhere"), &options);
        assert!(matches!(opened, Err(IndexError::Unavailable(_))));
    }
}

#[test]
fn vectors_that_are_equal_do_not_cut_the_graph_apart() {
    let space = EmbeddingSpace::cosine("toy", 16).unwrap();
    let mut rows = clusters(&space, 1_500, 3).unwrap();
    let copy = rows.view().slice(7..8).unwrap().to_owned();
    for _ in 0..1_000 {
        rows.append(copy.view()).unwrap();
    }
    let options = threads(2).with("hnsw.m", "4").with("hnsw.ef", "40");
    let (mut index, ids) = filled(&rows, &options);
    let queries = clusters(&space, 100, 3).unwrap();
    let truth = index.search(queries.view(), 5).unwrap();
    index.build(&mut go_on).unwrap();
    let found = index.search(queries.view(), 5).unwrap();
    assert!(recall(&truth, &found) > 0.95, "{}", recall(&truth, &found));
    let copies = index.search_within(copy.view(), 0.0, usize::MAX).unwrap();
    assert_eq!(copies.of(0).len(), 1_001);
    assert_eq!(index.search(copy.view(), 3).unwrap(), truth_of(&rows, &ids, &copy, 3));
}

/// What exact search finds.
fn truth_of(rows: &Embeddings, ids: &[ItemId], queries: &Embeddings, k: usize) -> Neighbors {
    let mut truth = nodupe_conformance::reference::NaiveIndex::new(rows.space().clone());
    truth.add(ids, rows.view()).unwrap();
    truth.search(queries.view(), k).unwrap()
}

#[test]
fn opposite_vectors_that_are_a_little_too_long_are_within_the_largest_distance() {
    let space = EmbeddingSpace::cosine("toy", 2).unwrap();
    let long = 1.0 + nodupe_core::UNIT_TOLERANCE * 0.9;
    let rows = Embeddings::from_f32(space.clone(), vec![long, 0.0, -long, 0.0, -1.0, 0.0]).unwrap();
    let mut index = Hnsw::new(&space, &threads(1)).unwrap();
    index.add(&["a".into(), "b".into(), "c".into()], rows.view()).unwrap();
    let query = rows.view().slice(0..1).unwrap();
    let ids = |found: &nodupe_core::Neighbors| found.of(0).iter().map(|near| near.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&index.search_within(query, 2.0, 5).unwrap()), ["a", "b", "c"]);
    assert_eq!(ids(&index.search(query, 2).unwrap()), ["a", "b"]);
    let mut pairs = 0;
    index
        .pairs_within(2.0, &mut |_| {
            pairs += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(pairs, 3);
}

#[test]
fn a_cluster_that_was_removed_does_not_hide_what_is_behind_it() {
    // One cluster of 900 around each of five corners; all of one goes, which is less than a third of everything.
    let space = EmbeddingSpace::squared_euclidean("toy", 4).unwrap();
    let mut state = 7_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let data: Vec<f32> = (0..4_500 * 4).map(|i| if i % 4 == i / 4 % 5 { 20.0 + noise() } else { noise() }).collect();
    let rows = Embeddings::from_f32(space, data).unwrap();
    let (mut index, ids) = filled(&rows, &threads(2).with("hnsw.ef", "8"));
    index.build(&mut go_on).unwrap();
    let gone: Vec<ItemId> = ids.iter().skip(2).step_by(5).cloned().collect();
    assert_eq!(index.remove(&gone).unwrap(), 900);
    let queries = rows.view().slice(0..50).unwrap();
    let found = index.search(queries, 5).unwrap();
    for (row, list) in found.iter().enumerate() {
        assert_eq!(list.len(), 5);
        assert!(list.iter().all(|near| !gone.contains(&near.id)));
        if row % 5 == 2 {
            // Exactly: the walk gives up among the dead.
            let nearest = (0..4_500).filter(|other| other % 5 != 2).map(|other| {
                let row_of = |row: usize| rows.get(row).unwrap();
                nodupe_core::Metric::SquaredEuclidean.distance(row_of(row), row_of(other)).unwrap()
            });
            assert!((list[0].distance - nearest.fold(f32::INFINITY, f32::min)).abs() < 1e-3);
        }
    }
}
