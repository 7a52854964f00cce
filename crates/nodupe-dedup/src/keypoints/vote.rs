//! Which images may have keypoints in common: locality-sensitive hashing (Indyk and Motwani, *Approximate nearest neighbors*, 1998) by
//! bits of the rows, and votes of the rows that meet.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::compare::Move;
use super::{KeypointRows, differing};

/// Tables, each by other bits: rows that differ in a tenth of their bits meet in one of them with a chance of about a half.
const TABLES: usize = 8;
/// Bits of a key beyond what tells all rows apart: buckets hold far fewer than one row by chance.
const SPARE_BITS: u32 = 2;
/// With how many that follow it in a bucket a row is compared, so that a thousand copies do not become a million pairs.
const REACH: usize = 32;
/// What part of the distance at which rows may match they have to be within to vote.
const VOTE_DISTANCE: f32 = 0.8;

/// Two rows that are near, by their numbers in their images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    a: u32,
    b: u32,
    row_a: u16,
    row_b: u16,
}

/// The pairs of images of which at least two keypoints may be the same and have moved as one, the smaller number first, in
/// ascending order. `each` is told after each of [`TABLES`](steps) tables, and may stop.
///
/// Time is near linear in the number of rows, and so is memory: sixteen bytes for each, and twelve for each vote.
pub(crate) fn candidates(rows: &KeypointRows, mut each: impl FnMut() -> ControlFlow<()>) -> Vec<(u32, u32)> {
    let count = rows.places.len();
    let mut image_of = vec![0_u32; count];
    for (image, range) in (0..).zip(&rows.of) {
        image_of[range.start as usize..range.end as usize].fill(image);
    }
    let bits = rows.words * 64;
    let key_bits = ((usize::BITS - count.leading_zeros()) + SPARE_BITS).min(bits as u32).min(u64::BITS);
    let near = (rows.max_distance as f32 * VOTE_DISTANCE) as u32;
    let mut votes: Vec<Vote> = Vec::new();
    for table in 0..TABLES {
        let places = places(table as u64, bits, key_bits as usize);
        let key = |row: usize| {
            let words = rows.row(row);
            places.iter().fold(0_u64, |key, &bit| key << 1 | (words[bit / 64] >> (bit % 64) & 1))
        };
        // Rows of one key follow each other, in the order of their images.
        let mut order: Vec<(u64, u32)> = (0..count)
            .into_par_iter()
            .filter(|&row| rows.of_image(image_of[row]).contains(&row))
            .map(|row| (key(row), row as u32))
            .collect();
        order.par_sort_unstable_by_key(|&(key, row)| (key, image_of[row as usize], row));
        let found = (0..order.len()).into_par_iter().flat_map_iter(|first| {
            let (key, row) = order[first];
            let others = order[first + 1..].iter().take(REACH).take_while(move |(other, _)| *other == key);
            let (image_of, rows) = (&image_of, rows);
            others.filter_map(move |&(_, other)| {
                let (row, other) = (row as usize, other as usize);
                let (a, b) = (image_of[row], image_of[other]);
                let is_near = a != b && differing(rows.row(row), rows.row(other)) <= near;
                let within = |row: usize, image: u32| (row - rows.of_image(image).start) as u16;
                is_near.then(|| Vote { a, b, row_a: within(row, a), row_b: within(other, b) })
            })
        });
        votes.par_extend(found);
        votes.par_sort_unstable();
        votes.dedup();
        if each().is_break() {
            break;
        }
    }
    let of_one_pair = votes.chunk_by(|one, other| (one.a, one.b) == (other.a, other.b));
    of_one_pair.filter(|votes| agree(rows, votes)).map(|votes| (votes[0].a, votes[0].b)).collect()
}

/// How often [`candidates`] tells that it goes on.
pub(crate) const fn steps() -> usize {
    TABLES
}

/// Whether any two of the votes for a pair may have moved as one.
fn agree(rows: &KeypointRows, votes: &[Vote]) -> bool {
    let moves: Vec<Move> = votes
        .iter()
        .map(|vote| {
            let place = |image, row: u16| rows.places[rows.of_image(image).start + usize::from(row)];
            let of = [vote.row_a, vote.row_b].map(usize::from);
            Move::new(of, place(vote.a, vote.row_a), place(vote.b, vote.row_b), rows.frame)
        })
        .collect();
    let others = |(place, one): (usize, &Move)| moves[place + 1..].iter().any(|other| one.explains(other));
    moves.iter().enumerate().any(others)
}

/// The bits that make the key of a table: the first of a shuffle of all (Fisher and Yates) by the numbers of `SplitMix64`.
fn places(table: u64, bits: usize, count: usize) -> Vec<usize> {
    let mut state = table;
    let mut random = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    };
    let mut all: Vec<usize> = (0..bits).collect();
    for place in 0..count {
        let other = place + (random() % (bits - place) as u64) as usize;
        all.swap(place, other);
    }
    all.truncate(count);
    all
}
