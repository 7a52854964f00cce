//! What goes in: batches of every size, and images that should not be there.

use nodupe_core::{Channels, EmbedError, ImageBatch, View};

use super::subject::{Subject, covers, identical, rows_of};
use crate::report::{Check, Seen, Verdict, ensure, failed, guard};

pub(super) const CHECKS: &[Check<Subject>] = &[
    Check {
        name: "outcomes",
        promise: "every image has one outcome, every row an image, and every keypoint is inside its image",
        run: outcomes,
    },
    Check { name: "empty-batch", promise: "a batch of no images gives no outcomes", run: empty_batch },
    Check {
        name: "wrong-images",
        promise: "images of another size or other channels are refused with `Shape`",
        run: wrong_images,
    },
    Check {
        name: "odd-images",
        promise: "blank, noisy and other odd images have outcomes like all others, and cause no panic, alone or among others",
        run: odd_images,
    },
    Check { name: "scenes", promise: "an image that is full of detail can be described", run: scenes },
    Check {
        name: "large-batch",
        promise: "a batch of more images than `max_batch` is embedded all the same",
        run: large_batch,
    },
    Check { name: "threads", promise: "several threads embed at once, and get what one thread gets", run: threads },
];

fn outcomes(subject: &Subject) -> Seen {
    let mut pictures = subject.scenes(2);
    pictures.extend(subject.odd().into_iter().map(|(_, pixels)| pixels));
    for count in [1, 2, 3, pictures.len()] {
        let embedded = subject.embed(&pictures[..count])?;
        for (row, keypoint) in embedded.keypoints().iter().enumerate() {
            let inside = [keypoint.x, keypoint.y].iter().all(|place| (0.0..=1.0).contains(place));
            ensure!(
                inside && keypoint.size > 0.0 && keypoint.size.is_finite() && keypoint.angle.is_finite(),
                "row {row} describes {keypoint:?}"
            );
        }
    }
    Ok(Verdict::Kept)
}

fn empty_batch(subject: &Subject) -> Seen {
    subject.embed(&[])?;
    let batch = ImageBatch::for_spec(subject.spec(), &[]).map_err(failed("making a test batch"))?;
    let views = subject.backend.embed_views(&batch, &[View::Identity]).map_err(failed("embed_views"))?;
    ensure!(views.len() == 1, "one view gives {} batches", views.len());
    covers(&views[0], 0)?;
    Ok(Verdict::Kept)
}

fn wrong_images(subject: &Subject) -> Seen {
    let spec = subject.spec();
    let (width, height, channels) = (spec.width(), spec.height(), spec.channels());
    let other = if channels == Channels::Luma { Channels::Rgb } else { Channels::Luma };
    for (width, height, channels) in [
        (width + 1, height, channels),
        (width, height + 1, channels),
        (2 * width, height.div_ceil(2), channels),
        (1, 1, other),
        (width, height, other),
    ] {
        if (width, height, channels) == (spec.width(), spec.height(), spec.channels()) {
            continue;
        }
        let pixels = vec![100; width as usize * height as usize * channels.count()];
        let batch = ImageBatch::new(width, height, channels, &pixels).map_err(failed("making a test batch"))?;
        let embedded = guard(|| subject.backend.embed(&batch).map(drop))?;
        let views = guard(|| subject.backend.embed_views(&batch, &[View::Identity]).map(drop))?;
        for (call, answer) in [("embed", embedded), ("embed_views", views)] {
            let given = format!("{call} of a {width}x{height} {channels:?} image, where {spec} is wanted,");
            match answer {
                Err(EmbedError::Shape { .. }) => {}
                Err(why) => return Err(format!("{given} fails for another reason: {why}")),
                Ok(()) => return Err(format!("{given} works")),
            }
        }
    }
    Ok(Verdict::Kept)
}

fn odd_images(subject: &Subject) -> Seen {
    let odd = subject.odd();
    for (kind, pixels) in &odd {
        let alone = guard(|| subject.embed(std::slice::from_ref(pixels))).and_then(|seen| seen);
        alone.map_err(|seen| format!("{kind:?} alone: {seen}"))?;
        let mut among = subject.scenes(2);
        among.insert(1, pixels.clone());
        let among = guard(|| subject.embed(&among)).and_then(|seen| seen);
        among.map_err(|seen| format!("{kind:?} among others: {seen}"))?;
    }
    Ok(Verdict::Kept)
}

fn scenes(subject: &Subject) -> Seen {
    let scenes = subject.scenes(5);
    let embedded = subject.embed(&scenes)?;
    for image in 0..scenes.len() {
        let rows = rows_of(&embedded, image).map_err(|why| format!("scene {image}: {why}"))?;
        ensure!(!rows.is_empty(), "scene {image} has no row");
    }
    Ok(Verdict::Kept)
}

/// More images than this are not worth the time.
const MOST: usize = 33;

fn large_batch(subject: &Subject) -> Seen {
    let most = subject.backend.max_batch().map_or(1, std::num::NonZeroUsize::get);
    if most >= MOST {
        return Ok(Verdict::Skipped(format!("max_batch is {most}")));
    }
    let scenes = subject.scenes(2);
    let many: Vec<Vec<u8>> = scenes.iter().cycle().take(most + 2).cloned().collect();
    subject.embed(&many)?;
    Ok(Verdict::Kept)
}

fn threads(subject: &Subject) -> Seen {
    const THREADS: usize = 4;
    let scenes = subject.scenes(3);
    let wanted = subject.embed(&scenes)?;
    std::thread::scope(|scope| {
        let work = || {
            for _ in 0..2 {
                let given = guard(|| subject.embed(&scenes))??;
                identical(&given, &wanted).map_err(|seen| format!("on several threads, {seen}"))?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let mut ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.try_for_each(|end| end.unwrap_or_else(|_| Err("a thread ended early".to_owned())))
    })?;
    Ok(Verdict::Kept)
}
