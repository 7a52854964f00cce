//! The backend itself.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use candle_core::Tensor;
use nodupe_core::{
    BackendInfo, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, ImageBatch, InputSpec, Matching, Options,
    Reason, Unavailable, package,
};
use nodupe_models::{Format, Layout, Model, ModelError, ModelLibrary, TensorElement, outcomes};

use crate::architecture::{Architecture, Network};
use crate::device::{self, Place};
use crate::weights::Weights;
use crate::workers::Workers;

/// Images that a GPU is given at once, unless the options say otherwise.
const BATCH: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// A network of a model's `architecture` with the weights of its safetensors file.
pub struct Candle {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    /// What pixels become: always channels first, since the layout that a manifest states is that of its ONNX graph.
    tensor: nodupe_models::Tensor,
    matching: Matching,
    network: Box<dyn Network>,
    device: candle_core::Device,
    workers: Workers,
    /// Held while a GPU computes: candle has one cuBLAS handle a device, which is not for two threads at once.
    gpu: Mutex<()>,
    batch: Option<NonZeroUsize>,
}

impl Candle {
    /// The backend on the processor with the model that the options name.
    ///
    /// # Errors
    /// [`Unavailable`] where there is no such model, where it has no safetensors file or an architecture that is not
    /// known here, and where its weights are not those of the architecture.
    pub fn new(options: &Options) -> Result<Self, Unavailable> {
        Self::in_place(Place::Cpu, options)
    }

    fn in_place(place: Place, options: &Options) -> Result<Self, Unavailable> {
        let at = place.device(options)?;
        let (model, architecture) = usable(options)?;
        let manifest = model.manifest();
        let device = device::open(at)?;
        let weights = model.read(Format::Safetensors)?;
        let network = (architecture.load)(&Weights::new(&manifest.id, &weights, &device)?)?;
        // A GPU copies behind one's back, and each thread has a queue of its own: another one may embed first.
        let failed = |source: candle_core::Error| {
            Unavailable::new(Reason::Other, format!("{at} failed while it was given the weights")).with_source(source)
        };
        device.synchronize().map_err(failed)?;
        let mut tensor = manifest.input.tensor.clone();
        tensor.layout = Layout::Nchw;
        Ok(Self {
            info: BackendInfo::new(place.backend(), package!()).on(at),
            space: manifest.space()?,
            input: manifest.input_spec(),
            tensor,
            matching: manifest.matching(),
            network,
            device,
            workers: Workers::new(options.threads())?,
            gpu: Mutex::new(()),
            batch: options.batch().or(at.is_gpu().then_some(BATCH)),
        })
    }

    /// The rows of some images, which the network is given at once.
    fn rows(&self, images: &ImageBatch<'_>) -> candle_core::Result<Vec<f32>> {
        let mut elements = Vec::new();
        self.tensor.extend_f32(images, &mut elements);
        let shape = self.tensor.shape(images.len(), images.width(), images.height());
        let tensor = Tensor::from_vec(elements, shape.as_slice(), &self.device)?;
        self.network.features(&tensor)?.flatten_all()?.to_vec1()
    }
}

impl EmbeddingBackend for Candle {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let backend = self.info.name;
        let rows = |pixels: &[u8]| {
            let failed = |source: candle_core::Error| EmbedError::Backend { backend, source: source.into() };
            self.rows(&ImageBatch::for_spec(&self.input, pixels)?).map_err(failed)
        };
        let rows = if self.info.device.is_gpu() {
            let _one_at_a_time = self.gpu.lock().unwrap_or_else(PoisonError::into_inner);
            let images = self.batch.unwrap_or(BATCH).get();
            batch.data().chunks(images * batch.image_bytes()).map(rows).collect::<Result<Vec<_>, _>>()?
        } else {
            self.workers.map(&batch.images().collect::<Vec<_>>(), rows)?
        };
        outcomes(backend, &self.space, batch, rows.concat())
    }

    fn matching(&self) -> Matching {
        self.matching
    }

    fn max_batch(&self) -> Option<NonZeroUsize> {
        self.batch
    }
}

impl fmt::Debug for Candle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candle").field("info", &self.info).field("space", &self.space).finish_non_exhaustive()
    }
}

pub(crate) fn create(place: Place, options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    Ok(Box::new(Candle::in_place(place, options)?))
}

pub(crate) fn probe(place: Place, options: &Options) -> Result<(), Unavailable> {
    device::probe(place.device(options)?)?;
    usable(options)?;
    Ok(())
}

pub(crate) fn space(options: &Options) -> Result<EmbeddingSpace, Unavailable> {
    Ok(ModelLibrary::from_env().find(options.model())?.manifest().space()?)
}

/// The model that the options mean and its architecture, where both serve here. Its weights are not looked at.
fn usable(options: &Options) -> Result<(Model, Architecture), ModelError> {
    let model = ModelLibrary::from_env().find(options.model())?;
    let manifest = model.manifest();
    let unusable = |detail: String| ModelError::unusable(&*manifest.id, detail);
    model.path(Format::Safetensors)?;
    let Some(name) = &manifest.architecture else {
        return Err(unusable(
            "its manifest names no architecture, and candle builds networks by their names".to_owned(),
        ));
    };
    let Some(architecture) = Architecture::named(name) else {
        let known = Architecture::names();
        return Err(unusable(format!("candle knows no architecture `{name}`; it knows {known}")));
    };
    if manifest.output.dim != architecture.dim {
        let (name, dim) = (architecture.name, architecture.dim);
        return Err(unusable(format!("its manifest says dim {}, and {name} gives {dim}", manifest.output.dim)));
    }
    if manifest.input.tensor.element_type != TensorElement::F32 {
        return Err(unusable("its input is u8, and candle's networks take normalised f32".to_owned()));
    }
    // Weights of 8 bits that are computed with as floats give vectors of another space than the manifest's.
    if manifest.artifact(Format::Safetensors).is_some_and(|artifact| artifact.precision.space_tag() != "f32") {
        return Err(unusable("its weights are integers, and candle computes with floats".to_owned()));
    }
    Ok((model, architecture))
}
