//! SSCD (Pizzi et al., *A Self-Supervised Descriptor for Image Copy Detection*, CVPR 2022): a ResNet-50, generalised mean
//! pooling, and a projection to 512. Weights have the names of the published `.torchvision.pt` files.

use super::{Architecture, resnet50};
use crate::convert::error::ConvertError;
use crate::convert::network::{Map, Network};

pub(super) const ARCHITECTURE: Architecture =
    Architecture { name: "sscd-resnet50", dim: DIM, epsilon: resnet50::EPSILON, layers };

const DIM: usize = 512;

fn layers(network: &mut Network<'_>, images: &Map) -> Result<Map, ConvertError> {
    let map = resnet50::trunk(network, images, "backbone.")?;
    let mean = network.generalised_mean(&map);
    network.linear(&mean, "backbone.fc", DIM)
}
