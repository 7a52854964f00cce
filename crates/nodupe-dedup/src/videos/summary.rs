//! One vector for a whole video.

use nodupe_core::{Embeddings, EmbeddingsRef, IndexError, Metric, Row, Rows};

/// One row that stands for all: the mean of unit vectors, of unit length, or of packed bits those that most rows have; each row counts by its weight,
/// over 0. `None` of no rows, and where they cancel each other out.
///
/// # Errors
/// Those of [`Embeddings::from_f32`], where the rows are none of their space.
pub(crate) fn summary(rows: EmbeddingsRef<'_>, weights: &[f64]) -> Result<Option<Embeddings>, IndexError> {
    let (space, total) = (rows.space().clone(), weights.iter().sum::<f64>());
    if rows.is_empty() || total <= 0.0 {
        return Ok(None);
    }
    if let Rows::Bits { bits, .. } = rows.rows() {
        let mut most = vec![0.0; bits];
        for (row, weight) in rows.iter().zip(weights) {
            let Row::Bits(bytes) = row else { continue };
            for (place, sum) in most.iter_mut().enumerate() {
                *sum += weight * f64::from(bytes[place / 8] >> (place % 8) & 1);
            }
        }
        let mut bytes = vec![0_u8; bits.div_ceil(8)];
        for (place, _) in most.iter().enumerate().filter(|(_, sum)| **sum > total / 2.0) {
            bytes[place / 8] |= 1 << (place % 8);
        }
        return Embeddings::from_bits(space, bytes).map(Some);
    }
    let mut mean = vec![0.0; space.dim()];
    for (row, weight) in rows.iter().zip(weights) {
        let Row::F32(values) = row else { continue };
        for (sum, value) in mean.iter_mut().zip(values) {
            *sum += weight * f64::from(*value) / total;
        }
    }
    let is_unit = space.metric() == Metric::Cosine;
    let mean = Embeddings::from_f32(space, mean.into_iter().map(|sum| sum as f32).collect())?;
    Ok(if is_unit { mean.normalized().ok() } else { Some(mean) })
}

#[cfg(test)]
mod tests {
    use nodupe_core::EmbeddingSpace;

    use super::*;

    #[test]
    fn of_bits_most_decide_and_of_unit_vectors_the_mean_does() {
        let bits =
            Embeddings::from_bits(EmbeddingSpace::hamming("toy", 8).unwrap(), vec![0b111, 0b011, 0b1001]).unwrap();
        let of = |weights: &[f64]| summary(bits.view(), weights).unwrap().unwrap();
        assert_eq!(of(&[1.0, 1.0, 1.0]).get(0), Some(Row::Bits(&[0b011])));
        assert_eq!(of(&[1.0, 1.0, 9.0]).get(0), Some(Row::Bits(&[0b1001])));

        let space = EmbeddingSpace::cosine("toy", 2).unwrap();
        let floats = Embeddings::from_f32(space.clone(), vec![1.0, 0.0, 0.0, 1.0]).unwrap();
        let mean = summary(floats.view(), &[3.0, 4.0]).unwrap().unwrap();
        let Some(Row::F32(mean)) = mean.get(0) else { panic!("no floats") };
        assert!((mean[0] - 0.6).abs() < 1e-6 && (mean[1] - 0.8).abs() < 1e-6, "{mean:?}");
        let opposite = Embeddings::from_f32(space.clone(), vec![1.0, 0.0, -1.0, 0.0]).unwrap();
        assert_eq!(summary(opposite.view(), &[1.0, 1.0]).unwrap(), None);
        assert_eq!(summary(Embeddings::new(space).view(), &[]).unwrap(), None);
    }
}
