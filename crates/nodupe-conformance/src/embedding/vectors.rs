//! What comes out: vectors that are well formed, the same every time, and near for images that look alike.

use nodupe_core::{EmbeddedBatch, Metric, Row, UNIT_TOLERANCE, check_rows};

use super::subject::{Subject, alike, closeness, identical, rows_of};
use crate::data::noisy;
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Check<Subject>] = &[
    Check {
        name: "rows",
        promise: "every row is finite, of unit length in a cosine space, and of the space of the backend: no zeros stand in for an \
                  image that cannot be described",
        run: rows,
    },
    Check {
        name: "repeatable",
        promise: "the same batch gives the same bits, and a second backend made alike the same to a cosine of 1 - 1e-6",
        run: repeatable,
    },
    Check {
        name: "batch-shape",
        promise: "an image alone and among others in any order gives the same to a cosine of 1 - 1e-6, packed bits the same bits",
        run: batch_shape,
    },
    Check {
        name: "near-duplicates",
        promise: "an image is nearer to itself with a little noise than to any other image, keypoints on average",
        run: near_duplicates,
    },
];

fn rows(subject: &Subject) -> Seen {
    let mut pictures: Vec<(String, Vec<u8>)> =
        subject.odd().into_iter().map(|(kind, pixels)| (format!("{kind:?}"), pixels)).collect();
    pictures.extend(subject.scenes(4).into_iter().map(|pixels| ("a scene".to_owned(), pixels)));
    for (name, pixels) in pictures {
        let embedded = subject.embed(std::slice::from_ref(&pixels))?;
        well_formed(subject, &embedded).map_err(|seen| format!("{name}: {seen}"))?;
    }
    Ok(Verdict::Kept)
}

fn well_formed(subject: &Subject, embedded: &EmbeddedBatch) -> Result<(), String> {
    let rows = embedded.embeddings().view();
    check_rows(subject.backend.space(), rows).map_err(failed("what an index checks"))?;
    if subject.backend.space().metric() != Metric::Cosine {
        return Ok(());
    }
    for row in rows.iter() {
        let Row::F32(row) = row else { continue };
        let length = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        ensure!((length - 1.0).abs() <= f64::from(UNIT_TOLERANCE), "a row has length {length}");
    }
    Ok(())
}

fn repeatable(subject: &Subject) -> Seen {
    let mut pictures = subject.scenes(3);
    pictures.extend(subject.odd().into_iter().map(|(_, pixels)| pixels));
    let first = subject.embed(&pictures)?;
    for again in 1..3 {
        let next = subject.embed(&pictures)?;
        identical(&first, &next).map_err(|seen| format!("call {again} of the same batch: {seen}"))?;
    }
    let other = Subject::new(subject.registration, &subject.options)?;
    let by_other = other.embed(&pictures)?;
    for image in 0..pictures.len() {
        alike((&first, image), (&by_other, image), LEAST)
            .map_err(|seen| format!("image {image} by a second backend that was made alike: {seen}"))?;
    }
    Ok(Verdict::Kept)
}

/// A cosine, or for packed bits the part of equal bits, of which there are fewer than a million.
const LEAST: f64 = 1.0 - 1e-6;

fn batch_shape(subject: &Subject) -> Seen {
    let mut pictures = subject.scenes(4);
    pictures.extend(subject.odd().into_iter().map(|(_, pixels)| pixels));
    let together = subject.embed(&pictures)?;
    for (image, pixels) in pictures.iter().enumerate() {
        let alone = subject.embed(std::slice::from_ref(pixels))?;
        alike((&alone, 0), (&together, image), LEAST)
            .map_err(|seen| format!("image {image} alone and among {}: {seen}", pictures.len()))?;
    }
    let mut reversed = pictures.clone();
    reversed.reverse();
    let backwards = subject.embed(&reversed)?;
    let last = pictures.len() - 1;
    for image in 0..=last {
        alike((&together, image), (&backwards, last - image), LEAST)
            .map_err(|seen| format!("image {image} in another order: {seen}"))?;
    }
    Ok(Verdict::Kept)
}

fn near_by_keypoints(embedded: &EmbeddedBatch, noisy: &EmbeddedBatch) -> Seen {
    for image in 0..embedded.outcomes().len() {
        let own = closeness((embedded, image), (noisy, image))?;
        for other in (0..embedded.outcomes().len()).filter(|other| *other != image) {
            let far = closeness((embedded, image), (embedded, other))?;
            ensure!(
                own > far,
                "scene {image} agrees to {own:.3} with itself with noise and to {far:.3} with scene {other}"
            );
        }
    }
    Ok(Verdict::Kept)
}

fn near_duplicates(subject: &Subject) -> Seen {
    let scenes = subject.scenes(5);
    let copies: Vec<Vec<u8>> = (0u64..).zip(&scenes).map(|(seed, pixels)| noisy(pixels, 2, seed)).collect();
    let (embedded, noisy) = (subject.embed(&scenes)?, subject.embed(&copies)?);
    if !embedded.keypoints().is_empty() {
        return near_by_keypoints(&embedded, &noisy);
    }
    let first = |batch, image: usize| {
        let rows = rows_of(batch, image).map_err(|why| format!("scene {image}: {why}"))?;
        rows.first().copied().ok_or_else(|| format!("scene {image} has no row"))
    };
    let metric = subject.backend.space().metric();
    for image in 0..scenes.len() {
        let distance = |other| metric.distance(first(&embedded, image).ok()?, other);
        let own = distance(first(&noisy, image)?).ok_or("rows of one backend cannot be compared")?;
        for other in (0..scenes.len()).filter(|other| *other != image) {
            let far = distance(first(&embedded, other)?).ok_or("rows of one backend cannot be compared")?;
            ensure!(own < far, "scene {image} is at {own} from itself with noise and at {far} from scene {other}");
        }
    }
    Ok(Verdict::Kept)
}
