//! The file of rows that goes with that of a [`SlotMap`](crate::SlotMap).

use std::fs;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;

use crate::embeddings::{Embeddings, Rows};
use crate::error::IndexError;
use crate::space::{ElementType, EmbeddingSpace};

const MAGIC: &[u8; 8] = b"NDROWS\n\0";
const VERSION: u32 = 1;
/// Rows that are copied at a time.
const CHUNK: u32 = 1_024;

/// Writes the rows of slots 0 up to `slots` to a file, as `read` gives them: the 8 bytes `NDROWS\n\0`, the format version (32
/// bits), and the rows one after the other: floats of 32 bits, or packed bits. All little endian. The digest is in the manifest
/// of the bundle that the file is part of.
///
/// # Errors
/// [`IndexError::Io`], and those of `read`.
pub fn write_rows(
    path: &Path,
    slots: u32,
    read: impl Fn(Range<u32>) -> Result<Embeddings, IndexError>,
) -> Result<(), IndexError> {
    let failed = || IndexError::io(path);
    let mut file = BufWriter::new(fs::File::create(path).map_err(failed())?);
    file.write_all(MAGIC).and_then(|()| file.write_all(&VERSION.to_le_bytes())).map_err(failed())?;
    for start in (0..slots).step_by(CHUNK as usize) {
        let rows = read(start..slots.min(start.saturating_add(CHUNK)))?;
        let written = match rows.view().rows() {
            Rows::F32 { data, .. } => data.iter().try_for_each(|number| file.write_all(&number.to_le_bytes())),
            Rows::Bits { data, .. } => file.write_all(data),
        };
        written.map_err(failed())?;
    }
    file.flush().map_err(failed())
}

/// Reads the rows of `slots` slots that [`write_rows`] wrote. No length in the file is trusted: nothing is allocated that the
/// file's own size does not cover. The numbers are those of the file: [`check_rows`](crate::check_rows) says whether the space
/// can have them.
///
/// # Errors
/// [`IndexError::Io`], [`IndexError::Version`], and [`IndexError::Corrupt`] for a file that holds no rows, or not so many.
pub fn read_rows(path: &Path, space: &EmbeddingSpace, slots: usize) -> Result<Embeddings, IndexError> {
    let bytes = fs::read(path).map_err(IndexError::io(path))?;
    let header = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk());
    let Some((version, rows)) = header else {
        return Err(IndexError::corrupt(path, "the file holds no rows"));
    };
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(IndexError::Version { path: path.to_owned(), found, supported: VERSION });
    }
    if slots.checked_mul(space.row_bytes()) != Some(rows.len()) {
        return Err(IndexError::corrupt(path, "its length is not that of its slots"));
    }
    if space.element_type() == ElementType::Bit {
        Embeddings::from_bits(space.clone(), rows.to_vec())
    } else {
        Embeddings::from_f32(space.clone(), rows.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_back_the_rows_and_every_damaged_one_is_refused() {
        let path = std::env::temp_dir().join(format!("nodupe-rows-{}", std::process::id()));
        let floats = EmbeddingSpace::squared_euclidean("toy", 3).unwrap();
        let bits = EmbeddingSpace::hamming("toy", 16).unwrap();
        let all = [
            Embeddings::from_f32(floats, (0..3 * 2_500).map(|number| number as f32 / 7.0).collect()).unwrap(),
            Embeddings::from_bits(bits, (0..2 * 2_500).map(|number| number as u8).collect()).unwrap(),
        ];
        for rows in all {
            let slice =
                |range: Range<u32>| rows.view().slice(range.start as usize..range.end as usize).unwrap().to_owned();
            write_rows(&path, 2_500, |range| Ok(slice(range))).unwrap();
            let read = |slots| read_rows(&path, rows.space(), slots);
            assert_eq!(read(2_500).unwrap(), rows);
            for wrong in [0, 2_499, 2_501, usize::MAX] {
                assert!(matches!(read(wrong), Err(IndexError::Corrupt { .. })), "{wrong}");
            }
            let good = fs::read(&path).unwrap();
            for length in [0, 7, 8, 11, good.len() - 1] {
                fs::write(&path, &good[..length]).unwrap();
                assert!(matches!(read(2_500), Err(IndexError::Corrupt { .. })), "cut at {length}");
            }
            let mut newer = good;
            newer[8] = 2;
            fs::write(&path, &newer).unwrap();
            assert!(matches!(read(2_500), Err(IndexError::Version { found: 2, .. })));
            fs::remove_file(&path).unwrap();
            assert!(matches!(read(2_500), Err(IndexError::Io { .. })));
        }
    }
}
