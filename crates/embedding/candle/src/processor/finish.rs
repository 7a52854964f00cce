//! What comes after a convolution, in one pass.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, bail};
use pulp::{Arch, Simd, WithSimd};

use super::numbers;
use crate::layer::Activation;

/// Adds a bias to every channel, where there is one a shortcut to every number, and applies an activation.
pub(super) struct Finish(pub(super) Activation);

impl InplaceOp2 for Finish {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn cpu_fwd(&self, output: &mut CpuStorage, at: &Layout, bias: &CpuStorage, bias_at: &Layout) -> Result<()> {
        self.run(output, at, numbers(bias, bias_at)?, &[])
    }
}

impl InplaceOp3 for Finish {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn cpu_fwd(
        &self,
        output: &mut CpuStorage,
        at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
        shortcut: &CpuStorage,
        shortcut_at: &Layout,
    ) -> Result<()> {
        let shortcut = numbers(shortcut, shortcut_at)?;
        if shortcut.len() != at.shape().elem_count() {
            bail!("a shortcut of {} numbers for {:?}", shortcut.len(), at.shape())
        }
        self.run(output, at, numbers(bias, bias_at)?, shortcut)
    }
}

impl Finish {
    fn run(&self, output: &mut CpuStorage, at: &Layout, bias: &[f32], shortcut: &[f32]) -> Result<()> {
        let (CpuStorage::F32(all), Some((start, end))) = (output, at.contiguous_offsets()) else {
            bail!("an output that is not floats without gaps")
        };
        let (_, _, height, width) = at.shape().dims4()?;
        let Some(output) = all.get_mut(start..end) else { bail!("an output outside its storage") };
        Arch::new().dispatch(Pass { output, bias, shortcut, plane: height * width, activation: self.0 });
        Ok(())
    }
}

struct Pass<'a> {
    output: &'a mut [f32],
    bias: &'a [f32],
    /// As long as the output, or empty.
    shortcut: &'a [f32],
    /// Pixels of a channel.
    plane: usize,
    activation: Activation,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { output, bias, shortcut, plane, activation } = self;
        match activation {
            Activation::None => each(output, bias, shortcut, plane, |x| x),
            Activation::Relu => each(output, bias, shortcut, plane, |x| if x < 0.0 { 0.0 } else { x }),
            Activation::Relu6 => each(output, bias, shortcut, plane, |x| x.clamp(0.0, 6.0)),
        }
    }
}

#[inline(always)]
fn each(output: &mut [f32], bias: &[f32], shortcut: &[f32], plane: usize, activation: impl Fn(f32) -> f32) {
    let planes = output.chunks_exact_mut(plane).zip(bias.iter().cycle());
    if shortcut.is_empty() {
        for (pixels, bias) in planes {
            for pixel in pixels {
                *pixel = activation(*pixel + bias);
            }
        }
    } else {
        for ((pixels, bias), shortcut) in planes.zip(shortcut.chunks_exact(plane)) {
            for (pixel, shortcut) in pixels.iter_mut().zip(shortcut) {
                *pixel = activation(*pixel + bias + shortcut);
            }
        }
    }
}
