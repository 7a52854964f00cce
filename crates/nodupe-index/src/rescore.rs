//! Exact distances from the vectors themselves.

use nodupe_core::{EmbeddingsRef, IndexError, ItemId, Metric, Neighbor, Neighbors, Row, check_rows};

use crate::index::{CHUNK, Index};

impl Index {
    /// The same neighbours with their exact distances ([`Metric::distance`]), nearest first, ties by id: what an
    /// approximate search or one of another precision found, put right. `None` where the backend does not keep vectors.
    ///
    /// # Errors
    /// Those of [`check_rows`]; [`IndexError::LengthMismatch`] where there are not as many lists as queries;
    /// [`IndexError::NotFound`] for a neighbour that is not in the index.
    pub fn rescore(&self, queries: EmbeddingsRef<'_>, candidates: &Neighbors) -> Result<Option<Neighbors>, IndexError> {
        check_rows(self.backend().space(), queries)?;
        if candidates.len() != queries.len() {
            return Err(IndexError::LengthMismatch { ids: candidates.len(), rows: queries.len() });
        }
        let metric = self.backend().space().metric();
        let mut scored = Neighbors::new();
        for (number, (query, list)) in queries.iter().zip(candidates.iter()).enumerate() {
            let ids: Vec<ItemId> = list.iter().map(|neighbor| neighbor.id.clone()).collect();
            let Some(vectors) = self.backend().vectors(&ids)? else {
                return Ok(None);
            };
            let mut list = Vec::with_capacity(ids.len());
            for (id, row) in ids.into_iter().zip(vectors.view().iter()) {
                let distance = self.distance(metric, query, row)?;
                list.push(Neighbor { id, distance });
            }
            list.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.id.cmp(&b.id)));
            scored.push(list, candidates.is_truncated(number));
        }
        Ok(Some(scored))
    }

    /// The exact distance of each pair of ids, in their order. `None` where the backend does not keep vectors.
    ///
    /// # Errors
    /// [`IndexError::NotFound`] for an id that is not in the index; [`IndexError::Backend`].
    pub fn rescore_pairs(&self, pairs: &[(ItemId, ItemId)]) -> Result<Option<Vec<f32>>, IndexError> {
        let metric = self.backend().space().metric();
        let mut distances = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(CHUNK) {
            let (first, second): (Vec<ItemId>, Vec<ItemId>) = pairs.iter().cloned().unzip();
            let vectors = (self.backend().vectors(&first)?, self.backend().vectors(&second)?);
            let (Some(first), Some(second)) = vectors else {
                return Ok(None);
            };
            for (a, b) in first.view().iter().zip(second.view().iter()) {
                distances.push(self.distance(metric, a, b)?);
            }
        }
        Ok(Some(distances))
    }

    pub(crate) fn distance(&self, metric: Metric, a: Row<'_>, b: Row<'_>) -> Result<f32, IndexError> {
        // Rows of one space always have one; a backend that gives others breaks its contract.
        metric.distance(a, b).ok_or_else(|| IndexError::Shape {
            detail: format!("{} gave vectors that are not of its space", self.backend()),
        })
    }
}
