//! What the keypoints of pictures are, seen from outside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::num::NonZeroUsize;

use nodupe_core::{EmbeddedBatch, EmbeddingBackend as _, ImageBatch, Row};
use nodupe_keypoints::Keypoints;

const SIDE: usize = 256;

/// Discs of many sizes and greys on grey, each pixel where `from` says that it comes from, 0 to 1.
fn picture(from: impl Fn(f32, f32) -> [f32; 2]) -> Vec<u8> {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let discs: Vec<[f32; 4]> =
        (0..150).map(|_| [random(), random(), 0.01 + 0.05 * random() * random(), random()]).collect();
    let grey = |x: f32, y: f32| {
        let inside = |disc: &&[f32; 4]| (x - disc[0]).powi(2) + (y - disc[1]).powi(2) < disc[2] * disc[2];
        discs.iter().rev().find(inside).map_or(0.5, |disc| disc[3])
    };
    // Four samples a pixel.
    let at = |place: usize, part: f32| (place as f32 + part) / SIDE as f32;
    let pixel = |x: usize, y: usize| {
        let samples = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)].map(|(across, down)| {
            let [x, y] = from(at(x, across), at(y, down));
            grey(x, y)
        });
        (samples.iter().sum::<f32>() / 4.0 * 255.0) as u8
    };
    (0..SIDE * SIDE).map(|i| pixel(i % SIDE, i / SIDE)).collect()
}

fn embed(backend: &Keypoints, pixels: &[u8]) -> EmbeddedBatch {
    backend.embed(&ImageBatch::for_spec(backend.input_spec(), pixels).unwrap()).unwrap()
}

fn backend(count: Option<usize>) -> Keypoints {
    Keypoints::new(count.map(|count| NonZeroUsize::new(count).unwrap())).unwrap()
}

fn rows(batch: &EmbeddedBatch) -> Vec<u128> {
    let bits = batch.embeddings().view().iter().map(|row| match row {
        Row::Bits(bits) => u128::from_le_bytes(bits.try_into().unwrap()),
        _ => panic!("they are bits"),
    });
    bits.collect()
}

/// Of the keypoints of a copy how many lie within the original, and how many of these have one there whose row is within the threshold
/// and whose place is where `from` says that it comes from.
fn found(copy: &EmbeddedBatch, original: &EmbeddedBatch, from: impl Fn(f32, f32) -> [f32; 2]) -> (usize, usize) {
    let (rows_of_copy, rows_of_original) = (rows(copy), rows(original));
    let (mut inside, mut found) = (0, 0);
    for (row, keypoint) in rows_of_copy.iter().zip(copy.keypoints()) {
        let [x, y] = from(keypoint.x, keypoint.y);
        if !(0.0..=1.0).contains(&x) || !(0.0..=1.0).contains(&y) {
            continue;
        }
        inside += 1;
        let is_it = |(other, place): (&u128, &nodupe_core::Keypoint)| {
            (row ^ other).count_ones() <= 36 && (place.x - x).abs() < 0.02 && (place.y - y).abs() < 0.02
        };
        found += usize::from(rows_of_original.iter().zip(original.keypoints()).any(is_it));
    }
    (inside, found)
}

#[test]
fn copies_have_their_keypoints_where_the_original_has_them() {
    let backend = backend(None);
    let original = embed(&backend, &picture(|x, y| [x, y]));
    let (sin, cos) = 25.0_f32.to_radians().sin_cos();
    let turned = |x: f32, y: f32| {
        let (x, y) = (x - 0.5, y - 0.5);
        [0.5 + cos * x + sin * y, 0.5 + cos * y - sin * x]
    };
    let cropped = |x: f32, y: f32| [0.1 + 0.7 * x, 0.2 + 0.7 * y];
    let mirrored = |x: f32, y: f32| [1.0 - x, y];
    let (inside, kept) = found(&embed(&backend, &picture(turned)), &original, turned);
    assert!(2 * kept > inside && inside > 60, "turned: {kept} of {inside}");
    let (inside, kept) = found(&embed(&backend, &picture(cropped)), &original, cropped);
    assert!(3 * kept > inside && inside > 60, "cropped: {kept} of {inside}");
    let (inside, kept) = found(&embed(&backend, &picture(mirrored)), &original, mirrored);
    assert!(3 * kept > 2 * inside && inside > 60, "mirrored: {kept} of {inside}");
    // And another picture has not.
    let other = |x: f32, y: f32| [1.0 + x, y];
    assert_eq!(found(&embed(&backend, &picture(|x, y| [y * 0.6 + 0.2, x])), &original, other).1, 0);
}

#[test]
fn an_image_has_at_most_as_many_rows_as_were_asked_for_each_with_its_place() {
    let pixels = picture(|x, y| [x, y]);
    for count in [8, 50, 96, 400] {
        let batch = embed(&backend(Some(count)), &pixels);
        assert_eq!(batch.keypoints().len(), batch.embeddings().len());
        assert!((8..=count).contains(&batch.keypoints().len()), "{count}: {}", batch.keypoints().len());
        for keypoint in batch.keypoints() {
            assert!((0.0..=1.0).contains(&keypoint.x) && (0.0..=1.0).contains(&keypoint.y), "{keypoint:?}");
            assert!(keypoint.size > 0.0 && keypoint.size < 1.0, "{keypoint:?}");
            assert!((0.0..=std::f32::consts::TAU).contains(&keypoint.angle), "{keypoint:?}");
        }
    }
    assert!(embed(&backend(Some(400)), &pixels).keypoints().len() > 96);
}

#[test]
fn an_image_with_nothing_in_it_has_no_rows_and_says_why() {
    let (backend, flat) = (backend(None), vec![90; SIDE * SIDE]);
    let batch = embed(&backend, &[flat, picture(|x, y| [x, y])].concat());
    let why = batch.outcomes()[0].as_ref().unwrap_err();
    assert!(why.to_string().contains("at least 8"), "{why}");
    assert_eq!(batch.outcomes()[1].as_ref().unwrap().len(), batch.embeddings().len());
}
