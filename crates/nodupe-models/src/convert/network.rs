//! The layers that networks are made of: each takes its weights and becomes nodes of an ONNX graph.
//!
//! Batch normalisation is folded into the convolution before it: what it does to a channel, a factor and an addend, is done
//! to the weights once, in 64-bit floats.

use super::error::ConvertError;
use super::onnx::{Attribute, Graph};
use super::weights::{Role, Source, Tensor};

/// A network that is being built.
pub(super) struct Network<'a> {
    source: &'a mut dyn Source,
    taken: Vec<Tensor>,
    graph: Graph,
    /// What every batch normalisation adds to variances.
    epsilon: f64,
}

/// A feature map: what a layer gives for an image.
#[derive(Debug, Clone)]
pub(super) struct Map {
    /// Its name in the graph.
    pub(super) name: String,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// The form of a convolution: square, the same in both axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
    is_depthwise: bool,
}

/// What a window does along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    /// Zeros before it.
    before: usize,
    /// Zeros after it.
    after: usize,
    /// Pixels that come out.
    output: usize,
}

/// The zeros around a feature map.
#[derive(Debug, Clone, Copy)]
pub(super) enum Padding {
    /// So many on each side.
    Each(usize),
    /// As many that the output is the input over the stride, rounded up; an odd one goes to the right and the bottom:
    /// TensorFlow's `SAME`.
    Same,
}

/// What is done to each number of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    /// Between 0 and 6.
    Relu6,
}

impl Window {
    pub(super) const fn new(outputs: usize, kernel: usize, stride: usize, padding: Padding) -> Self {
        Self { outputs, kernel, stride, padding, is_depthwise: false }
    }

    /// One pixel by one.
    pub(super) const fn pointwise(outputs: usize) -> Self {
        Self::new(outputs, 1, 1, Padding::Each(0))
    }

    /// Every channel by itself.
    pub(super) const fn depthwise(channels: usize, kernel: usize, stride: usize, padding: Padding) -> Self {
        Self { is_depthwise: true, ..Self::new(channels, kernel, stride, padding) }
    }

    fn along(&self, input: usize) -> Option<Axis> {
        let (before, after) = match self.padding {
            Padding::Each(zeros) => (zeros, zeros),
            Padding::Same => {
                let covered = input.div_ceil(self.stride).saturating_sub(1) * self.stride + self.kernel;
                let zeros = covered.saturating_sub(input);
                (zeros / 2, zeros - zeros / 2)
            }
        };
        let room = (before + input + after).checked_sub(self.kernel)?;
        Some(Axis { before, after, output: room / self.stride + 1 })
    }
}

impl<'a> Network<'a> {
    pub(super) fn new(source: &'a mut dyn Source, epsilon: f64) -> Self {
        Self { source, taken: Vec::new(), graph: Graph::default(), epsilon }
    }

    /// The tensors that were taken, in the order of the layers, and the graph.
    pub(super) fn finish(self) -> (Vec<Tensor>, Graph) {
        (self.taken, self.graph)
    }

    /// A convolution without a bias, the batch normalisation after it, and the activation after that.
    pub(super) fn conv(
        &mut self,
        map: &Map,
        (conv, norm): (&str, &str),
        window: Window,
        activation: Activation,
    ) -> Result<Map, ConvertError> {
        let channels = window.outputs;
        let inputs = if window.is_depthwise { 1 } else { map.channels };
        let shape = [channels, inputs, window.kernel, window.kernel];
        let is_rectified = activation != Activation::None;
        let mut factors = self.take(&format!("{conv}.weight"), &shape, Role::Factors { is_rectified })?;
        let mut norm = |part: &str, role| self.take(&format!("{norm}.{part}"), &[channels], role);
        let (scale, mut bias) = (norm("weight", Role::Scale)?, norm("bias", Role::Shift)?);
        let (mean, variance) = (norm("running_mean", Role::Mean)?, norm("running_var", Role::Variance)?);
        let each = factors.len() / channels;
        for (channel, factors) in factors.chunks_exact_mut(each).enumerate() {
            let factor = f64::from(scale[channel]) / (f64::from(variance[channel]) + self.epsilon).sqrt();
            for x in factors {
                *x = (f64::from(*x) * factor) as f32;
            }
            bias[channel] = (f64::from(bias[channel]) - f64::from(mean[channel]) * factor) as f32;
        }
        let output = self.conv_node(map, conv, window, (&factors, &bias))?;
        Ok(match activation {
            Activation::None => output,
            Activation::Relu => self.relu(&output),
            Activation::Relu6 => self.clip(&output, 0.0, Some(6.0)),
        })
    }

    /// A fully connected layer, for a map of one pixel.
    pub(super) fn linear(&mut self, map: &Map, name: &str, outputs: usize) -> Result<Map, ConvertError> {
        let role = Role::Factors { is_rectified: false };
        let factors = self.take(&format!("{name}.weight"), &[outputs, map.channels], role)?;
        let bias = self.take(&format!("{name}.bias"), &[outputs], Role::Shift)?;
        self.conv_node(map, name, Window::pointwise(outputs), (&factors, &bias))
    }

    pub(super) fn relu(&mut self, map: &Map) -> Map {
        self.elementwise("Relu", "relu", map, &[])
    }

    /// The sum of two maps of one size.
    pub(super) fn add(&mut self, map: &Map, other: &Map) -> Map {
        self.elementwise("Add", "add", map, &[&other.name])
    }

    /// The largest of 3×3 pixels, every second one.
    pub(super) fn max_pool(&mut self, map: &Map) -> Result<Map, ConvertError> {
        let window = Window::depthwise(map.channels, 3, 2, Padding::Each(1));
        self.windowed("MaxPool", &format!("{}.max_pool", map.name), map, window, &[&map.name])
    }

    /// The mean of each channel.
    pub(super) fn mean(&mut self, map: &Map) -> Map {
        Map { height: 1, width: 1, ..self.elementwise("GlobalAveragePool", "mean", map, &[]) }
    }

    /// The generalised mean of each channel (Radenović, Tolias and Chum 2019), `p = 3`: the cube root of the mean of the
    /// cubes, of numbers that are taken as 10⁻⁶ at least.
    pub(super) fn generalised_mean(&mut self, map: &Map) -> Map {
        let map = self.clip(map, 1e-6, None);
        let square = self.elementwise("Mul", "square", &map, &[&map.name]);
        let cube = self.elementwise("Mul", "cube", &square, &[&map.name]);
        let mean = self.mean(&cube);
        let third = self.scalar(1.0 / 3.0);
        self.elementwise("Pow", "root", &mean, &[&third])
    }

    fn take(&mut self, name: &str, shape: &[usize], role: Role) -> Result<Vec<f32>, ConvertError> {
        let values = self.source.tensor(name, shape, role)?;
        self.taken.push(Tensor { name: name.to_owned(), shape: shape.to_vec(), values: values.clone() });
        Ok(values)
    }

    fn conv_node(
        &mut self,
        map: &Map,
        name: &str,
        window: Window,
        (factors, bias): (&[f32], &[f32]),
    ) -> Result<Map, ConvertError> {
        let names = [format!("{name}.factors"), format!("{name}.addends")];
        let inputs = if window.is_depthwise { 1 } else { map.channels };
        self.graph.initializer(&names[0], &[window.outputs, inputs, window.kernel, window.kernel], factors);
        self.graph.initializer(&names[1], &[window.outputs], bias);
        self.windowed("Conv", name, map, window, &[&map.name, &names[0], &names[1]])
    }

    fn windowed(
        &mut self,
        operator: &str,
        name: &str,
        map: &Map,
        window: Window,
        inputs: &[&str],
    ) -> Result<Map, ConvertError> {
        let (Some(rows), Some(columns)) = (window.along(map.height), window.along(map.width)) else {
            return Err(ConvertError::TooSmall { height: map.height, width: map.width, kernel: window.kernel });
        };
        let kernel = [window.kernel; 2];
        let strides = [window.stride; 2];
        let pads = [rows.before, columns.before, rows.after, columns.after];
        let mut attributes = vec![
            Attribute::Ints("kernel_shape", &kernel),
            Attribute::Ints("strides", &strides),
            Attribute::Ints("pads", &pads),
        ];
        if operator == "Conv" && window.is_depthwise {
            attributes.push(Attribute::Int("group", map.channels));
        }
        self.graph.node(operator, name, inputs, &attributes);
        Ok(Map { name: name.to_owned(), channels: window.outputs, height: rows.output, width: columns.output })
    }

    fn clip(&mut self, map: &Map, low: f32, high: Option<f32>) -> Map {
        let low = self.scalar(low);
        match high.map(|high| self.scalar(high)) {
            Some(high) => self.elementwise("Clip", "clip", map, &[&low, &high]),
            None => self.elementwise("Clip", "clip", map, &[&low]),
        }
    }

    /// A node of one map and other inputs, whose output has the size of the map.
    fn elementwise(&mut self, operator: &str, name: &str, map: &Map, others: &[&str]) -> Map {
        let inputs: Vec<&str> = [&*map.name].into_iter().chain(others.iter().copied()).collect();
        let output = Map { name: format!("{}.{name}", map.name), ..map.clone() };
        self.graph.node(operator, &output.name, &inputs, &[]);
        output
    }

    /// A constant, whose name is its value.
    fn scalar(&mut self, value: f32) -> String {
        let name = format!("{value}");
        if !self.graph.has(&name) {
            self.graph.initializer(&name, &[], &[value]);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_zero_last() {
        let axis = |kernel, stride, input| {
            let Axis { before, after, output } = Window::new(1, kernel, stride, Padding::Same).along(input).unwrap();
            (before, after, output)
        };
        assert_eq!(axis(3, 2, 224), (0, 1, 112));
        assert_eq!(axis(3, 2, 7), (1, 1, 4));
        assert_eq!(axis(5, 2, 56), (1, 2, 28));
        assert_eq!(axis(5, 1, 14), (2, 2, 14));
        assert_eq!(axis(1, 2, 3), (0, 0, 2));
    }

    #[test]
    fn a_window_that_does_not_fit_is_none() {
        assert_eq!(Window::new(1, 3, 1, Padding::Each(0)).along(2), None);
        assert_eq!(Window::new(1, 3, 2, Padding::Each(1)).along(1), Some(Axis { before: 1, after: 1, output: 1 }));
    }
}
