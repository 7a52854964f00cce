//! The distance between two rows: the definition that every index is measured against.

use crate::embeddings::Row;
use crate::space::Metric;

impl Metric {
    /// The distance between two rows of one space, summed in double precision.
    ///
    /// Cosine: `1 - a·b`, kept within `[0, 2]`, for vectors of unit length, and exactly 0 for equal rows whatever rounding
    /// made of their length. Squared Euclidean: `Σ (aᵢ - bᵢ)²`. Hamming:
    /// the number of bits that differ. `None` where the rows are of another kind than the metric compares, or of
    /// different lengths.
    ///
    /// This is the reference that the conformance suite holds every backend to, and what exact re-scoring uses.
    pub fn distance(self, a: Row<'_>, b: Row<'_>) -> Option<f32> {
        match (self, a, b) {
            (Self::Cosine, Row::F32(a), Row::F32(b)) if a.len() == b.len() => {
                Some(if a == b { 0.0 } else { (1.0 - dot(a, b)).clamp(0.0, 2.0) as f32 })
            }
            (Self::SquaredEuclidean, Row::F32(a), Row::F32(b)) if a.len() == b.len() => {
                Some(squared_euclidean(a, b) as f32)
            }
            (Self::Hamming, Row::Bits(a), Row::Bits(b)) if a.len() == b.len() => Some(differing_bits(a, b) as f32),
            _ => None,
        }
    }
}

/// The inner product of two rows, summed in double precision in one fixed order: it depends on the two rows alone.
/// Of rows of different lengths the common part counts.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |x, y| x * y)
}

/// The squared Euclidean distance of two rows, summed as [`dot`] does: exactly 0 for equal rows.
pub fn squared_euclidean(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |x, y| (x - y) * (x - y))
}

/// Eight running sums, so that the compiler can keep them in vector registers.
#[inline]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let length = a.len().min(b.len());
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a[..length].as_chunks::<LANES>(), b[..length].as_chunks::<LANES>());
    let mut sums = [0.0f64; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for ((sum, &x), &y) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(f64::from(x), f64::from(y));
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&x, &y)| term(f64::from(x), f64::from(y))).sum();
    sums.iter().sum::<f64>() + rest
}

fn differing_bits(a: &[u8], b: &[u8]) -> u32 {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a_words.iter().zip(b_words);
    let words: u32 = words.map(|(&x, &y)| (u64::from_ne_bytes(x) ^ u64::from_ne_bytes(y)).count_ones()).sum();
    words + a_rest.iter().zip(b_rest).map(|(x, y)| (x ^ y).count_ones()).sum::<u32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_metrics_are_what_their_names_say() {
        let (a, b) = (Row::F32(&[1.0, 0.0]), Row::F32(&[-0.6, 0.8]));
        assert!((Metric::Cosine.distance(a, b).unwrap() - 1.6).abs() < 1e-6);
        assert!((Metric::SquaredEuclidean.distance(a, b).unwrap() - 3.2).abs() < 1e-6);
        assert_eq!(Metric::Hamming.distance(Row::Bits(&[0b1010, 255]), Row::Bits(&[0b0110, 0])), Some(10.0));
    }

    #[test]
    fn long_rows_are_summed_to_the_end() {
        let (a, b): (Vec<f32>, Vec<f32>) = ((0u8..21).map(f32::from).collect(), vec![0.0; 21]);
        assert_eq!(Metric::SquaredEuclidean.distance(Row::F32(&a), Row::F32(&b)), Some(2870.0));
        assert_eq!(Metric::Hamming.distance(Row::Bits(&[1; 19]), Row::Bits(&[0; 19])), Some(19.0));
    }

    #[test]
    fn equal_rows_are_no_distance_apart_and_the_order_of_rows_does_not_matter() {
        let rows: Vec<Vec<f32>> =
            (1u8..4).map(|seed| (0u8..19).map(|i| f32::from(i * seed) * 0.37 - 3.0).collect()).collect();
        for a in &rows {
            assert_eq!(squared_euclidean(a, a).to_bits(), 0);
            assert_eq!(Metric::Cosine.distance(Row::F32(a), Row::F32(a)), Some(0.0));
            assert!(rows.iter().all(|b| dot(a, b).to_bits() == dot(b, a).to_bits()));
        }
    }

    #[test]
    fn rows_that_cannot_be_compared_have_no_distance() {
        assert_eq!(Metric::Cosine.distance(Row::F32(&[1.0]), Row::Bits(&[1])), None);
        assert_eq!(Metric::Hamming.distance(Row::F32(&[1.0]), Row::F32(&[1.0])), None);
        assert_eq!(Metric::Hamming.distance(Row::Bits(&[1]), Row::Bits(&[1, 2])), None);
    }
}
