//! The reference that similarity backends are held to: a sorted map and a loop over everything.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_core::{
    BackendInfo, ElementType, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId, Neighbor,
    Neighbors, Options, Pair, Row, SimilarityBackend, SimilarityRegistration, SlotMap, Unavailable, check_add,
    check_distance, check_rows, package,
};

/// The entry of [`NaiveIndex`]. It is submitted to no registry, since linking this crate must add no backend: tests
/// register it by hand.
pub const REGISTRATION: SimilarityRegistration =
    SimilarityRegistration::new("naive", package!(), create, open).with_supports(|_| true);

const INFO: BackendInfo = BackendInfo::new("naive", package!());
const IDS: &str = "ids";
const ROWS: &str = "rows";

fn create(spec: &IndexSpec<'_>, _: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    Ok(Box::new(NaiveIndex::new(spec.space.clone())))
}

fn open(spec: &IndexSpec<'_>, dir: &Path, _: &Options) -> Result<Box<dyn SimilarityBackend>, IndexError> {
    Ok(Box::new(NaiveIndex::open(spec.space.clone(), dir)?))
}

/// An exact index that compares a query with every vector, by [`Metric::distance`](nodupe_core::Metric::distance). Slow
/// and obviously right; it holds any space.
///
/// ```
/// use nodupe_conformance::reference::NaiveIndex;
/// use nodupe_core::{EmbeddingSpace, EmbeddingsRef, SimilarityBackend};
/// let space = EmbeddingSpace::hamming("toy", 8)?;
/// let mut index = NaiveIndex::new(space.clone());
/// index.add(&["a".into(), "b".into()], EmbeddingsRef::from_bits(&space, &[0b1111, 0b1000])?)?;
/// let found = index.search(EmbeddingsRef::from_bits(&space, &[0])?, 1)?;
/// assert_eq!((found.of(0)[0].id.as_str(), found.of(0)[0].distance), ("b", 1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NaiveIndex {
    space: EmbeddingSpace,
    /// One row each.
    rows: BTreeMap<ItemId, Embeddings>,
}

impl NaiveIndex {
    /// An empty index.
    pub fn new(space: EmbeddingSpace) -> Self {
        Self { space, rows: BTreeMap::new() }
    }

    /// Opens what [`SimilarityBackend::save`] wrote: the ids as a [`SlotMap`] and the rows, one after the other, numbers
    /// in little endian.
    ///
    /// # Errors
    /// Those of [`SlotMap::read`]; [`IndexError::Io`]; [`IndexError::Corrupt`] where there are not as many rows as ids or
    /// where a row could not have been added.
    pub fn open(space: EmbeddingSpace, dir: &Path) -> Result<Self, IndexError> {
        let ids = SlotMap::read(&dir.join(IDS))?;
        let path = dir.join(ROWS);
        let bytes = fs::read(&path).map_err(IndexError::io(&path))?;
        if bytes.len() != ids.len() * space.row_bytes() || ids.len() != ids.capacity() {
            return Err(IndexError::corrupt(&path, format!("it does not hold {} rows", ids.len())));
        }
        let rows = if space.element_type() == ElementType::Bit {
            Embeddings::from_bits(space.clone(), bytes)?
        } else {
            let (numbers, _) = bytes.as_chunks::<4>();
            Embeddings::from_f32(space.clone(), numbers.iter().copied().map(f32::from_le_bytes).collect())?
        };
        let ids: Vec<ItemId> = ids.iter().map(|(_, id)| id.clone()).collect();
        let mut index = Self::new(space);
        index.add(&ids, rows.view()).map_err(|why| IndexError::corrupt(&path, why.to_string()))?;
        Ok(index)
    }

    /// Every vector with its distance to one query, nearest first, ties by id.
    fn ranked(&self, query: Row<'_>) -> Vec<Neighbor> {
        let mut all: Vec<Neighbor> = self
            .rows
            .iter()
            .filter_map(|(id, row)| {
                Some(Neighbor { id: id.clone(), distance: self.space.metric().distance(query, row.get(0)?)? })
            })
            .collect();
        // The sort is stable, and the map is in the order of the ids.
        all.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        all
    }
}

impl SimilarityBackend for NaiveIndex {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn len(&self) -> Result<usize, IndexError> {
        Ok(self.rows.len())
    }

    fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
        Ok(self.rows.contains_key(id))
    }

    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        let _ = self.rows.keys().try_for_each(each);
        Ok(())
    }

    fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        check_add(&self.space, ids, rows, |id| self.rows.contains_key(id))?;
        for (row, id) in ids.iter().enumerate() {
            if let Some(one) = rows.slice(row..row + 1) {
                self.rows.insert(id.clone(), one.to_owned());
            }
        }
        Ok(())
    }

    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        Ok(ids.iter().filter(|id| self.rows.remove(*id).is_some()).count())
    }

    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        check_rows(&self.space, queries)?;
        let mut found = Neighbors::new();
        for query in queries.iter() {
            found.push(self.ranked(query).into_iter().take(k), false);
        }
        Ok(found)
    }

    fn search_within(
        &self,
        queries: EmbeddingsRef<'_>,
        max_distance: f32,
        limit: usize,
    ) -> Result<Neighbors, IndexError> {
        check_distance(max_distance)?;
        check_rows(&self.space, queries)?;
        let mut found = Neighbors::new();
        for query in queries.iter() {
            let mut within = self.ranked(query);
            within.retain(|neighbor| neighbor.distance <= max_distance);
            let truncated = within.len() > limit;
            found.push(within.into_iter().take(limit), truncated);
        }
        Ok(found)
    }

    fn pairs_within(
        &self,
        max_distance: f32,
        each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        check_distance(max_distance)?;
        for (number, (a, row)) in self.rows.iter().enumerate() {
            for (b, other) in self.rows.iter().skip(number + 1) {
                let rows = row.get(0).zip(other.get(0));
                let distance = rows.and_then(|(x, y)| self.space.metric().distance(x, y));
                if let Some(distance) = distance.filter(|distance| *distance <= max_distance)
                    && each(Pair { a, b, distance }).is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        let mut vectors = Embeddings::new(self.space.clone());
        for id in ids {
            let row = self.rows.get(id).ok_or_else(|| IndexError::NotFound { id: id.clone() })?;
            vectors.append(row.view())?;
        }
        Ok(Some(vectors))
    }

    fn save(&mut self, empty_dir: &Path) -> Result<(), IndexError> {
        let mut ids = SlotMap::new();
        let mut bytes = Vec::with_capacity(self.rows.len() * self.space.row_bytes());
        for (id, row) in &self.rows {
            ids.insert(id.clone());
            match row.get(0) {
                Some(Row::F32(row)) => bytes.extend(row.iter().flat_map(|x| x.to_le_bytes())),
                Some(Row::Bits(row)) => bytes.extend_from_slice(row),
                _ => {}
            }
        }
        ids.write(&empty_dir.join(IDS))?;
        let path = empty_dir.join(ROWS);
        fs::write(&path, bytes).map_err(IndexError::io(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_pairs_are_those_worked_out_by_hand() {
        let space = EmbeddingSpace::squared_euclidean("toy", 2).unwrap();
        let mut index = NaiveIndex::new(space.clone());
        let rows = EmbeddingsRef::from_f32(&space, &[0.0, 0.0, 3.0, 4.0, 0.0, 1.0]).unwrap();
        index.add(&["z".into(), "far".into(), "a".into()], rows).unwrap();
        let query = EmbeddingsRef::from_f32(&space, &[0.0, 0.5]).unwrap();
        let ids = |neighbors: &[Neighbor]| neighbors.iter().map(|n| n.id.to_string()).collect::<Vec<_>>();
        // 0.25 to both `a` and `z`: by id.
        assert_eq!(ids(index.search(query, 5).unwrap().of(0)), ["a", "z", "far"]);
        let within = index.search_within(query, 0.25, 1).unwrap();
        assert_eq!(ids(within.of(0)), ["a"]);
        assert!(within.is_truncated(0) && !index.search_within(query, 0.25, 2).unwrap().is_truncated(0));
        let mut pairs = Vec::new();
        index
            .pairs_within(18.0, &mut |pair| {
                pairs.push((pair.a.to_string(), pair.b.to_string(), pair.distance));
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(pairs, [("a".into(), "far".into(), 18.0), ("a".into(), "z".into(), 1.0)]);
    }
}
