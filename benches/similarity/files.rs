//! Vectors in files: rows one after the other without a header, as numpy's `tofile` writes them.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nodupe::{EmbeddingSpace, Embeddings};

/// What one row is.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Shape {
    /// Components of a row: floats of little-endian f32 and unit length, or bits
    #[arg(long)]
    dim: usize,
    /// Rows are packed bits
    #[arg(long)]
    bits: bool,
}

impl Shape {
    pub(crate) fn space(self) -> Result<EmbeddingSpace, Box<dyn Error>> {
        Ok(if self.bits {
            EmbeddingSpace::hamming("file", self.dim)?
        } else {
            EmbeddingSpace::cosine("file", self.dim)?
        })
    }
}

/// What is searched, and for what.
#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    #[command(flatten)]
    shape: Shape,
    /// The vectors of the index
    #[arg(long)]
    vectors: PathBuf,
    /// The vectors that are searched for
    #[arg(long)]
    queries: PathBuf,
    /// Take the first ROWS vectors alone
    #[arg(long)]
    rows: Option<usize>,
}

impl Files {
    pub(crate) fn space(&self) -> Result<EmbeddingSpace, Box<dyn Error>> {
        self.shape.space()
    }

    pub(crate) fn vectors(&self) -> Result<Embeddings, Box<dyn Error>> {
        read(&self.vectors, self.space()?, self.rows)
    }

    pub(crate) fn queries(&self) -> Result<Embeddings, Box<dyn Error>> {
        read(&self.queries, self.space()?, None)
    }
}

/// The first `rows` of a file, or all; it has to hold whole rows. They are in memory once, so that the most memory that
/// a process takes is that of the index and one copy of its vectors.
pub(crate) fn read(path: &Path, space: EmbeddingSpace, rows: Option<usize>) -> Result<Embeddings, Box<dyn Error>> {
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut file = File::open(path).map_err(|why| named(&why))?;
    let (size, row) = (usize::try_from(file.metadata()?.len())?, space.row_bytes());
    if !size.is_multiple_of(row) || size == 0 {
        return Err(named(&format_args!("{size} bytes are no whole rows of {row}")).into());
    }
    let wanted = rows.map_or(size, |rows| size.min(rows.saturating_mul(row)));
    if space.element_type() == nodupe::core::ElementType::Bit {
        let mut data = vec![0; wanted];
        file.read_exact(&mut data).map_err(|why| named(&why))?;
        return Ok(Embeddings::from_bits(space, data)?);
    }
    let mut numbers = Vec::with_capacity(wanted / 4);
    let mut buffer = vec![0; 1 << 16];
    let mut left = wanted;
    while left > 0 {
        let part = &mut buffer[..left.min(1 << 16)];
        file.read_exact(part).map_err(|why| named(&why))?;
        numbers.extend(part.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        left -= part.len();
    }
    Ok(Embeddings::from_f32(space, numbers)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodupe::core::Row;

    #[test]
    fn rows_of_floats_and_bits_are_read_and_half_a_row_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let numbers: Vec<u8> = [1.0f32, 0.0, 0.6, 0.8].iter().flat_map(|number| number.to_le_bytes()).collect();
        std::fs::write(&path, &numbers).unwrap();
        let floats = || EmbeddingSpace::cosine("toy", 2).unwrap();
        assert_eq!(read(&path, floats(), None).unwrap().get(1), Some(Row::F32(&[0.6, 0.8])));
        assert_eq!(read(&path, floats(), Some(1)).unwrap().len(), 1);
        assert_eq!(read(&path, floats(), Some(9)).unwrap().len(), 2);
        let bits = read(&path, EmbeddingSpace::hamming("toy", 32).unwrap(), Some(2)).unwrap();
        assert_eq!(bits.get(0), Some(Row::Bits(&1.0f32.to_le_bytes())));
        assert!(read(&path, EmbeddingSpace::cosine("toy", 3).unwrap(), None).is_err());
    }
}
