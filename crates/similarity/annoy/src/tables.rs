//! The tables of an index beside the forest: which id is which item, and what changed since the forest was built.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format` | the version of all this, 32 bits |
//! | | `space` | the embedding space, JSON |
//! | | `next` | the next item, 32 bits: none is used twice, since the forest may still name it |
//! | `ids` | 0 and the id, or 1 and its BLAKE3 digest where it is long | its item, 32 bits |
//! | `names` | item | the id |
//! | `changes` | item | 1: not in the forest yet; 2: in the forest, and removed |
//! | `equals` | 8 bytes of the BLAKE3 digest of a vector, item | nothing: trees may miss a vector that equals the query |
//! | `forest` | | arroy's: vectors and trees |
//!
//! Numbers are big endian (in keys they sort); what arroy writes is in the order of the machine.

use std::ops::ControlFlow;
use std::path::Path;

use heed::types::{Bytes, Str, U8, U32, Unit};
use heed::{CommitOrAbort, Database, Env, RoTxn, RwTxn, WithoutTls, byteorder::BigEndian};
use nodupe_core::{EmbeddingSpace, IndexError, ItemId};

use crate::failure::At as _;
use crate::forest::Forest;

pub(crate) const FORMAT: u32 = 1;
/// Databases in an environment, and room for more.
pub(crate) const MAX_TABLES: u32 = 8;
/// LMDB's keys have at most 511 bytes. Ids of up to this many are keys themselves.
const LONG: usize = 256;

type Number = U32<BigEndian>;

/// The databases of an environment.
#[derive(Debug)]
pub(crate) struct Tables {
    meta: Database<'static, Str, Bytes>,
    ids: Database<'static, Bytes, Number>,
    names: Database<'static, Number, Str>,
    changes: Database<'static, Number, U8>,
    equals: Database<'static, Bytes, Unit>,
    pub(crate) forest: Forest,
}

/// What has happened to an item since the forest was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added = 1,
    Removed = 2,
}

impl Tables {
    /// The tables of a new index.
    pub(crate) fn create(env: &Env<WithoutTls>, space: &EmbeddingSpace, path: &Path) -> Result<Self, IndexError> {
        let json = serde_json::to_vec(space);
        let json = json.map_err(|why| IndexError::Backend { backend: crate::backend::NAME, source: why.into() })?;
        let wtxn = env.write_txn().at(path)?;
        let made = env.create_databases_and_commit(wtxn, |opener, wtxn| -> heed::Result<_> {
            let meta = opener.create_database::<Str, Bytes>(wtxn, Some("meta"))?;
            meta.put(wtxn, "format", &FORMAT.to_be_bytes())?;
            meta.put(wtxn, "space", &json)?;
            meta.put(wtxn, "next", &0u32.to_be_bytes())?;
            Ok(CommitOrAbort::<_, ()>::Commit((
                meta,
                opener.create_database(wtxn, Some("ids"))?,
                opener.create_database(wtxn, Some("names"))?,
                opener.create_database(wtxn, Some("changes"))?,
                opener.create_database(wtxn, Some("equals"))?,
                opener.create_database::<Bytes, Bytes>(wtxn, Some("forest"))?,
            )))
        });
        let Some((meta, ids, names, changes, equals, forest)) = made.at(path)?.commit() else {
            return Err(IndexError::corrupt(path, "its tables could not be made"));
        };
        Ok(Self { meta, ids, names, changes, equals, forest: Forest::new(forest, space) })
    }

    /// The tables of an index that is there, which must be one of `space`.
    pub(crate) fn open(env: &Env<WithoutTls>, space: &EmbeddingSpace, path: &Path) -> Result<Self, IndexError> {
        let rtxn = env.read_txn().at(path)?;
        let opened = env.open_databases_and_commit(rtxn, |opener, rtxn| -> heed::Result<_> {
            let tables = (
                opener.open_database(rtxn, Some("meta"))?,
                opener.open_database(rtxn, Some("ids"))?,
                opener.open_database(rtxn, Some("names"))?,
                opener.open_database(rtxn, Some("changes"))?,
                opener.open_database(rtxn, Some("equals"))?,
                opener.open_database::<Bytes, Bytes>(rtxn, Some("forest"))?,
            );
            Ok(CommitOrAbort::<_, ()>::Commit(tables))
        });
        let opened = opened.at(path)?.commit();
        let Some((Some(meta), Some(ids), Some(names), Some(changes), Some(equals), Some(forest))) = opened else {
            return Err(IndexError::corrupt(path, "it is no index of this backend"));
        };
        let tables = Self { meta, ids, names, changes, equals, forest: Forest::new(forest, space) };
        let rtxn = env.read_txn().at(path)?;
        tables.check(&rtxn, space, path)?;
        Ok(tables)
    }

    /// Sees that the index is of the format that this program reads, and of `space`.
    pub(crate) fn check(&self, rtxn: &RoTxn<'_>, space: &EmbeddingSpace, path: &Path) -> Result<(), IndexError> {
        let found = self.number(rtxn, "format", path)?;
        if found != FORMAT {
            return Err(IndexError::Version { path: path.to_owned(), found, supported: FORMAT });
        }
        let stored = self.meta.get(rtxn, "space").at(path)?.unwrap_or_default();
        let stored: EmbeddingSpace = serde_json::from_slice(stored)
            .map_err(|why| IndexError::corrupt(path, format!("its space cannot be read: {why}")))?;
        if stored != *space {
            return Err(IndexError::SpaceMismatch { expected: Box::new(stored), given: Box::new(space.clone()) });
        }
        Ok(())
    }

    fn number(&self, rtxn: &RoTxn<'_>, key: &str, path: &Path) -> Result<u32, IndexError> {
        let bytes = self.meta.get(rtxn, key).at(path)?.and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map(|bytes| u32::from_be_bytes(*bytes)).ok_or_else(|| IndexError::corrupt(path, format!("no `{key}`")))
    }

    pub(crate) fn len(&self, rtxn: &RoTxn<'_>) -> heed::Result<usize> {
        Ok(self.names.len(rtxn)? as usize)
    }

    /// The item of an id that is there.
    pub(crate) fn item(&self, rtxn: &RoTxn<'_>, id: &ItemId) -> heed::Result<Option<u32>> {
        let Some(item) = self.ids.get(rtxn, &key(id))? else { return Ok(None) };
        // Two long ids of one digest: never seen, and not taken for one another.
        let own = id.as_str().len() <= LONG || self.names.get(rtxn, &item)? == Some(id.as_str());
        Ok(own.then_some(item))
    }

    /// The id of an item that is there.
    pub(crate) fn id(&self, rtxn: &RoTxn<'_>, item: u32) -> heed::Result<Option<ItemId>> {
        Ok(self.names.get(rtxn, &item)?.map(ItemId::from))
    }

    /// Items that may have this vector: all that have it, and others with the same beginning of a digest.
    pub(crate) fn equals(&self, rtxn: &RoTxn<'_>, vector: &[f32], limit: usize) -> heed::Result<Vec<u32>> {
        let prefix = equal(vector, 0);
        let prefix = &prefix[..prefix.len() - size_of::<u32>()];
        let item = |key: &[u8]| key.last_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        self.equals.prefix_iter(rtxn, prefix)?.take(limit).map(|entry| Ok(item(entry?.0))).collect()
    }

    pub(crate) fn for_each_id(
        &self,
        rtxn: &RoTxn<'_>,
        each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>,
    ) -> heed::Result<()> {
        for entry in self.names.iter(rtxn)? {
            if each(&ItemId::from(entry?.1)).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` with the items that are not as the forest has them, in their order.
    pub(crate) fn for_each_change(&self, rtxn: &RoTxn<'_>, mut each: impl FnMut(u32, Change)) -> heed::Result<()> {
        for entry in self.changes.iter(rtxn)? {
            let (item, change) = entry?;
            each(item, if change == Change::Added as u8 { Change::Added } else { Change::Removed });
        }
        Ok(())
    }

    pub(crate) fn clear_changes(&self, wtxn: &mut RwTxn<'_>) -> heed::Result<()> {
        self.changes.clear(wtxn)
    }

    /// Adds vectors, `dim` components each, under ids that are not there.
    pub(crate) fn insert(
        &self,
        wtxn: &mut RwTxn<'_>,
        ids: &[ItemId],
        data: &[f32],
        dim: usize,
        path: &Path,
    ) -> Result<(), IndexError> {
        let mut next = self.number(wtxn, "next", path)?;
        for (id, vector) in ids.iter().zip(data.chunks_exact(dim)) {
            let key = key(id);
            if self.ids.get(wtxn, &key).at(path)?.is_some() {
                // Whoever calls has seen that the id is not there.
                let source = format!("the ids {id:?} and another have one digest").into();
                return Err(IndexError::Backend { backend: crate::backend::NAME, source });
            }
            let item = next;
            // The last one is arroy's to use.
            next = item.checked_add(1).ok_or(IndexError::Full { limit: u32::MAX as usize })?;
            self.ids.put(wtxn, &key, &item).at(path)?;
            self.names.put(wtxn, &item, id.as_str()).at(path)?;
            self.changes.put(wtxn, &item, &(Change::Added as u8)).at(path)?;
            self.equals.put(wtxn, &equal(vector, item), &()).at(path)?;
            self.forest.put(wtxn, item, vector).at(path)?;
        }
        self.meta.put(wtxn, "next", &next.to_be_bytes()).at(path)
    }

    /// Removes an id and its vector, and says whether it was there.
    pub(crate) fn remove(&self, wtxn: &mut RwTxn<'_>, id: &ItemId, path: &Path) -> Result<bool, IndexError> {
        let Some(item) = self.item(wtxn, id).at(path)? else { return Ok(false) };
        self.ids.delete(wtxn, &key(id)).at(path)?;
        self.names.delete(wtxn, &item).at(path)?;
        if let Some(vector) = self.forest.vector(wtxn, item).at(path)? {
            self.equals.delete(wtxn, &equal(&vector, item)).at(path)?;
        }
        if self.changes.get(wtxn, &item).at(path)? == Some(Change::Added as u8) {
            self.forest.discard(wtxn, item).at(path)?;
            self.changes.delete(wtxn, &item).at(path)?;
        } else {
            // The trees name it until they are built again, and look at its vector.
            self.changes.put(wtxn, &item, &(Change::Removed as u8)).at(path)?;
        }
        Ok(true)
    }
}

/// The key of an id. No key is empty, an id may be.
fn key(id: &ItemId) -> Vec<u8> {
    let text = id.as_str().as_bytes();
    if text.len() <= LONG { [&[0], text].concat() } else { [&[1], blake3::hash(text).as_bytes().as_slice()].concat() }
}

/// The key of a vector and its item in `equals`.
fn equal(vector: &[f32], item: u32) -> [u8; 12] {
    let mut hasher = blake3::Hasher::new();
    for component in vector {
        // Zero has two signs, and either equals the other.
        hasher.update(&(component + 0.0).to_le_bytes());
    }
    let mut key = [0; 12];
    let (digest, number) = key.split_at_mut(8);
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    number.copy_from_slice(&item.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_ids_apart_and_fit_into_lmdb() {
        let long = "x".repeat(100_000);
        let ids = ["", "\0", "x", &long[..LONG], &long[..=LONG], &long];
        let keys: std::collections::BTreeSet<_> = ids.map(|id| key(&id.into())).into();
        assert_eq!(keys.len(), ids.len());
        assert!(keys.iter().all(|key| (1..=511).contains(&key.len())));
    }

    #[test]
    fn an_index_of_a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let space = EmbeddingSpace::cosine("toy", 2).unwrap();
        let environment = crate::environment::Environment::create(dir.path(), &space, 1 << 20, false).unwrap();
        let mut wtxn = environment.write().unwrap();
        environment.tables.meta.put(&mut wtxn, "format", &(FORMAT + 1).to_be_bytes()).unwrap();
        wtxn.commit().unwrap();
        let refused = || {
            let opened = crate::environment::Environment::open(dir.path(), &space, 1 << 20, false);
            assert!(matches!(opened, Err(IndexError::Version { found: 2, supported: 1, .. })));
        };
        refused();
        drop(environment);
        refused();
    }
}
