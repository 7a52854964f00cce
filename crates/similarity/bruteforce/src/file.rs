//! The two files of a saved index: `slots`, a [`SlotMap`] without empty slots, and `rows`.
//!
//! `rows` is the 8 bytes `NDROWS\n\0`, the format version (32 bits), and the rows one after the other in the order of the
//! slots: floats of 32 bits, or packed bits. All little endian. Digests are in the manifest of the bundle.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use nodupe_core::{ElementType, EmbeddingSpace, Embeddings, IndexError, Rows, SlotMap};

const MAGIC: &[u8; 8] = b"NDROWS\n\0";
const VERSION: u32 = 1;
const HEADER: usize = MAGIC.len() + size_of::<u32>();
/// Rows that are copied at a time.
const CHUNK: u32 = 1_024;

/// Writes both files; `read` gives the rows of slots.
pub(crate) fn write(
    dir: &Path,
    slots: &SlotMap,
    read: impl Fn(std::ops::Range<u32>) -> Result<Embeddings, IndexError>,
) -> Result<(), IndexError> {
    slots.write(&dir.join("slots"))?;
    let path = dir.join("rows");
    let failed = || IndexError::io(&path);
    let mut file = BufWriter::new(fs::File::create(&path).map_err(failed())?);
    file.write_all(MAGIC).and_then(|()| file.write_all(&VERSION.to_le_bytes())).map_err(failed())?;
    let end = slots.capacity() as u32;
    for start in (0..end).step_by(CHUNK as usize) {
        let rows = read(start..end.min(start.saturating_add(CHUNK)))?;
        let written = match rows.view().rows() {
            Rows::F32 { data, .. } => data.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
            Rows::Bits { data, .. } => file.write_all(data),
            _ => Ok(()),
        };
        written.map_err(failed())?;
    }
    file.flush().map_err(failed())
}

/// Reads both files. Nothing in them is trusted: nothing is allocated that their own sizes do not cover.
pub(crate) fn read(dir: &Path, space: &EmbeddingSpace) -> Result<(SlotMap, Embeddings), IndexError> {
    let slots = SlotMap::read(&dir.join("slots"))?;
    let path = dir.join("rows");
    let bytes = fs::read(&path).map_err(IndexError::io(&path))?;
    let header = bytes.split_at_checked(HEADER).and_then(|(header, rows)| Some((header.split_at_checked(8)?, rows)));
    let Some(((_, version), rows)) = header.filter(|((magic, _), _)| magic == MAGIC) else {
        return Err(IndexError::corrupt(path, "the file holds no rows"));
    };
    let found = version.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if found != VERSION {
        return Err(IndexError::Version { path, found, supported: VERSION });
    }
    if slots.len() != slots.capacity() {
        return Err(IndexError::corrupt(dir.join("slots"), "a saved index has no empty slots"));
    }
    if slots.capacity().checked_mul(space.row_bytes()) != Some(rows.len()) {
        return Err(IndexError::corrupt(path, "its length is not that of its slots"));
    }
    let rows = if space.element_type() == ElementType::Bit {
        Embeddings::from_bits(space.clone(), rows.to_vec())
    } else {
        let (numbers, _) = rows.as_chunks::<4>();
        Embeddings::from_f32(space.clone(), numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }?;
    Ok((slots, rows))
}
