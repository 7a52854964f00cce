//! The discrete cosine transform: 64×64 pixels to the 16×16 coefficients that the hash is read from.

use std::f64::consts::PI;

/// Pixels along each axis of the input.
pub(crate) const SIDE: usize = 64;
/// Frequencies along each axis of the output: 1 to 16. Frequency 0, the mean brightness, is left out.
pub(crate) const FREQUENCIES: usize = 16;
/// An image of [`SIDE`] × [`SIDE`] bytes of luminance, row-major.
pub(crate) type Pixels = [u8; SIDE * SIDE];
/// `[v][h]` is the coefficient of vertical frequency `v + 1` and horizontal frequency `h + 1`.
pub(crate) type Coefficients = [[f32; FREQUENCIES]; FREQUENCIES];

const HALF: usize = SIDE / 2;

/// The transform `D A Dᵀ`, where `D[f][k] = √(2/64) cos(π/128 (f + 1)(2k + 1))`.
///
/// Cosines of an odd frequency are antisymmetric about the middle of the image and those of an even one symmetric. So
/// the two halves of the image are subtracted and added first: that halves the multiplications, and makes a mirrored
/// image's coefficients those of the image with some signs changed, to the last bit.
pub(crate) struct Transform {
    /// The left half of `D`; the right half follows from it.
    cosines: [[f32; HALF]; FREQUENCIES],
}

impl Transform {
    pub(crate) fn new() -> Self {
        let cosine = |f: usize, k: usize| {
            let angle = PI / (2 * SIDE) as f64 * ((f + 1) * (2 * k + 1)) as f64;
            ((2.0 / SIDE as f64).sqrt() * angle.cos()) as f32
        };
        Self { cosines: std::array::from_fn(|f| std::array::from_fn(|k| cosine(f, k))) }
    }

    pub(crate) fn coefficients(&self, pixels: &Pixels) -> Coefficients {
        let mut rows = [[0.0; SIDE]; SIDE];
        for (row, &pixel) in rows.as_flattened_mut().iter_mut().zip(pixels) {
            *row = f32::from(pixel);
        }
        transposed(&self.along_columns(&transposed(&self.along_columns(&rows))))
    }

    /// `D A`, for `A` of 64 rows and any number of columns.
    fn along_columns<const W: usize>(&self, rows: &[[f32; W]; SIDE]) -> [[f32; W]; FREQUENCIES] {
        let mut differences = [[0.0; W]; HALF];
        let mut sums = [[0.0; W]; HALF];
        for k in 0..HALF {
            for x in 0..W {
                differences[k][x] = rows[k][x] - rows[SIDE - 1 - k][x];
                sums[k][x] = rows[k][x] + rows[SIDE - 1 - k][x];
            }
        }
        let mut out = [[0.0; W]; FREQUENCIES];
        let (pairs, _) = out.as_chunks_mut::<2>();
        let (cosines, _) = self.cosines.as_chunks::<2>();
        for ([odd, even], [odd_cosines, even_cosines]) in pairs.iter_mut().zip(cosines) {
            accumulate(odd, odd_cosines, &differences);
            accumulate(even, even_cosines, &sums);
        }
        out
    }
}

/// `out = weights · rows`, 16 columns at a time: they stay in registers.
fn accumulate<const W: usize>(out: &mut [f32; W], weights: &[f32; HALF], rows: &[[f32; W]; HALF]) {
    let (blocks, _) = out.as_chunks_mut::<16>();
    for (block, out) in blocks.iter_mut().enumerate() {
        let mut total = [0.0; 16];
        for (&weight, row) in weights.iter().zip(rows) {
            let (blocks, _) = row.as_chunks::<16>();
            for (total, &value) in total.iter_mut().zip(&blocks[block]) {
                *total += weight * value;
            }
        }
        *out = total;
    }
}

fn transposed<const R: usize, const C: usize>(matrix: &[[f32; C]; R]) -> [[f32; R]; C] {
    std::array::from_fn(|column| std::array::from_fn(|row| matrix[row][column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> Pixels {
        std::array::from_fn(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 11) as u8)
    }

    #[test]
    fn coefficients_are_those_of_the_definition() {
        let pixels = noise();
        let coefficients = Transform::new().coefficients(&pixels);
        let cosine = |f: usize, k: usize| (PI / 128.0 * ((f + 1) * (2 * k + 1)) as f64).cos();
        for (v, row) in coefficients.iter().enumerate() {
            for (h, &coefficient) in row.iter().enumerate() {
                let term = |i: usize| f64::from(pixels[i]) * cosine(v, i / SIDE) * cosine(h, i % SIDE);
                let expected = (0..SIDE * SIDE).map(term).sum::<f64>() / 32.0;
                assert!((f64::from(coefficient) - expected).abs() < 2e-3, "[{v}][{h}]: {coefficient} {expected}");
            }
        }
    }

    #[test]
    fn a_mirrored_picture_has_no_odd_frequencies_at_all() {
        let mut pixels = noise();
        for row in pixels.chunks_exact_mut(SIDE) {
            for x in 0..HALF {
                row[SIDE - 1 - x] = row[x];
            }
        }
        for row in Transform::new().coefficients(&pixels) {
            assert!(row.iter().step_by(2).all(|&odd| odd == 0.0), "{row:?}");
            assert!(row.iter().skip(1).step_by(2).all(|&even| even != 0.0), "{row:?}");
        }
    }
}
