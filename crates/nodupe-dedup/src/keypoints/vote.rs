//! Which images may have keypoints in common: locality-sensitive hashing (Indyk and Motwani, *Approximate nearest neighbors*, 1998) by
//! bits of the rows, and votes of the rows that meet.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

use super::compare::Move;
use super::{KeypointRows, differing};

/// Tables, each by other bits: rows that differ in a tenth of their bits meet in one of them with a chance of about a half.
const TABLES: usize = 8;
/// Bits of a key beyond what tells all rows apart: buckets hold far fewer than one row by chance.
const SPARE_BITS: u32 = 2;
/// With how many that follow it in a bucket a row is compared, so that a thousand copies do not become a million pairs.
const REACH: usize = 32;
/// Bits of a key by which its table is taken apart.
const PART_BITS: usize = 10;
/// What part of the distance at which rows may match they have to be within to vote, at first.
const VOTE_DISTANCE: f32 = 0.8;

/// What can be afforded, about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Rows of a table that are sorted at a time.
    pub(super) sorted: usize,
    /// Rows that meet at a time.
    pub(super) meeting: usize,
    /// Votes of pairs without a second one: the rows of strangers meet by chance, the more of them the more often, and have to be nearer then.
    pub(super) votes: usize,
    /// Pairs that are found.
    pub(super) pairs: usize,
}

impl Most {
    fn of(images: usize) -> Self {
        Self { sorted: 1 << 20, meeting: 1 << 14, votes: 500_000, pairs: 200_000 + 16 * images }
    }
}

/// Two rows that are near, by their numbers in their images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    a: u32,
    b: u32,
    row_a: u16,
    row_b: u16,
}

impl Vote {
    fn distance(&self, rows: &KeypointRows) -> u32 {
        let row = |image, row: u16| rows.row(rows.of_image(image).start + usize::from(row));
        differing(row(self.a, self.row_a), row(self.b, self.row_b))
    }
}

/// The pairs of images of which at least two keypoints may be the same and have moved as one, the smaller number first, in
/// ascending order. `each` is told after each of [`TABLES`](steps) tables, and may stop.
///
/// Time is near linear in the number of rows. Memory beside them is eight bytes for each pair that is found, and what some millions of votes and
/// a part of a table take. There are not many more pairs and votes than can be afforded: where images have much in common that are no copies, rows
/// have to be nearer to vote.
pub(crate) fn candidates(rows: &KeypointRows, each: impl FnMut() -> ControlFlow<()>) -> Vec<(u32, u32)> {
    candidates_up_to(Most::of(rows.of.len()), rows, each)
}

pub(super) fn candidates_up_to(
    most: Most,
    rows: &KeypointRows,
    mut each: impl FnMut() -> ControlFlow<()>,
) -> Vec<(u32, u32)> {
    let count = rows.places.len();
    let images = Images::new(rows);
    let bits = rows.words * 64;
    let key_bits = ((usize::BITS - count.leading_zeros()) + SPARE_BITS).min(bits as u32).min(u32::BITS);
    let mut ballot = Ballot {
        rows,
        near: (rows.max_distance as f32 * VOTE_DISTANCE) as u32,
        most,
        votes: Vec::new(),
        found: Vec::new(),
    };
    for table in 0..TABLES {
        let places = places(table as u64, bits, key_bits as usize);
        let key = |row: usize, places: &[usize]| {
            let words = rows.row(row);
            places.iter().fold(0_u32, |key, &bit| key << 1 | (words[bit / 64] >> (bit % 64) & 1) as u32)
        };
        let beginning = &places[..PART_BITS.min(places.len())];
        for part in parts(count, most.sorted, beginning.len(), |row| key(row, beginning)) {
            let is_of_part = |row: &usize| part.contains(&key(*row, beginning));
            // Rows of one key follow each other, in the order of their images.
            let of_part = (0..count).into_par_iter().filter(is_of_part);
            let mut order: Vec<(u32, u32)> = of_part.map(|row| (key(row, &places), row as u32)).collect();
            order.par_sort_unstable();
            let mut rest = order.as_slice();
            while !rest.is_empty() {
                let last = rest[most.meeting.min(rest.len()) - 1].0;
                let (meeting, others) = rest.split_at(rest.partition_point(|(key, _)| *key <= last));
                rest = others;
                ballot.hold(&images, meeting);
            }
        }
        ballot.settle();
        if each().is_break() {
            break;
        }
    }
    ballot.found
}

/// Ranges of what the keys of `count` rows begin with, `bits` of them, such that about `most` rows are in each: bits are seldom independent, so
/// that some beginnings have many more rows than others.
fn parts(count: usize, most: usize, bits: usize, beginning: impl Fn(usize) -> u32 + Sync) -> Vec<Range<u32>> {
    let none = || vec![0_usize; 1 << bits];
    let counted = (0..count).into_par_iter().fold(none, |mut counts, row| {
        counts[beginning(row) as usize] += 1;
        counts
    });
    let counts = counted.reduce(none, |mut one, other| {
        one.iter_mut().zip(other).for_each(|(count, more)| *count += more);
        one
    });
    let (mut parts, mut start, mut rows) = (Vec::new(), 0, 0);
    for (beginning, count) in (0..).zip(counts) {
        if rows > 0 && rows + count > most {
            parts.push(start..beginning);
            (start, rows) = (beginning, 0);
        }
        rows += count;
    }
    parts.push(start..1 << bits);
    parts
}

/// The votes so far.
struct Ballot<'a> {
    rows: &'a KeypointRows,
    /// Up to which distance rows vote.
    near: u32,
    /// From which on they have to be nearer.
    most: Most,
    /// Of pairs that are not found yet.
    votes: Vec<Vote>,
    /// The pairs that two votes agree about, in ascending order.
    found: Vec<(u32, u32)>,
}

impl Ballot<'_> {
    /// Takes the votes of rows whose keys are given, those of one key next to each other.
    fn hold(&mut self, images: &Images, rows: &[(u32, u32)]) {
        let met = rows
            .par_chunk_by(|one, other| one.0 == other.0)
            .filter(|bucket| bucket.len() > 1)
            .flat_map_iter(|bucket| {
                let mut bucket: Vec<(u32, u32)> =
                    bucket.iter().filter_map(|&(_, row)| Some((images.of_row(row)?, row))).collect();
                bucket.sort_unstable();
                meet(self.rows, &bucket, self.near)
            })
            .filter(|vote| self.found.binary_search(&(vote.a, vote.b)).is_err());
        let met: Vec<Vote> = met.collect();
        self.votes.extend(met);
        if self.votes.len() > 2 * self.most.votes {
            self.settle();
        }
    }

    /// Takes the votes of pairs that two of them agree about, and adds these to those that were found.
    fn settle(&mut self) {
        let Self { rows, votes, found, .. } = self;
        votes.par_sort_unstable();
        votes.dedup();
        let pair = |vote: &Vote| (vote.a, vote.b);
        let of_one_pair = votes.par_chunk_by(|one, other| pair(one) == pair(other));
        let mut more: Vec<(u32, u32)> =
            of_one_pair.filter(|votes| agree(rows, votes)).filter_map(|votes| votes.first().map(pair)).collect();
        if !more.is_empty() {
            more.sort_unstable();
            votes.retain(|vote| more.binary_search(&pair(vote)).is_err());
            found.append(&mut more);
            found.par_sort_unstable();
        }
        while self.near > 0 && self.votes.len() > self.most.votes {
            self.ask_for_more();
            self.votes.retain(|vote| vote.distance(self.rows) <= self.near);
        }
        if self.found.len() > self.most.pairs {
            self.ask_for_more();
        }
        self.votes.shrink_to(3 * self.most.votes);
    }

    /// Rows have to be nearer by a quarter from now on.
    fn ask_for_more(&mut self) {
        self.near = 3 * self.near / 4;
    }
}

/// The rows of a bucket that are near each other: each is compared with some that follow it.
fn meet(rows: &KeypointRows, bucket: &[(u32, u32)], near: u32) -> Vec<Vote> {
    let mut votes = Vec::new();
    let within = |row: u32, image: u32| (row as usize - rows.of_image(image).start) as u16;
    for (place, &(a, row)) in bucket.iter().enumerate() {
        for &(b, other) in bucket[place + 1..].iter().take(REACH) {
            if a != b && differing(rows.row(row as usize), rows.row(other as usize)) <= near {
                votes.push(Vote { a, b, row_a: within(row, a), row_b: within(other, b) });
            }
        }
    }
    votes
}

/// Which image a row is of.
struct Images {
    /// Where the rows of each begin, in ascending order, and where they end.
    ranges: Vec<(Range<u32>, u32)>,
}

impl Images {
    fn new(rows: &KeypointRows) -> Self {
        let of = (0..).zip(&rows.of).filter(|(_, range)| !range.is_empty());
        let mut ranges: Vec<(Range<u32>, u32)> = of.map(|(image, range)| (range.clone(), image)).collect();
        ranges.sort_unstable_by_key(|(range, _)| range.start);
        Self { ranges }
    }

    /// `None` where it is of none.
    fn of_row(&self, row: u32) -> Option<u32> {
        let before = self.ranges.partition_point(|(range, _)| range.start <= row);
        let (range, image) = self.ranges.get(before.checked_sub(1)?)?;
        range.contains(&row).then_some(*image)
    }
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
