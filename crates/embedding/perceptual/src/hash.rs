//! From coefficients to bits, and whether there is enough in an image for its bits to mean anything.

use std::fmt::Write as _;

use crate::transform::{Coefficients, FREQUENCIES, Pixels, SIDE};

/// Bits of a hash.
pub(crate) const BITS: usize = FREQUENCIES * FREQUENCIES;
/// Bytes of a hash.
pub(crate) const BYTES: usize = BITS / 8;
/// The lowest quality that is hashed: the specification advises to discard 49 and less.
pub(crate) const MIN_QUALITY: u32 = 50;

/// A hash as Meta's tools write it: 64 lower-case hexadecimal digits, the last bit of the row first.
///
/// ```
/// let mut row = [0; 32];
/// row[0] = 0b0000_0001; // vertical frequency 1, horizontal frequency 1
/// assert_eq!(nodupe_perceptual::hex(&row), format!("{:064x}", 1));
/// ```
pub fn hex(row: &[u8]) -> String {
    row.iter().rev().fold(String::with_capacity(2 * row.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How much there is in an image, 0 to 100: the steps between neighbouring pixels, each in whole hundredths of the range
/// so that many faint ones do not count, added up and scaled as the specification does.
pub(crate) fn quality(pixels: &Pixels) -> u32 {
    let step = |(&a, &b): (&u8, &u8)| u32::from(u16::from(a.abs_diff(b)) * 100 / 255);
    let (rows, _) = pixels.as_chunks::<SIDE>();
    let across: u32 = rows.iter().flat_map(|row| row.iter().zip(&row[1..])).map(step).sum();
    let down: u32 = pixels.iter().zip(&pixels[SIDE..]).map(step).sum();
    ((across + down) / 90).min(100)
}

/// The median as the reference takes it: the 128th smallest of the 256, so that half of the bits are set.
pub(crate) fn median(coefficients: &Coefficients) -> f32 {
    let mut sorted = *coefficients;
    let (_, median, _) = sorted.as_flattened_mut().select_nth_unstable_by(BITS / 2 - 1, f32::total_cmp);
    *median
}

/// Bit `16 v + h` says whether coefficient `[v][h]` is over the median.
pub(crate) fn bits(coefficients: &Coefficients, median: f32) -> [u8; BYTES] {
    let (eights, _) = coefficients.as_flattened().as_chunks::<8>();
    std::array::from_fn(|byte| {
        let set = |bit: usize| u8::from(eights[byte][bit] > median) << bit;
        (0..8).map(set).fold(0, |byte, bit| byte | bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_bits_are_set_and_they_are_the_large_ones() {
        let coefficients: Coefficients =
            std::array::from_fn(|v| std::array::from_fn(|h| ((v * 16 + h) * 97 % 256) as f32));
        assert_eq!(median(&coefficients).to_bits(), 127f32.to_bits());
        let bits = bits(&coefficients, median(&coefficients));
        for (k, value) in coefficients.as_flattened().iter().enumerate() {
            assert_eq!(bits[k / 8] >> (k % 8) & 1 == 1, *value >= 128.0, "bit {k}");
        }
    }

    #[test]
    fn a_coefficient_that_equals_the_median_is_not_over_it() {
        let mut coefficients = [[-0.0; 16]; 16];
        coefficients[3] = [0.0; 16];
        coefficients[7][5] = 1.0;
        let bits = bits(&coefficients, median(&coefficients));
        assert_eq!(bits.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert_eq!(bits[(7 * 16 + 5) / 8], 1 << 5);
    }

    #[test]
    fn faint_steps_do_not_count_and_many_strong_ones_are_100() {
        let stripes = |low: u8, high: u8| std::array::from_fn(|i| if i % 2 == 0 { low } else { high });
        assert_eq!(quality(&stripes(100, 100)), 0);
        assert_eq!(quality(&stripes(100, 102)), 0);
        // 64 rows of 63 steps, each of 1.
        assert_eq!(quality(&stripes(100, 103)), 64 * 63 / 90);
        assert_eq!(quality(&stripes(0, 255)), 100);
    }
}
