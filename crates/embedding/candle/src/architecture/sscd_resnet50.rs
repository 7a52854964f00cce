//! SSCD (Pizzi et al., *A Self-Supervised Descriptor for Image Copy Detection*, 2022): a ResNet-50, generalised mean pooling,
//! and a projection to 512. Weights have the names of the published `.torchvision.pt` files.

use candle_core::{Result, Tensor};
use nodupe_models::ModelError;

use super::resnet50::{CHANNELS, Trunk};
use super::{Architecture, Network};
use crate::layer::{Linear, generalised_mean};
use crate::weights::Weights;

pub(super) const ARCHITECTURE: Architecture = Architecture { name: "sscd-resnet50", dim: DIM, load };

const DIM: usize = 512;

struct Sscd {
    trunk: Trunk,
    projection: Linear,
}

fn load(weights: &Weights<'_>) -> std::result::Result<Box<dyn Network>, ModelError> {
    let trunk = Trunk::load(weights, "backbone.")?;
    Ok(Box::new(Sscd { trunk, projection: weights.linear("backbone.fc", CHANNELS, DIM)? }))
}

impl Network for Sscd {
    fn features(&self, images: &Tensor) -> Result<Tensor> {
        self.projection.forward(&generalised_mean(&self.trunk.forward(images)?)?)
    }
}
