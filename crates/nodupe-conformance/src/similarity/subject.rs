//! The backend that a check runs on, in one space, and the data that it is given.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_core::{
    BuildPhase, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId, Metric, Neighbors, Options,
    SimilarityBackend, SimilarityRegistration, SpaceError,
};
use tempfile::TempDir;

use super::SimilaritySuite;
use crate::data;
use crate::reference::NaiveIndex;
use crate::report::{ensure, failed};

/// A boxed index of the backend.
pub(super) type Index = Box<dyn SimilarityBackend>;

/// What a check is run on.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) registration: SimilarityRegistration,
    pub(super) options: Options,
    pub(super) recall: f64,
    pub(super) sequences: u32,
    pub(super) damage: Option<String>,
    space: EmbeddingSpace,
}

/// Vectors to put in an index and others to ask it for.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) name: &'static str,
    pub(super) ids: Vec<ItemId>,
    pub(super) rows: Embeddings,
    pub(super) queries: Embeddings,
    /// Whether the distances are the same in any arithmetic, so that ties are ties.
    pub(super) exact: bool,
}

/// An index at one point of its life, with the reference that holds the same.
pub(super) struct Stage<'a> {
    pub(super) index: &'a dyn SimilarityBackend,
    pub(super) reference: &'a NaiveIndex,
    pub(super) data: &'a Data,
}

impl Subject {
    pub(super) fn new(suite: &SimilaritySuite, space: EmbeddingSpace) -> Self {
        Self {
            registration: suite.registration,
            options: suite.options.clone(),
            recall: suite.recall,
            sequences: suite.sequences,
            damage: suite.damage.clone(),
            space,
        }
    }

    pub(super) fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    /// An empty index.
    pub(super) fn create(&self) -> Result<Index, String> {
        let spec = IndexSpec::new(&self.space);
        (self.registration.create)(&spec, &self.options).map_err(failed("create"))
    }

    pub(super) fn open(&self, dir: &Path) -> Result<Index, IndexError> {
        let spec = IndexSpec::new(&self.space);
        (self.registration.open)(&spec, dir, &self.options)
    }

    /// An index and the reference, both with the data.
    pub(super) fn filled(&self, data: &Data) -> Result<(Index, NaiveIndex), String> {
        let mut index = self.create()?;
        let mut reference = NaiveIndex::new(self.space.clone());
        let add = failed("add of new ids");
        index.add(&data.ids, data.rows.view()).map_err(&add)?;
        reference.add(&data.ids, data.rows.view()).map_err(&add)?;
        Ok((index, reference))
    }

    /// Vectors in clusters; half of the queries are in the index.
    pub(super) fn clusters(&self, count: usize) -> Result<Data, String> {
        let make = failed("making test vectors");
        let rows = data::clusters(&self.space, count, 1).map_err(&make)?;
        // Of the same seed: around the same centres.
        let more = data::clusters(&self.space, count + 10, 1).map_err(&make)?;
        let mut queries = Embeddings::new(self.space.clone());
        for range in [0..count.min(10), count..count + 10] {
            if let Some(some) = more.view().slice(range) {
                queries.append(some).map_err(&make)?;
            }
        }
        Ok(Data {
            name: "clusters",
            ids: data::ids(count),
            rows,
            queries,
            exact: self.space.metric() == Metric::Hamming,
        })
    }

    /// Vectors of which many are alike, with distances that any arithmetic gets right.
    pub(super) fn ties(&self, count: usize) -> Result<Data, String> {
        let make = failed("making test vectors");
        Ok(Data {
            name: "ties",
            ids: data::ids(count),
            rows: data::exact_ties(&self.space, count, 2).map_err(&make)?,
            queries: data::exact_ties(&self.space, 12, 3).map_err(&make)?,
            exact: true,
        })
    }

    /// Shows `check` an index of the data as it is filled, as it is built, without a third of its vectors, and saved and
    /// opened again.
    pub(super) fn each_stage(
        &self,
        data: &Data,
        check: &mut dyn FnMut(&Stage<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let (mut index, mut reference) = self.filled(data)?;
        let mut look = |when: &str, index: &dyn SimilarityBackend, reference: &NaiveIndex| {
            let stage = Stage { index, reference, data };
            check(&stage).map_err(|seen| format!("{} {when}: {seen}", data.name))
        };
        look("before build", &*index, &reference)?;
        index.build(&mut go_on).map_err(failed("build"))?;
        look("after build", &*index, &reference)?;
        let third: Vec<ItemId> = data.ids.iter().step_by(3).cloned().collect();
        match index.remove(&third) {
            Err(IndexError::Unsupported { .. }) => {}
            removed => {
                removed.map_err(failed("remove"))?;
                reference.remove(&third).map_err(failed("remove"))?;
                look("after removals", &*index, &reference)?;
            }
        }
        let dir = temp_dir()?;
        match index.save(dir.path()) {
            Err(IndexError::Unsupported { .. }) => Ok(()),
            saved => {
                saved.map_err(failed("save"))?;
                drop(index);
                let index = self.open(dir.path()).map_err(failed("open of what was saved"))?;
                look("after save and open", &*index, &reference)
            }
        }
    }
}

/// A space of the same metric as `space`, of another model or dimension.
pub(super) fn of_metric(space: &EmbeddingSpace, model: &str, dim: usize) -> Result<EmbeddingSpace, SpaceError> {
    match space.metric() {
        Metric::Cosine => EmbeddingSpace::cosine(model, dim),
        Metric::SquaredEuclidean => EmbeddingSpace::squared_euclidean(model, dim),
        _ => EmbeddingSpace::hamming(model, dim),
    }
}

/// A folder that goes away with the value.
pub(super) fn temp_dir() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(failed("making a temporary folder"))
}

/// Lets `build` go on.
pub(super) fn go_on(_: BuildPhase, _: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// One row of a batch as a batch.
pub(super) fn one(rows: &Embeddings, row: usize) -> Result<EmbeddingsRef<'_>, String> {
    rows.view().slice(row..row + 1).ok_or_else(|| format!("the suite has no test vector {row}"))
}

/// All that can be seen of an index: what a failed call must not change.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    len: usize,
    ids: BTreeSet<ItemId>,
    vectors: Option<Embeddings>,
    answers: Neighbors,
}

impl State {
    pub(super) fn of(index: &dyn SimilarityBackend, queries: EmbeddingsRef<'_>) -> Result<Self, String> {
        let ids = ids_of(index)?;
        let listed: Vec<ItemId> = ids.iter().cloned().collect();
        Ok(Self {
            len: index.len().map_err(failed("len"))?,
            vectors: index.vectors(&listed).map_err(failed("vectors of all ids"))?,
            answers: index.search(queries, 10).map_err(failed("search"))?,
            ids,
        })
    }

    /// Takes the answers of another state, which an approximate index need not give again.
    pub(super) fn forgive_answers(&mut self, other: &Self) {
        self.answers = other.answers.clone();
    }

    /// Sees that nothing is different.
    pub(super) fn unchanged(&self, after: &Self, what: &str) -> Result<(), String> {
        ensure!(self.len == after.len, "{what} changed the length from {} to {}", self.len, after.len);
        ensure!(self.ids == after.ids, "{what} changed the ids");
        ensure!(self.vectors == after.vectors, "{what} changed the vectors");
        ensure!(self.answers == after.answers, "{what} changed what a search answers");
        Ok(())
    }
}

/// The ids of an index, each of which it names once.
pub(super) fn ids_of(index: &dyn SimilarityBackend) -> Result<BTreeSet<ItemId>, String> {
    let mut ids = BTreeSet::new();
    let mut twice = None;
    index
        .for_each_id(&mut |id| {
            if !ids.insert(id.clone()) {
                twice = Some(id.clone());
            }
            ControlFlow::Continue(())
        })
        .map_err(failed("for_each_id"))?;
    match twice {
        Some(id) => Err(format!("for_each_id names {id:?} twice")),
        None => Ok(ids),
    }
}
