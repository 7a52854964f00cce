//! An index that is the reference in all but one thing.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{
    BackendInfo, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, ItemId, Neighbors, SimilarityBackend,
    SimilarityRegistration, Storage, package,
};

/// What is odd about it.
#[allow(dead_code, reason = "no test uses all of them")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Every second neighbour is missed.
    Forgetful,
    /// It keeps no vectors.
    NoVectors,
    /// It says that its files change.
    Live,
    /// It saves a folder.
    SavesAFolder,
    /// It saves a file of a name that no bundle holds.
    SavesAnOddName,
    /// Its save fails when half is written.
    FailsHalfWay,
}

#[derive(Debug)]
pub(crate) struct Odd {
    pub(crate) inner: NaiveIndex,
    pub(crate) oddity: Oddity,
}

/// Opens what `Odd` saved as [`Oddity::Live`].
#[allow(dead_code, reason = "no test uses all of them")]
pub(crate) const LIVE: SimilarityRegistration = SimilarityRegistration::new(
    "odd",
    package!(),
    |spec, _| Ok(Box::new(Odd { inner: NaiveIndex::new(spec.space.clone()), oddity: Oddity::Live })),
    |spec, dir, _| Ok(Box::new(Odd { inner: NaiveIndex::open(spec.space.clone(), dir)?, oddity: Oddity::Live })),
);

const INFO: BackendInfo = BackendInfo::new("odd", package!());

impl SimilarityBackend for Odd {
    fn info(&self) -> &BackendInfo {
        &INFO
    }
    fn space(&self) -> &EmbeddingSpace {
        self.inner.space()
    }
    fn is_exact(&self) -> bool {
        self.oddity != Oddity::Forgetful
    }
    fn len(&self) -> Result<usize, IndexError> {
        self.inner.len()
    }
    fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
        self.inner.contains(id)
    }
    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        self.inner.for_each_id(each)
    }
    fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        self.inner.add(ids, rows)
    }
    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        self.inner.remove(ids)
    }
    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        let found = self.inner.search(queries, if self.oddity == Oddity::Forgetful { 2 * k } else { k })?;
        if self.oddity != Oddity::Forgetful {
            return Ok(found);
        }
        let mut some = Neighbors::new();
        found.iter().for_each(|list| some.push(list.iter().step_by(2).cloned(), false));
        Ok(some)
    }
    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        if self.oddity == Oddity::NoVectors { Ok(None) } else { self.inner.vectors(ids) }
    }
    fn save(&mut self, dir: &Path) -> Result<(), IndexError> {
        match self.oddity {
            Oddity::SavesAFolder => fs::create_dir(dir.join("folder")).map_err(IndexError::io(dir))?,
            Oddity::SavesAnOddName => fs::write(dir.join("two words"), "").map_err(IndexError::io(dir))?,
            Oddity::FailsHalfWay => {
                fs::write(dir.join("half"), "").map_err(IndexError::io(dir))?;
                return Err(IndexError::Full { limit: 0 });
            }
            _ => {}
        }
        self.inner.save(dir)
    }
    fn storage(&self) -> Storage {
        if self.oddity == Oddity::Live { Storage::Live } else { Storage::Snapshot }
    }
}
