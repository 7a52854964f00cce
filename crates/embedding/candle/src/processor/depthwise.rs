//! Convolutions of every channel by itself.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape};
use pulp::{Arch, Simd, WithSimd};

use super::numbers;
use crate::layer::{Axis, Window};

/// Numbers that are summed at a time: what the registers of any processor hold.
const BLOCK: usize = 16;

/// Batch × channels × height × width and channels × (kernel × kernel) to batch × channels × height × width.
pub(super) struct Depthwise {
    pub(super) window: Window,
    pub(super) axes: [Axis; 2],
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        images: &CpuStorage,
        images_at: &Layout,
        weight: &CpuStorage,
        weight_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, channels, _, _) = images_at.shape().dims4()?;
        let [rows, columns] = self.axes;
        let shape = Shape::from((batch, channels, rows.output, columns.output));
        let mut output = vec![0.0; shape.elem_count()];
        Arch::new().dispatch(Pass {
            images: numbers(images, images_at)?,
            weight: numbers(weight, weight_at)?,
            output: &mut output,
            grid: Grid::new(self.window, self.axes),
        });
        Ok((CpuStorage::F32(output), shape))
    }
}

/// An image taken apart so that every window steps by one: with stride `s` into `s × s` images, one of every `s`-th row and
/// column from each beginning. They lie one after the other, zeros around them, all of one width: so the pixels that one
/// weight meets lie one after the other too, rows and all, and the sums that run over the end of a row are left out
/// afterwards.
struct Grid {
    window: Window,
    axes: [Axis; 2],
    /// Width of a part.
    width: usize,
    /// Pixels of a part.
    pixels: usize,
    /// For every weight the place that it meets first.
    offsets: Vec<usize>,
}

impl Grid {
    fn new(window: Window, axes: [Axis; 2]) -> Self {
        let Window { kernel, stride, .. } = window;
        let beyond = (kernel - 1) / stride;
        let width = axes[1].output + beyond;
        let pixels = (axes[0].output + beyond) * width;
        let offset =
            |y: usize, x: usize| ((y % stride) * stride + x % stride) * pixels + (y / stride) * width + x / stride;
        let offsets = (0..kernel * kernel).map(|weight| offset(weight / kernel, weight % kernel)).collect();
        Self { window, axes, width, pixels, offsets }
    }

    /// Numbers of all parts, and some behind them that a block may read.
    fn len(&self) -> usize {
        self.window.stride * self.window.stride * self.pixels + BLOCK + self.window.kernel
    }

    /// Takes an image apart. What lies around it is left as it is.
    #[inline(always)]
    fn take_apart(&self, image: &[f32], parts: &mut [f32]) {
        let stride = self.window.stride;
        let [rows, columns] = self.axes;
        let height = self.pixels / self.width;
        for (y, line) in image.chunks_exact(columns.input).enumerate() {
            let y = y + rows.before;
            if y / stride >= height {
                break;
            }
            let row = y % stride * stride * self.pixels + y / stride * self.width;
            if stride == 1 {
                let count = line.len().min(self.width - columns.before);
                parts[row + columns.before..][..count].copy_from_slice(&line[..count]);
                continue;
            }
            for phase in 0..stride {
                // The first pixel of the line that belongs to this part, and where in the part it lies.
                let first = (phase + stride - columns.before % stride) % stride;
                let at = (first + columns.before) / stride;
                let part = &mut parts[row + phase * self.pixels + at..][..self.width.saturating_sub(at)];
                for (to, from) in part.iter_mut().zip(line.iter().skip(first).step_by(stride)) {
                    *to = *from;
                }
            }
        }
    }
}

struct Pass<'a> {
    images: &'a [f32],
    weight: &'a [f32],
    output: &'a mut [f32],
    grid: Grid,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { images, weight, output, grid } = self;
        let [rows, columns] = grid.axes;
        let mut parts = vec![0.0; grid.len()];
        let mut sums = vec![0.0; (rows.output * grid.width).next_multiple_of(BLOCK)];
        let planes = images.chunks_exact(rows.input * columns.input);
        let weights = weight.chunks_exact(grid.offsets.len()).cycle();
        let outputs = output.chunks_exact_mut(rows.output * columns.output);
        for ((image, weights), output) in planes.zip(weights).zip(outputs) {
            grid.take_apart(image, &mut parts);
            let (blocks, _) = sums.as_chunks_mut::<BLOCK>();
            for (number, block) in blocks.iter_mut().enumerate() {
                let mut sum = [0.0; BLOCK];
                for (weight, offset) in weights.iter().zip(&grid.offsets) {
                    let Some(pixels) = parts[number * BLOCK + offset..].first_chunk::<BLOCK>() else { continue };
                    for (sum, pixel) in sum.iter_mut().zip(pixels) {
                        *sum += weight * pixel;
                    }
                }
                *block = sum;
            }
            for (output, sums) in output.chunks_exact_mut(columns.output).zip(sums.chunks_exact(grid.width)) {
                output.copy_from_slice(&sums[..columns.output]);
            }
        }
    }
}
