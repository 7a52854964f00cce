//! Embeddings to near pairs, through a similarity backend.

use std::collections::HashSet;
use std::ops::ControlFlow;

use nodupe_core::{IndexError, ItemId, SimilarityBackend, View};
use rayon::prelude::*;

use crate::collection::Collection;
use crate::linkage::NearPair;
use crate::progress::{Progress, Stage};

/// The most neighbours that are asked for a query, so that a thousand pictures of nothing do not become a million pairs.
/// Average and complete link score what it cuts off when they compare clusters.
pub(crate) const LIMIT: usize = 512;
/// Bytes of the queries in one call: a thousand rows of 512 floats, or 65,536 of 256 bits, which an index may search faster
/// the more there are. Between calls it is asked whether to stop.
const BATCH: usize = 2 << 20;

/// The near pairs of a collection.
#[derive(Debug, Default)]
pub(crate) struct NearPairs {
    /// The smaller number first, each pair once, in ascending order; with each how one of the images has to be turned.
    pub(crate) pairs: Vec<(NearPair, View)>,
    /// Queries whose neighbours the limit cut.
    pub(crate) truncated: usize,
}

/// Puts the collection into the empty `index` and finds every pair of images within `max_distance` in any view; where
/// `progress` cancels, those that it had found by then.
pub(crate) fn find(
    collection: &Collection,
    index: &mut dyn SimilarityBackend,
    max_distance: f32,
    limit: usize,
    progress: &dyn Progress,
) -> Result<NearPairs, IndexError> {
    let rows = collection.rows(0);
    let images = collection.images_of_rows(0);
    // Ties at the limit go by id. So ids are of the numbers of images, and not of the order in which decoders finished.
    let ids = ids(&images);
    index.add(&ids, rows)?;
    drop(ids);
    let flow = || {
        if progress.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match index.build(&mut |_, _| flow()) {
        // What is found without it is found; the loops below stop by themselves.
        Ok(()) | Err(IndexError::Cancelled) => {}
        Err(error) => return Err(error),
    }

    let image_of = |id: &ItemId| id.as_str().split('.').next()?.parse().ok();
    let mut candidates = HashSet::new();
    let mut truncated = 0;
    let batch = (BATCH / rows.space().row_bytes()).max(1);
    progress.begin(Stage::Search, Some(rows.len() * collection.views().len()));
    for view in 0..collection.views().len() {
        let queries = collection.rows(view);
        let asking = collection.images_of_rows(view);
        for (asking, start) in asking.chunks(batch).zip((0..).step_by(batch)) {
            let Some(batch) = queries.slice(start..start + asking.len()).filter(|_| flow().is_continue()) else {
                break;
            };
            let found = index.search_within(batch, max_distance, limit)?;
            for (query, (&a, neighbors)) in asking.iter().zip(found.iter()).enumerate() {
                truncated += usize::from(found.is_truncated(query));
                let near = neighbors.iter().filter_map(|neighbor| image_of(&neighbor.id)).filter(|&b: &u32| b != a);
                candidates.extend(near.map(|b| (a.min(b), a.max(b))));
            }
            progress.advance(Stage::Search, asking.len());
        }
    }
    Ok(NearPairs { pairs: score(collection, candidates, max_distance), truncated })
}

/// For each row the number of its image and its place among the rows of that image.
fn ids(images: &[u32]) -> Vec<ItemId> {
    let mut part = 0;
    let numbered = images.iter().enumerate().map(|(row, image)| {
        part = if row > 0 && images[row - 1] == *image { part + 1 } else { 0 };
        ItemId::from(format!("{image:010}.{part}"))
    });
    numbered.collect()
}

/// The candidates that are near by their exact vectors: what is reported is the same whichever index found them.
fn score(collection: &Collection, candidates: HashSet<(u32, u32)>, max_distance: f32) -> Vec<(NearPair, View)> {
    let metric = collection.rows(0).space().metric();
    let scored = candidates.into_par_iter().map(|(a, b)| {
        let (distance, view) = collection.closest(metric, a, b);
        (NearPair { a, b, distance }, view)
    });
    let mut near: Vec<_> = scored.filter(|(pair, _)| pair.distance <= max_distance).collect();
    near.par_sort_unstable_by_key(|(pair, _)| (pair.a, pair.b));
    near
}

#[cfg(test)]
mod tests {
    use nodupe_conformance::reference::NaiveIndex;
    use nodupe_core::{EmbeddedBatch, EmbeddingSpace, Embeddings};

    use super::*;
    use crate::progress::Silent;

    /// Twenty images whose bits differ by at most one from each other's, put in in this order.
    fn found(order: &[usize], limit: usize) -> NearPairs {
        let space = EmbeddingSpace::hamming("toy", 8).unwrap();
        let mut collection = Collection::new(&space, &[View::Identity], 20);
        for &image in order {
            let row = Embeddings::from_bits(space.clone(), vec![u8::from(image % 3 == 0)]).unwrap();
            collection.insert(&[image], vec![EmbeddedBatch::one_row_each(row)]).unwrap();
        }
        find(&collection, &mut NaiveIndex::new(space), 1.0, limit, &Silent).unwrap()
    }

    #[test]
    fn what_the_limit_cuts_does_not_depend_on_which_decoder_was_ready_first() {
        let ascending: Vec<usize> = (0..20).collect();
        let shuffled: Vec<usize> = (0..20).map(|number| number * 7 % 20).collect();
        let (one, other) = (found(&ascending, 4), found(&shuffled, 4));
        assert_eq!(one.pairs, other.pairs);
        assert_eq!((one.truncated, other.truncated), (20, 20));
        assert!(one.pairs.len() < 190);
        let all = found(&shuffled, 20);
        assert_eq!((all.pairs.len(), all.truncated), (190, 0));
    }
}
