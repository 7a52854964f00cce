//! What the trees find, and what is found in spite of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::ops::ControlFlow;

use nodupe_annoy::{Annoy, REGISTRATION};
use nodupe_conformance::data;
use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{EmbeddingSpace, Embeddings, IndexSpec, ItemId, Options, SimilarityBackend};

const COUNT: usize = 3_000;

fn options() -> Options {
    Options::new().with("annoy.search-k", "600").with("annoy.trees", "10")
}

fn build(index: &mut Annoy) {
    index.build(&mut |_, _| ControlFlow::Continue(())).unwrap();
}

fn filled(space: &EmbeddingSpace, options: &Options) -> (Annoy, Vec<ItemId>, Embeddings) {
    let (ids, rows) = (data::ids(COUNT), data::clusters(space, COUNT, 5).unwrap());
    let mut index = Annoy::new(&IndexSpec::new(space), options).unwrap();
    index.add(&ids, rows.view()).unwrap();
    (index, ids, rows)
}

fn recall(index: &dyn SimilarityBackend, truth: &dyn SimilarityBackend, queries: &Embeddings) -> f64 {
    let (found, truth) = (index.search(queries.view(), 10).unwrap(), truth.search(queries.view(), 10).unwrap());
    let pairs = found.iter().zip(truth.iter());
    // Equal distances count: which of them is meant is a matter of ids.
    let hits = pairs.map(|(found, truth)| {
        let last = truth.last().unwrap().distance + 1e-6;
        found.iter().filter(|near| near.distance <= last).count()
    });
    hits.sum::<usize>() as f64 / (10 * queries.len()) as f64
}

#[test]
fn trees_find_nearly_all_after_every_kind_of_change() {
    for space in [EmbeddingSpace::cosine("toy", 24).unwrap(), EmbeddingSpace::squared_euclidean("toy", 24).unwrap()] {
        let (mut index, ids, rows) = filled(&space, &options());
        let queries =
            data::clusters(&space, COUNT + 100, 5).unwrap().view().slice(COUNT..COUNT + 100).unwrap().to_owned();
        let mut truth = NaiveIndex::new(space.clone());
        truth.add(&ids, rows.view()).unwrap();
        let look = |when: &str, index: &Annoy, truth: &NaiveIndex| {
            let recall = recall(index, truth, &queries);
            assert!(recall >= 0.9, "{when}, in {space}: recall {recall}");
            recall
        };
        assert!(look("before build", &index, &truth) > 0.9999);
        build(&mut index);
        look("after build", &index, &truth);
        index.remove(&ids[..COUNT / 3]).unwrap();
        truth.remove(&ids[..COUNT / 3]).unwrap();
        look("after removals", &index, &truth);
        let more: Vec<ItemId> = (0..500).map(|row| format!("more {row}").into()).collect();
        index.add(&more, rows.view().slice(0..500).unwrap()).unwrap();
        truth.add(&more, rows.view().slice(0..500).unwrap()).unwrap();
        look("after additions", &index, &truth);
        build(&mut index);
        look("after the second build", &index, &truth);
    }
}

#[test]
fn equal_vectors_are_found_whatever_the_trees_say() {
    let space = EmbeddingSpace::squared_euclidean("toy", 3).unwrap();
    // Far from the origin, where no plane through it parts them.
    let data = (0..COUNT).flat_map(|row| [1000.0 + row as f32 / 100.0, 1000.0, -0.0]).collect();
    let rows = Embeddings::from_f32(space.clone(), data).unwrap();
    let ids = data::ids(COUNT);
    let poor = Options::new().with("annoy.search-k", "1").with("annoy.trees", "1");
    let mut index = Annoy::new(&IndexSpec::new(&space), &poor).unwrap();
    index.add(&ids, rows.view()).unwrap();
    build(&mut index);
    let found = index.search(rows.view(), 1).unwrap();
    for (id, neighbors) in ids.iter().zip(found.iter()) {
        assert_eq!((&neighbors[0].id, neighbors[0].distance), (id, 0.0));
    }
    let zero = Embeddings::from_f32(space, vec![1000.0, 1000.0, 0.0]).unwrap();
    assert!(index.search(zero.view(), 1).unwrap().of(0)[0].distance <= 0.0);
}

#[test]
fn the_same_vectors_give_the_same_answers() {
    let space = EmbeddingSpace::cosine("toy", 24).unwrap();
    let queries = data::clusters(&space, 50, 6).unwrap();
    let answers = [(), ()].map(|()| {
        let (mut index, ..) = filled(&space, &options());
        build(&mut index);
        index.search(queries.view(), 10).unwrap()
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn progress_grows_from_0_to_1_and_a_second_build_has_nothing_to_do() {
    let space = EmbeddingSpace::cosine("toy", 24).unwrap();
    let (mut index, ..) = filled(&space, &options());
    for again in [false, true] {
        let mut told = Vec::new();
        let mut tell = |_, done| {
            told.push(done);
            ControlFlow::Continue(())
        };
        index.build(&mut tell).unwrap();
        assert!(told.is_sorted() && told[0] == 0.0, "{told:?}");
        assert_eq!(told.last() == Some(&1.0), !again, "{told:?}");
    }
}

#[test]
fn it_suits_what_lives_on_disk_or_fills_the_memory() {
    let space = EmbeddingSpace::cosine("toy", 512).unwrap();
    let spec = IndexSpec::new(&space).with_memory(1 << 20);
    let suits = |spec: &IndexSpec<'_>| (REGISTRATION.suitability)(spec).name();
    assert_eq!((suits(&spec), suits(&spec.with_expected_len(256))), ("good", "good"));
    assert_eq!(suits(&spec.with_expected_len(257)), "best");
    assert_eq!(suits(&spec.with_expected_len(1).with_dir("index".as_ref())), "best");
    assert_eq!(suits(&IndexSpec::new(&space).with_expected_len(usize::MAX)), "good", "nobody knows the memory");
}
