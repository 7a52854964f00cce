//! Whether two backends make the same vectors, and so may name one space.

use nodupe_core::{ElementType, EmbeddedBatch, EmbeddingBackend, ImageBatch};

use super::subject::{self, rows_of};
use crate::data::{Picture, picture};
use crate::report::{Violation, Violations, ensure, failed, guard};

/// How far two backends agree.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// Rows that were compared.
    pub rows: usize,
    /// The worst cosine; for packed bits the smallest part of equal bits.
    pub worst: f64,
    /// The mean one.
    pub mean: f64,
}

const CHECK: &str = "agreement";
const PROMISE: &str = "two backends of one space agree to a cosine of 0.9999, packed bits up to 4 % of them";

/// Measures two backends that name one space on the suite's own pictures. Photographs say more: [`agreement_on`].
///
/// # Errors
/// [`Violations`] of `a` where the spaces or the input specs differ, where one describes what the other does not, or where
/// they agree to less than a cosine of 0.9999 (for packed bits: where more than 4 % differ).
pub fn agreement(a: &dyn EmbeddingBackend, b: &dyn EmbeddingBackend) -> Result<Agreement, Violations> {
    let spec = a.input_spec();
    let scenes = (1..=12).flat_map(|seed| picture(spec, Picture::Scene, seed));
    let odd = [Picture::Noise, Picture::Gradient, Picture::Checkerboard];
    let data: Vec<u8> = scenes.chain(odd.iter().flat_map(|&kind| picture(spec, kind, 1))).collect();
    let batch = ImageBatch::for_spec(spec, &data).map_err(failed("making a test batch"));
    judged(a, batch.and_then(|batch| measure(a, b, &batch)))
}

/// Measures two backends that name one space on images of their input spec.
///
/// # Errors
/// As [`agreement`].
pub fn agreement_on(
    a: &dyn EmbeddingBackend,
    b: &dyn EmbeddingBackend,
    batch: &ImageBatch<'_>,
) -> Result<Agreement, Violations> {
    judged(a, measure(a, b, batch))
}

fn judged(a: &dyn EmbeddingBackend, measured: Result<Agreement, String>) -> Result<Agreement, Violations> {
    measured.map_err(|seen| {
        let violation = Violation { check: CHECK, promise: PROMISE, space: Some(a.space().clone()), seen };
        Violations::new(a.info().name, vec![violation])
    })
}

fn measure(a: &dyn EmbeddingBackend, b: &dyn EmbeddingBackend, batch: &ImageBatch<'_>) -> Result<Agreement, String> {
    ensure!(a.space() == b.space(), "{b} is of the space {}", b.space());
    ensure!(a.input_spec() == b.input_spec(), "{b} wants {:?}", b.input_spec());
    let embed = |backend: &dyn EmbeddingBackend| -> Result<EmbeddedBatch, String> {
        let embedded = guard(|| backend.embed(batch))?.map_err(failed(&format!("embed of {backend}")))?;
        subject::covers(&embedded, batch.len())?;
        Ok(embedded)
    };
    let (by_a, by_b) = (embed(a)?, embed(b)?);
    let (mut rows, mut worst, mut sum) = (0, f64::INFINITY, 0.0);
    for image in 0..batch.len() {
        match (rows_of(&by_a, image), rows_of(&by_b, image)) {
            (Err(_), Err(_)) => {}
            (Ok(of_a), Ok(of_b)) if of_a.len() == of_b.len() => {
                for (row_a, row_b) in of_a.into_iter().zip(of_b) {
                    let reached = subject::agreement(row_a, row_b);
                    // Not a number is the worst.
                    worst = if reached >= worst { worst } else { reached };
                    sum += reached;
                    rows += 1;
                }
            }
            _ => return Err(format!("image {image} is described otherwise by {b}")),
        }
    }
    ensure!(rows > 0, "neither describes any of {} images", batch.len());
    let least = match a.space().element_type() {
        ElementType::Bit => 0.96,
        _ => 0.9999,
    };
    let mean = sum / f64::from(rows);
    ensure!(worst >= least, "they agree to {worst:.7} at worst and {mean:.7} in the mean");
    Ok(Agreement { rows: rows as usize, worst, mean })
}
