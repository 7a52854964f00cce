//! The backend: checks, ids and tombstones around the vectors and their graph.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_core::{
    BackendInfo, BuildPhase, ElementType, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId,
    Metric, Neighbors, Options, Pair, Reason, Rows as CoreRows, SimilarityBackend, SlotMap, Suitability, Unavailable,
    check_add, check_distance, check_rows, package,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::bits::Bits;
use crate::file;
use crate::floats::{self, Floats};
use crate::graph::Graph;
use crate::index::Index;
use crate::options::{DEFAULT_M, Parameters};
use crate::search::Wanted;
use crate::threads;

pub(crate) const NAME: &str = "hnsw";
/// A hierarchical navigable small-world graph in memory, after Malkov and Yashunin, *Efficient and robust approximate nearest
/// neighbor search using Hierarchical Navigable Small World graphs* (2018): approximate, and fast among many vectors.
///
/// Added vectors wait outside the graph, where a search looks at each, until [`build`](SimilarityBackend::build) inserts
/// them. Removed ones stay in it as places that a way leads over; once a third of all are removed, the next `build` or
/// `save` makes a new graph without them. Vectors that are equal are one node: all of them are found, or none, and always
/// by a query that equals them.
pub struct Hnsw {
    info: BackendInfo,
    space: EmbeddingSpace,
    slots: SlotMap,
    parameters: Parameters,
    vectors: Vectors,
    /// Threads of its own; `None`: those of the caller.
    pool: Option<ThreadPool>,
}

/// The vectors, by slot.
enum Vectors {
    F32(Index<Floats>),
    Bits(Index<Bits>),
}

/// Does the same with either kind of vectors.
macro_rules! either {
    ($vectors:expr, $index:ident => $work:expr) => {
        match $vectors {
            Vectors::F32($index) => $work,
            Vectors::Bits($index) => $work,
        }
    };
}

impl Hnsw {
    /// An empty index. It computes on the thread pool of whoever calls it, or with [`Options::threads`] on its own.
    ///
    /// # Errors
    /// [`Unavailable`] for a space of another element type or metric, for options out of their range, and where threads
    /// cannot be started.
    pub fn new(space: &EmbeddingSpace, options: &Options) -> Result<Self, Unavailable> {
        let parameters = Parameters::new(options)
            .map_err(|why| Unavailable::new(Reason::Options, why.to_string()).with_source(why))?;
        let graph = Graph::new(parameters.m);
        let floats = |metric| Vectors::F32(Index::new(Floats::new(space.dim(), metric), graph));
        let vectors = match (space.element_type(), space.metric()) {
            (ElementType::F32, Metric::Cosine) => floats(floats::Metric::Cosine),
            (ElementType::F32, Metric::SquaredEuclidean) => floats(floats::Metric::SquaredEuclidean),
            (ElementType::Bit, Metric::Hamming) => {
                Vectors::Bits(Index::new(Bits::new(space.dim()), Graph::new(parameters.m)))
            }
            _ => {
                return Err(Unavailable::new(Reason::UnsupportedSpace, format!("it does not hold vectors of {space}")));
            }
        };
        let start = |threads: std::num::NonZeroUsize| ThreadPoolBuilder::new().num_threads(threads.get()).build();
        let pool = options.threads().map(start).transpose().map_err(|error| {
            Unavailable::new(Reason::Resources, "its threads could not be started").with_source(error)
        })?;
        let info = BackendInfo::new(NAME, package!());
        Ok(Self { info, space: space.clone(), slots: SlotMap::new(), parameters, vectors, pool })
    }

    /// Opens what [`SimilarityBackend::save`] wrote. A graph keeps the `hnsw.m` that it was made with; the other options are
    /// those that are given here.
    ///
    /// # Errors
    /// Those of [`Hnsw::new`]; [`IndexError::Io`], [`IndexError::Version`] and [`IndexError::Corrupt`].
    pub fn open(space: &EmbeddingSpace, dir: &Path, options: &Options) -> Result<Self, IndexError> {
        let mut index = Self::new(space, options)?;
        let saved = file::read(dir, space)?;
        check_rows(space, saved.rows.view()).map_err(|error| IndexError::corrupt(dir, error.to_string()))?;
        index.slots = saved.slots;
        index.extend(saved.rows.view());
        if saved.graph.len() > 0 {
            either!(&mut index.vectors, vectors => vectors.set_graph(saved.graph));
        }
        Ok(index)
    }

    /// Takes the rows of the slots that are new.
    fn extend(&mut self, rows: EmbeddingsRef<'_>) {
        match (&mut self.vectors, rows.rows()) {
            (Vectors::F32(own), CoreRows::F32 { data, .. }) => own.extend(&self.slots, |own| own.extend(data)),
            (Vectors::Bits(own), CoreRows::Bits { data, .. }) => own.extend(&self.slots, |own| own.extend(data)),
            // An equal space has an equal element type.
            _ => {}
        }
    }

    fn read(&self, slots: impl Iterator<Item = u32>) -> Result<Embeddings, IndexError> {
        match &self.vectors {
            Vectors::F32(vectors) => {
                let data = slots.flat_map(|slot| vectors.rows().numbers(slot)).copied().collect();
                Embeddings::from_f32(self.space.clone(), data)
            }
            Vectors::Bits(vectors) => {
                let mut data = Vec::new();
                slots.for_each(|slot| vectors.rows().read(slot, &mut data));
                Embeddings::from_bits(self.space.clone(), data)
            }
        }
    }

    fn nearest(&self, queries: EmbeddingsRef<'_>, wanted: Wanted) -> Vec<Vec<nodupe_core::Neighbor>> {
        let ef = self.parameters.ef;
        threads::on(self.pool.as_ref(), || match (&self.vectors, queries.rows()) {
            (Vectors::F32(own), CoreRows::F32 { data, .. }) => {
                own.searcher(&self.slots, ef).nearest(&own.rows().with_rows(data), wanted)
            }
            (Vectors::Bits(own), CoreRows::Bits { data, .. }) => {
                own.searcher(&self.slots, ef).nearest(&own.rows().with_rows(data), wanted)
            }
            // An equal space has an equal element type.
            _ => Vec::new(),
        })
    }
}

impl SimilarityBackend for Hnsw {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn is_exact(&self) -> bool {
        false
    }

    fn len(&self) -> Result<usize, IndexError> {
        Ok(self.slots.len())
    }

    fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
        Ok(self.slots.slot(id.as_str()).is_some())
    }

    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        // That `each` broke is all that there is to say.
        let _ = self.slots.iter().try_for_each(|(_, id)| each(id));
        Ok(())
    }

    fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        check_add(&self.space, ids, rows, |id| self.slots.slot(id.as_str()).is_some())?;
        if ids.len() > SlotMap::MAX_SLOTS - self.slots.capacity() {
            return Err(IndexError::Full { limit: SlotMap::MAX_SLOTS });
        }
        for id in ids {
            self.slots.insert(id.clone());
        }
        self.extend(rows);
        Ok(())
    }

    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        let mut removed = 0;
        for slot in ids.iter().filter_map(|id| self.slots.remove(id.as_str())) {
            either!(&mut self.vectors, vectors => vectors.remove(slot));
            removed += 1;
        }
        Ok(removed)
    }

    fn build(&mut self, progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>) -> Result<(), IndexError> {
        let (ef, slots, pool) = (self.parameters.ef_construction, &mut self.slots, self.pool.as_ref());
        either!(&mut self.vectors, vectors => vectors.build(slots, ef, pool, progress))
    }

    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        check_rows(&self.space, queries)?;
        let mut found = Neighbors::new();
        for neighbors in self.nearest(queries, Wanted { limit: k, max_distance: f32::INFINITY }) {
            found.push(neighbors, false);
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
        // One more than wanted tells whether the limit cut any.
        for neighbors in self.nearest(queries, Wanted { limit: limit.saturating_add(1), max_distance }) {
            let is_cut = neighbors.len() > limit;
            found.push(neighbors.into_iter().take(limit), is_cut);
        }
        Ok(found)
    }

    fn pairs_within(
        &self,
        max_distance: f32,
        each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        check_distance(max_distance)?;
        let (slots, ef, pool) = (&self.slots, self.parameters.ef, self.pool.as_ref());
        // That `each` broke is all that there is to say.
        let _ = either!(&self.vectors, own => own.searcher(slots, ef).pairs(max_distance, pool, each));
        Ok(())
    }

    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        let slot = |id: &ItemId| self.slots.slot(id.as_str()).ok_or_else(|| IndexError::NotFound { id: id.clone() });
        let slots = ids.iter().map(slot).collect::<Result<Vec<u32>, _>>()?;
        self.read(slots.into_iter()).map(Some)
    }

    fn save(&mut self, empty_dir: &Path) -> Result<(), IndexError> {
        let (ef, slots, pool) = (self.parameters.ef_construction, &mut self.slots, self.pool.as_ref());
        either!(&mut self.vectors, vectors => vectors.tidy(slots, ef, pool))?;
        either!(&self.vectors, vectors => file::write(empty_dir, &self.slots, vectors.graph(), |slots| self.read(slots)))
    }
}

impl fmt::Debug for Hnsw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = f.debug_struct("Hnsw");
        parts.field("space", &self.space).field("len", &self.slots.len()).field("parameters", &self.parameters);
        parts.finish_non_exhaustive()
    }
}

pub(crate) fn create(spec: &IndexSpec<'_>, options: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    Ok(Box::new(Hnsw::new(spec.space, options)?))
}

pub(crate) fn open(
    spec: &IndexSpec<'_>,
    dir: &Path,
    options: &Options,
) -> Result<Box<dyn SimilarityBackend>, IndexError> {
    Ok(Box::new(Hnsw::open(spec.space, dir, options)?))
}

pub(crate) fn supports(space: &EmbeddingSpace) -> bool {
    matches!(
        (space.element_type(), space.metric()),
        (ElementType::F32, Metric::Cosine | Metric::SquaredEuclidean) | (ElementType::Bit, Metric::Hamming)
    )
}

/// In memory the vectors and, for each, twice `m` links at the lowest level, a few above, and all of them a second time while it
/// is built.
pub(crate) fn suitability(spec: &IndexSpec<'_>) -> Suitability {
    Suitability::in_memory(spec, 5 * DEFAULT_M * size_of::<u32>())
}
