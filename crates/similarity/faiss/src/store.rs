//! The vectors by slot: those that an index of FAISS holds, and those that were added since.

use std::num::NonZeroUsize;

use nodupe_core::{EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, Metric, Row, Rows, dot};
use rayon::ThreadPool;

use crate::backend::NAME;
use crate::equal::Equal;
use crate::native::{Buffer, Failed, Found, Native, with_threads};
use crate::options::Parameters;
use crate::plan::{Choice, Description, Kind};

/// Beyond this squared length the arithmetic of FAISS, which is that of f32, may overflow.
pub(crate) const TAME: f64 = 1e30;
/// Rows that are copied at a time.
const CHUNK: usize = 4_096;

/// Vectors by slot, the removed ones included: the first ones in `linked`, the others in `tail`.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) space: EmbeddingSpace,
    pub(crate) parameters: Parameters,
    /// What is made of the vectors.
    pub(crate) choice: Choice,
    pub(crate) linked: Option<Linked>,
    /// A flat index: every search looks at all of it.
    pub(crate) tail: Native,
    /// The squared length of the longest row; 0 of bits.
    pub(crate) longest: f64,
    /// Threads of FAISS; `None`: as OpenMP has it.
    pub(crate) threads: Option<NonZeroUsize>,
    /// Threads for the rest; `None`: those of the caller.
    pub(crate) pool: Option<ThreadPool>,
}

/// An index that was built.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) native: Native,
    pub(crate) description: Description,
    /// How many vectors it was trained for; 0 where it needs no training.
    pub(crate) trained: usize,
    /// The vectors themselves, where the index rounds them and they are kept.
    pub(crate) kept: Option<Embeddings>,
    /// Empty where the index rounds its vectors and they are not kept.
    pub(crate) equal: Equal,
    #[cfg(feature = "gpu")]
    pub(crate) gpu: Option<crate::gpu::Copy>,
}

impl Linked {
    /// An index without rows, its parameters set.
    pub(crate) fn new(space: &EmbeddingSpace, parameters: &Parameters, what: &Description) -> Result<Self, Failed> {
        let kept = (what.kind == Kind::Quantised && parameters.keep_vectors).then(|| Embeddings::new(space.clone()));
        Ok(Self::open(Native::new(space, &what.text)?, what.clone(), 0, kept, parameters))
    }

    /// One that was saved.
    pub(crate) fn open(
        native: Native,
        description: Description,
        trained: usize,
        kept: Option<Embeddings>,
        parameters: &Parameters,
    ) -> Self {
        let mut linked = Self {
            native,
            description,
            trained,
            kept,
            equal: Equal::default(),
            #[cfg(feature = "gpu")]
            gpu: None,
        };
        linked.tune(parameters);
        linked
    }

    /// Takes note of the rows that it has.
    pub(crate) fn find_equal(&mut self, buffer: &mut Buffer) -> Result<(), Failed> {
        let mut equal = Equal::default();
        if self.keeps() {
            for row in 0..self.native.len() {
                equal.push(self.row(row, buffer)?);
            }
        }
        self.equal = equal;
        Ok(())
    }

    /// Sets the parameters of searches and of linking.
    pub(crate) fn tune(&mut self, parameters: &Parameters) {
        let lists = self.description.lists;
        if lists > 0 {
            let nprobe = parameters.nprobe.unwrap_or((lists / 16).max(8));
            self.native.set(c"nprobe", nprobe.min(lists));
        }
        self.native.set(c"efConstruction", parameters.ef_construction);
        self.native.set(c"efSearch", parameters.ef_search);
    }

    /// Whether the vectors come back as they were added.
    pub(crate) fn keeps(&self) -> bool {
        self.kept.is_some() || self.description.kind != Kind::Quantised
    }

    /// Appends rows.
    pub(crate) fn add(&mut self, rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        if let Some(kept) = &mut self.kept {
            kept.append(rows)?;
        }
        self.native.add(rows.rows()).map_err(failed)?;
        if self.keeps() {
            rows.iter().for_each(|row| self.equal.push(row));
        }
        Ok(())
    }

    /// The `k` nearest rows of each query, as far as the index finds them.
    pub(crate) fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Found, Failed> {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return gpu.search(queries.rows(), k);
        }
        self.native.search(queries.rows(), k)
    }

    /// The row of a number, by way of `buffer` where it has to be copied.
    fn row<'a>(&'a self, row: usize, buffer: &'a mut Buffer) -> Result<Row<'a>, Failed> {
        if let Some(row) = self.kept.as_ref().and_then(|kept| kept.get(row)) {
            return Ok(row);
        }
        self.native.row(row, buffer)?;
        Ok(buffer.row())
    }
}

impl Store {
    pub(crate) fn new(
        space: &EmbeddingSpace,
        parameters: Parameters,
        threads: Option<NonZeroUsize>,
        pool: Option<ThreadPool>,
    ) -> Result<Self, Failed> {
        let choice = parameters.choice.clone().unwrap_or(Choice::Auto);
        let tail = flat(space)?;
        Ok(Self { space: space.clone(), parameters, choice, linked: None, tail, longest: 0.0, threads, pool })
    }

    /// Number of rows in the index that was built, the removed ones included.
    pub(crate) fn linked_len(&self) -> usize {
        self.linked.as_ref().map_or(0, |linked| linked.native.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.linked_len() + self.tail.len()
    }

    /// Whether searches find everything, now and after `build`.
    pub(crate) fn is_exact(&self) -> bool {
        self.linked.is_none()
            && match &self.choice {
                Choice::Auto => true,
                Choice::Given(description) => description.kind == Kind::Flat,
            }
    }

    /// Whether the vectors come back as they were added.
    pub(crate) fn keeps(&self) -> bool {
        let will = match &self.choice {
            Choice::Given(description) => description.kind != Kind::Quantised || self.parameters.keep_vectors,
            Choice::Auto => true,
        };
        will && self.linked.as_ref().is_none_or(Linked::keeps)
    }

    /// Appends rows. All that FAISS does here is to append to an array: it fails with everything as it was, or not at all.
    pub(crate) fn add(&mut self, rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        let longest = longest(rows);
        with_threads(self.threads, || self.tail.add(rows.rows())).map_err(failed)?;
        self.longest = self.longest.max(longest);
        Ok(())
    }

    /// The row in a slot that there is, by way of `buffer` where it has to be copied. What a quantised index alone holds is the
    /// vector that it was rounded to.
    pub(crate) fn row<'a>(&'a self, slot: u32, buffer: &'a mut Buffer) -> Result<Row<'a>, IndexError> {
        let (slot, linked_len) = (slot as usize, self.linked_len());
        match &self.linked {
            Some(linked) if slot < linked_len => linked.row(slot, buffer).map_err(failed),
            _ => {
                self.tail.row(slot - linked_len, buffer).map_err(failed)?;
                Ok(buffer.row())
            }
        }
    }

    /// The rows in some slots.
    pub(crate) fn rows(&self, slots: impl IntoIterator<Item = u32>) -> Result<Embeddings, IndexError> {
        let mut buffer = Buffer::new(&self.space);
        let mut rows = Embeddings::new(self.space.clone());
        for slot in slots {
            let rows_of_one = match self.row(slot, &mut buffer)? {
                Row::F32(data) => Rows::F32 { dim: self.space.dim(), data },
                Row::Bits(data) => Rows::Bits { bits: self.space.dim(), data },
                _ => continue,
            };
            rows.append(EmbeddingsRef::new(&self.space, rows_of_one)?)?;
        }
        Ok(rows)
    }

    /// Does the work on this index's own threads, or on those of the caller.
    pub(crate) fn on_pool<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// A flat index of the rows in some slots.
    pub(crate) fn flat_of(&self, slots: &[u32]) -> Result<Native, IndexError> {
        let mut flat = flat(&self.space).map_err(failed)?;
        for slots in slots.chunks(CHUNK) {
            flat.add(self.rows(slots.iter().copied())?.view().rows()).map_err(failed)?;
        }
        Ok(flat)
    }
}

/// A flat index without rows.
pub(crate) fn flat(space: &EmbeddingSpace) -> Result<Native, Failed> {
    Native::new(space, if space.metric() == Metric::Hamming { "BFlat" } else { "Flat" })
}

/// The squared length of the longest row.
pub(crate) fn longest(rows: EmbeddingsRef<'_>) -> f64 {
    rows.iter().map(|row| squared_length(row)).fold(0.0, f64::max)
}

/// The squared length of a row; 0 of bits.
pub(crate) fn squared_length(row: Row<'_>) -> f64 {
    if let Row::F32(row) = row { dot(row, row) } else { 0.0 }
}

pub(crate) fn failed(why: Failed) -> IndexError {
    IndexError::Backend { backend: NAME, source: why.into() }
}
