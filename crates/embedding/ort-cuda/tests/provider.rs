//! What happens where ONNX Runtime is there and its CUDA provider is not: no session, and no processor instead.

use std::num::NonZeroUsize;

use nodupe_conformance::provided;
use nodupe_core::{BackendInfo, Device, OptionSpec, Options, Reason, package};
use nodupe_models::Format;
use nodupe_ort::{Onnx, Plan, Search};
use ort::ep::{CUDA, ExecutionProvider as _};

const LIBRARY: OptionSpec = OptionSpec::text("ort-cpu.library", "");

#[test]
fn a_runtime_without_the_provider_is_no_reason_to_run_on_the_processor() {
    let options = Options::new();
    let needs = Search::new(&options, &LIBRARY, &["onnxruntime"])
        .and_then(|search| search.load())
        .and_then(|runtime| Ok((runtime, nodupe_ort::model(&options)?)));
    let Some((runtime, model)) = provided(needs, "run `cargo xtask setup`") else { return };
    if CUDA::is_available().unwrap() {
        eprintln!("skipped: this ONNX Runtime has the provider");
        return;
    }
    let plan = Plan {
        sessions: NonZeroUsize::MIN,
        threads: NonZeroUsize::MIN,
        images: NonZeroUsize::MIN,
        fixed: true,
        provider: Some(CUDA::default().build()),
    };
    let info = BackendInfo::new("ort-cuda", package!()).on(Device::Cuda(0));
    let bytes = model.read(Format::Onnx).unwrap();
    let why = Onnx::open(info, &runtime, &model, &bytes, &plan, None).unwrap_err();
    assert_eq!(why.reason, Reason::LibraryNotFound, "{why}");
    assert!(why.detail.contains("CUDAExecutionProvider") && why.source.is_some(), "{why}");
}

#[test]
fn a_library_for_the_processor_alone_is_not_loaded_for_a_gpu() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so");
    std::fs::write(&library, "for the processor alone").unwrap();
    let options = Options::new().with(LIBRARY.key, library.to_str().unwrap());
    let search = Search::new(&options, &LIBRARY, &["onnxruntime-gpu"]).unwrap().with_companion("libprovider.so");
    for why in [search.probe().unwrap_err(), search.load().map(drop).unwrap_err()] {
        // Where the other test has loaded one before, that is the reason.
        assert!(matches!(why.reason, Reason::LibraryNotFound | Reason::Options), "{why}");
        if why.reason == Reason::LibraryNotFound {
            assert!(why.detail.contains("has no libprovider.so beside it"), "{why}");
            assert_eq!(why.help.as_deref(), Some("run `nodupe runtimes fetch onnxruntime-gpu`"));
        }
    }
}
