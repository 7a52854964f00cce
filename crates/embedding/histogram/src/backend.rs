//! Counting colours.

use nodupe_core::{
    BackendInfo, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, Embeddings, Filter, Fit, ImageBatch,
    InputSpec, Matching, Orientation, Reason, Unavailable, package,
};

use crate::options::DEFAULT_BINS;

/// What every image becomes before its colours are counted.
const SPEC: InputSpec = InputSpec::rgb(256, 256).with_fit(Fit::Stretch).with_filter(Filter::Box);
const INFO: BackendInfo = BackendInfo::new("histogram", package!());
const CHANNELS: usize = 3;

/// The similarity at which 999 of 1,000 pairs were copies of one photograph; see the README.
const THRESHOLD: f32 = 0.995;

/// The space of histograms of so many bins a channel.
pub(crate) fn space(bins: u16) -> Result<EmbeddingSpace, Unavailable> {
    EmbeddingSpace::cosine("histogram", CHANNELS * usize::from(bins))
        .map_err(|why| Unavailable::new(Reason::Options, why.to_string()))
}

/// Colour histograms: for each of red, green and blue how much of the image is of each brightness, as unit vectors of
/// 3 × bins components.
///
/// A component is the square root of the part of the pixels that is in the bin, over √3. So the cosine of two embeddings
/// is the mean over the channels of the Bhattacharyya coefficient `Σ √(pᵢ qᵢ)` of the two distributions.
#[derive(Debug)]
pub struct Histogram {
    space: EmbeddingSpace,
    bins: u16,
}

impl Histogram {
    /// Histograms of `bins` bins a channel, 2 to 256.
    ///
    /// # Errors
    /// [`Unavailable`] with [`Reason::Options`] for another number.
    pub fn new(bins: u16) -> Result<Self, Unavailable> {
        if !(2..=256).contains(&bins) {
            let detail = format!("{bins} bins a channel are not 2 to 256");
            return Err(Unavailable::new(Reason::Options, detail));
        }
        Ok(Self { space: space(bins)?, bins })
    }

    /// Appends the embedding of one image. Every image has one, the blank one too: all of it is in one bin a channel.
    fn describe(&self, image: &[u8], out: &mut Vec<f32>) {
        let mut counts = [[0u32; 256]; CHANNELS];
        let (pixels, _) = image.as_chunks::<CHANNELS>();
        for pixel in pixels {
            for (counts, value) in counts.iter_mut().zip(pixel) {
                counts[usize::from(*value)] += 1;
            }
        }
        let (bins, total) = (usize::from(self.bins), (pixels.len() * CHANNELS) as f64);
        for counts in &counts {
            let mut binned = [0u32; 256];
            for (value, count) in counts.iter().enumerate() {
                binned[value * bins / 256] += count;
            }
            out.extend(binned[..bins].iter().map(|&count| (f64::from(count) / total).sqrt() as f32));
        }
    }
}

impl EmbeddingBackend for Histogram {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &SPEC
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&SPEC)?;
        let mut data = Vec::with_capacity(batch.len() * self.dim());
        for image in batch.images() {
            self.describe(image, &mut data);
        }
        let embeddings = Embeddings::from_f32(self.space.clone(), data)
            .map_err(|why| EmbedError::Contract { backend: INFO.name, detail: why.to_string() })?;
        Ok(EmbeddedBatch::one_row_each(embeddings))
    }

    /// Turning an image moves its pixels and changes none. The threshold was measured for 32 bins; for others there is
    /// none.
    fn matching(&self) -> Matching {
        let mut matching = Matching::new(THRESHOLD, Orientation::Invariant);
        if self.bins != DEFAULT_BINS {
            matching.default_threshold = None;
        }
        matching
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodupe_core::Row;
    use proptest::prelude::*;

    fn embedded(bins: u16, image: &[u8]) -> Vec<f32> {
        let backend = Histogram::new(bins).unwrap();
        let embedded = backend.embed(&ImageBatch::for_spec(&SPEC, image).unwrap()).unwrap();
        match embedded.first_row(0) {
            Some(Row::F32(row)) => row.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn assert_close(given: f32, wanted: f64) {
        assert!((f64::from(given) - wanted).abs() < 1e-6, "{given} is not {wanted}");
    }

    #[test]
    fn a_component_is_the_root_of_the_part_of_the_pixels_over_root_three() {
        // A quarter of the image is (0, 10, 255), the rest (255, 10, 128).
        let pixels = SPEC.bytes() / 3;
        let mut image = [0, 10, 255].repeat(pixels / 4);
        image.extend([255, 10, 128].repeat(pixels - pixels / 4));
        let row = embedded(4, &image);
        let (quarter, rest, all) = ((1.0 / 12.0f64).sqrt(), 0.5, (1.0 / 3.0f64).sqrt());
        let wanted = [quarter, 0.0, 0.0, rest, all, 0.0, 0.0, 0.0, 0.0, 0.0, rest, quarter];
        for (given, wanted) in row.iter().zip(wanted) {
            assert_close(*given, wanted);
        }
    }

    #[test]
    fn the_first_and_the_last_value_are_in_the_first_and_the_last_bin_whatever_their_number() {
        for bins in [2, 3, 32, 100, 255, 256] {
            for (value, bin) in [(0, 0), (255, bins - 1)] {
                let row = embedded(bins, &vec![value; SPEC.bytes()]);
                assert_eq!(row.len(), 3 * usize::from(bins));
                assert_close(row[usize::from(bin)], (1.0 / 3.0f64).sqrt());
            }
        }
    }

    #[test]
    fn impossible_numbers_of_bins_are_refused() {
        for bins in [0, 1, 257, u16::MAX] {
            assert_eq!(Histogram::new(bins).unwrap_err().reason, Reason::Options);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_image_has_a_unit_vector_that_does_not_depend_on_the_order_of_its_pixels(
            bins in 2u16..=256,
            colors in prop::collection::vec(any::<[u8; 3]>(), 1..50),
            by in 0usize..65_536,
        ) {
            let pixels: Vec<[u8; 3]> = colors.into_iter().cycle().take(SPEC.bytes() / 3).collect();
            let mut moved = pixels.clone();
            moved.rotate_left(by);
            let row = embedded(bins, pixels.as_flattened());
            let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            prop_assert!((length - 1.0).abs() < 1e-6);
            prop_assert_eq!(row, embedded(bins, moved.as_flattened()));
        }
    }
}
