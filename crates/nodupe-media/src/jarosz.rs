//! [`Filter::Jarosz`](nodupe_core::Filter::Jarosz): the two box passes and the decimation of Meta's *PDQ hashing*
//! specification, placed as its reference implementation places them.
//!
//! An axis of `n` pixels becomes one of `m`. Each box is `w = ceil(n / 2m)` pixels wide, so that both together are the
//! triangle `1, 2, …, w, …, 2, 1` over `w²`, and output pixel `i` is the filtered pixel `floor((i + ½) n / m)`. A box of
//! an even width cannot have its middle on a pixel and reaches further to the right: after two of them the middle of the
//! triangle is one pixel beyond that. A resampler that centres its kernel, as every resize does, misses that pixel, and
//! PDQ hashes of what it makes differ from the reference's by 8 bits on average. Hence this one. It is not symmetric: an
//! axis that is shown the other way round has its triangles mirrored, so that the small result can be turned afterwards.

use nodupe_core::Channels;

/// One axis of an image as it is stored: the part of it that is resized, and to how many pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    /// Where the part begins.
    pub(crate) begin: usize,
    /// Pixels of the part, at least 1.
    pub(crate) length: usize,
    /// Pixels that it becomes, at least 1.
    pub(crate) out: usize,
    /// Whether the image is shown from the last pixel of this axis to the first.
    pub(crate) reversed: bool,
}

/// What an axis is filtered by: of each pixel of the result, where the pixels begin that it is made of, and what they weigh.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// First pixel of each, in ascending order.
    starts: Vec<usize>,
    /// As many weights for each as any has, in its pixels' order; those of pixels beyond its last one are 0.
    weights: Vec<u16>,
    /// How many that is.
    taps: usize,
    /// The sum of the weights of each.
    total: u64,
}

/// The largest weight: times a byte it stays within 16 bits.
const HEAVIEST: usize = 257;

impl Kernel {
    pub(crate) fn new(axis: Axis) -> Self {
        let Axis { begin, length, out, reversed } = axis;
        let width = length.div_ceil(2 * out);
        let taps = 2 * width - 1;
        // A box reaches `width - 1 - width / 2` pixels to the left of its own and `width / 2` to the right.
        let left = 2 * (width - 1 - width / 2);
        // Counted from the pixel before the part, since the last triangle may end one pixel beyond it, and the mirror image
        // of that begins one before.
        let start = |i: usize| ((2 * i + 1) * length / (2 * out)).saturating_sub(left) + 1;
        let place = |i: usize| if reversed { (length + 2).saturating_sub(start(out - 1 - i) + taps) } else { start(i) };
        // What lies before the part or beyond it is the pixel at the border once more.
        let pixel = |at: usize| begin + at.saturating_sub(1).min(length - 1);
        // Exact as long as no weight is over the heaviest, rounded beyond.
        let scale = width.div_ceil(HEAVIEST);
        let (mut starts, mut weights) = (Vec::with_capacity(out), Vec::with_capacity(out * taps));
        let mut exact = vec![0; taps];
        for place in (0..out).map(place) {
            let first = pixel(place);
            exact.fill(0);
            for tap in 0..taps {
                exact[pixel(place + tap) - first] += (tap + 1).min(taps - tap);
            }
            starts.push(first);
            // What rounding takes from one goes to the next, so that all triangles weigh the same.
            let mut sum = 0;
            weights.extend(exact.iter().map(|&weight| {
                let before = sum / scale;
                sum += weight;
                (sum / scale - before) as u16
            }));
        }
        Self { starts, weights, taps, total: (width * width / scale) as u64 }
    }

    /// Pixels of the result.
    pub(crate) fn out(&self) -> usize {
        self.starts.len()
    }

    /// The sum of the weights of each pixel of the result.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// For each pixel of the result where its pixels begin, and their weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[u16])> {
        self.starts.iter().copied().zip(self.weights.chunks_exact(self.taps))
    }
}

/// Resizes an image of `width` pixels across to as many pixels as the kernels make, row-major.
pub(crate) fn resize(pixels: &[u8], channels: Channels, width: usize, across: &Kernel, down: &Kernel) -> Vec<u8> {
    match channels {
        Channels::Luma => resize_channels::<1>(pixels, width, across, down),
        _ => resize_channels::<3>(pixels, width, across, down),
    }
}

fn resize_channels<const C: usize>(pixels: &[u8], width: usize, columns: &Kernel, rows: &Kernel) -> Vec<u8> {
    // What keeps the last sum within 32 bits: nothing up to 64 megapixels, the lowest bits of the column sums beyond.
    let total = columns.total * rows.total;
    let shift = 32u32.saturating_sub((255 * total).leading_zeros());
    let scale = (1u64 << shift) as f32 / total as f32;
    let first = columns.starts.first().copied().unwrap_or_default();
    let end = columns.starts.last().map_or(0, |last| width.min(last + columns.taps));
    let stride = (end - first) * C;
    let mut out = Vec::with_capacity(columns.out() * rows.out() * C);
    let mut partial = vec![0u16; stride];
    // The sums of the columns; of those beyond that no triangle weighs, none.
    let mut sums = vec![0u32; stride + columns.taps * C];
    for (top, weights) in rows.iter() {
        let inner = &mut sums[..stride];
        inner.fill(0);
        let mut room = HEAVIEST as u16;
        for (row, &weight) in (top..).zip(weights).filter(|(_, weight)| **weight > 0) {
            // Sixteen bits hold the bytes of a total weight of 257, and take half the time of 32.
            if weight > room {
                flush(&mut partial, inner, 0);
                room = HEAVIEST as u16;
            }
            room -= weight;
            let line = &pixels[(row * width + first) * C..][..stride];
            for (sum, &pixel) in partial.iter_mut().zip(line) {
                *sum += weight * u16::from(pixel);
            }
        }
        flush(&mut partial, inner, shift);
        let (sums, _) = sums.as_chunks::<C>();
        for (left, weights) in columns.iter() {
            let mut totals = [0u32; C];
            for (sums, &weight) in sums[left - first..].iter().zip(weights) {
                for (total, &sum) in totals.iter_mut().zip(sums) {
                    *total += sum * u32::from(weight);
                }
            }
            out.extend(totals.map(|total| (total as f32 * scale + 0.5) as u8));
        }
    }
    out
}

fn flush(partial: &mut [u16], sums: &mut [u32], shift: u32) {
    for (sum, partial) in sums.iter_mut().zip(partial) {
        *sum = (*sum + u32::from(std::mem::take(partial))) >> shift;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(begin: usize, length: usize, out: usize) -> Axis {
        Axis { begin, length, out, reversed: false }
    }

    fn resized(pixels: &[u8], channels: Channels, width: usize, across: Axis, down: Axis) -> Vec<u8> {
        resize(pixels, channels, width, &Kernel::new(across), &Kernel::new(down))
    }

    /// The definition, written down: two passes of a box along one axis, then the decimation.
    fn axis(line: &[f64], out: usize) -> Vec<f64> {
        let width = line.len().div_ceil(2 * out);
        let (left, right) = (width - 1 - width / 2, width / 2);
        let boxed = |line: &[f64]| -> Vec<f64> {
            let window = |at: usize| &line[at.saturating_sub(left)..line.len().min(at + right + 1)];
            let mean = |window: &[f64]| window.iter().sum::<f64>() / window.len() as f64;
            (0..line.len()).map(|at| mean(window(at))).collect()
        };
        let filtered = boxed(&boxed(line));
        (0..out).map(|i| filtered[(2 * i + 1) * line.len() / (2 * out)]).collect()
    }

    fn columns(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
        (0..rows[0].len()).map(|x| rows.iter().map(|row| row[x]).collect()).collect()
    }

    #[test]
    fn pixels_are_those_of_the_definition() {
        for (width, height, out_width, out_height) in [
            (1, 1, 64, 64),
            (64, 64, 64, 64),
            (5, 300, 64, 64),
            (500, 375, 64, 64),
            (1280, 257, 64, 64),
            (129, 4200, 64, 7),
            (35_000, 2, 64, 64),
        ] {
            let pixels: Vec<u8> =
                (0..width * height * 3).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 20) as u8).collect();
            let (across, down) = (forward(0, width, out_width), forward(0, height, out_height));
            let found = resized(&pixels, Channels::Rgb, width, across, down);
            for channel in 0..3 {
                let rows: Vec<Vec<f64>> = pixels
                    .chunks_exact(width * 3)
                    .map(|row| row[channel..].iter().step_by(3).map(|&pixel| f64::from(pixel)).collect())
                    .collect();
                let narrow: Vec<_> = rows.iter().map(|row| axis(row, out_width)).collect();
                let small: Vec<_> = columns(&narrow).iter().map(|column| axis(column, out_height)).collect();
                let expected = columns(&small).concat();
                let worst = found[channel..]
                    .iter()
                    .step_by(3)
                    .zip(&expected)
                    .map(|(&a, b)| (f64::from(a) - b).abs())
                    .fold(0.0, f64::max);
                // Half a step of rounding; in noise the last pixel, where the border stands twice, is off by up to 3.
                assert!(worst < 4.0, "{width}x{height}: {worst}");
            }
        }
    }

    #[test]
    fn a_part_of_an_image_is_that_part() {
        let pixels: Vec<u8> = (0..60 * 40).map(|i| (i * 7 % 251) as u8).collect();
        let cut: Vec<u8> = pixels.chunks_exact(60).skip(5).take(30).flat_map(|row| &row[3..53]).copied().collect();
        assert_eq!(
            resized(&pixels, Channels::Luma, 60, forward(3, 50, 8), forward(5, 30, 8)),
            resized(&cut, Channels::Luma, 50, forward(0, 50, 8), forward(0, 30, 8))
        );
    }

    #[test]
    fn an_image_stored_the_other_way_round_becomes_the_same_the_other_way_round() {
        for (length, out) in [(1, 4), (9, 4), (500, 64), (375, 64), (128, 64), (1000, 7)] {
            let pixels: Vec<u8> = (0..length).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 20) as u8).collect();
            let mirrored: Vec<u8> = pixels.iter().rev().copied().collect();
            let axis = forward(0, length, out);
            let reversed = Axis { reversed: true, ..axis };
            let one = forward(0, 1, 1);
            let mut across = resized(&mirrored, Channels::Luma, length, reversed, one);
            across.reverse();
            assert_eq!(across, resized(&pixels, Channels::Luma, length, axis, one), "{length} to {out}");
            let mut down = resized(&mirrored, Channels::Luma, 1, one, reversed);
            down.reverse();
            assert_eq!(down, resized(&pixels, Channels::Luma, 1, one, axis), "{length} to {out}");
        }
    }
}
