//! How much of what there is a search finds.

use nodupe_core::{EmbeddingsRef, IndexError, ItemId, Neighbor};

use crate::index::{CHUNK, Index};

/// What an audit found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Audit {
    /// How many vectors of the index were searched for.
    pub queries: usize,
    /// How many neighbours each was searched for, itself not counted.
    pub k: usize,
    /// The part of the true nearest neighbours that the search found: recall@k, 0 to 1. By distance: which of several
    /// equally near ones is found makes no difference.
    pub recall: f64,
}

impl Index {
    /// Searches for `queries` vectors of the index, evenly spread over the ids, and compares the answers with an exact
    /// search through all vectors: the recall that the index really has on its own data. Costs queries × length
    /// distances, on one core. `None` where the backend does not keep vectors, and where there are none.
    ///
    /// # Errors
    /// Those of [`SimilarityBackend::search`](nodupe_core::SimilarityBackend::search) and
    /// [`SimilarityBackend::vectors`](nodupe_core::SimilarityBackend::vectors).
    pub fn audit(&self, queries: usize, k: usize) -> Result<Option<Audit>, IndexError> {
        let ids = self.ids()?;
        let step = ids.len().div_ceil(queries.max(1)).max(1);
        let sample: Vec<ItemId> = ids.iter().step_by(step).cloned().collect();
        let wanted = k.min(ids.len().saturating_sub(1));
        if sample.is_empty() || wanted == 0 || queries == 0 {
            return Ok(None);
        }
        let Some(rows) = self.backend().vectors(&sample)? else {
            return Ok(None);
        };
        let Some(nearest) = self.true_distances(&ids, &sample, rows.view(), wanted)? else {
            return Ok(None);
        };
        let found = self.backend().search(rows.view(), wanted + 1)?;
        let Some(found) = self.rescore(rows.view(), &found)? else {
            return Ok(None);
        };
        let mut hits = 0;
        for (number, list) in found.iter().enumerate() {
            let reach = nearest[number].last().copied().unwrap_or(f32::NEG_INFINITY);
            let hit = |neighbor: &&Neighbor| neighbor.id != sample[number] && neighbor.distance <= reach;
            hits += list.iter().filter(hit).count().min(wanted);
        }
        Ok(Some(Audit { queries: sample.len(), k: wanted, recall: hits as f64 / (wanted * sample.len()) as f64 }))
    }

    /// The distances of the `wanted` nearest others of each of `sample`, ascending.
    fn true_distances(
        &self,
        ids: &[ItemId],
        sample: &[ItemId],
        queries: EmbeddingsRef<'_>,
        wanted: usize,
    ) -> Result<Option<Vec<Vec<f32>>>, IndexError> {
        let metric = self.backend().space().metric();
        let mut nearest = vec![Vec::with_capacity(wanted + CHUNK); sample.len()];
        for ids in ids.chunks(CHUNK) {
            let Some(vectors) = self.backend().vectors(ids)? else {
                return Ok(None);
            };
            for ((own, query), nearest) in sample.iter().zip(queries.iter()).zip(&mut nearest) {
                for (id, row) in ids.iter().zip(vectors.view().iter()) {
                    if id != own {
                        nearest.push(self.distance(metric, query, row)?);
                    }
                }
                if nearest.len() > wanted {
                    nearest.select_nth_unstable_by(wanted - 1, f32::total_cmp);
                    nearest.truncate(wanted);
                }
            }
        }
        for nearest in &mut nearest {
            nearest.sort_unstable_by(f32::total_cmp);
        }
        Ok(Some(nearest))
    }
}
