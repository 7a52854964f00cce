//! Weights by name.

use candle_core::safetensors::{Load as _, SliceSafetensors};
use candle_core::{DType, Device, Result, Tensor};
use nodupe_models::ModelError;

use crate::layer::{Activation, Conv, Linear, Window};

/// The tensors of a safetensors file. Every error names the model, and the tensor that is wrong.
pub(crate) struct Weights<'a> {
    model: &'a str,
    tensors: SliceSafetensors<'a>,
    device: &'a Device,
}

impl<'a> Weights<'a> {
    /// The tensors in `bytes`, whose header is checked against their length; layers are made on `device`.
    pub(crate) fn new(model: &'a str, bytes: &'a [u8], device: &'a Device) -> std::result::Result<Self, ModelError> {
        let tensors = SliceSafetensors::new(bytes)
            .map_err(|source| unusable(model, "its weights are no safetensors file".to_owned(), Some(source)))?;
        Ok(Self { model, tensors, device })
    }

    /// A convolution without a bias, and the batch normalisation that follows it, as one: what `norm` does to a channel of
    /// the output, a factor and an addend, is done to the weights once.
    pub(crate) fn conv(
        &self,
        conv: &str,
        norm: &str,
        window: Window,
        epsilon: f64,
        activation: Activation,
    ) -> std::result::Result<Conv, ModelError> {
        let channels = window.outputs;
        let kernel = self.tensor(&format!("{conv}.weight"), &window.shape())?;
        let norm = |part: &str| self.tensor(&format!("{norm}.{part}"), &[channels]);
        let (gamma, beta) = (norm("weight")?, norm("bias")?);
        let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
        let folded = || {
            let factor = gamma.div(&(variance + epsilon)?.sqrt()?)?;
            let kernel = kernel.broadcast_mul(&factor.reshape((channels, 1, 1, 1))?)?;
            Ok((kernel, beta.sub(&mean.mul(&factor)?)?))
        };
        let (kernel, bias) = self.finite(conv, folded())?;
        let made = Conv::new(&self.there(conv, &kernel)?, self.there(conv, &bias)?, window, activation);
        made.map_err(|source| self.failed(conv, source))
    }

    /// A fully connected layer.
    pub(crate) fn linear(&self, name: &str, inputs: usize, outputs: usize) -> std::result::Result<Linear, ModelError> {
        let weight = self.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.tensor(&format!("{name}.bias"), &[outputs])?;
        let (weight, bias) = self.finite(name, Ok((weight, bias)))?;
        let made = Linear::new(&self.there(name, &weight)?, self.there(name, &bias)?);
        made.map_err(|source| self.failed(name, source))
    }

    /// Weights and bias of a layer, where every number is one: NaN would be an embedding of zeros after the next activation.
    fn finite(
        &self,
        layer: &str,
        parts: Result<(Tensor, Tensor)>,
    ) -> std::result::Result<(Tensor, Tensor), ModelError> {
        let sum = |tensor: &Tensor| tensor.sum_all()?.to_scalar::<f32>();
        let sums = parts.and_then(|(weight, bias)| Ok((sum(&weight)? + sum(&bias)?, weight, bias)));
        match sums {
            Ok((sum, weight, bias)) if sum.is_finite() => Ok((weight, bias)),
            Ok(_) => Err(unusable(self.model, format!("its layer {layer} has weights that are not finite"), None)),
            Err(source) => Err(self.failed(layer, source)),
        }
    }

    /// A tensor on the device.
    fn there(&self, layer: &str, tensor: &Tensor) -> std::result::Result<Tensor, ModelError> {
        tensor.to_device(self.device).map_err(|source| self.failed(layer, source))
    }

    fn failed(&self, layer: &str, source: candle_core::Error) -> ModelError {
        unusable(self.model, format!("its layer {layer} cannot be made"), Some(source))
    }

    /// A tensor as 32-bit floats in memory. Its shape is looked at before anything is copied.
    fn tensor(&self, name: &str, shape: &[usize]) -> std::result::Result<Tensor, ModelError> {
        let wrong = |detail: String, source| unusable(self.model, format!("its tensor {name} {detail}"), source);
        let view = self.tensors.get(name).map_err(|_| wrong("is missing".to_owned(), None))?;
        if view.shape() != shape {
            return Err(wrong(format!("has the shape {:?}, and {shape:?} is expected", view.shape()), None));
        }
        match DType::try_from(view.dtype()) {
            Ok(DType::F32 | DType::F16 | DType::BF16) => {}
            _ => {
                return Err(wrong(format!("is of {:?}, and floats of 32 or 16 bits are expected", view.dtype()), None));
            }
        }
        let loaded = view.load(&Device::Cpu).and_then(|tensor| tensor.to_dtype(DType::F32));
        loaded.map_err(|source| wrong("cannot be read".to_owned(), Some(source)))
    }
}

fn unusable(model: &str, detail: String, source: Option<candle_core::Error>) -> ModelError {
    let source = source.map(Into::into);
    match ModelError::unusable(model, detail) {
        ModelError::Unusable { id, detail, .. } => ModelError::Unusable { id, detail, source },
        other => other,
    }
}
