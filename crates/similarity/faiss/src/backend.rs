//! The backend: checks, ids and tombstones around the vectors.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_core::{
    BackendInfo, BuildPhase, ElementType, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId,
    Metric, Neighbor, Neighbors, Options, Pair, Reason, SimilarityBackend, SlotMap, Suitability, Unavailable,
    check_add, check_distance, check_rows, package,
};
use rayon::ThreadPoolBuilder;

use crate::file;
use crate::options::Parameters;
use crate::search::{Hit, Wanted};
use crate::store::Store;

pub(crate) const NAME: &str = "faiss";
/// Vectors whose pairs are looked for together.
const TOGETHER: usize = 256;

/// An index of [FAISS](https://faiss.ai): any kind that its factory makes (Douze and others, *The Faiss library*, 2024).
///
/// Added vectors wait in a flat index, where a search looks at each, until [`build`](SimilarityBackend::build) trains what
/// needs training and links them. Removed ones stay, and searches leave them out; once a third of all are removed, the next
/// `build` makes a new index without them. What FAISS finds is measured again, exactly.
pub struct Faiss {
    info: BackendInfo,
    slots: SlotMap,
    store: Store,
}

impl Faiss {
    /// An empty index. FAISS computes on as many threads of OpenMP as there are processors, the rest on the thread pool of
    /// whoever calls; or both on [`Options::threads`].
    ///
    /// # Errors
    /// [`Unavailable`] for a space of another element type or metric, for options out of their range, a description that
    /// FAISS's factory does not know, and where threads cannot be started.
    pub fn new(space: &EmbeddingSpace, options: &Options) -> Result<Self, Unavailable> {
        if !supports(space) {
            return Err(Unavailable::new(Reason::UnsupportedSpace, format!("it does not hold vectors of {space}")));
        }
        let parameters = Parameters::new(options, space)?;
        let start = |threads: std::num::NonZeroUsize| ThreadPoolBuilder::new().num_threads(threads.get()).build();
        let pool = options.threads().map(start).transpose().map_err(|error| {
            Unavailable::new(Reason::Resources, "its threads could not be started").with_source(error)
        })?;
        let info = BackendInfo::new(NAME, package!());
        #[cfg(feature = "gpu")]
        let info = parameters.gpu.map_or(info.clone(), |number| info.on(nodupe_core::Device::Cuda(number)));
        let store = Store::new(space, parameters, options.threads(), pool).map_err(|why| {
            Unavailable::new(Reason::UnsupportedSpace, format!("it does not hold vectors of {space}")).with_source(why)
        })?;
        Ok(Self { info, slots: SlotMap::new(), store })
    }

    /// Opens what [`SimilarityBackend::save`] wrote. It keeps its `faiss.index` unless another is given here, which then counts
    /// from the next `build` on.
    ///
    /// # Errors
    /// Those of [`Faiss::new`]; [`IndexError::Io`], [`IndexError::Version`] and [`IndexError::Corrupt`].
    pub fn open(space: &EmbeddingSpace, dir: &Path, options: &Options) -> Result<Self, IndexError> {
        let mut index = Self::new(space, options)?;
        index.slots = file::read(dir, &mut index.store)?;
        Ok(index)
    }

    fn nearest(
        &self,
        queries: EmbeddingsRef<'_>,
        limit: usize,
        max_distance: f32,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        self.store.nearest(&self.slots, queries, Wanted { limit, max_distance })
    }

    fn neighbors(&self, hits: &[Hit]) -> impl Iterator<Item = Neighbor> {
        hits.iter().filter_map(|hit| Some(Neighbor { id: self.slots.id(hit.slot)?.clone(), distance: hit.distance }))
    }
}

impl SimilarityBackend for Faiss {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.store.space
    }

    fn is_exact(&self) -> bool {
        self.store.is_exact()
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
        check_add(&self.store.space, ids, rows, |id| self.slots.slot(id.as_str()).is_some())?;
        if ids.len() > SlotMap::MAX_SLOTS - self.slots.capacity() {
            return Err(IndexError::Full { limit: SlotMap::MAX_SLOTS });
        }
        self.store.add(rows)?;
        for id in ids {
            self.slots.insert(id.clone());
        }
        Ok(())
    }

    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        Ok(ids.iter().filter(|id| self.slots.remove(id.as_str()).is_some()).count())
    }

    fn build(&mut self, progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>) -> Result<(), IndexError> {
        self.store.build(&mut self.slots, progress)
    }

    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        check_rows(&self.store.space, queries)?;
        let mut found = Neighbors::new();
        for hits in self.nearest(queries, k, f32::INFINITY)? {
            found.push(self.neighbors(&hits), false);
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
        check_rows(&self.store.space, queries)?;
        let mut found = Neighbors::new();
        // One more than wanted tells whether the limit cut any.
        for hits in self.nearest(queries, limit.saturating_add(1), max_distance)? {
            found.push(self.neighbors(&hits).take(limit), hits.len() > limit);
        }
        Ok(found)
    }

    fn pairs_within(
        &self,
        max_distance: f32,
        each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        check_distance(max_distance)?;
        if !self.store.keeps() {
            let detail = "it does not keep the vectors themselves".to_owned();
            return Err(IndexError::Unsupported { backend: NAME, operation: "pairs_within", detail });
        }
        let live: Vec<(u32, &ItemId)> = self.slots.iter().collect();
        for some in live.chunks(TOGETHER) {
            let rows = self.store.rows(some.iter().map(|(slot, _)| *slot))?;
            let found = self.nearest(rows.view(), usize::MAX, max_distance)?;
            for (&(slot, a), hits) in some.iter().zip(&found) {
                for hit in hits.iter().filter(|hit| hit.slot > slot) {
                    let Some(b) = self.slots.id(hit.slot) else { continue };
                    if each(Pair { a: a.min(b), b: a.max(b), distance: hit.distance }).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        let slot = |id: &ItemId| self.slots.slot(id.as_str()).ok_or_else(|| IndexError::NotFound { id: id.clone() });
        let slots = ids.iter().map(slot).collect::<Result<Vec<u32>, _>>()?;
        if self.store.keeps() { self.store.rows(slots).map(Some) } else { Ok(None) }
    }

    fn save(&mut self, empty_dir: &Path) -> Result<(), IndexError> {
        file::write(empty_dir, &self.slots, &self.store)
    }
}

impl fmt::Debug for Faiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faiss").field("len", &self.slots.len()).field("store", &self.store).finish_non_exhaustive()
    }
}

pub(crate) fn create(spec: &IndexSpec<'_>, options: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    Ok(Box::new(Faiss::new(spec.space, options)?))
}

pub(crate) fn open(
    spec: &IndexSpec<'_>,
    dir: &Path,
    options: &Options,
) -> Result<Box<dyn SimilarityBackend>, IndexError> {
    Ok(Box::new(Faiss::open(spec.space, dir, options)?))
}

pub(crate) fn supports(space: &EmbeddingSpace) -> bool {
    matches!(
        (space.element_type(), space.metric()),
        (ElementType::F32, Metric::Cosine | Metric::SquaredEuclidean) | (ElementType::Bit, Metric::Hamming)
    )
}

/// In memory the vectors and the links of a graph, all of it a second time while it is built.
pub(crate) fn suitability(spec: &IndexSpec<'_>) -> Suitability {
    const LINKS: usize = 64 * size_of::<u32>();
    Suitability::in_memory(spec, spec.space.row_bytes() + 2 * LINKS)
}
