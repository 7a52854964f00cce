//! Embeddings to near pairs, through a similarity backend.

use std::collections::HashSet;
use std::ops::ControlFlow;

use nodupe_core::{IndexError, ItemId, SimilarityBackend, View};
use rayon::prelude::*;

use crate::collection::Collection;
use crate::linkage::NearPair;
use crate::progress::{Progress, Stage};

/// The most neighbours that are asked for a query, so that a thousand pictures of nothing do not become a million pairs.
/// What it cuts off is scored when groups are joined.
const LIMIT: usize = 512;
/// Queries in one call.
const BATCH: usize = 1024;

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
    progress: &dyn Progress,
) -> Result<NearPairs, IndexError> {
    let rows = collection.rows(0);
    let images = collection.images_of_rows(0);
    // Rows are known to the index by their number: short, and as unique as paths.
    let ids: Vec<ItemId> = (0..rows.len()).map(|row| ItemId::from(row.to_string())).collect();
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

    let image_of = |id: &ItemId| id.as_str().parse().ok().and_then(|row: usize| images.get(row)).copied();
    let mut candidates = HashSet::new();
    let mut truncated = 0;
    progress.begin(Stage::Search, Some(rows.len() * collection.views().len()));
    for view in 0..collection.views().len() {
        let queries = collection.rows(view);
        let asking = collection.images_of_rows(view);
        for (asking, start) in asking.chunks(BATCH).zip((0..).step_by(BATCH)) {
            let Some(batch) = queries.slice(start..start + asking.len()).filter(|_| flow().is_continue()) else {
                break;
            };
            let found = index.search_within(batch, max_distance, LIMIT)?;
            for (query, (&a, neighbors)) in asking.iter().zip(found.iter()).enumerate() {
                truncated += usize::from(found.is_truncated(query));
                let near = neighbors.iter().filter_map(|neighbor| image_of(&neighbor.id)).filter(|&b| b != a);
                candidates.extend(near.map(|b| (a.min(b), a.max(b))));
            }
            progress.advance(Stage::Search, asking.len());
        }
    }
    Ok(NearPairs { pairs: score(collection, candidates, max_distance), truncated })
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
