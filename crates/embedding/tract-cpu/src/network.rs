//! A network that tract has made ready for one image at a time.

use std::sync::Arc;

use nodupe_core::{BoxError, ImageBatch};
use nodupe_models::{Manifest, ModelError, TensorElement};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{ensure, format_err};

use crate::guard::{brief, guarded};
use crate::prefix::{self, Feed};
use crate::{graph, rewrite};

/// The most bytes that one tensor of a network may have. A graph of a hundred bytes can ask for any number.
const MAX_TENSOR_BYTES: usize = 1 << 30;

/// A network that is ready to run.
#[derive(Debug)]
pub(crate) struct Network {
    plan: Arc<TypedRunnableModel>,
    feed: Feed,
    shape: [usize; 4],
}

/// What one thread runs a network with: the memory that its operators work in.
#[derive(Debug)]
pub(crate) struct Runner {
    state: TypedSimpleState,
}

impl Network {
    /// Makes the network of an ONNX file ready.
    ///
    /// # Errors
    /// [`ModelError::Unusable`] where it is not what the manifest says or nothing that tract can run.
    pub(crate) fn new(bytes: &[u8], manifest: &Manifest) -> Result<Self, ModelError> {
        let unusable = |detail: String| ModelError::unusable(manifest.id.as_str(), detail);
        let refused = |source: BoxError| unusable(format!("tract cannot run it: {source}"));
        // What exporters say of the shapes between operators is often in symbols that tract cannot unify, and never needed.
        let onnx = tract_onnx::onnx().with_ignore_value_info(true);
        let proto = graph::read(bytes, &onnx, manifest).map_err(unusable)?;
        let input = &manifest.input.tensor;
        let shape = input.shape(1, manifest.input.width, manifest.input.height);
        let element_type = match input.element_type {
            TensorElement::U8 => u8::datum_type(),
            _ => f32::datum_type(),
        };
        let typed = guarded(|| {
            let mut model = onnx.model_for_proto_model(&proto)?;
            drop(proto);
            model.set_input_fact(0, InferenceFact::dt_shape(element_type, shape))?;
            model.with_outputs_by_name([&manifest.output.name])?.into_typed()
        })
        .map_err(refused)?;
        check_sizes(&typed)
            .and_then(|()| check_output(&typed, manifest.output.dim))
            .map_err(|why| unusable(brief(&why)))?;
        let (plan, feed) = guarded(|| {
            let model = rewrite::cubes(typed.into_decluttered()?)?;
            let (model, feed) = prefix::fold(model, input, (manifest.input.width, manifest.input.height))?;
            Ok((model.into_optimized()?.into_runnable()?, feed))
        })
        .map_err(refused)?;
        Ok(Self { plan, feed, shape })
    }

    /// What one thread runs the network with.
    ///
    /// # Errors
    /// What tract says.
    pub(crate) fn runner(&self) -> Result<Runner, BoxError> {
        guarded(|| self.plan.spawn()).map(|state| Runner { state })
    }

    /// Writes the row of the one image of a batch.
    ///
    /// # Errors
    /// What tract says. The runner is of no use then.
    pub(crate) fn run(&self, runner: &mut Runner, image: &ImageBatch<'_>, row: &mut [f32]) -> Result<(), BoxError> {
        guarded(|| {
            let input = self.feed.tensor(image, &self.shape)?;
            let outputs = runner.state.run(tvec!(input.into()))?;
            let output = outputs.first().ok_or_else(|| format_err!("there is no output"))?;
            let found = output.try_as_plain_ram()?.as_slice::<f32>()?;
            ensure!(found.len() == row.len(), "{} numbers came out instead of {}", found.len(), row.len());
            row.copy_from_slice(found);
            Ok(())
        })
    }
}

/// Sees that what comes out is a row for the one image.
fn check_output(model: &TypedModel, dim: usize) -> Result<(), String> {
    let TypedFact { shape, datum_type, .. } = model.output_fact(0).map_err(|error| format!("{error:#}"))?;
    let sizes = shape.as_concrete().unwrap_or_default();
    if sizes != [1, dim] && sizes != [1, dim, 1, 1] {
        return Err(format!("its output for one image is [{shape:?}], and the manifest says [1, {dim}]"));
    }
    if *datum_type != f32::datum_type() {
        return Err(format!("its output is of {datum_type:?}, and F32 is expected"));
    }
    Ok(())
}

/// Sees that the size of every tensor is known and none is larger than any that is meant.
fn check_sizes(model: &TypedModel) -> Result<(), String> {
    for node in model.nodes() {
        for TypedFact { shape, datum_type, .. } in node.outputs.iter().map(|output| &output.fact) {
            let bytes =
                |sizes: &[usize]| sizes.iter().try_fold(datum_type.size_of(), |bytes, &size| bytes.checked_mul(size));
            if shape.as_concrete().and_then(bytes).is_none_or(|bytes| bytes > MAX_TENSOR_BYTES) {
                let (operator, name) = (node.op.name(), &node.name);
                return Err(format!(
                    "its operator {operator} ({name}) makes a tensor of [{shape:?}] {datum_type:?}, \
                     over {MAX_TENSOR_BYTES} bytes"
                ));
            }
        }
    }
    Ok(())
}
