//! EfficientNet-Lite0: the EfficientNet-B0 of Tan and Le (2019) without squeeze-and-excite, with `ReLU6`, as TensorFlow's
//! `efficientnet/lite` publishes it. Weights have the names of the `PyTorch` port `efficientnet_lite_pytorch`.

use candle_core::{Result, Tensor};
use nodupe_models::ModelError;

use super::{Architecture, Network};
use crate::layer::{Activation, Conv, Padding, Window, generalised_mean};
use crate::weights::Weights;

pub(super) const ARCHITECTURE: Architecture = Architecture { name: "efficientnet-lite0", dim: HEAD, load };

const STEM: usize = 32;
const HEAD: usize = 1280;
const EPSILON: f64 = 1e-3;

/// Repeats, kernel, stride of the first, how many times wider the block is inside, outputs.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

struct EfficientNet {
    stem: Conv,
    blocks: Vec<Block>,
    head: Conv,
}

/// An inverted residual: wider, then each channel by itself, then narrow again.
struct Block {
    expand: Option<Conv>,
    depthwise: Conv,
    project: Conv,
    is_residual: bool,
}

fn load(weights: &Weights<'_>) -> std::result::Result<Box<dyn Network>, ModelError> {
    let conv = |conv: &str, norm: &str, window, activation| weights.conv(conv, norm, window, EPSILON, activation);
    let stem = conv("_conv_stem", "_bn0", Window::new(3, STEM, 3, 2, Padding::Same), Activation::Relu6)?;
    let mut blocks = Vec::new();
    let mut inputs = STEM;
    for (repeats, kernel, first_stride, wider, outputs) in STAGES {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { first_stride } else { 1 };
            let inside = inputs * wider;
            let name = |layer: &str| format!("_blocks.{}.{layer}", blocks.len());
            let expand = if wider == 1 {
                None
            } else {
                let window = Window::pointwise(inputs, inside);
                Some(conv(&name("_expand_conv"), &name("_bn0"), window, Activation::Relu6)?)
            };
            let window = Window::depthwise(inside, kernel, stride, Padding::Same);
            let depthwise = conv(&name("_depthwise_conv"), &name("_bn1"), window, Activation::Relu6)?;
            let window = Window::pointwise(inside, outputs);
            let project = conv(&name("_project_conv"), &name("_bn2"), window, Activation::None)?;
            blocks.push(Block { expand, depthwise, project, is_residual: stride == 1 && inputs == outputs });
            inputs = outputs;
        }
    }
    let head = conv("_conv_head", "_bn1", Window::pointwise(inputs, HEAD), Activation::Relu6)?;
    Ok(Box::new(EfficientNet { stem, blocks, head }))
}

impl Network for EfficientNet {
    fn features(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = self.stem.forward(images)?;
        for block in &self.blocks {
            let wide = match &block.expand {
                Some(expand) => block.depthwise.forward(&expand.forward(&x)?)?,
                None => block.depthwise.forward(&x)?,
            };
            x = block.project.forward_onto(&wide, block.is_residual.then_some(&x))?;
        }
        generalised_mean(&self.head.forward(&x)?)
    }
}
