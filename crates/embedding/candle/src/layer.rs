//! The layers that the networks are made of, without batch normalisation: that is in the weights of the convolutions.

use candle_core::{Device, Result, Tensor, bail};

use crate::processor;

/// What is done to each number that a layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    None,
    Relu,
    /// Between 0 and 6.
    Relu6,
}

/// What is put around an image before a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// So many zeros on each side.
    Each(usize),
    /// As many that the output is the input over the stride, rounded up; an odd one goes to the right and the bottom:
    /// TensorFlow's `SAME`.
    Same,
}

/// The form of a convolution: square, the same in both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    padding: Padding,
    /// Every channel by itself.
    is_depthwise: bool,
}

/// What a window does along one axis of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Size of the image.
    pub(crate) input: usize,
    /// Zeros before it.
    pub(crate) before: usize,
    /// Zeros after it.
    pub(crate) after: usize,
    /// Size of the output.
    pub(crate) output: usize,
}

impl Window {
    pub(crate) const fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: Padding) -> Self {
        Self { inputs, outputs, kernel, stride, padding, is_depthwise: false }
    }

    /// One pixel by one.
    pub(crate) const fn pointwise(inputs: usize, outputs: usize) -> Self {
        Self::new(inputs, outputs, 1, 1, Padding::Each(0))
    }

    /// Every channel by itself.
    pub(crate) const fn depthwise(channels: usize, kernel: usize, stride: usize, padding: Padding) -> Self {
        Self { is_depthwise: true, ..Self::new(channels, channels, kernel, stride, padding) }
    }

    /// The shape of the weights: outputs × inputs of each × kernel × kernel.
    pub(crate) const fn shape(&self) -> [usize; 4] {
        [self.outputs, if self.is_depthwise { 1 } else { self.inputs }, self.kernel, self.kernel]
    }

    /// What it does along an axis of `input` pixels.
    pub(crate) fn along(&self, input: usize) -> Result<Axis> {
        let (before, after) = match self.padding {
            Padding::Each(zeros) => (zeros, zeros),
            Padding::Same => {
                let covered = (input.div_ceil(self.stride).saturating_sub(1)) * self.stride + self.kernel;
                let zeros = covered.saturating_sub(input);
                (zeros / 2, zeros - zeros / 2)
            }
        };
        let Some(room) = (before + input + after).checked_sub(self.kernel) else {
            bail!("an image of {input} pixels is too small for a window of {}", self.kernel)
        };
        Ok(Axis { input, before, after, output: room / self.stride + 1 })
    }
}

impl Axis {
    /// Puts the zeros around a tensor along a dimension.
    fn pad(self, images: &Tensor, dimension: usize) -> Result<Tensor> {
        if self.before + self.after == 0 {
            return Ok(images.clone());
        }
        images.pad_with_zeros(dimension, self.before, self.after)
    }
}

/// A convolution with its bias and what comes after it.
#[derive(Debug)]
pub(crate) struct Conv {
    /// As [`Window::shape`] says; on the processor outputs × all the others.
    weight: Tensor,
    bias: Tensor,
    window: Window,
    activation: Activation,
}

impl Conv {
    pub(crate) fn new(weight: &Tensor, bias: Tensor, window: Window, activation: Activation) -> Result<Self> {
        let weight = if weight.device().is_cpu() { weight.flatten_from(1)? } else { weight.clone() };
        Ok(Self { weight: weight.contiguous()?, bias, window, activation })
    }

    /// Batch × inputs × height × width to batch × outputs × height × width.
    pub(crate) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.forward_onto(images, None)
    }

    /// The same with `shortcut`, which has the shape of the output, added before the activation.
    pub(crate) fn forward_onto(&self, images: &Tensor, shortcut: Option<&Tensor>) -> Result<Tensor> {
        let (_, _, height, width) = images.dims4()?;
        let axes = [self.window.along(height)?, self.window.along(width)?];
        match images.device() {
            Device::Cpu => processor::convolve(
                images,
                (&self.weight, &self.bias),
                (self.window, axes, self.window.is_depthwise),
                shortcut,
                self.activation,
            ),
            _ => self.forward_anywhere(images, axes, shortcut),
        }
    }

    /// By candle's own operations alone.
    fn forward_anywhere(
        &self,
        images: &Tensor,
        [rows, columns]: [Axis; 2],
        shortcut: Option<&Tensor>,
    ) -> Result<Tensor> {
        let weight = self.weight.reshape(&self.window.shape())?;
        let padded = columns.pad(&rows.pad(images, 2)?, 3)?;
        let output = if self.window.is_depthwise {
            depthwise(&padded, &weight, self.window, [rows, columns])?
        } else {
            padded.conv2d(&weight, 0, self.window.stride, 1, 1)?
        };
        let mut output = output.broadcast_add(&self.bias.reshape((1, (), 1, 1))?)?;
        if let Some(shortcut) = shortcut {
            output = (output + shortcut)?;
        }
        match self.activation {
            Activation::None => Ok(output),
            Activation::Relu => output.relu(),
            Activation::Relu6 => output.clamp(0f32, 6f32),
        }
    }
}

/// Every channel by itself, as a sum of shifted images: candle's `conv2d` would start each channel for itself.
fn depthwise(padded: &Tensor, weight: &Tensor, window: Window, axes: [Axis; 2]) -> Result<Tensor> {
    let every = |axis: Axis, first: usize| {
        let pixels = (0..axis.output).map(|pixel| (first + pixel * window.stride) as u32);
        Tensor::from_iter(pixels, padded.device())
    };
    let mut sum: Option<Tensor> = None;
    for y in 0..window.kernel {
        let rows = padded.index_select(&every(axes[0], y)?, 2)?;
        for x in 0..window.kernel {
            let shifted = rows.index_select(&every(axes[1], x)?, 3)?;
            let factors = weight.narrow(2, y, 1)?.narrow(3, x, 1)?.reshape((1, (), 1, 1))?;
            let part = shifted.broadcast_mul(&factors)?;
            sum = Some(match sum {
                Some(sum) => (sum + part)?,
                None => part,
            });
        }
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a window of no pixels".to_owned()))
}

/// A fully connected layer.
#[derive(Debug)]
pub(crate) struct Linear {
    /// Inputs × outputs.
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// From weights of the shape outputs × inputs.
    pub(crate) fn new(weight: &Tensor, bias: Tensor) -> Result<Self> {
        Ok(Self { weight: weight.t()?.contiguous()?, bias })
    }

    /// Batch × inputs to batch × outputs.
    pub(crate) fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        rows.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// The largest of 3×3 pixels, every second one, of numbers that are not below 0.
pub(crate) fn max_pool(images: &Tensor) -> Result<Tensor> {
    images.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?.max_pool2d_with_stride(3, 2)
}

/// The generalised mean of each channel (Radenović et al. 2019), `p = 3`: the cube root of the mean of the cubes.
pub(crate) fn generalised_mean(images: &Tensor) -> Result<Tensor> {
    const LEAST: f32 = 1e-6;
    let images = images.maximum(LEAST)?;
    (images.sqr()? * images)?.mean((2, 3))?.powf(1.0 / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from -1 to 1 that look random.
    fn numbers(shape: &[usize], seed: u32) -> Tensor {
        let mut state = seed;
        let mut number = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let count = shape.iter().product();
        Tensor::from_vec((0..count).map(|_| number()).collect(), shape, &Device::Cpu).unwrap()
    }

    fn assert_same(window: Window, activation: Activation, [height, width]: [usize; 2], has_shortcut: bool) {
        let images = numbers(&[2, window.inputs, height, width], 1);
        let conv = Conv::new(&numbers(&window.shape(), 2), numbers(&[window.outputs], 3), window, activation).unwrap();
        let axes = [window.along(height).unwrap(), window.along(width).unwrap()];
        let shape = [2, window.outputs, axes[0].output, axes[1].output];
        let shortcut = has_shortcut.then(|| numbers(&shape, 4));
        let ours = conv.forward_onto(&images, shortcut.as_ref()).unwrap();
        let candles = conv.forward_anywhere(&images, axes, shortcut.as_ref()).unwrap();
        assert_eq!(ours.dims(), shape);
        let worst = (&ours - &candles).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(worst < 1e-4, "{window:?} on {height}x{width}: {worst}");
        // It would be the same for numbers that are all alike.
        assert!(ours.to_vec1_of_all().iter().any(|x| (x - ours.to_vec1_of_all()[0]).abs() > 0.1), "{window:?}");
    }

    trait All {
        fn to_vec1_of_all(&self) -> Vec<f32>;
    }

    impl All for Tensor {
        fn to_vec1_of_all(&self) -> Vec<f32> {
            self.flatten_all().unwrap().to_vec1().unwrap()
        }
    }

    #[test]
    fn convolutions_on_the_processor_are_those_of_candle() {
        for size in [[1, 1], [2, 3], [7, 7], [8, 5], [17, 34], [33, 16]] {
            for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (1, 1), (1, 2), (7, 2)] {
                for padding in [Padding::Same, Padding::Each(kernel / 2)] {
                    assert_same(Window::depthwise(5, kernel, stride, padding), Activation::Relu6, size, false);
                    assert_same(Window::new(5, 4, kernel, stride, padding), Activation::Relu, size, true);
                }
            }
            assert_same(Window::pointwise(6, 9), Activation::None, size, true);
        }
    }

    #[test]
    fn same_padding_puts_the_odd_zero_last() {
        let axis = |kernel, stride, input| {
            let axis = Window::new(1, 1, kernel, stride, Padding::Same).along(input).unwrap();
            (axis.before, axis.after, axis.output)
        };
        assert_eq!(axis(3, 2, 224), (0, 1, 112));
        assert_eq!(axis(3, 2, 7), (1, 1, 4));
        assert_eq!(axis(5, 2, 56), (1, 2, 28));
        assert_eq!(axis(5, 1, 14), (2, 2, 14));
        assert_eq!(axis(1, 2, 3), (0, 0, 2));
    }

    #[test]
    fn a_window_that_does_not_fit_is_an_error() {
        assert!(Window::new(1, 1, 3, 1, Padding::Each(0)).along(2).is_err());
    }

    #[test]
    fn pooling_takes_the_largest_and_the_generalised_mean() {
        let images = Tensor::from_vec((0..16u8).map(f32::from).collect(), (1, 1, 4, 4), &Device::Cpu).unwrap();
        assert_eq!(max_pool(&images).unwrap().to_vec1_of_all(), [5.0, 7.0, 13.0, 15.0]);
        let mean = generalised_mean(&images).unwrap().to_vec1_of_all();
        assert!((mean[0] - 900f32.cbrt()).abs() < 1e-4, "{mean:?}"); // (15 · 16 / 2)² / 16
    }
}
