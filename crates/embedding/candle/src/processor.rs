//! Convolutions on the processor: candle's copy their input once or twice, and run every channel of a depthwise one by
//! itself.

#![allow(
    clippy::inline_always,
    reason = "what is compiled for the widest instructions is what is inlined into `with_simd`"
)]

mod depthwise;
mod finish;
mod patches;

use candle_core::{CpuStorage, Layout, Result, Tensor, bail};

use crate::layer::{Activation, Axis, Window};
use depthwise::Depthwise;
use finish::Finish;
use patches::Patches;

/// Batch × inputs × height × width to batch × outputs × height × width. The weights are those of
/// [`Window::shape`] with all but the outputs in one dimension.
pub(crate) fn convolve(
    images: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    (window, axes, is_depthwise): (Window, [Axis; 2], bool),
    shortcut: Option<&Tensor>,
    activation: Activation,
) -> Result<Tensor> {
    let images = images.contiguous()?;
    let output = if is_depthwise {
        images.apply_op2_no_bwd(weight, &Depthwise { window, axes })?
    } else {
        let batch = images.dim(0)?;
        let columns = if window.kernel == 1 && window.stride == 1 {
            images.flatten_from(2)?
        } else {
            images.apply_op1_no_bwd(&Patches { window, axes })?
        };
        let output =
            if batch == 1 { weight.matmul(&columns.squeeze(0)?)? } else { weight.broadcast_matmul(&columns)? };
        output.reshape((batch, window.outputs, axes[0].output, axes[1].output))?
    };
    match shortcut {
        Some(shortcut) => output.inplace_op3(bias, &shortcut.contiguous()?, &Finish(activation))?,
        None => output.inplace_op2(bias, &Finish(activation))?,
    }
    Ok(output)
}

/// The numbers of a tensor that lie without gaps.
fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let all = storage.as_slice::<f32>()?;
    let Some(numbers) = layout.contiguous_offsets().and_then(|(start, end)| all.get(start..end)) else {
        bail!("a tensor with gaps")
    };
    Ok(numbers)
}
