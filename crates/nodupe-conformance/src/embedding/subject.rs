//! The backend that a check runs on and the pictures that it is given.

use std::ops::Range;

use nodupe_core::{
    EmbeddedBatch, EmbeddingBackend, EmbeddingRegistration, ImageBatch, InputSpec, Options, Row, Undescribable,
};

use crate::data::{Picture, picture};
use crate::report::{ensure, failed};

/// What a check is run on.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) registration: EmbeddingRegistration,
    pub(super) options: Options,
    pub(super) backend: Box<dyn EmbeddingBackend>,
}

impl Subject {
    pub(super) fn new(registration: EmbeddingRegistration, options: &Options) -> Result<Self, String> {
        Ok(Self {
            registration,
            options: options.clone(),
            backend: (registration.create)(options).map_err(failed("create"))?,
        })
    }

    pub(super) fn spec(&self) -> &InputSpec {
        self.backend.input_spec()
    }

    /// Pictures that have much to tell: each different.
    pub(super) fn scenes(&self, count: u64) -> Vec<Vec<u8>> {
        (1..=count).map(|seed| picture(self.spec(), Picture::Scene, seed)).collect()
    }

    /// Pictures that have little or nothing to tell, or too much.
    pub(super) fn odd(&self) -> Vec<(Picture, Vec<u8>)> {
        let kinds = [
            Picture::Blank(0),
            Picture::Blank(1),
            Picture::Blank(128),
            Picture::Blank(255),
            Picture::Dot,
            Picture::Gradient,
            Picture::Checkerboard,
            Picture::Noise,
        ];
        kinds.map(|kind| (kind, picture(self.spec(), kind, 1))).to_vec()
    }

    /// Embeds pictures of the right size, and sees that there is one outcome for each and that the rows are covered.
    pub(super) fn embed(&self, pictures: &[Vec<u8>]) -> Result<EmbeddedBatch, String> {
        let data = pictures.concat();
        let batch = ImageBatch::for_spec(self.spec(), &data).map_err(failed("making a test batch"))?;
        let embedded = self.backend.embed(&batch).map_err(failed("embed"))?;
        covers(&embedded, pictures.len())?;
        Ok(embedded)
    }
}

/// Sees that every image has an outcome and every row an image.
pub(super) fn covers(embedded: &EmbeddedBatch, images: usize) -> Result<(), String> {
    let outcomes = embedded.outcomes();
    ensure!(outcomes.len() == images, "{images} images have {} outcomes", outcomes.len());
    let rows: usize = outcomes.iter().flatten().map(Range::len).sum();
    ensure!(
        rows == embedded.embeddings().len(),
        "the images have {rows} rows together, and there are {}",
        embedded.embeddings().len()
    );
    Ok(())
}

/// The rows of one image, or why it has none.
pub(super) fn rows_of(embedded: &EmbeddedBatch, image: usize) -> Result<Vec<Row<'_>>, &Undescribable> {
    match embedded.outcomes().get(image) {
        Some(Err(why)) => Err(why),
        Some(Ok(rows)) => Ok(rows.clone().filter_map(|row| embedded.embeddings().get(row)).collect()),
        None => Ok(Vec::new()),
    }
}

/// How far two rows agree: the cosine of floats, the part of the bits that are equal.
pub(super) fn agreement(a: Row<'_>, b: Row<'_>) -> f64 {
    match (a, b) {
        (Row::F32(a), Row::F32(b)) if a.len() == b.len() => {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        }
        (Row::Bits(a), Row::Bits(b)) if a.len() == b.len() => {
            let differing: u32 = a.iter().zip(b).map(|(x, y)| (x ^ y).count_ones()).sum();
            1.0 - f64::from(differing) / (8 * a.len()) as f64
        }
        _ => f64::NAN,
    }
}

/// Sees that an image in one batch is what it is in another: described in both or in neither, with as many rows, each
/// agreeing to `least`.
pub(super) fn alike(
    (a, in_a): (&EmbeddedBatch, usize),
    (b, in_b): (&EmbeddedBatch, usize),
    least: f64,
) -> Result<(), String> {
    match (rows_of(a, in_a), rows_of(b, in_b)) {
        (Err(_), Err(_)) => Ok(()),
        (Ok(_), Err(why)) | (Err(why), Ok(_)) => Err(format!("it is described in one and not in the other: {why}")),
        (Ok(a), Ok(b)) => {
            ensure!(a.len() == b.len(), "it has {} rows in one and {} in the other", a.len(), b.len());
            for (a, b) in a.into_iter().zip(b) {
                let reached = agreement(a, b);
                ensure!(reached >= least, "they agree to {reached:.7}, and {least} is promised");
            }
            Ok(())
        }
    }
}

/// How well each keypoint of one image agrees with the one of the other image that is most like it, on average.
pub(super) fn closeness((a, in_a): (&EmbeddedBatch, usize), (b, in_b): (&EmbeddedBatch, usize)) -> Result<f64, String> {
    let rows = |batch, image: usize| rows_of(batch, image).map_err(|why| format!("image {image}: {why}"));
    let (a, b) = (rows(a, in_a)?, rows(b, in_b)?);
    let best = a.iter().map(|a| b.iter().map(|b| agreement(*a, *b)).fold(-1.0, f64::max));
    Ok(best.sum::<f64>() / a.len().max(1) as f64)
}

/// Sees that two batches are the same, bit for bit.
pub(super) fn identical(a: &EmbeddedBatch, b: &EmbeddedBatch) -> Result<(), String> {
    ensure!(a.outcomes() == b.outcomes(), "the outcomes are others");
    let same = |(a, b): (Row<'_>, Row<'_>)| match (a, b) {
        (Row::F32(a), Row::F32(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
        (a, b) => a == b,
    };
    let (rows_a, rows_b) = (a.embeddings().view(), b.embeddings().view());
    for (row, both) in rows_a.iter().zip(rows_b.iter()).enumerate() {
        ensure!(same(both), "row {row} has other bits");
    }
    Ok(())
}
