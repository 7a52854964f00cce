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

/// One axis of the pixels as they are stored: the part of it that is resized, and to how many pixels.
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

/// Where the triangles of an axis lie, and what they weigh.
struct Triangles {
    /// First pixel of each, counted from the one before the part: it, or the one after the part, may be the first or last
    /// of a triangle, and is the pixel at the border once more.
    starts: Vec<usize>,
    /// Weights, the same for all.
    weights: Vec<u16>,
}

impl Triangles {
    fn new(axis: Axis) -> Self {
        let (length, out) = (axis.length, axis.out);
        let width = length.div_ceil(2 * out);
        let taps = 2 * width - 1;
        // A box reaches `width - 1 - width / 2` pixels to the left of its own and `width / 2` to the right.
        let left = 2 * (width - 1 - width / 2);
        let start = |i: usize| ((2 * i + 1) * length / (2 * out)).saturating_sub(left);
        let starts = if axis.reversed {
            // The mirror image of a triangle that ends one pixel beyond the part begins one before it.
            (0..out).rev().map(|i| (length + 1).saturating_sub(start(i) + taps)).collect()
        } else {
            (0..out).map(|i| start(i) + 1).collect()
        };
        // A weight times a byte stays within 16 bits: exact up to 257 × 2 `out` pixels, rounded beyond.
        let scale = width.div_ceil(257);
        let weights = (1..=taps).map(|tap| (tap.min(taps + 1 - tap).div_ceil(scale)) as u16).collect();
        Self { starts, weights }
    }

    fn total(&self) -> u64 {
        self.weights.iter().map(|&weight| u64::from(weight)).sum()
    }
}

/// Resizes a part of the `pixels` of an image of `width` pixels to `across.out` × `down.out` pixels, row-major.
pub(crate) fn resize(pixels: &[u8], channels: Channels, width: usize, across: Axis, down: Axis) -> Vec<u8> {
    match channels {
        Channels::Luma => resize_channels::<1>(pixels, width, across, down),
        _ => resize_channels::<3>(pixels, width, across, down),
    }
}

fn resize_channels<const C: usize>(pixels: &[u8], width: usize, across: Axis, down: Axis) -> Vec<u8> {
    let (columns, rows) = (Triangles::new(across), Triangles::new(down));
    // What keeps the last sum within 32 bits: nothing up to 64 megapixels, the lowest bits of the column sums beyond.
    let total = columns.total() * rows.total();
    let shift = 32u32.saturating_sub((255 * total).leading_zeros());
    let scale = (1u64 << shift) as f32 / total as f32;
    let stride = across.length * C;
    let mut out = Vec::with_capacity(across.out * down.out * C);
    let mut partial = vec![0u16; stride];
    // The sums of the columns, and of those at the borders once more.
    let mut sums = vec![0u32; stride + 2 * C];
    for &top in &rows.starts {
        sums.fill(0);
        let inner = &mut sums[C..C + stride];
        let mut room = 257;
        for (row, &weight) in (top..).zip(&rows.weights) {
            // Sixteen bits hold the bytes of a total weight of 257, and take half the time of 32.
            if weight > room {
                flush(&mut partial, inner, 0);
                room = 257;
            }
            room -= weight;
            let row = down.begin + row.saturating_sub(1).min(down.length - 1);
            let line = &pixels[(row * width + across.begin) * C..][..stride];
            for (sum, &pixel) in partial.iter_mut().zip(line) {
                *sum += weight * u16::from(pixel);
            }
        }
        flush(&mut partial, inner, shift);
        sums.copy_within(C..2 * C, 0);
        sums.copy_within(stride..stride + C, stride + C);
        let (sums, _) = sums.as_chunks::<C>();
        for &left in &columns.starts {
            let mut totals = [0u32; C];
            for (sums, &weight) in sums[left..][..columns.weights.len()].iter().zip(&columns.weights) {
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
            let resized = resize(&pixels, Channels::Rgb, width, across, down);
            for channel in 0..3 {
                let rows: Vec<Vec<f64>> = pixels
                    .chunks_exact(width * 3)
                    .map(|row| row[channel..].iter().step_by(3).map(|&pixel| f64::from(pixel)).collect())
                    .collect();
                let narrow: Vec<_> = rows.iter().map(|row| axis(row, out_width)).collect();
                let small: Vec<_> = columns(&narrow).iter().map(|column| axis(column, out_height)).collect();
                let expected = columns(&small).concat();
                let worst = resized[channel..]
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
            resize(&pixels, Channels::Luma, 60, forward(3, 50, 8), forward(5, 30, 8)),
            resize(&cut, Channels::Luma, 50, forward(0, 50, 8), forward(0, 30, 8))
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
            let mut across = resize(&mirrored, Channels::Luma, length, reversed, one);
            across.reverse();
            assert_eq!(across, resize(&pixels, Channels::Luma, length, axis, one), "{length} to {out}");
            let mut down = resize(&mirrored, Channels::Luma, 1, one, reversed);
            down.reverse();
            assert_eq!(down, resize(&pixels, Channels::Luma, 1, one, axis), "{length} to {out}");
        }
    }
}
