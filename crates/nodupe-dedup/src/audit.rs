//! What an approximate index finds of what there is, measured on the collection itself.

use nodupe_core::{Embeddings, EmbeddingsRef, IndexError, ItemId, SimilarityBackend};
use rayon::prelude::*;

use crate::collection::Collection;

/// Rows that are asked for at a time. Sampling goes on while there are fewer than [`ENOUGH`] neighbours to judge by.
const PART: usize = 128;
/// Rows that are asked for in all, at most: a share of the search among all that shrinks as the collection grows.
const MOST: usize = 512;
/// Neighbours by which a recall is told from one that is a few points higher.
const ENOUGH: usize = 200;
/// Rows that one thread compares with all queries at a time.
const BLOCK: usize = 1_024;
/// How exact the distances of an index are: see [`SimilarityBackend`].
const TOLERANCE: f32 = 1e-5;

/// How much an approximate index was found to find, by exact search for a sample of the images.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Audit {
    /// Embeddings of the collection that were searched for.
    pub queries: usize,
    /// Neighbours within the threshold that they have, by exact search; of each query at most as many as a search returns.
    pub neighbors: usize,
    /// The part of these that the index found, 0 to 1; 1 where there are none.
    pub recall: f64,
    /// The least recall that the scan was content with.
    pub min_recall: f64,
    /// Whether it was less, so that the scan went on with an exact index.
    pub fell_back: bool,
}

/// What a sample said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampled {
    pub(crate) queries: usize,
    pub(crate) neighbors: usize,
    pub(crate) recall: f64,
}

/// Searches the index, which holds the rows of the collection under `ids`, for a sample of them, evenly spread over the images,
/// and compares what it finds within `max_distance`, at most `limit` neighbours a row, with what there is. Costs sample × rows
/// distances, on all cores.
///
/// By distance: which of several equally near rows is found makes no difference.
pub(crate) fn sample(
    collection: &Collection,
    ids: &[ItemId],
    index: &dyn SimilarityBackend,
    max_distance: f32,
    limit: usize,
) -> Result<Sampled, IndexError> {
    let rows = collection.rows(0);
    // By the ids, which are in the order of the images and not in that of decoders.
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_unstable_by_key(|&row| &ids[row]);
    let sampled: Vec<usize> = order.iter().step_by(ids.len().div_ceil(MOST).max(1)).copied().collect();
    let parts = sampled.len().div_ceil(PART);
    let (mut queries, mut neighbors, mut hits) = (0, 0, 0);
    for part in 0..parts {
        // Each part is itself spread over all.
        let asking: Vec<usize> = sampled.iter().skip(part).step_by(parts).copied().collect();
        let mut batch = Embeddings::new(rows.space().clone());
        asking.iter().filter_map(|&row| rows.slice(row..row + 1)).try_for_each(|row| batch.append(row))?;
        // One more, for the row itself.
        let found = index.search_within(batch.view(), max_distance, limit.saturating_add(1))?;
        for ((&row, near), found) in asking.iter().zip(near(rows, &asking, max_distance, limit)).zip(found.iter()) {
            let reach = near.last().map_or(f32::NEG_INFINITY, |&distance| distance + TOLERANCE * (1.0 + distance));
            let found = found.iter().filter(|found| found.id != ids[row] && found.distance <= reach).count();
            hits += found.min(near.len());
            neighbors += near.len();
        }
        queries += asking.len();
        if neighbors >= ENOUGH {
            break;
        }
    }
    Ok(Sampled { queries, neighbors, recall: if neighbors == 0 { 1.0 } else { hits as f64 / neighbors as f64 } })
}

/// The distances of the `limit` nearest others within `max_distance` of each of `asking`, ascending, by looking at everything.
fn near(rows: EmbeddingsRef<'_>, asking: &[usize], max_distance: f32, limit: usize) -> Vec<Vec<f32>> {
    let metric = rows.space().metric();
    let in_block = |start: usize| {
        let mut within = Vec::new();
        for row in start..rows.len().min(start + BLOCK) {
            for (place, &query) in asking.iter().enumerate().filter(|(_, query)| **query != row) {
                let distance = rows.get(query).zip(rows.get(row)).and_then(|(a, b)| metric.distance(a, b));
                within.extend(distance.filter(|distance| *distance <= max_distance).map(|distance| (place, distance)));
            }
        }
        within
    };
    let blocks: Vec<usize> = (0..rows.len()).step_by(BLOCK).collect();
    let mut near = vec![Vec::new(); asking.len()];
    for (place, distance) in blocks.into_par_iter().flat_map_iter(in_block).collect::<Vec<_>>() {
        near[place].push(distance);
    }
    for near in &mut near {
        near.sort_unstable_by(f32::total_cmp);
        near.truncate(limit);
    }
    near
}
