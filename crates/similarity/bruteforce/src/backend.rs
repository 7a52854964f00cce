//! The backend: ids, tombstones and checks around the rows.

use std::cmp::Ordering;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_core::{
    BackendInfo, BuildPhase, ElementType, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId,
    Neighbor, Neighbors, Options, Pair, Reason, Rows as CoreRows, SimilarityBackend, SlotMap, Suitability, Unavailable,
    check_add, check_distance, check_rows, package,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::bits::Bits;
use crate::file;
use crate::matrix::{Matrix, Metric};
use crate::multi_index;
use crate::sweep;
use crate::tables::Tables;
use crate::threads;
use crate::top_k::Hit;

pub(crate) const NAME: &str = "bruteforce";
/// Up to so many components in all, exact search of all vectors around each other takes no longer than linking them into a
/// graph would (50,000 vectors of 512), and finds everything.
const SMALL: usize = 25_600_000;
/// The same for rows of bits, of which few are looked at: see [`multi_index`].
const SMALL_BITS: usize = 4_000_000;
/// Empty slots are dropped when there are more of them than vectors, and at least so many.
const MIN_EMPTY: usize = 1_024;

/// An index that looks at every vector, or of rows of bits at every one that can be near: exact.
pub struct BruteForce {
    info: BackendInfo,
    space: EmbeddingSpace,
    slots: SlotMap,
    rows: Rows,
    /// Threads of its own; `None`: those of the caller.
    pool: Option<ThreadPool>,
}

/// The vectors, by slot; of bits also the tables of the last `build`, as long as slots stay what they are.
enum Rows {
    F32(Matrix),
    Bits(Bits, Option<Tables>),
}

impl BruteForce {
    /// An empty index. It computes on the thread pool of whoever calls it, or with [`Options::threads`] on its own.
    ///
    /// # Errors
    /// [`Unavailable`] for a space of another element type or metric, and where threads cannot be started.
    pub fn new(space: &EmbeddingSpace, options: &Options) -> Result<Self, Unavailable> {
        let rows = match (space.element_type(), space.metric()) {
            (ElementType::F32, nodupe_core::Metric::Cosine) => Rows::F32(Matrix::new(space.dim(), Metric::Cosine)),
            (ElementType::F32, nodupe_core::Metric::SquaredEuclidean) => {
                Rows::F32(Matrix::new(space.dim(), Metric::SquaredEuclidean))
            }
            (ElementType::Bit, nodupe_core::Metric::Hamming) => Rows::Bits(Bits::new(space.dim()), None),
            _ => {
                return Err(Unavailable::new(Reason::UnsupportedSpace, format!("it does not hold vectors of {space}")));
            }
        };
        let start = |threads: std::num::NonZeroUsize| ThreadPoolBuilder::new().num_threads(threads.get()).build();
        let pool = options.threads().map(start).transpose().map_err(|error| {
            Unavailable::new(Reason::Resources, "its threads could not be started").with_source(error)
        })?;
        let info = BackendInfo::new(NAME, package!());
        Ok(Self { info, space: space.clone(), slots: SlotMap::new(), rows, pool })
    }

    /// Opens what [`SimilarityBackend::save`] wrote.
    ///
    /// # Errors
    /// Those of [`BruteForce::new`]; [`IndexError::Io`], [`IndexError::Version`] and [`IndexError::Corrupt`].
    pub fn open(space: &EmbeddingSpace, dir: &Path, options: &Options) -> Result<Self, IndexError> {
        let mut index = Self::new(space, options)?;
        let (slots, rows) = file::read(dir, space)?;
        check_rows(space, rows.view()).map_err(|error| IndexError::corrupt(dir, error.to_string()))?;
        index.rows.extend(rows.view());
        index.slots = slots;
        Ok(index)
    }

    fn nearest(&self, queries: EmbeddingsRef<'_>, limit: usize, max_distance: f32) -> Vec<Vec<Hit>> {
        let live = |slot: u32| self.slots.id(slot).is_some();
        let order = |a: u32, b: u32| -> Ordering { self.slots.id(a).cmp(&self.slots.id(b)) };
        threads::on(self.pool.as_ref(), || match (&self.rows, queries.rows()) {
            (Rows::F32(rows), CoreRows::F32 { data, .. }) => {
                sweep::nearest(rows, data, limit, max_distance, &live, &order)
            }
            (Rows::Bits(rows, tables), CoreRows::Bits { data, .. }) => {
                // The cast rounds down and keeps infinity at the top.
                let plan = tables.as_ref().and_then(|tables| tables.plan(rows, max_distance as u64));
                let otherwise = plan.as_ref().map_or(self.slots.capacity() as f64, |plan| plan.cost);
                let joined = multi_index::nearest(rows, data, otherwise, limit, max_distance, &live, &order);
                joined.unwrap_or_else(|| match plan {
                    Some(plan) => plan.nearest(rows, data, limit, max_distance, &live, &order),
                    None => sweep::nearest(rows, data, limit, max_distance, &live, &order),
                })
            }
            // An equal space has an equal element type.
            _ => Vec::new(),
        })
    }

    fn neighbors(&self, hits: &[Hit]) -> impl Iterator<Item = Neighbor> {
        hits.iter().filter_map(|hit| Some(Neighbor { id: self.slots.id(hit.slot)?.clone(), distance: hit.distance }))
    }

    fn compact(&mut self) {
        if self.slots.capacity() > self.slots.len() {
            let kept = self.slots.compact();
            match &mut self.rows {
                Rows::F32(rows) => rows.compact(&kept),
                Rows::Bits(rows, tables) => {
                    rows.compact(&kept);
                    *tables = None;
                }
            }
        }
    }
}

impl Rows {
    fn extend(&mut self, rows: EmbeddingsRef<'_>) {
        match (self, rows.rows()) {
            (Self::F32(own), CoreRows::F32 { data, .. }) => own.extend(data),
            (Self::Bits(own, _), CoreRows::Bits { data, .. }) => own.extend(data),
            // An equal space has an equal element type.
            _ => {}
        }
    }

    fn read(&self, space: &EmbeddingSpace, slots: impl Iterator<Item = u32>) -> Result<Embeddings, IndexError> {
        match self {
            Self::F32(rows) => {
                let data = slots.filter_map(|slot| rows.row(slot)).flatten().copied().collect();
                Embeddings::from_f32(space.clone(), data)
            }
            Self::Bits(rows, _) => {
                let mut data = Vec::new();
                slots.for_each(|slot| rows.read(slot, &mut data));
                Embeddings::from_bits(space.clone(), data)
            }
        }
    }
}

impl SimilarityBackend for BruteForce {
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
        self.rows.extend(rows);
        for id in ids {
            self.slots.insert(id.clone());
        }
        Ok(())
    }

    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        let removed = ids.iter().filter(|id| self.slots.remove(id.as_str()).is_some()).count();
        let empty = self.slots.capacity() - self.slots.len();
        if empty > self.slots.len().max(MIN_EMPTY) {
            self.compact();
        }
        Ok(removed)
    }

    fn build(&mut self, progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>) -> Result<(), IndexError> {
        if progress(BuildPhase::Compacting, 0.0).is_break() {
            return Err(IndexError::Cancelled);
        }
        self.compact();
        if let Rows::Bits(rows, tables) = &mut self.rows {
            match Tables::new(rows, self.pool.as_ref(), &mut |done| progress(BuildPhase::Linking, done)) {
                ControlFlow::Continue(sorted) => *tables = sorted,
                ControlFlow::Break(()) => return Err(IndexError::Cancelled),
            }
        }
        Ok(())
    }

    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        check_rows(&self.space, queries)?;
        let mut found = Neighbors::new();
        for hits in self.nearest(queries, k, f32::INFINITY) {
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
        check_rows(&self.space, queries)?;
        let mut found = Neighbors::new();
        // One more than wanted tells whether the limit cut any.
        for hits in self.nearest(queries, limit.saturating_add(1), max_distance) {
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
        let live = |slot: u32| self.slots.id(slot).is_some();
        let mut pair = |left: u32, right: Hit| match (self.slots.id(left), self.slots.id(right.slot)) {
            (Some(a), Some(b)) => each(Pair { a: a.min(b), b: a.max(b), distance: right.distance }),
            _ => ControlFlow::Continue(()),
        };
        // That `each` broke is all there is to say.
        let _ = match &self.rows {
            Rows::F32(rows) => sweep::pairs(rows, max_distance, &live, self.pool.as_ref(), &mut pair),
            Rows::Bits(rows, _) => {
                let pool = self.pool.as_ref();
                // The cast rounds down and keeps infinity at the top.
                multi_index::pairs(rows, max_distance as u64, &live, pool, &mut pair)
                    .unwrap_or_else(|| sweep::pairs(rows, max_distance, &live, pool, &mut pair))
            }
        };
        Ok(())
    }

    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        let slot = |id: &ItemId| self.slots.slot(id.as_str()).ok_or_else(|| IndexError::NotFound { id: id.clone() });
        let slots = ids.iter().map(slot).collect::<Result<Vec<u32>, _>>()?;
        self.rows.read(&self.space, slots.into_iter()).map(Some)
    }

    fn save(&mut self, empty_dir: &Path) -> Result<(), IndexError> {
        self.compact();
        file::write(empty_dir, &self.slots, |slots| self.rows.read(&self.space, slots))
    }
}

impl fmt::Debug for BruteForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BruteForce").field("space", &self.space).field("len", &self.slots.len()).finish_non_exhaustive()
    }
}

pub(crate) fn create(spec: &IndexSpec<'_>, options: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    Ok(Box::new(BruteForce::new(spec.space, options)?))
}

pub(crate) fn open(
    spec: &IndexSpec<'_>,
    dir: &Path,
    options: &Options,
) -> Result<Box<dyn SimilarityBackend>, IndexError> {
    Ok(Box::new(BruteForce::open(spec.space, dir, options)?))
}

pub(crate) fn supports(space: &EmbeddingSpace) -> bool {
    matches!(
        (space.element_type(), space.metric()),
        (ElementType::F32, nodupe_core::Metric::Cosine | nodupe_core::Metric::SquaredEuclidean)
            | (ElementType::Bit, nodupe_core::Metric::Hamming)
    )
}

/// Best where looking at everything takes no longer than building anything else would.
pub(crate) fn suitability(spec: &IndexSpec<'_>) -> Suitability {
    let suitability = Suitability::in_memory(spec, 0);
    if suitability != Suitability::Good {
        return suitability;
    }
    match (spec.space.element_type(), spec.expected_len) {
        (ElementType::Bit, None) => Suitability::best("exact, and fast enough for millions of rows of bits"),
        (ElementType::Bit, Some(len)) if len <= SMALL_BITS => fast_enough(len),
        (ElementType::F32, Some(len)) if len.saturating_mul(spec.space.dim()) <= SMALL => fast_enough(len),
        _ => Suitability::Good,
    }
}

fn fast_enough(len: usize) -> Suitability {
    Suitability::best(format!("exact, and fast enough for {len} vectors"))
}
