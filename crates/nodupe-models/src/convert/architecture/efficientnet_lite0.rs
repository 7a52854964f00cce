//! EfficientNet-Lite0: the EfficientNet-B0 of Tan and Le (2019) without squeeze-and-excite, with `ReLU6`, as TensorFlow's
//! `efficientnet/lite` publishes it. Weights have the names of the `PyTorch` port `efficientnet_lite_pytorch`, which pads as
//! TensorFlow does.
//!
//! The embedding is the generalised mean of the last feature map, `p = 3`: it finds more copies than the mean that the
//! classifier was trained on. The classifier (`_fc`) is left out.

use super::Architecture;
use crate::convert::error::ConvertError;
use crate::convert::network::{Activation, Map, Network, Padding, Window};

pub(super) const ARCHITECTURE: Architecture =
    Architecture { name: "efficientnet-lite0", dim: HEAD, epsilon: 1e-3, layers };

const STEM: usize = 32;
const HEAD: usize = 1280;

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

fn layers(network: &mut Network<'_>, images: &Map) -> Result<Map, ConvertError> {
    let window = Window::new(STEM, 3, 2, Padding::Same);
    let mut map = network.conv(images, ("_conv_stem", "_bn0"), window, Activation::Relu6)?;
    let mut number = 0;
    for (repeats, kernel, first_stride, wider, outputs) in STAGES {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { first_stride } else { 1 };
            map = block(network, &map, number, (kernel, stride, wider, outputs))?;
            number += 1;
        }
    }
    let map = network.conv(&map, ("_conv_head", "_bn1"), Window::pointwise(HEAD), Activation::Relu6)?;
    Ok(network.generalised_mean(&map))
}

/// An inverted residual: wider, then each channel by itself, then narrow again.
fn block(
    network: &mut Network<'_>,
    input: &Map,
    number: usize,
    (kernel, stride, wider, outputs): (usize, usize, usize, usize),
) -> Result<Map, ConvertError> {
    let name = |layer: &str| format!("_blocks.{number}.{layer}");
    let inside = input.channels * wider;
    let expanded = if wider == 1 {
        input.clone()
    } else {
        let names = (&*name("_expand_conv"), &*name("_bn0"));
        network.conv(input, names, Window::pointwise(inside), Activation::Relu6)?
    };
    let window = Window::depthwise(inside, kernel, stride, Padding::Same);
    let names = (&*name("_depthwise_conv"), &*name("_bn1"));
    let spatial = network.conv(&expanded, names, window, Activation::Relu6)?;
    let names = (&*name("_project_conv"), &*name("_bn2"));
    let narrow = network.conv(&spatial, names, Window::pointwise(outputs), Activation::None)?;
    let is_residual = stride == 1 && input.channels == outputs;
    Ok(if is_residual { network.add(&narrow, input) } else { narrow })
}
