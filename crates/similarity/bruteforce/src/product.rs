//! The matrix product, from the library that computes it.
#![allow(unsafe_code)]

/// The inner product of every query with every row, as `dim` values each: that of query `q` and row `r` goes to
/// `out[q * n + r]`, `n` being the number of rows.
///
/// Each is off by at most `dim * f32::EPSILON` times the lengths of both rows, in whatever order the library sums.
pub(crate) fn inner_products(queries: &[f32], rows: &[f32], dim: usize, out: &mut Vec<f32>) {
    let count = |values: &[f32]| values.len().checked_div(dim).unwrap_or(0);
    let (m, n) = (count(queries), count(rows));
    // Saturated, a length that cannot be had is refused here and not wrapped around.
    out.resize(m.saturating_mul(n), 0.0);
    if m == 1 {
        // The library would copy every row to use it once: that takes 1.6 times as long.
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(dim)) {
            *out = inner_product(queries, row);
        }
        return;
    }
    // Both are at most the length of a slice, or there are no rows and no stride is taken.
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

/// The inner product of two rows, in as many partial sums as keep vector registers busy.
fn inner_product(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use nodupe_core::dot;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_the_exact_product(dim in 1usize..70, m in prop_oneof![0usize..3, 3usize..20], n in 0usize..40, seed in any::<u32>()) {
            let value = |i: usize| (((i as u32).wrapping_mul(2_654_435_761) ^ seed) >> 8) as f32 / 8_388_608.0 - 1.0;
            let queries: Vec<f32> = (0..m * dim).map(value).collect();
            let rows: Vec<f32> = (m * dim..(m + n) * dim).map(value).collect();
            let mut out = vec![f32::NAN; 100];
            inner_products(&queries, &rows, dim, &mut out);
            prop_assert_eq!(out.len(), m * n);
            for (q, query) in queries.chunks(dim).enumerate() {
                for (r, row) in rows.chunks(dim).enumerate() {
                    let bound = dim as f64 * f64::from(f32::EPSILON)
                        * (dot(query, query) * dot(row, row)).sqrt();
                    let error = (f64::from(out[q * n + r]) - dot(query, row)).abs();
                    prop_assert!(error <= bound, "{} > {}", error, bound);
                }
            }
        }
    }
}
