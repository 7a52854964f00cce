//! Ids to dense slots: what every index in memory needs under its vectors.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::error::IndexError;
use crate::item::ItemId;

/// Gives each id a slot: 0, 1, 2, … in the order of insertion. A removed id leaves its slot empty until
/// [`compact`](Self::compact), so that the slots of the others stay what they are.
///
/// ```
/// use nodupe_core::{ItemId, SlotMap};
/// let mut slots = SlotMap::new();
/// assert_eq!((slots.insert(ItemId::from("a")), slots.insert(ItemId::from("b"))), (Some(0), Some(1)));
/// slots.remove("a");
/// assert_eq!((slots.len(), slots.capacity(), slots.id(1).map(ItemId::as_str)), (1, 2, Some("b")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotMap {
    ids: Vec<Option<ItemId>>,
    slots: HashMap<ItemId, u32>,
}

const MAGIC: &[u8; 8] = b"NDSLOTS\n";
const VERSION: u32 = 1;
/// Stands for the length of the id of an empty slot.
const EMPTY: u32 = u32::MAX;

impl SlotMap {
    /// The most slots: the numbers of slots are 32 bits wide.
    pub const MAX_SLOTS: usize = u32::MAX as usize - 1;

    /// No slots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Number of slots, the empty ones included: one more than the highest.
    pub fn capacity(&self) -> usize {
        self.ids.len()
    }

    /// The slot of an id.
    pub fn slot(&self, id: &str) -> Option<u32> {
        self.slots.get(id).copied()
    }

    /// The id in a slot; `None` where the slot is empty or beyond the last.
    pub fn id(&self, slot: u32) -> Option<&ItemId> {
        self.ids.get(slot as usize)?.as_ref()
    }

    /// Every slot that is not empty with its id, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &ItemId)> {
        (0u32..).zip(&self.ids).filter_map(|(slot, id)| Some((slot, id.as_ref()?)))
    }

    /// Puts an id in the next slot, which is [`capacity`](Self::capacity). `None`, and no change, where the id has a slot
    /// already or all slots are used.
    pub fn insert(&mut self, id: ItemId) -> Option<u32> {
        if self.slots.contains_key(&id) || self.ids.len() >= Self::MAX_SLOTS {
            return None;
        }
        let slot = u32::try_from(self.ids.len()).ok()?;
        self.slots.insert(id.clone(), slot);
        self.ids.push(Some(id));
        Some(slot)
    }

    /// Empties the slot of an id and says which it was.
    pub fn remove(&mut self, id: &str) -> Option<u32> {
        let slot = self.slots.remove(id)?;
        self.ids[slot as usize] = None;
        Some(slot)
    }

    /// Drops the empty slots and returns, for each new slot in order, the slot that it was.
    pub fn compact(&mut self) -> Vec<u32> {
        let kept: Vec<u32> = self.iter().map(|(slot, _)| slot).collect();
        self.ids.retain(Option::is_some);
        for (slot, id) in (0u32..).zip(&self.ids) {
            if let Some(known) = id.as_ref().and_then(|id| self.slots.get_mut(id)) {
                *known = slot;
            }
        }
        kept
    }

    /// Writes the map to a file: the 8 bytes `NDSLOTS\n`, the format version, the number of slots, then for each slot
    /// the length of its id in bytes (`u32::MAX` for an empty slot) and the id in UTF-8. Numbers are 32 bits, little
    /// endian. The digest is in the manifest of the bundle that the file is part of.
    ///
    /// # Errors
    /// [`IndexError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), IndexError> {
        let file = fs::File::create(path).map_err(IndexError::io(path))?;
        let mut file = std::io::BufWriter::new(file);
        let mut put = || {
            file.write_all(MAGIC)?;
            file.write_all(&VERSION.to_le_bytes())?;
            file.write_all(&(self.ids.len() as u32).to_le_bytes())?;
            for id in &self.ids {
                let text = id.as_ref().map(ItemId::as_str);
                let length = text.map_or(Ok(EMPTY), |text| {
                    u32::try_from(text.len())
                        .ok()
                        .filter(|&length| length != EMPTY)
                        .ok_or(std::io::ErrorKind::InvalidInput)
                })?;
                file.write_all(&length.to_le_bytes())?;
                file.write_all(text.unwrap_or_default().as_bytes())?;
            }
            file.flush()
        };
        put().map_err(IndexError::io(path))
    }

    /// Reads what [`write`](Self::write) wrote. No length in the file is trusted: nothing is allocated that the file's
    /// own size does not cover.
    ///
    /// # Errors
    /// [`IndexError::Io`], [`IndexError::Version`], and [`IndexError::Corrupt`] for a file that is no slot map, ends too
    /// early or too late, or names an id twice.
    pub fn read(path: &Path) -> Result<Self, IndexError> {
        let bytes = fs::read(path).map_err(IndexError::io(path))?;
        let corrupt = |detail: &str| IndexError::corrupt(path, detail);
        let early = || corrupt("the file ends too early");
        let (magic, mut rest) = bytes.split_at_checked(MAGIC.len()).ok_or_else(early)?;
        if magic != MAGIC {
            return Err(corrupt("the file is no slot map"));
        }
        let number = |rest: &mut &[u8]| -> Result<u32, IndexError> {
            let (bytes, after) = rest.split_first_chunk::<4>().ok_or_else(early)?;
            *rest = after;
            Ok(u32::from_le_bytes(*bytes))
        };
        let found = number(&mut rest)?;
        if found != VERSION {
            return Err(IndexError::Version { path: path.to_owned(), found, supported: VERSION });
        }
        let count = number(&mut rest)? as usize;
        if count > rest.len() / 4 {
            return Err(early());
        }
        let mut map = Self { ids: Vec::with_capacity(count), slots: HashMap::with_capacity(count) };
        for slot in 0..count as u32 {
            let length = number(&mut rest)?;
            if length == EMPTY {
                map.ids.push(None);
                continue;
            }
            let (text, after) = rest.split_at_checked(length as usize).ok_or_else(early)?;
            rest = after;
            let id = ItemId::from(std::str::from_utf8(text).map_err(|_| corrupt("an id is not UTF-8"))?);
            if map.slots.insert(id.clone(), slot).is_some() {
                return Err(corrupt("an id stands twice"));
            }
            map.ids.push(Some(id));
        }
        if rest.is_empty() { Ok(map) } else { Err(corrupt("the file goes on after its end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> SlotMap {
        let mut map = SlotMap::new();
        for id in ["a", "b\0ff", "", "côte"] {
            map.insert(id.into()).unwrap();
        }
        map.remove("b\0ff");
        map
    }

    #[test]
    fn removed_slots_stay_empty_until_compaction() {
        let mut map = filled();
        assert_eq!((map.len(), map.capacity(), map.slot("côte")), (3, 4, Some(3)));
        assert_eq!(map.insert("a".into()), None);
        assert_eq!(map.insert("b\0ff".into()), Some(4));
        assert_eq!(map.compact(), [0, 2, 3, 4]);
        assert_eq!((map.slot("côte"), map.slot("b\0ff"), map.capacity()), (Some(2), Some(3), 4));
        assert_eq!(map.id(1).map(ItemId::as_str), Some(""));
        assert_eq!(map.id(9), None);
    }

    #[test]
    fn a_file_gives_back_the_map_and_every_damaged_one_is_refused() {
        let dir = std::env::temp_dir().join(format!("nodupe-slots-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("slots");
        filled().write(&path).unwrap();
        assert_eq!(SlotMap::read(&path).unwrap(), filled());
        let good = fs::read(&path).unwrap();
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(matches!(SlotMap::read(&path), Err(IndexError::Corrupt { .. })), "cut at {length}");
        }
        let mut damaged = good.clone();
        damaged.push(0);
        fs::write(&path, &damaged).unwrap();
        assert!(matches!(SlotMap::read(&path), Err(IndexError::Corrupt { .. })));
        let mut newer = good.clone();
        newer[8] = 2;
        fs::write(&path, &newer).unwrap();
        assert!(matches!(SlotMap::read(&path), Err(IndexError::Version { found: 2, .. })));
        let mut huge = good;
        huge[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        fs::write(&path, &huge).unwrap();
        assert!(matches!(SlotMap::read(&path), Err(IndexError::Corrupt { .. })));
        fs::remove_dir_all(&dir).unwrap();
        assert!(matches!(SlotMap::read(&path), Err(IndexError::Io { .. })));
    }
}
