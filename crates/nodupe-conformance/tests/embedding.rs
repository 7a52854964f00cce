//! The suite passes what is honest and names every lie.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

mod toy;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nodupe_conformance::data::{Picture, picture};
use nodupe_conformance::{EmbeddingSuite, agreement, agreement_on, embedding};
use nodupe_core::{
    EmbedError, EmbeddedBatch, EmbeddingSpace, Embeddings, ImageBatch, InputSpec, Keypoint, Matching, OptionSpec,
    Orientation, Reason, Row, Unavailable, Undescribable, View,
};
use toy::{Bits, Floats, Kind, Lie, Toy, Wide, caught, is_luma, registration};

#[test]
fn honest_backends_of_floats_and_of_bits_keep_every_promise() {
    for (name, suite) in [
        ("floats", embedding(registration::<Floats>())),
        ("bits", embedding(registration::<Bits>())),
        ("provided views", embedding(registration::<Wide>())),
    ] {
        let passed = suite.run().unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(passed.skipped, []);
        let all: HashSet<_> = EmbeddingSuite::checks().map(|check| check.0).filter(|name| *name != "create").collect();
        assert_eq!(passed.checks.iter().copied().collect::<HashSet<_>>(), all);
    }
}

/// The honest embeddings with their numbers changed.
fn edited<L: Lie>(
    toy: &Toy<L>,
    batch: &ImageBatch<'_>,
    mut edit: impl FnMut(usize, &mut [f32]),
) -> Result<EmbeddedBatch, EmbedError> {
    let honest = toy.honest(batch)?;
    let outcomes = honest.outcomes().to_vec();
    let rows = honest.into_embeddings();
    let mut data = Vec::new();
    for (row, vector) in rows.view().iter().enumerate() {
        let Row::F32(vector) = vector else { panic!("bits") };
        let mut vector = vector.to_vec();
        edit(row, &mut vector);
        data.extend(vector);
    }
    EmbeddedBatch::new(Embeddings::from_f32(rows.space().clone(), data).unwrap(), outcomes)
}

/// A row of its own for every image that has none.
fn filled<L: Lie>(toy: &Toy<L>, batch: &ImageBatch<'_>, with: f32) -> Result<EmbeddedBatch, EmbedError> {
    let honest = toy.honest(batch)?;
    let space = honest.embeddings().space();
    let mut rows = Embeddings::new(space.clone());
    let stand_in = Embeddings::from_f32(space.clone(), vec![with; space.dim()]).unwrap();
    for outcome in honest.outcomes() {
        let row = outcome.as_ref().ok().and_then(|rows| honest.embeddings().view().slice(rows.clone()));
        rows.append(row.unwrap_or(stand_in.view())).unwrap();
    }
    Ok(EmbeddedBatch::one_row_each(rows))
}

/// A backend that does one thing wrong, and the checks that must say so.
macro_rules! lies {
    ($($test:ident, $($check:literal),+ => { $($item:item)* })+) => {$(
        #[test]
        fn $test() {
            struct Liar;
            impl Lie for Liar { $($item)* }
            caught::<Liar>(&[$($check),+]);
        }
    )+};
}

lies! {
    zeros_for_a_blank_image_are_caught, "rows" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            filled(toy, batch, 0.0)
        }
    }

    numbers_that_are_none_are_caught, "rows" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            filled(toy, batch, f32::NAN)
        }
    }

    vectors_that_are_not_of_unit_length_are_caught, "rows" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            edited(toy, batch, |_, row| row.iter_mut().for_each(|x| *x *= 1.0001))
        }
    }

    other_bits_in_the_second_call_are_caught, "repeatable", "threads" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            static CALLS: AtomicU32 = AtomicU32::new(0);
            let call = CALLS.fetch_add(1, Relaxed);
            edited(toy, batch, |_, row| row[0] = f32::from_bits(row[0].to_bits() ^ (call & 1)))
        }
    }

    a_backend_that_is_made_by_chance_is_caught, "repeatable" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            static FIRST: AtomicU32 = AtomicU32::new(u32::MAX);
            // The address stands for a seed.
            let seed = std::ptr::from_ref(toy) as usize / 16 % 48;
            let _ = FIRST.compare_exchange(u32::MAX, seed as u32, Relaxed, Relaxed);
            let other = FIRST.load(Relaxed) as usize != seed;
            edited(toy, batch, |_, row| if other { row.reverse() })
        }
    }

    outcomes_of_other_images_are_caught, "batch-shape" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            // The first two change places.
            let mut pixels = batch.data().to_vec();
            let size = batch.image_bytes();
            if batch.len() > 1 {
                pixels[..2 * size].rotate_left(size);
            }
            toy.honest(&ImageBatch::new(batch.width(), batch.height(), batch.channels(), &pixels)?)
        }
    }

    images_that_depend_on_their_batch_are_caught, "batch-shape" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let many = batch.len() as f32;
            edited(toy, batch, |_, row| {
                row[0] += 0.005 * many;
                let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
                for x in row { *x /= length; }
            })
        }
    }

    a_batch_that_is_always_described_whole_is_caught, "batch-shape" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let honest = toy.honest(batch)?;
            if honest.outcomes().iter().all(Result::is_ok) || batch.len() == 1 {
                return Ok(honest);
            }
            let none = Embeddings::new(honest.embeddings().space().clone());
            EmbeddedBatch::new(none, vec![Err(Undescribable::new("one of them is blank")); batch.len()])
        }
    }

    a_panic_on_one_image_is_caught, "outcomes", "odd-images", "batch-shape" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            assert_ne!(batch.len(), 1, "one image is no batch");
            toy.honest(batch)
        }
    }

    a_panic_on_a_blank_image_is_caught, "odd-images", "rows" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let honest = toy.honest(batch)?;
            assert!(honest.outcomes().iter().all(Result::is_ok), "division by zero");
            Ok(honest)
        }
    }

    an_error_for_a_blank_image_is_caught, "odd-images" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let honest = toy.honest(batch)?;
            match honest.outcomes().iter().find_map(|outcome| outcome.clone().err()) {
                Some(why) => Err(EmbedError::Backend { backend: "toy", source: why.into() }),
                None => Ok(honest),
            }
        }
    }

    an_outcome_too_few_is_caught, "outcomes", "scenes" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let size = batch.image_bytes();
            let rest = &batch.data()[..batch.data().len().saturating_sub(size)];
            toy.honest(&ImageBatch::new(batch.width(), batch.height(), batch.channels(), rest)?)
        }
    }

    a_keypoint_outside_is_caught, "outcomes" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let honest = toy.honest(batch)?;
            let keypoint = Keypoint { x: 0.5, y: 1.5, size: 0.1, angle: 0.0, mirrored: false };
            let keypoints = vec![keypoint; honest.embeddings().len()];
            honest.with_keypoints(keypoints)
        }
    }

    a_backend_that_describes_nothing_is_caught, "scenes", "near-duplicates" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            batch.check(&Self::SPEC)?;
            let none = Embeddings::new(toy.honest(batch)?.embeddings().space().clone());
            EmbeddedBatch::new(none, vec![Err(Undescribable::new("too hard")); batch.len()])
        }
    }

    one_vector_for_all_is_caught, "near-duplicates" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            edited(toy, batch, |_, row| { row.fill(0.0); row[0] = 1.0; })
        }
    }

    an_empty_batch_that_fails_is_caught, "empty-batch" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            if batch.is_empty() {
                return Err(EmbedError::Shape { detail: "no images".to_owned() });
            }
            toy.honest(batch)
        }
    }

    images_of_any_size_are_caught, "wrong-images" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            if is_luma(batch) || batch.check(&Self::SPEC).is_ok() {
                return toy.honest(batch);
            }
            let pixels = vec![7; Self::SPEC.bytes() * batch.len()];
            toy.honest(&ImageBatch::for_spec(&Self::SPEC, &pixels)?)
        }
    }

    views_that_are_not_checked_are_caught, "wrong-images" => {
        fn views(toy: &Toy<Self>, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
            if batch.check(&Self::SPEC).is_ok() {
                return views.iter().map(|view| {
                    let pixels = view.apply(batch)?;
                    toy.honest(&ImageBatch::for_spec(&Self::SPEC, &pixels)?)
                }).collect();
            }
            Ok(Vec::new())
        }
    }

    large_batches_that_fail_are_caught, "large-batch" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            if batch.len() > 2 {
                return Err(EmbedError::Backend { backend: "toy", source: "too many".into() });
            }
            toy.honest(batch)
        }
    }

    a_backend_that_is_not_thread_safe_is_caught, "threads" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            static INSIDE: AtomicU32 = AtomicU32::new(0);
            let alone = INSIDE.fetch_add(1, Relaxed) == 0;
            std::thread::sleep(std::time::Duration::from_millis(20));
            let embedded = edited(toy, batch, |_, row| if !alone { row.reverse() });
            INSIDE.fetch_sub(1, Relaxed);
            embedded
        }
    }

    views_that_are_turned_the_wrong_way_are_caught, "views" => {
        fn views(toy: &Toy<Self>, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
            views.iter().map(|view| {
                let turned = match view {
                    View::Rotate90 => View::Rotate270,
                    View::Rotate270 => View::Rotate90,
                    view => *view,
                };
                let pixels = turned.apply(batch)?;
                toy.honest(&ImageBatch::for_spec(&Self::SPEC, &pixels)?)
            }).collect()
        }
    }

    views_in_an_order_of_their_own_are_caught, "views" => {
        fn views(toy: &Toy<Self>, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
            let mut sorted = views.to_vec();
            sorted.sort();
            sorted.iter().map(|view| {
                let pixels = view.apply(batch)?;
                toy.honest(&ImageBatch::for_spec(&Self::SPEC, &pixels)?)
            }).collect()
        }
    }

    views_of_bits_that_were_not_turned_are_caught, "views" => {
        const KIND: Kind = Kind::Bits;

        fn views(toy: &Toy<Self>, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
            views.iter().map(|_| toy.honest(batch)).collect()
        }
    }

    a_view_that_is_not_possible_is_caught, "views-square" => {
        const SPEC: InputSpec = InputSpec::luma(64, 32);

        fn views(toy: &Toy<Self>, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
            views.iter().map(|_| toy.honest(batch)).collect()
        }
    }

    an_orientation_that_matters_is_caught, "orientation" => {
        fn matching() -> Matching {
            Matching::new(0.9, Orientation::Invariant)
        }
    }

    a_threshold_that_is_none_is_caught, "threshold" => {
        fn matching() -> Matching {
            Matching::new(90.0, Orientation::Dependent)
        }
    }

    a_space_that_is_told_wrong_is_caught, "space" => {
        fn told_space() -> EmbeddingSpace {
            EmbeddingSpace::cosine("toy", 512).unwrap()
        }
    }

    rows_of_another_space_are_caught, "space", "rows" => {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            let honest = toy.honest(batch)?;
            let outcomes = honest.outcomes().to_vec();
            let data = match honest.embeddings().view().rows() {
                nodupe_core::Rows::F32 { data, .. } => data.to_vec(),
                _ => Vec::new(),
            };
            let other = honest.embeddings().space().clone().with_revision("2");
            EmbeddedBatch::new(Embeddings::from_f32(other, data).unwrap(), outcomes)
        }
    }

    a_probe_that_is_too_careful_is_caught, "probe" => {
        fn probe() -> Result<(), Unavailable> {
            Err(Unavailable::new(Reason::NoDevice, "no GPU"))
        }
    }

    a_backend_that_cannot_be_made_is_caught, "create" => {
        fn create() -> Result<(), Unavailable> {
            panic!("no runtime")
        }
    }

    another_name_is_caught, "name" => {
        const REGISTERED: &'static str = "other";
    }

    options_that_are_not_its_own_or_not_read_are_caught, "options" => {
        const OPTIONS: &'static [OptionSpec] = &[OptionSpec::flag("toy.fast", "")];
    }
}

#[test]
fn backends_of_one_space_are_measured_against_each_other() {
    struct Rounded;
    impl Lie for Rounded {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            edited(toy, batch, |_, row| row.iter_mut().for_each(|x| *x = (*x * 1000.0).round() / 1000.0))
        }
    }
    struct Rough;
    impl Lie for Rough {
        fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
            edited(toy, batch, |_, row| row[0] += 0.05)
        }
    }
    struct Elsewhere;
    impl Lie for Elsewhere {
        fn space() -> EmbeddingSpace {
            Floats::space().with_precision("int8")
        }
    }
    let near = agreement(&Toy::<Floats>::new(), &Toy::<Rounded>::new()).unwrap();
    assert!(near.rows >= 12 && near.worst < near.mean && near.mean < 1.0, "{near:?}");
    let far = agreement(&Toy::<Floats>::new(), &Toy::<Rough>::new()).unwrap_err();
    assert!(far.names("agreement"), "{far}");
    assert!(agreement(&Toy::<Floats>::new(), &Toy::<Elsewhere>::new()).is_err());
    let blank = picture(&Floats::SPEC, Picture::Blank(9), 1);
    let blank = ImageBatch::for_spec(&Floats::SPEC, &blank).unwrap();
    assert!(agreement_on(&Toy::<Floats>::new(), &Toy::<Floats>::new(), &blank).is_err(), "nothing was compared");
}

#[test]
fn the_readme_names_every_check() {
    let readme = include_str!("../README.md");
    let (similarity, embedding) = readme.split_once("## Checks of embedding backends").unwrap();
    for (check, _) in nodupe_conformance::SimilaritySuite::checks() {
        assert!(similarity.contains(&format!("`{check}`")), "{check}");
    }
    for (check, _) in EmbeddingSuite::checks() {
        assert!(embedding.contains(&format!("`{check}`")), "{check}");
    }
}
