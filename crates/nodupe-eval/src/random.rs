//! Numbers that look random and are the same everywhere.

use std::ops::RangeInclusive;

/// `SplitMix64` (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014, with the constants of
/// their `Gamma` 0x9e37…): sixty-four bits of state, the same numbers on every machine and in every version.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of one thing: what the parts name has its numbers to itself, whatever others draw.
    pub(crate) fn of(parts: &[u64]) -> Self {
        let seed = |seed, &part: &u64| Self(seed ^ part).next();
        Self(parts.iter().fold(0x6e6f_6475_7065, seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Evenly below `bound`; 0 where that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product: even up to one in 2⁶⁴ / bound.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly within a range of whole numbers, both ends included; the first where the last is less.
    pub(crate) fn within(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (first, last) = range.into_inner();
        first + self.below(u64::from(last.saturating_sub(first)) + 1) as u32
    }

    /// Evenly in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Evenly between two numbers.
    pub(crate) fn between(&mut self, least: f32, most: f32) -> f32 {
        least + (most - least) * self.unit()
    }

    /// A number between two, with either sign.
    pub(crate) fn either_way(&mut self, least: f32, most: f32) -> f32 {
        let number = self.between(least, most);
        if self.coin() { number } else { -number }
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// Any colour.
    pub(crate) fn colour(&mut self) -> image::Rgb<u8> {
        image::Rgb([0; 3].map(|_: u8| self.within(0..=255) as u8))
    }

    /// About normal, of mean 0 and deviation 1: the sum of twelve even numbers less 6 (Irwin and Hall).
    pub(crate) fn normal(&mut self) -> f32 {
        let bits = [self.next(), self.next(), self.next()];
        let parts = bits.iter().flat_map(|bits| (0..4).map(move |part| (bits >> (16 * part)) as u16));
        parts.map(|part| f32::from(part) / 65_535.0).sum::<f32>() - 6.0
    }

    /// Puts things into any order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first outputs for the seed 1234567, as in the reference implementation's test vector.
        let mut random = Random(1_234_567);
        let wanted = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(wanted, [0; 3].map(|_: u8| random.next()));
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut random = Random::of(&[1, 2]);
        let drawn: Vec<u32> = (0..1000).map(|_| random.within(3..=6)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&6)));
        assert!((0..1000).all(|_| (0.5..2.0).contains(&random.between(0.5, 2.0))));
        let normal: Vec<f32> = (0..10_000).map(|_| random.normal()).collect();
        let mean = normal.iter().sum::<f32>() / 1e4;
        let variance = normal.iter().map(|number| (number - mean).powi(2)).sum::<f32>() / 1e4;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn other_parts_are_other_numbers() {
        let first = |parts: &[u64]| Random::of(parts).next();
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
    }
}
