//! A plane of floats, and Gaussian blur.
#![expect(
    clippy::inline_always,
    reason = "what is compiled for the widest instructions is what is inlined into `with_simd`"
)]

use pulp::{Arch, Simd, WithSimd};

/// Values that are summed at a time: what the registers of any processor hold.
const BLOCK: usize = 64;

/// Luminance, or what was made of it: rows of `side` values, `side` of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plane {
    pub(crate) side: usize,
    pub(crate) data: Vec<f32>,
}

impl Plane {
    /// From bytes, as 0 to 1.
    pub(crate) fn of_luma(side: usize, luma: &[u8]) -> Self {
        Self { side, data: luma.iter().map(|&value| f32::from(value) / 255.0).collect() }
    }

    /// Every other value of every other row.
    pub(crate) fn halved(&self) -> Self {
        let rows = self.data.chunks_exact(self.side).step_by(2);
        let side = self.side.div_ceil(2);
        Self { side, data: rows.flat_map(|row| row.iter().step_by(2).copied()).collect() }
    }

    /// Between four values; beyond the edge as at the edge.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let last = (self.side - 1) as f32;
        let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.side - 1), (top + 1).min(self.side - 1));
        let (fx, fy) = (x - left as f32, y - top as f32);
        let (upper, lower) = (&self.data[top * self.side..], &self.data[bottom * self.side..]);
        let above = upper[left] + fx * (upper[right] - upper[left]);
        let below = lower[left] + fx * (lower[right] - lower[left]);
        above + fy * (below - above)
    }
}

/// A Gaussian filter of one standard deviation, with the room that it works in.
#[derive(Debug, Clone)]
pub(crate) struct Blur {
    /// One half of the symmetric kernel, its centre first; it ends at three standard deviations.
    kernel: Vec<f32>,
}

impl Blur {
    pub(crate) fn new(sigma: f32) -> Self {
        let radius = (3.0 * sigma).ceil() as usize;
        let mut kernel: Vec<f32> = (0..=radius).map(|i| (-((i * i) as f32) / (2.0 * sigma * sigma)).exp()).collect();
        let sum = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
        for weight in &mut kernel {
            *weight /= sum;
        }
        Self { kernel }
    }

    /// The plane blurred along both axes. Beyond its edge it goes on mirrored.
    pub(crate) fn apply(&self, plane: &Plane) -> Plane {
        let mut data = vec![0.0; plane.data.len()];
        Arch::new().dispatch(Pass { blur: self, plane, blurred: &mut data });
        Plane { side: plane.side, data }
    }

    /// Which of `side` values stands at so many before the first one and as many as the kernel is wide to one side.
    fn mirrored(&self, at: usize, side: usize) -> usize {
        let radius = self.kernel.len() - 1;
        let last = side.saturating_sub(1).max(1);
        let at = (at + 2 * last * radius.div_ceil(2 * last) - radius) % (2 * last);
        at.min(2 * last - at).min(side - 1)
    }

    /// The weighted sum of lines, each of them as long as `out`: those of twice the radius and one.
    #[inline(always)]
    fn sum(&self, lines: &[&[f32]], out: &mut [f32]) {
        let radius = self.kernel.len() - 1;
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        let beyond = blocks.len() * BLOCK;
        for (number, block) in blocks.iter_mut().enumerate() {
            let first = number * BLOCK;
            let part = |line: usize| &lines[line][first..first + BLOCK];
            let mut sum = [0.0; BLOCK];
            for (sum, value) in sum.iter_mut().zip(part(radius)) {
                *sum = self.kernel[0] * value;
            }
            for (i, &weight) in self.kernel.iter().enumerate().skip(1) {
                for ((sum, a), b) in sum.iter_mut().zip(part(radius - i)).zip(part(radius + i)) {
                    *sum += weight * (a + b);
                }
            }
            *block = sum;
        }
        for (place, out) in rest.iter_mut().enumerate() {
            let value = |line: usize| lines[line][beyond + place];
            let sides = self
                .kernel
                .iter()
                .enumerate()
                .skip(1)
                .map(|(i, weight)| weight * (value(radius - i) + value(radius + i)));
            *out = sides.fold(self.kernel[0] * value(radius), |sum, side| sum + side);
        }
    }
}

/// Blurs a plane by the widest instructions that the processor has. Products and sums are rounded one by one, so that the result is the
/// same everywhere.
struct Pass<'a> {
    blur: &'a Blur,
    plane: &'a Plane,
    /// As many values as the plane has.
    blurred: &'a mut [f32],
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { blur, plane: &Plane { side, ref data }, blurred } = self;
        let radius = blur.kernel.len() - 1;
        let mut rows = vec![0.0; data.len()];
        let mut padded = vec![0.0; side + 2 * radius];
        for (row, out) in data.chunks_exact(side).zip(rows.chunks_exact_mut(side)) {
            for i in 0..radius {
                padded[i] = row[blur.mirrored(i, side)];
                padded[radius + side + i] = row[blur.mirrored(radius + side + i, side)];
            }
            padded[radius..radius + side].copy_from_slice(row);
            let shifted: Vec<&[f32]> = padded.windows(side).collect();
            blur.sum(&shifted, out);
        }
        for (y, out) in blurred.chunks_exact_mut(side).enumerate() {
            let near: Vec<&[f32]> = (y..=y + 2 * radius)
                .map(|y| blur.mirrored(y, side) * side)
                .map(|start| &rows[start..start + side])
                .collect();
            blur.sum(&near, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_spreads_a_point_as_a_gaussian_and_keeps_its_sum() {
        let mut plane = Plane { side: 41, data: vec![0.0; 41 * 41] };
        plane.data[20 * 41 + 20] = 1.0;
        let blurred = Blur::new(2.0).apply(&plane);
        assert!((blurred.data.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        let ratio = blurred.data[20 * 41 + 22] / blurred.data[20 * 41 + 20];
        assert!((ratio - (-0.5_f32).exp()).abs() < 1e-4, "{ratio}");
        assert!((blurred.data[20 * 41 + 24] - blurred.data[24 * 41 + 20]).abs() < 1e-7);
    }

    #[test]
    fn a_flat_plane_stays_flat_however_small_it_is() {
        for side in [1, 2, 5, 30] {
            let plane = Plane { side, data: vec![0.25; side * side] };
            let blurred = Blur::new(3.0).apply(&plane);
            assert!(blurred.data.iter().all(|value| (value - 0.25).abs() < 1e-5), "{side}");
        }
    }
}
