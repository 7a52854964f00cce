//! ResNet-50 (He et al. 2015) without its classifier, as torchvision has it: "v1.5", the stride in the 3×3 convolution of a
//! block. Weights have torchvision's names; the embedding is the mean of the last feature map.

use super::Architecture;
use crate::convert::error::ConvertError;
use crate::convert::network::{Activation, Map, Network, Padding, Window};

pub(super) const ARCHITECTURE: Architecture =
    Architecture { name: "resnet50", dim: CHANNELS, epsilon: EPSILON, layers };

/// What every batch normalisation adds to variances.
pub(super) const EPSILON: f64 = 1e-5;
/// Channels of the last feature map.
const CHANNELS: usize = 2048;
const STEM: usize = 64;

/// Blocks, channels inside, stride of the first; outputs are four times what is inside.
const STAGES: [(usize, usize, usize); 4] = [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)];

fn layers(network: &mut Network<'_>, images: &Map) -> Result<Map, ConvertError> {
    let map = trunk(network, images, "")?;
    Ok(network.mean(&map))
}

/// The network up to its last feature map, from weights whose names begin with `prefix`.
pub(super) fn trunk(network: &mut Network<'_>, images: &Map, prefix: &str) -> Result<Map, ConvertError> {
    let names = (&*format!("{prefix}conv1"), &*format!("{prefix}bn1"));
    let stem = network.conv(images, names, Window::new(STEM, 7, 2, Padding::Each(3)), Activation::Relu)?;
    let mut map = network.max_pool(&stem)?;
    for (stage, (blocks, inside, first_stride)) in STAGES.into_iter().enumerate() {
        for number in 0..blocks {
            let prefix = format!("{prefix}layer{}.{number}", stage + 1);
            let stride = if number == 0 { first_stride } else { 1 };
            map = bottleneck(network, &map, &prefix, (inside, stride, number == 0))?;
        }
    }
    Ok(map)
}

fn bottleneck(
    network: &mut Network<'_>,
    input: &Map,
    prefix: &str,
    (inside, stride, is_first): (usize, usize, bool),
) -> Result<Map, ConvertError> {
    let name = |part: &str| format!("{prefix}.{part}");
    let outputs = 4 * inside;
    let names = (&*name("conv1"), &*name("bn1"));
    let narrow = network.conv(input, names, Window::pointwise(inside), Activation::Relu)?;
    let window = Window::new(inside, 3, stride, Padding::Each(1));
    let names = (&*name("conv2"), &*name("bn2"));
    let spatial = network.conv(&narrow, names, window, Activation::Relu)?;
    let names = (&*name("conv3"), &*name("bn3"));
    let wide = network.conv(&spatial, names, Window::pointwise(outputs), Activation::None)?;
    // The first block of a stage brings its input to the size and width of its output.
    let shortcut = if is_first {
        let window = Window::new(outputs, 1, stride, Padding::Each(0));
        let names = (&*name("downsample.0"), &*name("downsample.1"));
        network.conv(input, names, window, Activation::None)?
    } else {
        input.clone()
    };
    let sum = network.add(&wide, &shortcut);
    Ok(network.relu(&sum))
}
