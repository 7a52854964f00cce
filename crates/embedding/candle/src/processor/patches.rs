//! The pixels that a convolution sees at each place, so that it becomes a product of matrices ("im2col").

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};

use super::numbers;
use crate::layer::{Axis, Window};

/// Batch × channels × height × width to batch × (channels × kernel × kernel) × pixels of the output.
pub(super) struct Patches {
    pub(super) window: Window,
    pub(super) axes: [Axis; 2],
}

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, images: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, channels, _, _) = at.shape().dims4()?;
        let Window { kernel, stride, .. } = self.window;
        let [rows, columns] = self.axes;
        let shape = Shape::from((batch, channels * kernel * kernel, rows.output * columns.output));
        let mut patches = Vec::with_capacity(shape.elem_count());
        for plane in numbers(images, at)?.chunks_exact((rows.input * columns.input).max(1)) {
            for y in 0..kernel {
                for x in 0..kernel {
                    // The pixels of the output whose window has the image under its pixel x, and where the first lies.
                    let (first, end) = columns.inside(x, stride);
                    let from = (first * stride + x).saturating_sub(columns.before);
                    for row in 0..rows.output {
                        let line = (row * stride + y).checked_sub(rows.before).filter(|line| *line < rows.input);
                        let line = line.and_then(|line| plane.get(line * columns.input..(line + 1) * columns.input));
                        let seen = line.and_then(|line| line.get(from..)).filter(|_| first < end);
                        let Some(seen) = seen else {
                            patches.resize(patches.len() + columns.output, 0.0);
                            continue;
                        };
                        patches.resize(patches.len() + first, 0.0);
                        if stride == 1 {
                            patches.extend_from_slice(&seen[..end - first]);
                        } else {
                            patches.extend(seen.iter().step_by(stride).take(end - first));
                        }
                        patches.resize(patches.len() + columns.output - end, 0.0);
                    }
                }
            }
        }
        Ok((CpuStorage::F32(patches), shape))
    }
}

impl Axis {
    /// The pixels of the output, first and end, at which pixel `offset` of the window lies on the image.
    fn inside(self, offset: usize, stride: usize) -> (usize, usize) {
        let first = self.before.saturating_sub(offset).div_ceil(stride).min(self.output);
        let end = (self.before + self.input).saturating_sub(offset).div_ceil(stride).min(self.output);
        (first, end.max(first))
    }
}
