//! How many matched keypoints are enough, read from the strangers of the collection itself.

use super::KeypointMatch;
use crate::calibration::{RANK, Strangers};

/// How many keypoints two images of a scan have to share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enough {
    /// So many, for most of them.
    pub keypoints: u32,
    /// Images that share more than chance allows with many others, and have to share more to count: screenshots of one application, scans of
    /// one form, captions of one maker.
    pub crowded: usize,
}

/// Never fewer: a few fit by chance wherever two images have a pattern in common.
const FEWEST: u32 = 7;
/// Never more: whoever has as many in common is a copy, however large the collection is.
const MOST: u32 = 20;
/// Matches that strangers have by chance in so many pairs that copies with as few do not count among them.
const COMMON: [usize; 2] = [3, 4];
/// How many of the pairs that match three match four, where there are too few to say: as in collections of some hundred photographs.
const FALL: f64 = 0.15;
/// So many pairs that match three say as much as that.
const SURE: f64 = 40.0;
/// What images share with their [`RANK`]th nearest stranger by chance, at most.
const BY_CHANCE: u32 = 4;
/// How many more are needed for each that an image shares beyond that with its [`RANK`]th nearest stranger. Strangers of such a crowd share twice as
/// many now and then. Chosen on strong sets of copies (`nodupe eval --sets strong --seeds 1,2,3`, 5,187 images): of the pairs with
/// enough, 130 were wrong and 18,670 true without it, and 0 and 18,538 are with it.
const EACH: u32 = 2;
/// The part of what is near two images that has to be near both, where they are of one crowd and no strangers: forty copies of one image are a crowd
/// too, and all near each other. What screenshots share is now and then enough, and each of a pair has it with others.
const IN_COMMON: f32 = 0.5;
/// Of so many that are near an image it is looked whether they are near another one.
const LOOKED_AT: usize = 64;
/// The part of the pairs reported that are to be true, where nobody says.
const PRECISION: f64 = 0.999;
/// The part of what may be wrong in the end that strangers may make of the pairs that are found, since one wrong pair may join two groups.
const OF_PAIRS: f64 = 0.1;
/// The largest expected number of pairs of strangers where few pairs are found at all.
const WRONG_AT_LEAST: f64 = 0.02;

/// What pairs of images share that were compared.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Those that share more than [`BY_CHANCE`].
    pub(crate) shared: Vec<(u32, u32, KeypointMatch)>,
    /// How many of the others share so many.
    by_chance: [usize; BY_CHANCE as usize + 1],
}

impl Compared {
    pub(crate) fn push(&mut self, a: u32, b: u32, found: KeypointMatch) {
        match self.by_chance.get_mut(found.matched as usize) {
            Some(count) => *count += 1,
            None => self.shared.push((a, b, found)),
        }
    }

    pub(crate) fn and(mut self, mut other: Self) -> Self {
        self.shared.append(&mut other.shared);
        self.by_chance.iter_mut().zip(other.by_chance).for_each(|(count, more)| *count += more);
        self
    }
}

/// How many keypoints any two images of a collection have to share.
#[derive(Debug, Clone)]
pub(crate) struct Needed {
    most: u32,
    /// Of each image by its number: how many it shares with its [`RANK`]th nearest stranger.
    levels: Vec<u32>,
    /// Of each image those that share enough with it, were it most, in ascending order.
    near: Vec<Vec<u32>>,
}

impl Needed {
    /// From the pairs that were `compared`, among `images` in all, for the precision that is wanted.
    pub(crate) fn new(compared: &Compared, strangers: &Strangers, images: usize, precision: Option<f64>) -> Self {
        let most = enough(compared, precision);
        let mut near = vec![Vec::new(); images];
        let mut matched: Vec<Vec<u32>> = vec![Vec::new(); images];
        for (a, b, found) in &compared.shared {
            let (are_strangers, is_near) = (strangers.are(*a, *b), found.ratio(most) <= 1.0);
            for (one, other) in [(*a, *b), (*b, *a)] {
                if is_near {
                    near[one as usize].push(other);
                }
                if are_strangers {
                    matched[one as usize].push(found.matched);
                }
            }
        }
        for near in &mut near {
            near.sort_unstable();
        }
        let level = |mut matched: Vec<u32>| match matched.len().checked_sub(RANK) {
            Some(before) => *matched.select_nth_unstable(before).1,
            None => 0,
        };
        Self { most, levels: matched.into_iter().map(level).collect(), near }
    }

    pub(crate) fn enough(&self) -> Enough {
        let crowded = self.levels.iter().filter(|level| **level > BY_CHANCE).count();
        Enough { keypoints: self.most, crowded }
    }

    /// How far what `a` and `b` share is from enough, as distances are from a threshold: up to 1 it is enough.
    pub(crate) fn ratio(&self, a: u32, b: u32, found: &KeypointMatch) -> f32 {
        let level = self.levels[a as usize].min(self.levels[b as usize]);
        let of_most = found.ratio(self.most);
        if level <= BY_CHANCE || of_most > 1.0 || self.are_of_many(a, b) {
            return of_most;
        }
        found.ratio(self.most + EACH * (level - BY_CHANCE))
    }

    /// Whether two images are copies among many copies: what is near either is near both.
    fn are_of_many(&self, a: u32, b: u32) -> bool {
        let is_near_both = |of: u32, other: u32| {
            let near = &self.near[of as usize];
            let looked_at: Vec<&u32> = near.iter().step_by(near.len().div_ceil(LOOKED_AT).max(1)).collect();
            let common =
                looked_at.iter().filter(|image| self.near[other as usize].binary_search(image).is_ok()).count();
            common >= RANK / 2 && common as f32 >= IN_COMMON * looked_at.len() as f32
        };
        is_near_both(a, b) && is_near_both(b, a)
    }
}

/// The number of matched keypoints from which on two images of a collection are near duplicates: so many that pairs of
/// strangers with as many are not to be expected, for the precision that is wanted.
///
/// Pairs of strangers grow with the square of the collection. The number of those that match `m` keypoints by chance falls geometrically
/// with `m`, or faster: chance would make it binomial, what images have in common by nature makes it slower. The ratio of those that
/// match four to those that match three, in which copies are few, is carried on from there (an exponential tail, as extreme-value theory
/// has for such counts: Coles, *An introduction to statistical modeling of extreme values*, 2001, chapter 4).
fn enough(compared: &Compared, precision: Option<f64>) -> u32 {
    let wrong = (1.0 - precision.unwrap_or(PRECISION)) * OF_PAIRS;
    let mut counts = [0_usize; MOST as usize + 1];
    counts[..=BY_CHANCE as usize].copy_from_slice(&compared.by_chance);
    for (.., found) in compared.shared.iter().filter(|(.., found)| found.agreement >= KeypointMatch::MIN_AGREEMENT) {
        counts[found.matched.min(MOST) as usize] += 1;
    }
    let [three, four] = COMMON.map(|matched| counts[matched] as f64);
    let fall = ((four + FALL * SURE) / (three + SURE)).min(0.9);
    let strangers = |matched: u32| four.max(three * fall) * fall.powf(f64::from(matched) - 4.0) / (1.0 - fall);
    let found = |matched: u32| counts[matched as usize..].iter().sum::<usize>() as f64;
    let is_enough = |&matched: &u32| strangers(matched) <= (wrong * found(matched)).max(WRONG_AT_LEAST);
    (FEWEST..MOST).find(is_enough).unwrap_or(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many pairs that match 0, 1, 2… keypoints.
    fn of(counts: &[usize]) -> u32 {
        let mut compared = Compared::default();
        for (matched, &count) in counts.iter().enumerate() {
            let found =
                KeypointMatch { matched: matched as u32, agreement: 0.5, spread: 1.0, ..KeypointMatch::default() };
            for _ in 0..count {
                compared.push(0, 1, found);
            }
        }
        enough(&compared, None)
    }

    #[test]
    fn more_strangers_ask_for_more_keypoints() {
        assert_eq!(of(&[]), FEWEST);
        let few = of(&[0, 0, 0, 1_000, 100, 10]);
        let many = of(&[0, 0, 0, 1_000_000, 100_000, 10_000]);
        assert!(FEWEST <= few && few < many, "{few} {many}");
        // A tail that falls slowly: these images have a pattern in common.
        assert!(of(&[0, 0, 0, 1_000, 500]) > few);
        assert_eq!(of(&[0, 0, 0, 1_000, 1_000]), MOST);
    }

    #[test]
    fn a_handful_of_pairs_decides_nothing() {
        for few in [[0, 0], [1, 0], [1, 1], [2, 1], [0, 2], [5, 2]] {
            let enough = of(&[0, 0, 0, few[0], few[1]]);
            assert!(enough <= FEWEST + 1, "{few:?}: {enough}");
        }
        for three in [0, 10, 100, 1_000] {
            for four in [0, 3, 30, 200] {
                let more = of(&[0, 0, 0, three, four + 1]);
                let less = of(&[0, 0, 0, three, four]);
                assert!(more - less <= 2, "{three} {four}: {less} {more}");
            }
        }
    }

    #[test]
    fn many_copies_allow_for_a_few_strangers() {
        let mut counts = [0; 40];
        counts[3..5].copy_from_slice(&[10_000, 1_000]);
        let alone = of(&counts);
        counts[30] = 1_000_000;
        assert!(of(&counts) < alone);
    }

    /// Forty images, of which the first ten share `matched` with all others, and the first two `both`.
    fn crowd(matched: u32, both: u32) -> (Needed, KeypointMatch) {
        let found = |matched| KeypointMatch { matched, agreement: 0.4, spread: 1.0, ..KeypointMatch::default() };
        let mut compared = Compared::default();
        for a in 0..10 {
            for b in a + 1..40 {
                compared.push(a, b, found(if (a, b) == (0, 1) { both } else { matched }));
            }
        }
        (Needed::new(&compared, &Strangers::new(40, &[]), 40, None), found(both))
    }

    #[test]
    fn images_that_share_something_with_many_have_to_share_more() {
        let (needed, found) = crowd(3, 10);
        assert_eq!(needed.enough().crowded, 0);
        assert!(needed.ratio(0, 1, &found) <= 1.0);
        let (needed, found) = crowd(6, 10);
        assert_eq!(needed.enough(), Enough { keypoints: FEWEST, crowded: 10 });
        assert!(needed.ratio(0, 1, &found) > 1.0, "10 of {FEWEST} and 2 for each of 2");
        assert!(needed.ratio(0, 30, &found) <= 1.0, "one of them is of no crowd");
        let (needed, found) = crowd(6, 11);
        assert!(needed.ratio(0, 1, &found) <= 1.0);
    }

    #[test]
    fn many_copies_of_one_image_are_no_crowd_of_strangers() {
        let (needed, found) = crowd(8, 9);
        assert_eq!(needed.enough().crowded, 10);
        assert!(needed.ratio(0, 1, &found) <= 1.0, "what is near either is near both");
    }
}
