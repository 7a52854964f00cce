//! Weights to the files of a model: the weights of an architecture as safetensors, and as an ONNX graph.

mod architecture;
mod error;
mod legacy;
mod network;
mod onnx;
mod pickle;
mod reader;
mod seeded;
mod weights;

use architecture::Architecture;
pub use error::ConvertError;
use network::{Map, Network};
use onnx::{Attribute, Port};
pub use seeded::seeded_weights;
use weights::{Checked, Weights, to_safetensors};

use crate::manifest::{Format, Layout, Manifest, Precision, TensorElement};

/// The files that a manifest lists, in its order, made from the weights of its architecture.
///
/// The weights are a safetensors file, or a state dict as `PyTorch` wrote it before version 1.6 (a zip archive, as it writes them
/// since then, is not read). Its pickles are read as data: nothing in them is executed, and what no state dict needs is
/// refused. Tensors that the architecture does not have, such as those of a classifier, are left out.
///
/// * [`Format::Safetensors`]: the tensors as they are, with their names.
/// * [`Format::Onnx`]: a graph of operator set 13 with batch normalisation folded into the convolutions, for batches of any
///   number of images of the manifest's size. It wants normalised numbers, and does not bring its output to unit length: both
///   are for the backend.
///
/// The same manifest and weights give the same bytes on every machine, so that their digests can be stated.
///
/// # Errors
/// [`ConvertError`], where the manifest's architecture is not known or does not fit the manifest, or the weights are broken
/// or of another architecture.
pub fn convert(manifest: &Manifest, weights: &[u8]) -> Result<Vec<(Format, Vec<u8>)>, ConvertError> {
    let architecture = Architecture::named(manifest.architecture.as_deref())?;
    check(architecture, manifest)?;
    let mut source = Checked { weights: read(weights)?, architecture: architecture.name };
    let mut network = Network::new(&mut source, architecture.epsilon);
    let input = &manifest.input;
    let images = Map {
        name: input.tensor.name.clone(),
        channels: 3,
        height: input.height as usize,
        width: input.width as usize,
    };
    let features = (architecture.layers)(&mut network, &images)?;
    let (tensors, mut graph) = network.finish();
    let (from, to) = (&images.name, &manifest.output.name);
    if let Some(name) = [from, to].into_iter().find(|name| name.is_empty() || graph.has(name) || from == to) {
        let detail = format!("`{name}` is no name of an input or output: something else may have it");
        return Err(ConvertError::Manifest { architecture: architecture.name, detail });
    }
    graph.node("Flatten", to, &[&features.name], &[Attribute::Int("axis", 1)]);
    let input = Port { name: from, axes: &[3, images.height, images.width] };
    let output = Port { name: to, axes: &[architecture.dim] };
    let file = |format| match format {
        Format::Safetensors => to_safetensors(&tensors),
        Format::Onnx => graph.to_onnx(architecture.name, input, output),
    };
    Ok(manifest.artifacts.iter().map(|artifact| (artifact.format, file(artifact.format))).collect())
}

/// That the manifest asks for what the architecture gives, as files that are written here.
fn check(architecture: Architecture, manifest: &Manifest) -> Result<(), ConvertError> {
    let wrong = |detail: String| Err(ConvertError::Manifest { architecture: architecture.name, detail });
    let (tensor, dim) = (&manifest.input.tensor, manifest.output.dim);
    if (tensor.element_type, tensor.layout) != (TensorElement::F32, Layout::Nchw) {
        return wrong("its input is an f32 tensor in nchw".to_owned());
    }
    if dim != architecture.dim {
        return wrong(format!("its output has {} components, not {dim}", architecture.dim));
    }
    match manifest.artifacts.iter().find(|artifact| artifact.precision != Precision::F32) {
        Some(artifact) => {
            wrong(format!("{} is {}, and f32 is what is written", artifact.file, artifact.precision.name()))
        }
        None => Ok(()),
    }
}

/// Reads weights, which are recognised by how they begin.
fn read(bytes: &[u8]) -> Result<Weights<'_>, ConvertError> {
    if bytes.starts_with(legacy::BEGIN) {
        legacy::read(bytes)
    } else if bytes.get(8) == Some(&b'{') {
        Weights::from_safetensors(bytes)
    } else if bytes.starts_with(b"PK\x03\x04") {
        let detail = "they are a zip archive, as PyTorch writes since 1.6: save them with safetensors, or with \
                      torch.save(…, _use_new_zipfile_serialization=False)";
        Err(ConvertError::Unrecognised { detail })
    } else {
        Err(ConvertError::Unrecognised { detail: "they begin like neither" })
    }
}

#[cfg(test)]
mod tests;
