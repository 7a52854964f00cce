//! The networks that can be converted. A new one is a file in this folder and a line in [`ALL`].

mod efficientnet_lite0;
mod resnet50;
mod sscd_resnet50;

use super::error::ConvertError;
use super::network::{Map, Network};

/// All of them.
pub(super) const ALL: [Architecture; 3] =
    [efficientnet_lite0::ARCHITECTURE, resnet50::ARCHITECTURE, sscd_resnet50::ARCHITECTURE];

/// A network without its weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Architecture {
    /// What manifests call it.
    pub(super) name: &'static str,
    /// Components of its embeddings.
    pub(super) dim: usize,
    /// What every batch normalisation adds to variances.
    pub(super) epsilon: f64,
    /// Adds its layers to a network, from the images to a map of one pixel, the embedding. Taking a tensor is what says that
    /// the architecture has one of that name and shape.
    pub(super) layers: fn(&mut Network<'_>, &Map) -> Result<Map, ConvertError>,
}

impl Architecture {
    /// The one that is called `name`.
    pub(super) fn named(name: Option<&str>) -> Result<Self, ConvertError> {
        ALL.into_iter().find(|architecture| Some(architecture.name) == name).ok_or_else(|| {
            let known = ALL.map(|architecture| architecture.name).to_vec();
            ConvertError::UnknownArchitecture { name: name.map(str::to_owned), known }
        })
    }
}
