//! Two images, keypoint by keypoint: Lowe, *Distinctive image features from scale-invariant keypoints*, 2004, section 7.

use std::f32::consts::TAU;
use std::ops::Range;

use pulp::Arch;

use super::affine::Affine;
use super::matches::KeypointMatch;
use super::{KeypointRows, Place, differing};

/// How far from where it should be a keypoint may lie, in the frame, for the first guess from one pair alone; with the distance from that
/// pair, the more.
const LOOSE: f32 = 0.03;
/// By how much more for each unit of distance: one pair says the scale and angle of an image roughly.
const LOOSE_BY_DISTANCE: f32 = 0.15;
/// And after the map was fitted to all.
const TIGHT: f32 = 0.025;
/// Sixteenths of an octave by which the scale of a pair may differ from the others'.
const SCALE: i32 = 13;
/// Parts of a turn, of 256, by which its angle may.
const ANGLE: i32 = 25;
/// Matches are counted once in each cell of so many a side: one thing in a picture is not many.
const CELLS: f32 = 64.0;
/// How often the map is fitted again.
const REFINEMENTS: usize = 2;
/// Fewer matches than this fit any map.
const FEWEST: usize = 3;

/// A keypoint of each of two images, and how it says that the image moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    /// Of the first image, by its place among the rows of that, and of the second one.
    rows: [usize; 2],
    from: [f32; 2],
    to: [f32; 2],
    mirrored: bool,
    /// Sixteenths of an octave.
    scale: i32,
    /// Parts of a turn, of 256.
    turn: i32,
}

impl Move {
    pub(super) fn new(rows: [usize; 2], a: Place, b: Place, frame: [f32; 2]) -> Self {
        let mirrored = a.is_mirrored() != b.is_mirrored();
        // Mirrored upside down, an angle is its own negative.
        let turn = if mirrored { -i32::from(a.turn) } else { i32::from(a.turn) };
        Self {
            rows,
            from: a.at(frame),
            to: b.at(frame),
            mirrored,
            scale: i32::from(b.log_size) - i32::from(a.log_size),
            turn: i32::from(b.turn) - turn,
        }
    }

    /// What takes all of one image to the other, by this keypoint alone.
    fn map(&self) -> Affine {
        Affine::similarity(self.from, self.to, self.enlarged(), self.turn as f32 / 256.0 * TAU, self.mirrored)
    }

    fn enlarged(&self) -> f32 {
        (self.scale as f32 / 16.0).exp2()
    }

    /// Whether another keypoint may have moved as one with this.
    pub(super) fn explains(&self, other: &Self) -> bool {
        self.changes_like(other) && self.moves_like(&self.map(), self.enlarged(), other)
    }

    fn changes_like(&self, other: &Self) -> bool {
        let turn = (self.turn - other.turn + 128).rem_euclid(256) - 128;
        self.mirrored == other.mirrored && (self.scale - other.scale).abs() <= SCALE && turn.abs() <= ANGLE
    }

    fn moves_like(&self, map: &Affine, enlarged: f32, other: &Self) -> bool {
        let reach = LOOSE + LOOSE_BY_DISTANCE * enlarged * distance(other.from, self.from);
        distance(map.apply(other.from), other.to) <= reach
    }
}

impl KeypointRows {
    /// What two images have in common; `None` where that is nothing. The same both ways round but for the order of
    /// [`KeypointMatch::overlap`].
    pub(crate) fn compare(&self, a: u32, b: u32) -> Option<KeypointMatch> {
        if a > b {
            let found = self.compare(b, a)?;
            return Some(KeypointMatch { overlap: [found.overlap[1], found.overlap[0]], ..found });
        }
        let moves = self.nearest(a, b);
        let [plain, mirrored] = [false, true].map(|mirrored| {
            let of_kind = moves.iter().filter(|one| one.mirrored == mirrored);
            self.moved_as_one(a, b, &of_kind.copied().collect::<Vec<_>>())
        });
        match (plain, mirrored) {
            (Some(plain), Some(mirrored)) if mirrored.matched > plain.matched => Some(mirrored),
            (plain, mirrored) => plain.or(mirrored),
        }
    }

    /// The keypoints that are each other's nearest and near enough.
    fn nearest(&self, a: u32, b: u32) -> Vec<Move> {
        let (rows_a, rows_b) = (self.of_image(a), self.of_image(b));
        let words = |rows: &Range<usize>| &self.rows[rows.start * self.words..rows.end * self.words];
        let (words_a, words_b) = (words(&rows_a), words(&rows_b));
        // Rows of a length that the compiler knows are compared several times faster.
        let mutual = Arch::new().dispatch(|| match self.words {
            2 => mutual(words_a.as_chunks::<2>().0, words_b.as_chunks::<2>().0),
            4 => mutual(words_a.as_chunks::<4>().0, words_b.as_chunks::<4>().0),
            words => {
                let rows = |all: &'_ [u64]| all.chunks_exact(words).map(<[u64]>::to_vec).collect::<Vec<_>>();
                mutual(&rows(words_a), &rows(words_b))
            }
        });
        let near = mutual.into_iter().filter(|(distance, ..)| *distance <= self.max_distance);
        near.map(|(_, i, j)| {
            Move::new([i, j], self.places[rows_a.start + i], self.places[rows_b.start + j], self.frame)
        })
        .collect()
    }

    /// The largest set of pairs that one map explains.
    fn moved_as_one(&self, a: u32, b: u32, moves: &[Move]) -> Option<KeypointMatch> {
        let mut best: Vec<usize> = Vec::new();
        for one in moves {
            let (map, enlarged) = (one.map(), one.enlarged());
            let explained = |other: &usize| {
                let other = &moves[*other];
                one.changes_like(other) && one.moves_like(&map, enlarged, other)
            };
            let explained: Vec<usize> = (0..moves.len()).filter(explained).collect();
            if explained.len() > best.len() {
                best = explained;
            }
        }
        if best.len() < FEWEST {
            return None;
        }
        let points = |of: &[usize]| of.iter().map(|&one| (moves[one].from, moves[one].to)).collect::<Vec<_>>();
        let mut map = Affine::fit(&points(&best))?;
        for _ in 0..REFINEMENTS {
            let explained = |one: &usize| distance(map.apply(moves[*one].from), moves[*one].to) <= TIGHT;
            let explained: Vec<usize> = (0..moves.len()).filter(explained).collect();
            if explained.len() < FEWEST || explained.len() + 2 < best.len() {
                break;
            }
            best = explained;
            match Affine::fit(&points(&best)) {
                Some(better) => map = better,
                None => break,
            }
        }
        let mut cells: Vec<[u32; 2]> =
            best.iter().map(|&one| moves[one].to.map(|place| (place * CELLS) as u32)).collect();
        cells.sort_unstable();
        cells.dedup();
        let (there, back) = (self.inside(a, &map), self.inside(b, &map.inverse()?));
        // Those that matched overlap, even where the map takes them just outside.
        let fewer = there.len().min(back.len()).max(cells.len()) as f32;
        let part = |inside: usize, image| inside as f32 / self.of_image(image).len().max(1) as f32;
        let spread = |image, inside: &[usize], side: usize| {
            let matched: Vec<usize> = best.iter().map(|&one| moves[one].rows[side]).collect();
            let first = self.of_image(image).start;
            let points: Vec<_> =
                inside.iter().map(|&row| (self.places[first + row].at(self.frame), matched.contains(&row))).collect();
            mixed(&points)
        };
        Some(KeypointMatch {
            matched: cells.len() as u32,
            agreement: (cells.len() as f32 / fewer).min(1.0),
            spread: spread(a, &there, 0).min(spread(b, &back, 1)),
            overlap: [part(there.len(), a), part(back.len(), b)],
            mirrored: moves.first().is_some_and(|one| one.mirrored),
        })
    }

    /// Which keypoints of an image a map takes into the other image, by their places among its rows.
    fn inside(&self, image: u32, map: &Affine) -> Vec<usize> {
        let [width, height] = self.frame;
        let is_inside = |place: &Place| {
            let [x, y] = map.apply(place.at(self.frame));
            (0.0..=width).contains(&x) && (0.0..=height).contains(&y)
        };
        let places = self.places[self.of_image(image)].iter().enumerate();
        places.filter(|(_, place)| is_inside(place)).map(|(row, _)| row).collect()
    }
}

/// How evenly the marked points lie among the others: of those that are not marked, the part that has a marked one among its nearest
/// neighbours, as a part of what that would be if marks were dealt out by chance (after Dixon, *Testing spatial segregation using a
/// nearest-neighbor contingency table*, 1994). 1 where they are well mixed, near 0 where they keep to themselves.
fn mixed(points: &[([f32; 2], bool)]) -> f32 {
    const NEIGHBORS: usize = 6;
    let marked = points.iter().filter(|(_, marked)| *marked).count();
    let others = points.len() - marked;
    if marked == 0 {
        return 0.0;
    }
    if others < NEIGHBORS {
        return 1.0;
    }
    let has_marked_near = |&(at, _): &&([f32; 2], bool)| {
        let mut near: Vec<(f32, bool)> =
            points.iter().map(|(other, marked)| (distance(*other, *at), *marked)).collect();
        // The nearest one is the point itself.
        let last = NEIGHBORS.min(near.len() - 1);
        near.select_nth_unstable_by(last, |a, b| a.0.total_cmp(&b.0));
        near[..=last].iter().any(|(_, marked)| *marked)
    };
    let mixed = points.iter().filter(|(_, marked)| !marked).filter(has_marked_near).count();
    let by_chance = 1.0 - (1.0 - marked as f32 / points.len() as f32).powf(NEIGHBORS as f32);
    (mixed as f32 / others as f32 / by_chance).min(1.0)
}

/// The rows that are each other's nearest, and their distance.
#[allow(clippy::inline_always, reason = "a call is not compiled for the instructions that the dispatch found")]
#[inline(always)]
fn mutual<Row: AsRef<[u64]>>(a: &[Row], b: &[Row]) -> Vec<(u32, usize, usize)> {
    const FAR: (u32, usize) = (u32::MAX, 0);
    let mut of_b = vec![FAR; b.len()];
    let mut of_a = Vec::with_capacity(a.len());
    for (i, row) in a.iter().enumerate() {
        let mut best = FAR;
        for ((j, other), of_b) in b.iter().enumerate().zip(&mut of_b) {
            let distance = differing(row.as_ref(), other.as_ref());
            if distance < best.0 {
                best = (distance, j);
            }
            if distance < of_b.0 {
                *of_b = (distance, i);
            }
        }
        of_a.push(best);
    }
    let is_mutual = |(i, &(distance, j)): (usize, &(u32, usize))| (of_b.get(j)?.1 == i).then_some((distance, i, j));
    of_a.iter().enumerate().filter_map(is_mutual).collect()
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    let [x, y] = [a[0] - b[0], a[1] - b[1]];
    (x * x + y * y).sqrt()
}
