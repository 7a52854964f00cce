//! The two files of a saved index: `slots`, a [`SlotMap`] without empty slots, and `rows` ([`write_rows`]). Digests are in the
//! manifest of the bundle.

use std::ops::Range;
use std::path::Path;

use nodupe_core::{EmbeddingSpace, Embeddings, IndexError, SlotMap, read_rows, write_rows};

/// Writes both files; `read` gives the rows of slots.
pub(crate) fn write(
    dir: &Path,
    slots: &SlotMap,
    read: impl Fn(Range<u32>) -> Result<Embeddings, IndexError>,
) -> Result<(), IndexError> {
    slots.write(&dir.join("slots"))?;
    write_rows(&dir.join("rows"), slots.capacity() as u32, read)
}

/// Reads both files. Nothing in them is trusted: nothing is allocated that their own sizes do not cover.
pub(crate) fn read(dir: &Path, space: &EmbeddingSpace) -> Result<(SlotMap, Embeddings), IndexError> {
    let slots = SlotMap::read(&dir.join("slots"))?;
    if slots.len() != slots.capacity() {
        return Err(IndexError::corrupt(dir.join("slots"), "a saved index has no empty slots"));
    }
    let rows = read_rows(&dir.join("rows"), space, slots.capacity())?;
    Ok((slots, rows))
}
