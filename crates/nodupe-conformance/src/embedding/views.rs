//! `embed_views`, and what turning an image does.

use nodupe_core::{ElementType, EmbedError, EmbeddedBatch, ImageBatch, Orientation, View};

use super::subject::{Subject, alike, closeness, covers};
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Check<Subject>] = &[
    Check {
        name: "views",
        promise: "`embed_views` gives a batch for each view, in their order, that agrees with turning the pixels: floats to a cosine \
                  of 1 - 1e-4, packed bits up to 4 % of them",
        run: views,
    },
    Check {
        name: "views-square",
        promise: "a view that swaps the axes of images that are not square is refused with `UnsupportedView`",
        run: views_square,
    },
    Check {
        name: "orientation",
        promise: "where embeddings are said to be invariant, all rotations and flips of an image agree to a cosine of 1 - 1e-3, \
                  or their keypoints on average to the threshold of the backend",
        run: orientation,
    },
];

/// The views that the backend's images can be seen in.
fn possible(subject: &Subject) -> Vec<View> {
    let square = subject.spec().width() == subject.spec().height();
    let mut views = [&View::ORIENTATIONS[..], &View::CROPS].concat();
    views.retain(|view| square || !view.swaps_axes());
    views
}

fn views(subject: &Subject) -> Seen {
    let least = match subject.backend.space().element_type() {
        ElementType::Bit => 0.96,
        _ => 1.0 - 1e-4,
    };
    let scenes = subject.scenes(3);
    let data = scenes.concat();
    let batch = ImageBatch::for_spec(subject.spec(), &data).map_err(failed("making a test batch"))?;
    let all = possible(subject);
    let some = [View::FlipVertical, View::Identity, View::FlipVertical];
    for views in [&all[..], &some, &[]] {
        let given = subject.backend.embed_views(&batch, views).map_err(failed("embed_views"))?;
        ensure!(given.len() == views.len(), "{} views give {} batches", views.len(), given.len());
        for (view, embedded) in views.iter().zip(&given) {
            covers(embedded, scenes.len()).map_err(|seen| format!("{view}: {seen}"))?;
            let turned = view.apply(&batch).map_err(failed("turning the pixels"))?;
            let turned: Vec<Vec<u8>> = turned.chunks(batch.image_bytes()).map(<[u8]>::to_vec).collect();
            let wanted = subject.embed(&turned)?;
            for image in 0..scenes.len() {
                // There may be too little in a part of an image, if either way.
                let is_blank = |batch: &EmbeddedBatch| batch.outcomes().get(image).is_some_and(Result::is_err);
                if View::CROPS.contains(view) && is_blank(embedded) && is_blank(&wanted) {
                    continue;
                }
                if !embedded.keypoints().is_empty() {
                    // Which come first depends on how the image lies.
                    invariant(subject, (embedded, image), (&wanted, image))?;
                    continue;
                }
                alike((embedded, image), (&wanted, image), least)
                    .map_err(|seen| format!("scene {image} as {view} and with its pixels turned: {seen}"))?;
            }
        }
    }
    Ok(Verdict::Kept)
}

fn views_square(subject: &Subject) -> Seen {
    if subject.spec().width() == subject.spec().height() {
        return Ok(Verdict::Kept);
    }
    let data = subject.scenes(1).concat();
    let batch = ImageBatch::for_spec(subject.spec(), &data).map_err(failed("making a test batch"))?;
    for view in View::ORIENTATIONS.into_iter().filter(|view| view.swaps_axes()) {
        match subject.backend.embed_views(&batch, &[View::Identity, view]) {
            Err(EmbedError::UnsupportedView { .. }) => {}
            Err(why) => return Err(format!("{view} fails for another reason: {why}")),
            Ok(_) => return Err(format!("{view} of images of {} is embedded", subject.spec())),
        }
    }
    Ok(Verdict::Kept)
}

fn invariant(subject: &Subject, a: (&EmbeddedBatch, usize), b: (&EmbeddedBatch, usize)) -> Result<(), String> {
    let Some(least) = subject.backend.matching().default_threshold.filter(|_| !a.0.keypoints().is_empty()) else {
        return alike(a, b, 1.0 - 1e-3);
    };
    let reached = closeness(a, b)?;
    ensure!(
        reached >= f64::from(least),
        "their keypoints agree to {reached:.3} on average, and the threshold is {least}"
    );
    Ok(())
}

fn orientation(subject: &Subject) -> Seen {
    if subject.backend.matching().orientation != Orientation::Invariant {
        return Ok(Verdict::Kept);
    }
    let scenes = subject.scenes(2);
    let data = scenes.concat();
    let batch = ImageBatch::for_spec(subject.spec(), &data).map_err(failed("making a test batch"))?;
    let upright = subject.embed(&scenes)?;
    // A part of an image is another image.
    for view in possible(subject).into_iter().filter(|view| View::ORIENTATIONS.contains(view)) {
        let turned = view.apply(&batch).map_err(failed("turning the pixels"))?;
        let turned: Vec<Vec<u8>> = turned.chunks(batch.image_bytes()).map(<[u8]>::to_vec).collect();
        let turned = subject.embed(&turned)?;
        for image in 0..scenes.len() {
            invariant(subject, (&upright, image), (&turned, image))
                .map_err(|seen| format!("scene {image} upright and as {view}: {seen}"))?;
        }
    }
    Ok(Verdict::Kept)
}
