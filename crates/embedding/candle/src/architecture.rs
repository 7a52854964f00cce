//! The networks that are known here. A new one is a file in this folder and a line in [`ALL`].

mod efficientnet_lite0;
mod resnet50;
mod sscd_resnet50;

use candle_core::{Result, Tensor};
use nodupe_models::ModelError;

use crate::weights::Weights;

const ALL: [Architecture; 3] = [efficientnet_lite0::ARCHITECTURE, resnet50::ARCHITECTURE, sscd_resnet50::ARCHITECTURE];

/// A network without its weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Architecture {
    /// What manifests call it.
    pub(crate) name: &'static str,
    /// Components of what it gives.
    pub(crate) dim: usize,
    /// Makes it from its weights, which have the names of the original state dict.
    pub(crate) load: fn(&Weights<'_>) -> std::result::Result<Box<dyn Network>, ModelError>,
}

/// A network with its weights.
pub(crate) trait Network: Send + Sync {
    /// Normalised images, batch × 3 × height × width, to features, batch × dim.
    fn features(&self, images: &Tensor) -> Result<Tensor>;
}

impl Architecture {
    /// The one that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|architecture| architecture.name == name)
    }

    /// The names of all, for a person.
    pub(crate) fn names() -> String {
        ALL.map(|architecture| architecture.name).join(", ")
    }
}
