//! What the backend can be told.

use nodupe_core::OptionSpec;

/// The library of ONNX Runtime.
pub(crate) const LIBRARY: OptionSpec = OptionSpec::text(
    "ort-cpu.library",
    "path of the shared library of ONNX Runtime (default: ORT_DYLIB_PATH, what `nodupe runtimes fetch` brought, the system's)",
);

pub(crate) const OPTIONS: &[OptionSpec] = &[LIBRARY];
