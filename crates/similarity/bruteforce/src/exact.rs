//! Distances in f64, summed in one fixed order.
//!
//! Whatever finds a candidate, these routines give its distance. So a distance depends on the two rows alone: not on the
//! batch they came in, the number of threads or the instructions of the processor.

/// Partial sums that are carried side by side, so that the compiler can keep them in vector registers.
const LANES: usize = 8;

/// The inner product of two rows of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |x, y| x * y)
}

/// The squared Euclidean distance of two rows of one length: exactly 0 for equal rows.
pub(crate) fn squared_euclidean(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |x, y| (x - y) * (x - y))
}

#[inline]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, &x), &y) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(f64::from(x), f64::from(y));
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&x, &y)| term(f64::from(x), f64::from(y))).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agree_with_the_plain_sum(rows in prop::collection::vec((-2.0f32..2.0, -2.0f32..2.0), 0..70)) {
            let (a, b): (Vec<f32>, Vec<f32>) = rows.iter().copied().unzip();
            let plain = |term: fn(f64, f64) -> f64| -> f64 {
                rows.iter().map(|&(x, y)| term(x.into(), y.into())).sum()
            };
            prop_assert!((dot(&a, &b) - plain(|x, y| x * y)).abs() < 1e-12);
            prop_assert!((squared_euclidean(&a, &b) - plain(|x, y| (x - y).powi(2))).abs() < 1e-12);
            prop_assert_eq!(dot(&a, &b).to_bits(), dot(&b, &a).to_bits());
            prop_assert_eq!(squared_euclidean(&a, &a).to_bits(), 0);
        }
    }
}
