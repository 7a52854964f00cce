//! The second of the two traits: vectors to neighbours.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use crate::check::{check_add, check_distance, check_rows};
use crate::embeddings::{Embeddings, EmbeddingsRef};
use crate::error::IndexError;
use crate::info::BackendInfo;
use crate::item::ItemId;
use crate::neighbors::{Neighbor, Neighbors, Pair};
use crate::space::EmbeddingSpace;

/// Stores vectors under ids and finds the near ones: a similarity backend.
///
/// # What an implementation promises
///
/// * **One space.** It holds vectors of [`space`](Self::space) alone. Vectors of another space are refused with
///   [`IndexError::SpaceMismatch`], in `add` and in every search.
/// * **All or nothing.** A call that returns an error has changed nothing. `add` checks everything first
///   ([`check_add`] does): space, as many ids as rows, finite components, unit length where the metric is the cosine, no
///   id twice in the call, no id that is there already.
/// * **Found at once.** A vector that was added is found by the next search, built or not; one that was removed is not.
/// * **Order.** Neighbours come nearest first, equal distances by id; the same call gives the same answer.
/// * **Nothing invented.** Every distance is that of the two vectors, to 1e-5 (relative to `1 + distance`), as
///   [`Metric::distance`](crate::Metric::distance) defines it; an exact
///   backend finds every vector it should, an approximate one may miss some.
/// * **Thread safety.** Searches may run on several threads at once.
/// * **No panic**, whatever the vectors, ids and numbers are.
pub trait SimilarityBackend: Send + Sync {
    /// Who this is and where it runs.
    fn info(&self) -> &BackendInfo;

    /// The space of every vector in the index.
    fn space(&self) -> &EmbeddingSpace;

    /// Whether searches find everything that they should. An approximate index says no, whatever its recall is.
    fn is_exact(&self) -> bool;

    /// Number of vectors.
    ///
    /// # Errors
    /// [`IndexError::Backend`] where a server or a database does not answer.
    fn len(&self) -> Result<usize, IndexError>;

    /// Whether there is no vector.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    fn is_empty(&self) -> Result<bool, IndexError> {
        Ok(self.len()? == 0)
    }

    /// Whether there is a vector of this id.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    fn contains(&self, id: &ItemId) -> Result<bool, IndexError>;

    /// Calls `each` with every id, in no promised order, until it breaks.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError>;

    /// Adds one vector for each id: all of them or, where anything is wrong, none. No ids and no rows are fine.
    ///
    /// # Errors
    /// Those of [`check_add`]; [`IndexError::Full`]; [`IndexError::Backend`].
    fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError>;

    /// Removes what is there of `ids` and says how many that were. An id that is not there is no error, and one that
    /// stands twice in the call counts once.
    ///
    /// # Errors
    /// [`IndexError::Unsupported`] where the backend cannot; [`IndexError::Backend`].
    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError>;

    /// Adds the vectors, in place of those that are there under the same ids.
    ///
    /// The provided method checks everything, then removes, then adds, and puts the old vectors back where adding fails.
    /// A backend that does not keep its vectors cannot do that: there, and there alone, vectors may be lost by a call that
    /// fails.
    ///
    /// # Errors
    /// Those of [`add`](Self::add) but [`IndexError::AlreadyPresent`], and those of [`remove`](Self::remove).
    fn upsert(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        check_add(self.space(), ids, rows, |_| false)?;
        let mut present = Vec::new();
        for id in ids {
            if self.contains(id)? {
                present.push(id.clone());
            }
        }
        let old = self.vectors(&present)?;
        self.remove(&present)?;
        let added = self.add(ids, rows);
        if let (Err(_), Some(old)) = (&added, old) {
            self.add(&present, old.view())?;
        }
        added
    }

    /// Trains, links and compacts: makes searches fast. What was added is found without it, if need be by exact search.
    ///
    /// `progress` is told the phase and how much of it is done, 0 to 1, and stops the work by breaking: the index is
    /// then as it was. The provided method has nothing to do.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] where `progress` broke; [`IndexError::Backend`].
    fn build(&mut self, progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>) -> Result<(), IndexError> {
        let _ = progress;
        Ok(())
    }

    /// The `k` nearest vectors of each query: exact backends give exactly `min(k, len)`, others at most that. `k = 0`
    /// and an empty index give empty lists. A vector of the index that equals the query is among its neighbours.
    ///
    /// # Errors
    /// Those of [`check_rows`]; [`IndexError::Backend`].
    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError>;

    /// The vectors within `max_distance` (inclusive) of each query, at most `limit`, the nearest ones first.
    /// [`Neighbors::is_truncated`] says where more than `limit` were within.
    ///
    /// The provided method searches for twice as many neighbours until one is beyond the distance.
    ///
    /// # Errors
    /// Those of [`search`](Self::search), and [`IndexError::InvalidDistance`].
    fn search_within(
        &self,
        queries: EmbeddingsRef<'_>,
        max_distance: f32,
        limit: usize,
    ) -> Result<Neighbors, IndexError> {
        check_distance(max_distance)?;
        check_rows(self.space(), queries)?;
        let len = self.len()?;
        let mut found = Neighbors::new();
        for query in (0..queries.len()).filter_map(|row| queries.slice(row..row + 1)) {
            let mut k = 32;
            let within: Vec<Neighbor> = loop {
                let nearest = self.search(query, k)?;
                let within = nearest.of(0).partition_point(|neighbor| neighbor.distance <= max_distance);
                if within < nearest.of(0).len() || within > limit || k >= len {
                    break nearest.of(0)[..within].to_vec();
                }
                k = k.saturating_mul(2);
            };
            let truncated = within.len() > limit;
            found.push(within.into_iter().take(limit), truncated);
        }
        Ok(found)
    }

    /// Calls `each` with every pair of vectors within `max_distance` (inclusive) of each other, once, in no promised
    /// order, until it breaks.
    ///
    /// The provided method searches around every vector, and so needs [`vectors`](Self::vectors). Of an approximate index it
    /// gives the pairs that the search around the smaller id finds.
    ///
    /// # Errors
    /// Those of [`search_within`](Self::search_within); [`IndexError::Unsupported`] where vectors are not kept.
    fn pairs_within(
        &self,
        max_distance: f32,
        each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        check_distance(max_distance)?;
        let mut ids = Vec::new();
        self.for_each_id(&mut |id| {
            ids.push(id.clone());
            ControlFlow::Continue(())
        })?;
        for ids in ids.chunks(256) {
            let Some(vectors) = self.vectors(ids)? else {
                return Err(IndexError::Unsupported {
                    backend: self.info().name,
                    operation: "pairs_within",
                    detail: "it does not keep the vectors themselves".to_owned(),
                });
            };
            let found = self.search_within(vectors.view(), max_distance, usize::MAX)?;
            for (a, neighbors) in ids.iter().zip(found.iter()) {
                for Neighbor { id: b, distance } in neighbors.iter().filter(|neighbor| neighbor.id > *a) {
                    if each(Pair { a, b, distance: *distance }).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The vectors of `ids`, in their order and bit for bit as they were added; `None` where the backend does not keep
    /// them exactly.
    ///
    /// # Errors
    /// [`IndexError::NotFound`] for an id that is not there; [`IndexError::Backend`].
    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError>;

    /// Writes the index into an empty directory: all that [`open`](crate::SimilarityRegistration::open) needs, in files
    /// of any names. Atomicity, versions and digests are the business of whoever calls (`nodupe-index`).
    ///
    /// # Errors
    /// [`IndexError::Io`], [`IndexError::Unsupported`] or [`IndexError::Backend`].
    fn save(&mut self, empty_dir: &Path) -> Result<(), IndexError>;

    /// Where the index lives when it is saved. The provided method says [`Storage::Snapshot`].
    fn storage(&self) -> Storage {
        Storage::Snapshot
    }

    /// Components of a vector: floats, or bits.
    fn dim(&self) -> usize {
        self.space().dim()
    }
}

/// `hnsw(dim=512)`
impl fmt::Display for dyn SimilarityBackend + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(dim={})", self.info().name, self.dim())
    }
}

impl fmt::Debug for dyn SimilarityBackend + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an index is doing while it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildPhase {
    /// Learning from the data: centroids, codebooks.
    Training,
    /// Inserting vectors into the structure: linking a graph, growing trees, filling lists.
    Linking,
    /// Dropping what was removed.
    Compacting,
}

/// Where an index lives when it is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Storage {
    /// In files that never change once they are written, so that each has a digest.
    Snapshot,
    /// In a database that changes in place.
    Live,
    /// On a server: what is saved is its address.
    Remote,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::embeddings::Row;

    /// Holds no more than it has room for, and notices too late.
    struct Small {
        info: BackendInfo,
        space: EmbeddingSpace,
        rows: BTreeMap<ItemId, Embeddings>,
        room: usize,
    }

    impl SimilarityBackend for Small {
        fn info(&self) -> &BackendInfo {
            &self.info
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
            if self.rows.len() + ids.len() > self.room {
                return Err(IndexError::Full { limit: self.room });
            }
            for (row, id) in ids.iter().enumerate() {
                self.rows.insert(id.clone(), rows.slice(row..row + 1).unwrap().to_owned());
            }
            Ok(())
        }
        fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
            Ok(ids.iter().filter(|id| self.rows.remove(*id).is_some()).count())
        }
        fn search(&self, _: EmbeddingsRef<'_>, _: usize) -> Result<Neighbors, IndexError> {
            Ok(Neighbors::new())
        }
        fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            let mut rows = Embeddings::new(self.space.clone());
            ids.iter().try_for_each(|id| rows.append(self.rows[id].view()))?;
            Ok(Some(rows))
        }
        fn save(&mut self, _: &Path) -> Result<(), IndexError> {
            Ok(())
        }
    }

    #[test]
    fn an_upsert_that_cannot_add_puts_back_what_was_there() {
        let space = EmbeddingSpace::cosine("toy", 2).unwrap();
        let info = BackendInfo::new("small", crate::package!());
        let mut index = Small { info, space: space.clone(), rows: BTreeMap::new(), room: 1 };
        let rows = Embeddings::from_f32(space, vec![1.0, 0.0, 0.0, 1.0]).unwrap();
        index.add(&["a".into()], rows.view().slice(0..1).unwrap()).unwrap();
        assert!(matches!(index.upsert(&["a".into(), "b".into()], rows.view()), Err(IndexError::Full { .. })));
        assert_eq!(index.vectors(&["a".into()]).unwrap().unwrap().get(0), Some(Row::F32(&[1.0, 0.0])));
        index.upsert(&["a".into()], rows.view().slice(1..2).unwrap()).unwrap();
        assert_eq!(index.vectors(&["a".into()]).unwrap().unwrap().get(0), Some(Row::F32(&[0.0, 1.0])));
    }
}
