//! How many matched keypoints are enough, read from the strangers of the collection itself.

use super::KeypointMatch;

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
/// The part of the pairs reported that are to be true, where nobody says.
const PRECISION: f64 = 0.999;
/// The part of what may be wrong in the end that strangers may make of the pairs that are found, since one wrong pair may join two groups.
const OF_PAIRS: f64 = 0.1;
/// The largest expected number of pairs of strangers where few pairs are found at all.
const WRONG_AT_LEAST: f64 = 0.02;

/// The number of matched keypoints from which on two images of a collection are near duplicates: so many that pairs of
/// strangers with as many are not to be expected, for the precision that is wanted. `all` are the pairs that were compared.
///
/// Pairs of strangers grow with the square of the collection. The number of those that match `m` keypoints by chance falls geometrically
/// with `m`, or faster: chance would make it binomial, what images have in common by nature makes it slower. The ratio of those that
/// match four to those that match three, in which copies are few, is carried on from there (an exponential tail, as extreme-value theory
/// has for such counts: Coles, *An introduction to statistical modeling of extreme values*, 2001, chapter 4).
pub(crate) fn enough<'a>(all: impl Iterator<Item = &'a KeypointMatch>, precision: Option<f64>) -> u32 {
    let wrong = (1.0 - precision.unwrap_or(PRECISION)) * OF_PAIRS;
    let mut counts = [0_usize; MOST as usize + 1];
    for found in all.filter(|found| found.agreement >= KeypointMatch::MIN_AGREEMENT || found.matched <= 4) {
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
        let pairs = counts.iter().enumerate().flat_map(|(matched, &count)| {
            std::iter::repeat_n(
                KeypointMatch { matched: matched as u32, agreement: 0.5, spread: 1.0, ..KeypointMatch::default() },
                count,
            )
        });
        enough(pairs.collect::<Vec<_>>().iter(), None)
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
}
