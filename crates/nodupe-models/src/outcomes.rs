//! Rows that a network gave to what a backend answers.

use std::ops::Range;

use nodupe_core::{EmbedError, EmbeddedBatch, EmbeddingSpace, Embeddings, ImageBatch, Undescribable};

/// An image all of whose values in each channel lie within this many of 255 steps is blank: what a network says of it is
/// about its own biases. Eight steps are what the noise of a JPEG at quality 15 leaves of a flat area.
pub const BLANK_RANGE: u8 = 8;

/// What a backend named `backend` answers for `batch` where the network gave `rows`, one after the other for every image:
/// each brought to unit length, those of blank images left out.
///
/// # Errors
/// [`EmbedError::Contract`] where there are not as many rows as images; [`EmbedError::Backend`] where a row is not finite
/// or has no length, which says that the network or its runtime is broken: no row stands in for it.
pub fn outcomes(
    backend: &'static str,
    space: &EmbeddingSpace,
    batch: &ImageBatch<'_>,
    mut rows: Vec<f32>,
) -> Result<EmbeddedBatch, EmbedError> {
    let dim = space.dim();
    if rows.len() != batch.len() * dim {
        let detail = format!("the network gave {} numbers for {} images of {dim}", rows.len(), batch.len());
        return Err(EmbedError::Contract { backend, detail });
    }
    let mut outcomes: Vec<Result<Range<usize>, Undescribable>> = Vec::with_capacity(batch.len());
    let mut kept = 0;
    for (number, image) in batch.images().enumerate() {
        if is_blank(image, batch.channels().count()) {
            outcomes.push(Err(Undescribable::new(format!(
                "the image is blank: no channel varies by more than {BLANK_RANGE} of 255"
            ))));
            continue;
        }
        rows.copy_within(number * dim..(number + 1) * dim, kept * dim);
        let row = &mut rows[kept * dim..(kept + 1) * dim];
        // In f64, so that the length of the result is off by the rounding of its components alone.
        let length = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        if !length.is_normal() {
            let source = format!("the network gave a row of length {length} for image {number} of the batch").into();
            return Err(EmbedError::Backend { backend, source });
        }
        for x in row {
            *x = (f64::from(*x) / length) as f32;
        }
        outcomes.push(Ok(kept..kept + 1));
        kept += 1;
    }
    rows.truncate(kept * dim);
    let embeddings = Embeddings::from_f32(space.clone(), rows)
        .map_err(|source| EmbedError::Backend { backend, source: source.into() })?;
    EmbeddedBatch::new(embeddings, outcomes)
}

fn is_blank(image: &[u8], channels: usize) -> bool {
    (0..channels).all(|channel| {
        let (mut low, mut high) = (u8::MAX, u8::MIN);
        for value in image.iter().skip(channel).step_by(channels) {
            (low, high) = (low.min(*value), high.max(*value));
            if high - low > BLANK_RANGE {
                return false;
            }
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use nodupe_core::Channels;

    use super::*;

    /// Three images of two pixels, the middle one blank.
    const PIXELS: [u8; 18] = [0, 0, 0, 255, 0, 0, 9, 9, 9, 9, 9, 17, 1, 2, 3, 1, 2, 12];

    fn answer(rows: &[f32]) -> Result<EmbeddedBatch, EmbedError> {
        let space = EmbeddingSpace::cosine("toy", 2).unwrap();
        outcomes("toy", &space, &ImageBatch::new(2, 1, Channels::Rgb, &PIXELS).unwrap(), rows.to_vec())
    }

    #[test]
    fn rows_become_unit_vectors_and_blank_images_have_none() {
        let answer = answer(&[3.0, 4.0, 1.0, 1.0, 0.0, -2.0]).unwrap();
        assert_eq!(answer.embeddings().len(), 2);
        assert_eq!(answer.outcomes()[0], Ok(0..1));
        assert!(answer.outcomes()[1].is_err());
        assert_eq!(answer.outcomes()[2], Ok(1..2));
        assert!(
            matches!(answer.embeddings().view().rows(), nodupe_core::Rows::F32 { data, .. } if data == [0.6, 0.8, 0.0, -1.0])
        );
    }

    #[test]
    fn what_is_no_vector_is_an_error() {
        for rows in [[0.0; 6], [f32::NAN; 6], [f32::INFINITY; 6]] {
            assert!(matches!(answer(&rows), Err(EmbedError::Backend { .. })));
        }
        assert!(matches!(answer(&[1.0; 4]), Err(EmbedError::Contract { .. })));
    }
}
