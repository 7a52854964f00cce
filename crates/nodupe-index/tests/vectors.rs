//! What is done with the vectors that an index keeps.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod odd;

use nodupe_conformance::data;
use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{EmbeddingSpace, IndexError, ItemId, Neighbor, Neighbors, SimilarityBackend as _};
use nodupe_index::Index;
use odd::{Odd, Oddity};

fn spaces() -> [EmbeddingSpace; 3] {
    [
        EmbeddingSpace::cosine("toy", 8).unwrap(),
        EmbeddingSpace::squared_euclidean("toy", 3).unwrap(),
        EmbeddingSpace::hamming("toy", 64).unwrap(),
    ]
}

fn naive(space: &EmbeddingSpace, count: usize) -> NaiveIndex {
    let mut index = NaiveIndex::new(space.clone());
    let rows = data::clusters(space, count, 1).unwrap();
    index.add(&data::ids(count), rows.view()).unwrap();
    index
}

fn odd(space: &EmbeddingSpace, count: usize, oddity: Oddity) -> Index {
    Index::new(Box::new(Odd { inner: naive(space, count), oddity }))
}

#[test]
fn wrong_distances_are_put_right_and_in_order() {
    for space in spaces() {
        let index = Index::new(Box::new(naive(&space, 100)));
        let queries = data::clusters(&space, 7, 1).unwrap();
        let right = index.backend().search(queries.view(), 20).unwrap();
        let mut wrong = Neighbors::new();
        for list in right.iter() {
            let distorted = |n: &Neighbor| Neighbor { distance: 7.0 - n.distance, ..n.clone() };
            wrong.push(list.iter().rev().map(distorted), true);
        }
        let scored = index.rescore(queries.view(), &wrong).unwrap().unwrap();
        for query in 0..queries.len() {
            assert_eq!(scored.of(query), right.of(query));
            assert!(scored.is_truncated(query), "what was cut off stays cut off");
        }
    }
}

#[test]
fn pairs_get_the_distances_that_the_index_gives() {
    for space in spaces() {
        let index = Index::new(Box::new(naive(&space, 60)));
        let (mut pairs, mut wanted) = (Vec::new(), Vec::new());
        index
            .backend()
            .pairs_within(f32::INFINITY, &mut |pair| {
                pairs.push((pair.a.clone(), pair.b.clone()));
                wanted.push(pair.distance);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        // More than are scored at once.
        assert_eq!(pairs.len(), 1770);
        assert_eq!(index.rescore_pairs(&pairs).unwrap().unwrap(), wanted);
    }
}

#[test]
fn what_cannot_be_scored_is_an_error_or_none() {
    let space = spaces()[0].clone();
    let index = Index::new(Box::new(naive(&space, 10)));
    let nobody = ItemId::from("nobody");
    let pair = [(data::ids(1)[0].clone(), nobody.clone())];
    assert!(matches!(index.rescore_pairs(&pair), Err(IndexError::NotFound { id }) if id == nobody));
    let queries = data::clusters(&space, 2, 1).unwrap();
    assert!(matches!(index.rescore(queries.view(), &Neighbors::new()), Err(IndexError::LengthMismatch { .. })));
    let other = data::clusters(&space.clone().with_revision("9"), 0, 1).unwrap();
    assert!(matches!(index.rescore(other.view(), &Neighbors::new()), Err(IndexError::SpaceMismatch { .. })));
    let without = odd(&space, 10, Oddity::NoVectors);
    let found = without.backend().search(queries.view(), 3).unwrap();
    assert_eq!(without.rescore(queries.view(), &found).unwrap(), None);
    assert_eq!(without.audit(5, 3).unwrap(), None);
    assert!(matches!(
        without.convert(Box::new(NaiveIndex::new(space))),
        Err(IndexError::Unsupported { operation: "vectors", .. })
    ));
}

#[test]
fn an_audit_tells_the_recall_that_a_search_has() {
    for space in spaces() {
        let exact = Index::new(Box::new(naive(&space, 2500))).audit(20, 10).unwrap().unwrap();
        assert_eq!((exact.queries, exact.k), (20, 10));
        assert!((exact.recall - 1.0).abs() < 1e-9, "{exact:?}");
        let half = odd(&space, 300, Oddity::Forgetful).audit(300, 10).unwrap().unwrap();
        assert!((0.4..0.6).contains(&half.recall), "{half:?}");
        assert_eq!(half.queries, 300);
    }
}

#[test]
fn an_audit_of_next_to_nothing_has_no_answer() {
    let space = spaces()[0].clone();
    for count in [0, 1] {
        assert_eq!(Index::new(Box::new(naive(&space, count))).audit(5, 5).unwrap(), None);
    }
    let two = Index::new(Box::new(naive(&space, 2)));
    assert_eq!((two.audit(0, 5).unwrap(), two.audit(5, 0).unwrap()), (None, None));
    assert_eq!(two.audit(usize::MAX, usize::MAX).unwrap().unwrap().k, 1);
}

#[test]
fn a_converted_index_holds_the_same_vectors_under_the_same_ids() {
    for space in spaces() {
        let index = odd(&space, 2500, Oddity::Forgetful);
        let converted = index.convert(Box::new(NaiveIndex::new(space.clone()))).unwrap();
        let ids = data::ids(2500);
        assert_eq!(converted.backend().vectors(&ids).unwrap().unwrap(), data::clusters(&space, 2500, 1).unwrap());
        assert_eq!((converted.backend().len().unwrap(), converted.path()), (2500, None));
        let other = NaiveIndex::new(space.clone().with_revision("9"));
        assert!(matches!(index.convert(Box::new(other)), Err(IndexError::SpaceMismatch { .. })));
    }
}
