//! The matrix product, from the library that computes it.
#![allow(unsafe_code)]

/// The inner product of every query with every row, as `dim` values each: that of query `q` and row `r` goes to
/// `out[q * n + r]`, `n` being the number of rows.
///
/// Each is off by at most `dim * f32::EPSILON` times the lengths of both rows, in whatever order the library sums.
pub(crate) fn inner_products(queries: &[f32], rows: &[f32], dim: usize, out: &mut Vec<f32>) {
    let count = |values: &[f32]| values.len().checked_div(dim).unwrap_or(0);
    let (m, n) = (count(queries), count(rows));
    out.clear();
    out.resize(m * n, 0.0);
    // No length of a slice exceeds `isize::MAX`; `n` and `dim`, if they are used as strides at all, are none of zero rows.
    let (row, column) = (dim.cast_signed(), n.cast_signed());
    // SAFETY: the strides keep every element inside its slice: `queries` is read as m × dim, at most `m * dim - 1`, and
    // `rows` as its transpose dim × n, at most `n * dim - 1`, where `m * dim` and `n * dim` are at most the lengths of
    // the slices by the division above. `out` was just made m * n long, is borrowed mutably, so aliases neither, and no
    // two of its elements share a place.
    unsafe {
        matrixmultiply::sgemm(
            m,
            dim,
            n,
            1.0,
            queries.as_ptr(),
            row,
            1,
            rows.as_ptr(),
            1,
            row,
            0.0,
            out.as_mut_ptr(),
            column,
            1,
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exact;

    proptest! {
        #[test]
        fn agrees_with_the_exact_product(dim in 1usize..70, m in 0usize..20, n in 0usize..40, seed in any::<u32>()) {
            let value = |i: usize| (((i as u32).wrapping_mul(2_654_435_761) ^ seed) >> 8) as f32 / 8_388_608.0 - 1.0;
            let queries: Vec<f32> = (0..m * dim).map(value).collect();
            let rows: Vec<f32> = (m * dim..(m + n) * dim).map(value).collect();
            let mut out = vec![f32::NAN; 3];
            inner_products(&queries, &rows, dim, &mut out);
            prop_assert_eq!(out.len(), m * n);
            for (q, query) in queries.chunks(dim).enumerate() {
                for (r, row) in rows.chunks(dim).enumerate() {
                    let bound = dim as f64 * f64::from(f32::EPSILON)
                        * (exact::dot(query, query) * exact::dot(row, row)).sqrt();
                    let error = (f64::from(out[q * n + r]) - exact::dot(query, row)).abs();
                    prop_assert!(error <= bound, "{} > {}", error, bound);
                }
            }
        }
    }
}
