//! Keypoints that moved as one, and keypoints that did not.

use std::ops::ControlFlow;

use nodupe_core::{EmbeddedBatch, EmbeddingSpace, Embeddings, InputSpec, Keypoint, Undescribable};

use super::*;

const ROWS: usize = 40;

/// Numbers without a pattern, the same for a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    fn part(&mut self) -> f32 {
        (self.next() >> 16 & 0xFFFF) as f32 / 65_535.0
    }
}

type Row = (Keypoint, u128);

fn picture(seed: u64) -> Vec<Row> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    let row = |_| {
        let keypoint = Keypoint {
            x: 0.05 + 0.9 * random.part(),
            y: 0.05 + 0.9 * random.part(),
            size: 0.01 * (1.0 + 2.0 * random.part()),
            angle: 6.2 * random.part(),
            mirrored: random.next() & 64 == 0,
        };
        (keypoint, u128::from(random.next()) << 64 | u128::from(random.next()))
    };
    (0..ROWS).map(row).collect()
}

/// The picture made smaller and turned around its centre, with a few bits of each row flipped.
fn moved(picture: &[Row], scale: f32, angle: f32, flipped: usize) -> Vec<Row> {
    let mut random = Random(7);
    let (sin, cos) = angle.sin_cos();
    let each = |&(keypoint, bits): &Row| {
        let (x, y) = (keypoint.x - 0.5, keypoint.y - 0.5);
        let noise = (0..flipped).fold(0, |noise, _| noise | 1_u128 << (random.next() % 128));
        let keypoint = Keypoint {
            x: 0.5 + scale * (cos * x - sin * y),
            y: 0.5 + scale * (sin * x + cos * y),
            size: keypoint.size * scale,
            angle: (keypoint.angle + angle).rem_euclid(std::f32::consts::TAU),
            ..keypoint
        };
        (keypoint, bits ^ noise)
    };
    picture.iter().map(each).collect()
}

fn mirrored(picture: &[Row]) -> Vec<Row> {
    let each = |&(keypoint, bits): &Row| {
        let angle = (std::f32::consts::PI - keypoint.angle).rem_euclid(std::f32::consts::TAU);
        (Keypoint { x: 1.0 - keypoint.x, angle, mirrored: !keypoint.mirrored, ..keypoint }, bits)
    };
    picture.iter().map(each).collect()
}

fn rows(pictures: &[Vec<Row>]) -> KeypointRows {
    let space = EmbeddingSpace::hamming("toy", 128).unwrap();
    let mut all = KeypointRows::new(&space, &InputSpec::luma(64, 64), 36.0, pictures.len());
    for (image, picture) in pictures.iter().enumerate() {
        let bits = picture.iter().flat_map(|(_, bits)| bits.to_le_bytes()).collect();
        let rows = Embeddings::from_bits(space.clone(), bits).unwrap();
        let outcome = if picture.is_empty() { Err(Undescribable::new("flat")) } else { Ok(0..picture.len()) };
        let batch = EmbeddedBatch::new(rows, vec![outcome]).unwrap();
        let batch = batch.with_keypoints(picture.iter().map(|(keypoint, _)| *keypoint).collect()).unwrap();
        assert_eq!(all.insert(&[image], &batch).unwrap().len(), usize::from(picture.is_empty()));
    }
    all
}

fn pairs(rows: &KeypointRows) -> Vec<(u32, u32)> {
    candidates(rows, || ControlFlow::Continue(()))
}

#[test]
fn what_moved_as_one_is_found_however_it_moved() {
    let original = picture(1);
    let turned = moved(&original, 0.6, 0.8, 8);
    let all = rows(&[original.clone(), turned, mirrored(&original), picture(2), Vec::new()]);
    let found = all.compare(0, 1).unwrap();
    assert!(found.matched >= 30 && !found.mirrored && found.agreement > 0.8, "{found:?}");
    assert!(found.ratio(8) < 0.3 && found.overlap[1] > 0.9, "{found:?}");
    let flipped = all.compare(0, 2).unwrap();
    assert!(flipped.matched >= 35 && flipped.mirrored, "{flipped:?}");
    let back = all.compare(1, 0).unwrap();
    assert_eq!((back.matched, back.overlap), (found.matched, [found.overlap[1], found.overlap[0]]));
    for stranger in [3, 4] {
        assert!(all.compare(0, stranger).is_none_or(|found| found.ratio(8) > 1.0));
    }
    assert_eq!(pairs(&all), [(0, 1), (0, 2), (1, 2)]);
    assert_eq!(all.len(), 4);
}

#[test]
fn the_same_parts_at_places_of_their_own_are_not_the_same_image() {
    let original = picture(1);
    let mut shuffled = original.clone();
    for (place, (keypoint, _)) in shuffled.iter_mut().enumerate() {
        let other = original[(place * 7 + 3) % ROWS].0;
        (keypoint.x, keypoint.y, keypoint.angle) = (other.x, other.y, other.angle);
    }
    let all = rows(&[original, shuffled]);
    assert!(all.compare(0, 1).is_none_or(|found| found.ratio(8) > 1.0), "{:?}", all.compare(0, 1));
}

#[test]
fn a_part_of_an_image_agrees_where_they_overlap() {
    let original = picture(1);
    // The right half, as large as the whole.
    let half: Vec<Row> = original.iter().filter(|(keypoint, _)| keypoint.x > 0.5).copied().collect();
    let stretched = half.iter().map(|&(k, bits)| (Keypoint { x: (k.x - 0.5) * 2.0, y: k.y, ..k }, bits)).collect();
    let cut = half.iter().map(|&(k, bits)| (Keypoint { x: k.x - 0.4, ..k }, bits)).collect();
    let all = rows(&[original, cut, stretched]);
    let found = all.compare(0, 1).unwrap();
    assert!(found.agreement > 0.6 && found.overlap[0] < 0.8 && found.overlap[1] > 0.9, "{found:?}");
    // Stretched along one axis: one pair says the scale wrongly, all together say it right.
    let found = all.compare(0, 2).unwrap();
    assert!(found.matched >= 8, "{found:?}");
}

#[test]
fn many_copies_do_not_become_all_their_pairs() {
    let original = picture(1);
    let many: Vec<Vec<Row>> = (0..300).map(|_| original.clone()).collect();
    let found = pairs(&rows(&many));
    assert!(found.len() < 300 * 40, "{}", found.len());
    // All of them hang together.
    let mut sets = crate::disjoint::DisjointSets::new(300);
    let joined = found.iter().filter(|(a, b)| sets.join(*a, *b)).count();
    assert_eq!(joined, 299);
}

#[test]
fn where_too_much_is_found_what_is_nearest_is_found_still() {
    const MANY: usize = 1_000_000;
    // Ten pictures, each with an exact copy and nine that differ by some bits of each row.
    let copies = |seed| [0, 0, 9, 10, 11, 12, 13, 14, 15, 16, 17].map(|bits| moved(&picture(seed), 1.0, 0.0, bits));
    let all = rows(&(0..10).flat_map(copies).collect::<Vec<_>>());
    // Tables are taken apart into many.
    let within = |votes, pairs| {
        let most = vote::Most { sorted: 100, meeting: 64, votes, pairs };
        vote::candidates_up_to(most, &all, || ControlFlow::Continue(()))
    };
    let free = within(MANY, MANY);
    assert_eq!(free, pairs(&all));
    let few = within(50, 50);
    assert!(few.len() < free.len() / 2, "{} {}", few.len(), free.len());
    assert!((0..10).all(|group| few.contains(&(11 * group, 11 * group + 1))), "{few:?}");
}

#[test]
fn nothing_is_found_in_nothing() {
    assert_eq!(pairs(&rows(&[])), []);
    assert_eq!(pairs(&rows(&[Vec::new(), Vec::new()])), []);
    assert_eq!(pairs(&rows(&[picture(1)])), []);
}

#[test]
fn images_that_share_a_frame_and_not_what_is_in_it_are_not_the_same() {
    // The buttons of an application above and below, and something else between.
    let framed = |seed| {
        let mut rows = picture(seed);
        for (row, (keypoint, bits)) in rows.iter_mut().enumerate() {
            let chrome = picture(1)[row];
            if row % 2 == 0 {
                let y = if row % 4 == 0 { 0.08 } else { 0.92 } * (0.95 + 0.05 * keypoint.y);
                (*keypoint, *bits) = (Keypoint { y: chrome.0.y * 0.06 + y - 0.03, ..chrome.0 }, chrome.1);
            } else {
                keypoint.y = 0.2 + 0.6 * keypoint.y;
            }
        }
        rows
    };
    let all = rows(&[framed(2), framed(3), moved(&framed(2), 0.8, 0.3, 6)]);
    let strangers = all.compare(0, 1).unwrap();
    let copies = all.compare(0, 2).unwrap();
    assert!(strangers.matched >= 7 && strangers.spread < 0.5, "{strangers:?}");
    assert!(copies.spread > 0.8 && copies.ratio(7) <= 1.0, "{copies:?}");
    assert!(strangers.ratio(7) > 2.0 * copies.ratio(7), "{strangers:?} {copies:?}");
}
