//! The vectors and the trees over them: arroy's database, and what this crate adds to it.
//!
//! arroy marks every vector that is added or removed, and does not search before the trees are built again. Vectors must be
//! found at once here, so the marks are taken away when a vector comes (`changes` among the tables remembers it) and put
//! back for the build. Their keys are part of arroy's format: `index: u16, 1: u8, item: u32, 0: u8`, big endian.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use arroy::distances::{Cosine, Euclidean};
use arroy::internals::{KeyCodec, NodeCodec};
use arroy::{Distance, Reader, Writer};
use heed::types::Bytes;
use heed::{Database, RoTxn, RwTxn};
use nodupe_core::{EmbeddingSpace, Metric};
use roaring::RoaringBitmap;

/// An arroy database holds many indexes; this is the one.
const INDEX: u16 = 0;

/// The vectors of an index and their trees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forest {
    database: Database<'static, Bytes, Bytes>,
    metric: Metric,
    dim: usize,
}

/// The trees, to be searched.
#[derive(Debug)]
pub(crate) enum Trees<'t> {
    Cosine(Reader<'t, Cosine>),
    Euclidean(Reader<'t, Euclidean>),
}

/// Runs the same code for either metric, with `$D` arroy's distance. `Forest` is made for these two alone.
macro_rules! by_metric {
    ($metric:expr, $D:ident => $body:expr) => {
        if $metric == nodupe_core::Metric::Cosine {
            type $D = arroy::distances::Cosine;
            $body
        } else {
            type $D = arroy::distances::Euclidean;
            $body
        }
    };
}
pub(crate) use by_metric;

impl Forest {
    pub(crate) fn new(database: Database<'static, Bytes, Bytes>, space: &EmbeddingSpace) -> Self {
        Self { database, metric: space.metric(), dim: space.dim() }
    }

    pub(crate) const fn metric(&self) -> Metric {
        self.metric
    }

    pub(crate) const fn dim(&self) -> usize {
        self.dim
    }

    fn typed<D: Distance>(&self) -> arroy::Database<'static, D> {
        self.database.remap_types::<KeyCodec, NodeCodec<D>>()
    }

    pub(crate) fn writer<D: Distance>(&self) -> Writer<D> {
        Writer::new(self.typed(), INDEX, self.dim)
    }

    /// Adds a vector that the trees do not know.
    pub(crate) fn put(&self, wtxn: &mut RwTxn<'_>, item: u32, vector: &[f32]) -> arroy::Result<()> {
        by_metric!(self.metric, D => self.writer::<D>().add_item(wtxn, item, vector))?;
        self.database.delete(wtxn, &mark(item))?;
        Ok(())
    }

    /// Removes a vector that the trees do not know.
    pub(crate) fn discard(&self, wtxn: &mut RwTxn<'_>, item: u32) -> arroy::Result<()> {
        self.remove(wtxn, item)?;
        self.database.delete(wtxn, &mark(item))?;
        Ok(())
    }

    /// Removes a vector that the trees know: they must be built before they are searched again.
    pub(crate) fn remove(&self, wtxn: &mut RwTxn<'_>, item: u32) -> arroy::Result<()> {
        by_metric!(self.metric, D => self.writer::<D>().del_item(wtxn, item)).map(drop)
    }

    /// Tells the next build of a vector that was `put`.
    pub(crate) fn announce(&self, wtxn: &mut RwTxn<'_>, item: u32) -> heed::Result<()> {
        self.database.put(wtxn, &mark(item), &[])
    }

    /// The vector of an item, bit for bit.
    pub(crate) fn vector(&self, rtxn: &RoTxn<'_>, item: u32) -> arroy::Result<Option<Vec<f32>>> {
        by_metric!(self.metric, D => self.writer::<D>().item_vector(rtxn, item))
    }

    /// Calls `each` with every vector, in the order of the items, until it breaks.
    pub(crate) fn for_each(
        &self,
        rtxn: &RoTxn<'_>,
        each: &mut dyn FnMut(u32, &[f32]) -> ControlFlow<()>,
    ) -> arroy::Result<()> {
        by_metric!(self.metric, D => {
            for entry in self.writer::<D>().iter(rtxn)? {
                let (item, vector) = entry?;
                if each(item, &vector).is_break() {
                    break;
                }
            }
        });
        Ok(())
    }

    /// The trees; `None` before they are built for the first time.
    pub(crate) fn trees<'t>(&self, rtxn: &'t RoTxn<'_>) -> arroy::Result<Option<Trees<'t>>> {
        let trees = if self.metric == Metric::Cosine {
            Reader::open(rtxn, INDEX, self.typed()).map(Trees::Cosine)
        } else {
            Reader::open(rtxn, INDEX, self.typed()).map(Trees::Euclidean)
        };
        match trees {
            Err(arroy::Error::MissingMetadata(_)) => Ok(None),
            trees => trees.map(Some),
        }
    }
}

impl Trees<'_> {
    /// Number of trees.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Cosine(reader) => reader.n_trees(),
            Self::Euclidean(reader) => reader.n_trees(),
        }
    }

    /// The items in the trees.
    pub(crate) fn items(&self) -> &RoaringBitmap {
        match self {
            Self::Cosine(reader) => reader.item_ids(),
            Self::Euclidean(reader) => reader.item_ids(),
        }
    }

    /// The nearest `count` of the `search_k` candidates that the trees name first, of `among` alone where that is given.
    pub(crate) fn nearest(
        &self,
        rtxn: &RoTxn<'_>,
        query: &[f32],
        count: usize,
        search_k: NonZeroUsize,
        among: Option<&RoaringBitmap>,
    ) -> arroy::Result<Vec<u32>> {
        macro_rules! ask {
            ($reader:expr) => {{
                let mut ask = $reader.nns(count);
                ask.search_k(search_k);
                if let Some(among) = among {
                    ask.candidates(among);
                }
                ask.by_vector(rtxn, query)
            }};
        }
        let found = match self {
            Self::Cosine(reader) => ask!(reader),
            Self::Euclidean(reader) => ask!(reader),
        };
        Ok(found?.into_iter().map(|(item, _)| item).collect())
    }
}

fn mark(item: u32) -> [u8; 8] {
    let [i0, i1] = INDEX.to_be_bytes();
    let [a, b, c, d] = item.to_be_bytes();
    [i0, i1, 1, a, b, c, d, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    /// What `put`, `discard` and `announce` take for granted of arroy's keys.
    #[test]
    fn marks_are_those_of_arroy() {
        let dir = tempfile::tempdir().unwrap();
        let space = EmbeddingSpace::cosine("toy", 2).unwrap();
        let environment = Environment::create(dir.path(), &space, 1 << 20, true).unwrap();
        let forest = &environment.tables.forest;
        let mut wtxn = environment.write().unwrap();
        let marked = |wtxn: &RwTxn<'_>| {
            let marks = forest.database.prefix_iter(wtxn, &mark(0)[..3]).unwrap();
            marks.map(|entry| entry.unwrap().0.to_vec()).collect::<Vec<_>>()
        };
        forest.writer::<Cosine>().add_item(&mut wtxn, 7, &[1.0, 0.0]).unwrap();
        assert_eq!(marked(&wtxn), [mark(7)]);
        forest.put(&mut wtxn, 7, &[0.6, 0.8]).unwrap();
        assert!(marked(&wtxn).is_empty());
        forest.announce(&mut wtxn, 7).unwrap();
        assert!(forest.writer::<Cosine>().need_build(&wtxn).unwrap() && marked(&wtxn) == [mark(7)]);
        forest.discard(&mut wtxn, 7).unwrap();
        assert!(marked(&wtxn).is_empty() && forest.vector(&wtxn, 7).unwrap().is_none());
    }
}
