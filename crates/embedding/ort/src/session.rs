//! One session of ONNX Runtime: a graph that was checked against its manifest, and runs it on a batch.

use nodupe_core::{BoxError, ImageBatch};
use nodupe_models::{Layout, Manifest, ModelError, TensorElement};
use ort::ep::ExecutionProviderDispatch;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session};
use ort::value::{Outlet, Shape, TensorElementType, TensorRef, ValueType};

use crate::runtime::{Runtime, quietly};

/// How a session is set up.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    /// Threads that share the work of an operator, the calling one among them.
    pub(crate) threads: usize,
    /// Whether its threads, while it runs, spin where they wait for each other.
    pub(crate) spins: bool,
    /// Where it runs; `None`: on the processor.
    pub(crate) provider: Option<ExecutionProviderDispatch>,
    /// Sizes of named axes that are otherwise free.
    pub(crate) axes: Vec<(String, usize)>,
}

/// A graph, ready to run.
pub(crate) struct Graph {
    session: Session,
    output: RunOptions<HasSelectedOutputs>,
    manifest: Manifest,
    /// What the graph is given where that is not the bytes of the batch themselves.
    floats: Vec<f32>,
    bytes: Vec<u8>,
}

/// What is wrong with a graph, or with running it.
#[derive(Debug)]
pub(crate) enum GraphError {
    /// The file is not the model that the manifest describes.
    Model(ModelError),
    /// The execution provider cannot be set up.
    Provider(BoxError),
    /// The runtime did not run it.
    Runtime(BoxError),
}

impl Graph {
    /// Loads the graph and checks its input and output. Whether it gives what it should only running it tells.
    pub(crate) fn load(
        runtime: &Runtime,
        manifest: &Manifest,
        model: &[u8],
        setup: &Setup,
    ) -> Result<Self, GraphError> {
        let mut builder = quietly(|| builder(runtime, setup)).map_err(GraphError::Runtime)?.map_err(runtime_error)?;
        if let Some(provider) = &setup.provider {
            let registered = quietly(|| provider.register(&mut builder)).map_err(GraphError::Provider)?;
            registered.map_err(|error| GraphError::Provider(error.into()))?;
        }
        let session = quietly(|| builder.commit_from_memory(model)).map_err(GraphError::Runtime)?;
        let session = session.map_err(|error| match setup.provider {
            // The processor has read it before.
            Some(_) => runtime_error(error),
            None => unusable(manifest, "ONNX Runtime does not read it".to_owned(), Some(error.into())),
        })?;
        check_input(manifest, session.inputs()).map_err(|detail| unusable(manifest, detail, None))?;
        check_output(manifest, session.outputs()).map_err(|detail| unusable(manifest, detail, None))?;
        let selected = OutputSelector::no_default().with(manifest.output.name.as_str());
        let output = RunOptions::new().map_err(runtime_error)?.with_outputs(selected);
        Ok(Self { session, output, manifest: manifest.clone(), floats: Vec::new(), bytes: Vec::new() })
    }

    /// The axes of the input: sizes of those that are set, and names of those that are free.
    pub(crate) fn axes(&self) -> impl Iterator<Item = (Option<usize>, &str)> {
        let shape = self.session.inputs().first().and_then(|input| match input.dtype() {
            ValueType::Tensor { shape, dimension_symbols, .. } => Some((shape, dimension_symbols)),
            _ => None,
        });
        shape.into_iter().flat_map(|(shape, names)| {
            sizes(shape).enumerate().map(|(axis, size)| (size, names.get(axis).map_or("", String::as_str)))
        })
    }

    /// Writes a row of `dim` numbers an image into `rows`, which has room for just that.
    pub(crate) fn run(&mut self, batch: &ImageBatch<'_>, rows: &mut [f32]) -> Result<(), GraphError> {
        let tensor = &self.manifest.input.tensor;
        let shape = tensor.shape(batch.len(), batch.width(), batch.height());
        let input = match (tensor.element_type, tensor.layout) {
            (TensorElement::U8, Layout::Nhwc) => {
                TensorRef::from_array_view((shape, batch.data())).map(TensorRef::into_dyn)
            }
            (TensorElement::U8, _) => {
                self.bytes.clear();
                tensor.extend_u8(batch, &mut self.bytes);
                TensorRef::from_array_view((shape, self.bytes.as_slice())).map(TensorRef::into_dyn)
            }
            _ => {
                self.floats.clear();
                tensor.extend_f32(batch, &mut self.floats);
                TensorRef::from_array_view((shape, self.floats.as_slice())).map(TensorRef::into_dyn)
            }
        };
        let input = input.map_err(runtime_error)?;
        let (session, output) = (&mut self.session, &self.output);
        let outputs = quietly(|| session.run_with_options(ort::inputs![input], output))
            .map_err(GraphError::Runtime)?
            .map_err(runtime_error)?;
        let name = self.manifest.output.name.as_str();
        let (shape, values) = match outputs.get(name).map(|output| output.try_extract_tensor::<f32>()) {
            Some(Ok(output)) => output,
            Some(Err(error)) => {
                return Err(unusable(&self.manifest, format!("its output `{name}` is not f32"), Some(error.into())));
            }
            None => return Err(unusable(&self.manifest, format!("it gave no output `{name}`"), None)),
        };
        let dim = self.manifest.output.dim;
        if !is_rows(shape, batch.len(), dim) || values.len() != rows.len() {
            let (wanted, found) = (shown([Some(batch.len()), Some(dim)]), shown(sizes(shape)));
            let detail = format!("its output `{name}` is {found} for {} images, and {wanted} is wanted", batch.len());
            return Err(unusable(&self.manifest, detail, None));
        }
        rows.copy_from_slice(values);
        Ok(())
    }

    /// The model is not what its manifest says.
    pub(crate) fn unusable(&self, detail: &str) -> GraphError {
        unusable(&self.manifest, detail.to_owned(), None)
    }
}

fn builder(runtime: &Runtime, setup: &Setup) -> ort::Result<SessionBuilder> {
    let mut builder = Session::builder(runtime.environment())?;
    // The third level lays tensors out as the vector units want them; it is also the runtime's own choice.
    builder = builder.with_optimization_level(GraphOptimizationLevel::All)?;
    builder = builder.with_intra_threads(setup.threads)?;
    // A thread that spins between two runs takes a core from the decoders.
    builder = builder.with_intra_op_spinning(setup.spins)?;
    if setup.spins {
        builder = builder.with_config_entry("session.force_spinning_stop", "1")?;
    }
    for (name, size) in &setup.axes {
        builder = builder.with_dimension_override(name, i64::try_from(*size).unwrap_or(i64::MAX))?;
    }
    if setup.provider.is_some() {
        // A node that the provider does not take is an error, not a node on the processor.
        builder = builder.with_disable_cpu_fallback()?.with_deterministic_compute(true)?;
    }
    Ok(builder)
}

/// One input: the tensor that the manifest describes.
fn check_input(manifest: &Manifest, inputs: &[Outlet]) -> Result<(), String> {
    let wanted = &manifest.input.tensor;
    let [input] = inputs else {
        let names: Vec<&str> = inputs.iter().map(Outlet::name).collect();
        return Err(format!("it has {} inputs ({}), and one is wanted", names.len(), names.join(", ")));
    };
    let name = input.name();
    if name != wanted.name {
        return Err(format!("its input is called `{name}`, and its manifest says `{}`", wanted.name));
    }
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(format!("its input `{name}` is no tensor"));
    };
    let element = match wanted.element_type {
        TensorElement::U8 => TensorElementType::Uint8,
        _ => TensorElementType::Float32,
    };
    if *ty != element {
        return Err(format!("its input `{name}` is of {ty}, and its manifest says {element}"));
    }
    // A graph need not say how many axes its input has.
    if shape.is_empty() {
        return Ok(());
    }
    let [_, axes @ ..] = wanted.shape(1, manifest.input.width, manifest.input.height);
    let fits = |(found, wanted): (&i64, usize)| *found < 0 || usize::try_from(*found) == Ok(wanted);
    if shape.len() != 4 || !shape.iter().skip(1).zip(axes).all(fits) {
        let wanted = shown([None].into_iter().chain(axes.map(Some)));
        return Err(format!("its input `{name}` is {}, and its manifest says {wanted}", shown(sizes(shape))));
    }
    match shape.first() {
        Some(batch) if *batch > 1 => Err(format!("its input `{name}` takes {batch} images, no more and no fewer")),
        Some(0) => Err(format!("its input `{name}` takes no image")),
        _ => Ok(()),
    }
}

/// An output that the manifest names. What shape it has is seen when it runs.
fn check_output(manifest: &Manifest, outputs: &[Outlet]) -> Result<(), String> {
    let wanted = manifest.output.name.as_str();
    let Some(output) = outputs.iter().find(|output| output.name() == wanted) else {
        let names: Vec<&str> = outputs.iter().map(Outlet::name).collect();
        return Err(format!("it has no output `{wanted}`, but {}", names.join(", ")));
    };
    match output.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, .. } => Ok(()),
        ValueType::Tensor { ty, .. } => Err(format!("its output `{wanted}` is of {ty}, and f32 is wanted")),
        _ => Err(format!("its output `{wanted}` is no tensor")),
    }
}

/// Batch × dim, or batch × dim × 1 × 1.
fn is_rows(shape: &Shape, images: usize, dim: usize) -> bool {
    let wanted = [images, dim, 1, 1].map(Some);
    matches!(shape.len(), 2 | 4) && sizes(shape).eq(wanted[..shape.len()].iter().copied())
}

/// The length of every axis; `None` where it is free.
fn sizes(shape: &Shape) -> impl Iterator<Item = Option<usize>> {
    shape.iter().map(|axis| usize::try_from(*axis).ok())
}

/// `?×512`
fn shown(sizes: impl IntoIterator<Item = Option<usize>>) -> String {
    let axis = |size: Option<usize>| size.map_or("?".to_owned(), |size| size.to_string());
    sizes.into_iter().map(axis).collect::<Vec<_>>().join("×")
}

fn unusable(manifest: &Manifest, detail: String, source: Option<BoxError>) -> GraphError {
    GraphError::Model(ModelError::Unusable { id: manifest.id.clone(), detail, source })
}

fn runtime_error(error: ort::Error) -> GraphError {
    GraphError::Runtime(error.into())
}
