//! What the backend can be told.

use nodupe_core::OptionSpec;

/// The library of ONNX Runtime.
pub(crate) const LIBRARY: OptionSpec = OptionSpec::text(
    "ort-cuda.library",
    "path of the shared library of ONNX Runtime with its CUDA provider beside it (default: ORT_DYLIB_PATH, what `nodupe runtimes fetch onnxruntime-gpu` brought, the system's)",
);

/// A limit for the runtime's arena.
pub(crate) const MEMORY: OptionSpec = OptionSpec::integer(
    "ort-cuda.memory",
    64,
    1 << 20,
    "MiB of the GPU's memory that weights and activations may take (default: no limit)",
);

pub(crate) const OPTIONS: &[OptionSpec] = &[LIBRARY, MEMORY];
