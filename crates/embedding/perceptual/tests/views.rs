//! The eight hashes that come from one transform are those of the turned pixels.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use nodupe_core::{EmbeddedBatch, EmbeddingBackend, ImageBatch, Row, View};
use nodupe_perceptual::Perceptual;
use proptest::prelude::*;

const SIDE: usize = 64;

/// Patches of random brightness, `patch` pixels wide, with some noise.
fn image(patch: usize, noise: u8, seed: u32) -> Vec<u8> {
    let random = |x: usize, y: usize, salt: u32| {
        let mut hash =
            (x as u32).wrapping_mul(73_856_093) ^ (y as u32).wrapping_mul(19_349_663) ^ seed.wrapping_add(salt);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
        hash = (hash ^ (hash >> 12)).wrapping_mul(0x297a_2d39);
        (hash >> 16) as u8
    };
    let pixel = |(x, y)| (random(x / patch, y / patch, 0) / 2) + random(x, y, 77) % noise;
    (0..SIDE * SIDE).map(|i| pixel((i % SIDE, i / SIDE))).collect()
}

fn hashes(backend: &Perceptual, pixels: &[u8], views: &[View]) -> Vec<EmbeddedBatch> {
    let batch = ImageBatch::for_spec(backend.input_spec(), pixels).unwrap();
    backend.embed_views(&batch, views).unwrap()
}

fn distance(a: &EmbeddedBatch, b: &EmbeddedBatch) -> u32 {
    let (Some(Row::Bits(a)), Some(Row::Bits(b))) = (a.first_row(0), b.first_row(0)) else {
        panic!("{:?} {:?}", a.outcomes(), b.outcomes());
    };
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_view_is_the_hash_of_the_turned_pixels(patch in 3usize..20, noise in 8u8..100, seed: u32) {
        let backend = Perceptual::new().unwrap();
        let pixels = image(patch, noise, seed);
        let batch = ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap();
        for (view, hash) in View::ORIENTATIONS.into_iter().zip(hashes(&backend, &pixels, &View::ORIENTATIONS)) {
            let turned = &hashes(&backend, &view.apply(&batch).unwrap(), &[View::Identity])[0];
            // Mirrors only change signs. Exchanged axes are added up in another order: two coefficients that are equal
            // but for rounding may change places about the median.
            let bits = distance(&hash, turned);
            prop_assert!(bits <= if view.swaps_axes() { 2 } else { 0 }, "{view}: {bits} bits");
        }
    }

    #[test]
    fn a_mirrored_picture_and_its_mirror_image_have_one_hash(patch in 3usize..20, noise in 8u8..100, seed: u32) {
        let mut pixels = image(patch, noise, seed);
        for row in pixels.chunks_exact_mut(SIDE) {
            let (left, right) = row.split_at_mut(SIDE / 2);
            right.iter_mut().rev().zip(left).for_each(|(right, left)| *right = *left);
        }
        let both = hashes(&Perceptual::new().unwrap(), &pixels, &[View::Identity, View::FlipHorizontal]);
        prop_assert_eq!(distance(&both[0], &both[1]), 0);
    }
}

#[test]
fn unlike_orientations_are_far_apart() {
    let backend = Perceptual::new().unwrap();
    let views = hashes(&backend, &image(7, 40, 3), &View::ORIENTATIONS);
    for (i, a) in views.iter().enumerate() {
        assert!(views[i + 1..].iter().all(|b| distance(a, b) > 80), "{}", View::ORIENTATIONS[i]);
    }
}

#[test]
fn images_without_a_hash_have_none_in_any_view() {
    let backend = Perceptual::new().unwrap();
    let pixels = [image(9, 20, 1), vec![128; SIDE * SIDE], image(9, 20, 2)].concat();
    for view in hashes(&backend, &pixels, &View::ORIENTATIONS) {
        assert_eq!(view.embeddings().len(), 2);
        assert_eq!(view.outcomes()[0], Ok(0..1));
        let blank = view.outcomes()[1].clone().unwrap_err();
        assert_eq!(blank.detail, "quality 0 of 100, at least 50 is needed");
        assert_eq!(view.outcomes()[2], Ok(1..2));
    }
}
