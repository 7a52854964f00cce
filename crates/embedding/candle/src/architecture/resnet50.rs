//! ResNet-50 (He et al. 2015) without its classifier, as torchvision has it: "v1.5", the stride in the 3×3 convolution of a
//! block. Weights have torchvision's names.

use candle_core::{Result, Tensor};
use nodupe_models::ModelError;

use super::{Architecture, Network};
use crate::layer::{Activation, Conv, Padding, Window, max_pool};
use crate::weights::Weights;

pub(super) const ARCHITECTURE: Architecture = Architecture { name: "resnet50", dim: CHANNELS, load };

/// Channels of the last feature map.
pub(super) const CHANNELS: usize = 2048;
const STEM: usize = 64;
const EPSILON: f64 = 1e-5;

/// Blocks, channels inside, stride of the first; outputs are four times what is inside.
const STAGES: [(usize, usize, usize); 4] = [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)];

/// The network up to its last feature map.
pub(super) struct Trunk {
    stem: Conv,
    blocks: Vec<Bottleneck>,
}

struct Bottleneck {
    narrow: Conv,
    spatial: Conv,
    widen: Conv,
    /// Brings the input to the size and width of the output.
    shortcut: Option<Conv>,
}

impl Trunk {
    /// The trunk from weights whose names begin with `prefix`.
    pub(super) fn load(weights: &Weights<'_>, prefix: &str) -> std::result::Result<Self, ModelError> {
        let conv =
            |names: (String, String), window, activation| weights.conv(&names.0, &names.1, window, EPSILON, activation);
        let window = Window::new(3, STEM, 7, 2, Padding::Each(3));
        let stem = conv((format!("{prefix}conv1"), format!("{prefix}bn1")), window, Activation::Relu)?;
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for (stage, (count, inside, first_stride)) in STAGES.into_iter().enumerate() {
            for number in 0..count {
                let stride = if number == 0 { first_stride } else { 1 };
                let name = |part: &str| format!("{prefix}layer{}.{number}.{part}", stage + 1);
                let names = |layer: usize| (name(&format!("conv{layer}")), name(&format!("bn{layer}")));
                let outputs = 4 * inside;
                let narrow = conv(names(1), Window::pointwise(inputs, inside), Activation::Relu)?;
                let window = Window::new(inside, inside, 3, stride, Padding::Each(1));
                let spatial = conv(names(2), window, Activation::Relu)?;
                // The activation comes after the shortcut is added.
                let widen = conv(names(3), Window::pointwise(inside, outputs), Activation::Relu)?;
                let shortcut = if number == 0 {
                    let window = Window::new(inputs, outputs, 1, stride, Padding::Each(0));
                    let names = (name("downsample.0"), name("downsample.1"));
                    Some(conv(names, window, Activation::None)?)
                } else {
                    None
                };
                blocks.push(Bottleneck { narrow, spatial, widen, shortcut });
                inputs = outputs;
            }
        }
        Ok(Self { stem, blocks })
    }

    /// Normalised images to the last feature map, batch × [`CHANNELS`] × height × width, none of it below 0.
    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = max_pool(&self.stem.forward(images)?)?;
        for block in &self.blocks {
            let inside = block.spatial.forward(&block.narrow.forward(&x)?)?;
            x = match &block.shortcut {
                Some(shortcut) => block.widen.forward_onto(&inside, Some(&shortcut.forward(&x)?))?,
                None => block.widen.forward_onto(&inside, Some(&x))?,
            };
        }
        Ok(x)
    }
}

struct ResNet(Trunk);

fn load(weights: &Weights<'_>) -> std::result::Result<Box<dyn Network>, ModelError> {
    Ok(Box::new(ResNet(Trunk::load(weights, "")?)))
}

impl Network for ResNet {
    fn features(&self, images: &Tensor) -> Result<Tensor> {
        self.0.forward(images)?.mean((2, 3))
    }
}
