//! What must be there, in the order in which a person would look for it.

use std::num::NonZeroUsize;

use nodupe_core::{BackendInfo, Device, EmbeddingBackend, EmbeddingSpace, Options, Reason, Unavailable, package};
use nodupe_models::{Format, Model, Precision};
use nodupe_ort::{Onnx, Plan, Runtime, Search, images_within};
use ort::ep::{CUDA, ExecutionProvider as _};

use crate::driver::Driver;
use crate::options::LIBRARY;
use crate::provider;

pub(crate) const NAME: &str = "ort-cuda";
const PACKAGES: &[&str] = &["onnxruntime-gpu", "onnxruntime"];
const HELP: &str = "run `nodupe runtimes fetch onnxruntime-gpu`";

/// The oldest CUDA that the published libraries are built for (`onnxruntime-gpu` since 1.19): driver 525.60 or newer.
const OLDEST_CUDA: u32 = 12;
/// Bytes of activations that a batch should keep to.
const ACTIVATIONS: usize = 1 << 30;
/// The most images in a batch.
const MOST_IMAGES: usize = 64;

pub(crate) fn space(options: &Options) -> Result<EmbeddingSpace, Unavailable> {
    Ok(model(options)?.manifest().space()?)
}

pub(crate) fn probe(options: &Options) -> Result<(), Unavailable> {
    device(options)?;
    model(options)?;
    search(options)?.probe()
}

pub(crate) fn create(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    let (driver, device) = device(options)?;
    let model = model(options)?;
    let provider = provider::provider(device, options)
        .map_err(|error| Unavailable::new(Reason::Options, "the options cannot be used").with_source(error))?;
    let runtime = search(options)?.load()?;
    check(&runtime, driver)?;
    let input = model.manifest().input_spec();
    let thought_best = NonZeroUsize::new(images_within(ACTIVATIONS, &input).min(MOST_IMAGES));
    let plan = Plan {
        sessions: NonZeroUsize::MIN,
        threads: NonZeroUsize::MIN,
        images: options.batch().or(thought_best).unwrap_or(NonZeroUsize::MIN),
        fixed: true,
        provider: Some(provider),
    };
    let info = BackendInfo::new(NAME, package!()).on(Device::Cuda(device));
    let bytes = model.read(Format::Onnx)?;
    let backend = Onnx::open(info, &runtime, &model, &bytes, &plan, Some(plan.images)).map_err(|mut why| {
        if why.reason == Reason::LibraryNotFound {
            why.help = Some("install the CUDA toolkit and cuDNN 9 of the version that it names".into());
        }
        why
    })?;
    Ok(Box::new(backend))
}

/// The driver, and the number of the device to run on.
fn device(options: &Options) -> Result<(Driver, u32), Unavailable> {
    let number = match options.device() {
        None => 0,
        Some(Device::Cuda(number)) => number,
        Some(other) => {
            let detail = format!("{NAME} runs on CUDA devices, and the device is to be {other}");
            return Err(Unavailable::new(Reason::Options, detail));
        }
    };
    let driver = Driver::find()?;
    if number >= driver.devices {
        let detail = format!("there is no {}: the NVIDIA driver finds {}", Device::Cuda(number), driver.devices);
        return Err(Unavailable::new(Reason::Options, detail));
    }
    driver.check(OLDEST_CUDA, "ONNX Runtime")?;
    Ok((driver, number))
}

/// The model, where it is one that this provider runs in the same space as a processor does.
fn model(options: &Options) -> Result<Model, Unavailable> {
    let model = nodupe_ort::model(options)?;
    let manifest = model.manifest();
    match manifest.artifact(Format::Onnx) {
        // Measured on the processor with its integer kernels turned off, which is what this provider does.
        Some(artifact) if artifact.precision == Precision::Int8 => {
            let detail = format!(
                "the model {} is of 8-bit integers, which CUDA computes as floats: vectors of another space",
                manifest.id
            );
            Err(Unavailable::new(Reason::OtherSpace, detail).with_help("choose ort-cpu for it, or a model of floats"))
        }
        _ => Ok(model),
    }
}

fn search(options: &Options) -> Result<Search, Unavailable> {
    Ok(Search::new(options, &LIBRARY, PACKAGES)?.with_companion(provider::LIBRARY))
}

/// Whether the library that was loaded has the provider, and the driver is new enough for that.
fn check(runtime: &Runtime, driver: Driver) -> Result<(), Unavailable> {
    let library = runtime.library();
    if !CUDA::is_available().unwrap_or(false) {
        let detail = format!("{} is for the processor alone: it was built without CUDA", library.display());
        return Err(Unavailable::new(Reason::LibraryNotFound, detail).with_help(HELP));
    }
    // Where the system found the library, nobody here knows what lies beside it.
    match provider::cuda_version(&library.with_file_name(provider::LIBRARY)) {
        Ok(Some(needed)) => driver.check(needed, &format!("{}", library.display())),
        _ => Ok(()),
    }
}
