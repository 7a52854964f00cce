//! Vectors with their embedding space, borrowed and owned.

use std::ops::Range;

use crate::distance::dot;
use crate::error::IndexError;
use crate::space::{ElementType, EmbeddingSpace};

/// How far from 1 the length of a unit vector may be.
pub const UNIT_TOLERANCE: f32 = 1e-5;

/// A borrowed row-major matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Rows<'a> {
    /// Rows of `dim` floats.
    F32 {
        /// Floats a row.
        dim: usize,
        /// All rows, one after the other.
        data: &'a [f32],
    },
    /// Rows of `bits` packed bits, `bits / 8` bytes each.
    Bits {
        /// Bits a row, a multiple of 8.
        bits: usize,
        /// All rows, one after the other.
        data: &'a [u8],
    },
}

/// One borrowed row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Row<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Packed bits.
    Bits(&'a [u8]),
}

/// Borrowed rows of one embedding space: what indexes take.
///
/// The data is always a whole number of rows of the space's dimension and element type: that is checked when it is made.
/// Whether the numbers are finite and of unit length is not; indexes check it with [`check_rows`](crate::check_rows).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbeddingsRef<'a> {
    space: &'a EmbeddingSpace,
    rows: Rows<'a>,
}

impl<'a> EmbeddingsRef<'a> {
    /// Rows of `space`.
    ///
    /// # Errors
    /// [`IndexError::Shape`] where the rows are of another element type or dimension, or where the last one is not whole.
    pub fn new(space: &'a EmbeddingSpace, rows: Rows<'a>) -> Result<Self, IndexError> {
        let (element_type, dim, whole) = match rows {
            Rows::F32 { dim, data } => (ElementType::F32, dim, dim > 0 && data.len().is_multiple_of(dim)),
            Rows::Bits { bits, data } => {
                (ElementType::Bit, bits, bits > 0 && bits % 8 == 0 && data.len().is_multiple_of(bits / 8))
            }
        };
        if (element_type, dim) != (space.element_type(), space.dim()) {
            return Err(IndexError::Shape {
                detail: format!("rows of {} {} were given for {space}", dim, element_type.name()),
            });
        }
        if !whole {
            return Err(IndexError::Shape { detail: format!("the data is no whole number of rows of {space}") });
        }
        Ok(Self { space, rows })
    }

    /// Rows of floats: [`EmbeddingsRef::new`] with the dimension of the space.
    ///
    /// # Errors
    /// As [`EmbeddingsRef::new`].
    pub fn from_f32(space: &'a EmbeddingSpace, data: &'a [f32]) -> Result<Self, IndexError> {
        Self::new(space, Rows::F32 { dim: space.dim(), data })
    }

    /// Rows of packed bits: [`EmbeddingsRef::new`] with the dimension of the space.
    ///
    /// # Errors
    /// As [`EmbeddingsRef::new`].
    pub fn from_bits(space: &'a EmbeddingSpace, data: &'a [u8]) -> Result<Self, IndexError> {
        Self::new(space, Rows::Bits { bits: space.dim(), data })
    }

    /// The space of the rows.
    pub fn space(&self) -> &'a EmbeddingSpace {
        self.space
    }

    /// The rows as a matrix.
    pub fn rows(&self) -> Rows<'a> {
        self.rows
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self.rows {
            Rows::F32 { dim, data } => data.len() / dim,
            Rows::Bits { bits, data } => data.len() / (bits / 8),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One row; `None` where there is none of that number.
    pub fn get(&self, row: usize) -> Option<Row<'a>> {
        (row < self.len()).then(|| match self.rows {
            Rows::F32 { dim, data } => Row::F32(&data[row * dim..(row + 1) * dim]),
            Rows::Bits { bits, data } => Row::Bits(&data[row * (bits / 8)..(row + 1) * (bits / 8)]),
        })
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'a>> + use<'a> {
        let (rows, count) = (self.rows, self.len());
        (0..count).map(move |row| match rows {
            Rows::F32 { dim, data } => Row::F32(&data[row * dim..(row + 1) * dim]),
            Rows::Bits { bits, data } => Row::Bits(&data[row * (bits / 8)..(row + 1) * (bits / 8)]),
        })
    }

    /// A run of rows; `None` where it goes beyond the last one.
    pub fn slice(&self, rows: Range<usize>) -> Option<Self> {
        let rows = match self.rows {
            Rows::F32 { dim, data } => {
                Rows::F32 { dim, data: data.get(rows.start.checked_mul(dim)?..rows.end.checked_mul(dim)?)? }
            }
            Rows::Bits { bits, data } => {
                let bytes = bits / 8;
                Rows::Bits { bits, data: data.get(rows.start.checked_mul(bytes)?..rows.end.checked_mul(bytes)?)? }
            }
        };
        Some(Self { space: self.space, rows })
    }

    /// A copy that owns its rows.
    pub fn to_owned(&self) -> Embeddings {
        let data = match self.rows {
            Rows::F32 { data, .. } => Data::F32(data.to_vec()),
            Rows::Bits { data, .. } => Data::Bits(data.to_vec()),
        };
        Embeddings { space: self.space.clone(), data }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Data {
    F32(Vec<f32>),
    Bits(Vec<u8>),
}

/// Rows of one embedding space that own their data.
///
/// ```
/// use nodupe_core::{EmbeddingSpace, Embeddings};
/// let space = EmbeddingSpace::cosine("toy", 2)?;
/// let two = Embeddings::from_f32(space, vec![1.0, 0.0, 0.6, 0.8])?;
/// assert_eq!(two.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    space: EmbeddingSpace,
    data: Data,
}

impl Embeddings {
    /// No rows yet.
    pub fn new(space: EmbeddingSpace) -> Self {
        let data = match space.element_type() {
            ElementType::F32 => Data::F32(Vec::new()),
            ElementType::Bit => Data::Bits(Vec::new()),
        };
        Self { space, data }
    }

    /// Rows of floats.
    ///
    /// # Errors
    /// As [`EmbeddingsRef::new`].
    pub fn from_f32(space: EmbeddingSpace, data: Vec<f32>) -> Result<Self, IndexError> {
        EmbeddingsRef::from_f32(&space, &data)?;
        Ok(Self { space, data: Data::F32(data) })
    }

    /// Rows of packed bits.
    ///
    /// # Errors
    /// As [`EmbeddingsRef::new`].
    pub fn from_bits(space: EmbeddingSpace, data: Vec<u8>) -> Result<Self, IndexError> {
        EmbeddingsRef::from_bits(&space, &data)?;
        Ok(Self { space, data: Data::Bits(data) })
    }

    /// The space of the rows.
    pub fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    /// The rows, borrowed.
    pub fn view(&self) -> EmbeddingsRef<'_> {
        let rows = match &self.data {
            Data::F32(data) => Rows::F32 { dim: self.space.dim(), data },
            Data::Bits(data) => Rows::Bits { bits: self.space.dim(), data },
        };
        EmbeddingsRef { space: &self.space, rows }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One row; `None` where there is none of that number.
    pub fn get(&self, row: usize) -> Option<Row<'_>> {
        self.view().get(row)
    }

    /// Appends rows of the same space.
    ///
    /// # Errors
    /// [`IndexError::SpaceMismatch`] for rows of another space; nothing is appended.
    pub fn append(&mut self, rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        if *rows.space != self.space {
            return Err(IndexError::SpaceMismatch {
                expected: Box::new(self.space.clone()),
                given: Box::new(rows.space.clone()),
            });
        }
        match (&mut self.data, rows.rows) {
            (Data::F32(own), Rows::F32 { data, .. }) => own.extend_from_slice(data),
            (Data::Bits(own), Rows::Bits { data, .. }) => own.extend_from_slice(data),
            // An equal space has an equal element type.
            _ => {}
        }
        Ok(())
    }

    /// The same vectors scaled to unit length; packed bits stay as they are.
    ///
    /// # Errors
    /// [`IndexError::NotFinite`] for a row with a component that is not finite and [`IndexError::NotUnit`] for a row of
    /// zeros, which has no direction.
    pub fn normalized(mut self) -> Result<Self, IndexError> {
        let dim = self.space.dim();
        if let Data::F32(data) = &mut self.data {
            for (row, vector) in data.chunks_exact_mut(dim).enumerate() {
                let length = length(vector);
                if !length.is_finite() {
                    return Err(IndexError::NotFinite { row });
                }
                if length == 0.0 {
                    return Err(IndexError::NotUnit { row, length: 0.0 });
                }
                for component in vector {
                    *component = (f64::from(*component) / length) as f32;
                }
            }
        }
        Ok(self)
    }
}

impl<'a> From<&'a Embeddings> for EmbeddingsRef<'a> {
    fn from(embeddings: &'a Embeddings) -> Self {
        embeddings.view()
    }
}

/// The Euclidean length: NaN or infinite where a component is.
pub(crate) fn length(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> EmbeddingSpace {
        EmbeddingSpace::cosine("toy", 3).unwrap()
    }

    #[test]
    fn rows_that_are_not_of_the_space_are_refused() {
        let (floats, bits) = (space(), EmbeddingSpace::hamming("toy", 16).unwrap());
        assert!(EmbeddingsRef::from_f32(&floats, &[0.0; 4]).is_err());
        assert!(EmbeddingsRef::from_f32(&bits, &[0.0; 16]).is_err());
        assert!(EmbeddingsRef::from_bits(&bits, &[0; 3]).is_err());
        assert!(EmbeddingsRef::new(&floats, Rows::F32 { dim: 0, data: &[] }).is_err());
        assert!(EmbeddingsRef::new(&bits, Rows::Bits { bits: 8, data: &[0] }).is_err());
        assert_eq!(EmbeddingsRef::from_bits(&bits, &[0; 4]).unwrap().len(), 2);
        assert!(EmbeddingsRef::from_f32(&floats, &[]).unwrap().is_empty());
    }

    #[test]
    fn rows_and_slices_are_where_they_should_be() {
        let three = Embeddings::from_f32(space(), (0u8..9).map(f32::from).collect()).unwrap();
        assert_eq!(three.get(1), Some(Row::F32(&[3.0, 4.0, 5.0])));
        assert_eq!(three.get(3), None);
        assert_eq!(three.view().iter().nth(2), three.get(2));
        assert_eq!(three.view().slice(1..3).unwrap().get(0), three.get(1));
        assert!(three.view().slice(2..4).is_none());
        assert!(three.view().slice(usize::MAX - 1..usize::MAX).is_none());
    }

    #[test]
    fn appending_another_space_is_refused_and_changes_nothing() {
        let mut one = Embeddings::from_f32(space(), vec![1.0, 0.0, 0.0]).unwrap();
        let other = Embeddings::from_f32(space().with_revision("2"), vec![1.0, 0.0, 0.0]).unwrap();
        assert!(matches!(one.append(other.view()), Err(IndexError::SpaceMismatch { .. })));
        assert_eq!(one.len(), 1);
        one.append(one.clone().view()).unwrap();
        assert_eq!(one.len(), 2);
    }

    #[test]
    fn normalising_gives_unit_length_or_says_why_not() {
        let rows = |data: &[f32]| Embeddings::from_f32(space(), data.to_vec()).unwrap().normalized();
        assert_eq!(rows(&[3.0, 0.0, 4.0]).unwrap().get(0), Some(Row::F32(&[0.6, 0.0, 0.8])));
        assert!(rows(&[1e-30, 1e-30, 0.0]).is_ok());
        assert!(matches!(rows(&[0.0; 3]), Err(IndexError::NotUnit { row: 0, .. })));
        assert!(matches!(rows(&[0.0, f32::NAN, 1.0]), Err(IndexError::NotFinite { row: 0 })));
    }
}
