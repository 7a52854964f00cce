//! To and from [`ndarray`], behind the feature of that name.

use ndarray::{Array2, ArrayView2};

use crate::embeddings::{Embeddings, EmbeddingsRef, Rows};
use crate::error::IndexError;
use crate::space::EmbeddingSpace;

impl<'a> EmbeddingsRef<'a> {
    /// The rows as a matrix of (rows, dim), without a copy; `None` for packed bits.
    pub fn to_ndarray(&self) -> Option<ArrayView2<'a, f32>> {
        match self.rows() {
            Rows::F32 { dim, data } => ArrayView2::from_shape((self.len(), dim), data).ok(),
            Rows::Bits { .. } => None,
        }
    }
}

impl Embeddings {
    /// The rows of a matrix of (rows, dim), without a copy where it is in row-major order.
    ///
    /// # Errors
    /// [`IndexError::Shape`] where the matrix is not as wide as the space has dimensions, or the space not one of floats.
    pub fn from_ndarray(space: EmbeddingSpace, matrix: Array2<f32>) -> Result<Self, IndexError> {
        if matrix.ncols() != space.dim() {
            return Err(IndexError::Shape { detail: format!("{} columns were given for {space}", matrix.ncols()) });
        }
        let data = if matrix.is_standard_layout() {
            let (data, offset) = matrix.into_raw_vec_and_offset();
            if offset.unwrap_or(0) == 0 {
                data
            } else {
                return Self::from_f32(space, data[offset.unwrap_or(0)..].to_vec());
            }
        } else {
            matrix.iter().copied().collect()
        };
        Self::from_f32(space, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn matrices_go_there_and_back_in_any_memory_order() {
        let space = EmbeddingSpace::squared_euclidean("toy", 2).unwrap();
        let matrix = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
        let rows = Embeddings::from_ndarray(space.clone(), matrix.clone()).unwrap();
        assert_eq!(rows.view().to_ndarray().unwrap(), matrix);
        let cut = Embeddings::from_ndarray(space.clone(), {
            let (_, lower) = matrix.view().split_at(ndarray::Axis(0), 1);
            lower.to_owned()
        })
        .unwrap();
        assert_eq!(cut.view().to_ndarray().unwrap(), array![[3.0, 4.0], [5.0, 6.0]]);
        let square = array![[1.0, 2.0], [3.0, 4.0]].reversed_axes();
        let turned = Embeddings::from_ndarray(space.clone(), square.clone()).unwrap();
        assert_eq!(turned.view().to_ndarray().unwrap(), square);
        assert!(Embeddings::from_ndarray(space, Array2::zeros((2, 3))).is_err());
    }
}
