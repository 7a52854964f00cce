//! Why weights cannot be converted.

use nodupe_core::BoxError;

/// Why weights cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The manifest names no architecture that is known here.
    #[error("{} is no architecture that is known here: known are {}", .name.as_deref().unwrap_or("none"), .known.join(", "))]
    UnknownArchitecture {
        /// What it names.
        name: Option<String>,
        /// What is known.
        known: Vec<&'static str>,
    },
    /// The manifest asks for what the architecture does not give.
    #[error("the manifest does not fit the architecture {architecture}: {detail}")]
    Manifest {
        /// The architecture.
        architecture: &'static str,
        /// What does not fit.
        detail: String,
    },
    /// The manifest's images are too small for the architecture.
    #[error(
        "a feature map of {height}x{width} pixels is too small for a window of {kernel}: the manifest's images are too small"
    )]
    TooSmall {
        /// Height of the map.
        height: usize,
        /// Width of the map.
        width: usize,
        /// Side of the window.
        kernel: usize,
    },
    /// The file is neither a safetensors file nor a legacy `PyTorch` state dict.
    #[error("the weights are neither safetensors nor a legacy PyTorch state dict: {detail}")]
    Unrecognised {
        /// What they are, or what to do.
        detail: &'static str,
    },
    /// The file is a safetensors file that cannot be read.
    #[error("the safetensors file cannot be read")]
    Safetensors {
        /// What is wrong with it.
        source: BoxError,
    },
    /// The file ends too early.
    #[error("the weights are cut short: they end at byte {offset}")]
    Truncated {
        /// Its length, in bytes.
        offset: usize,
    },
    /// A pickle has an opcode that no state dict needs.
    #[error(
        "byte {offset} of the weights is the pickle opcode {opcode:#04x}, which no state dict needs: it is refused"
    )]
    Opcode {
        /// The opcode.
        opcode: u8,
        /// Where it is.
        offset: usize,
    },
    /// A pickle names something that no state dict is made of.
    #[error("byte {offset} of the weights names {module}.{name}, which no state dict is made of: it is refused")]
    Global {
        /// The Python module.
        module: String,
        /// The name in it.
        name: String,
        /// Where it is named.
        offset: usize,
    },
    /// The file is not what `PyTorch` writes.
    #[error("the weights are broken at byte {offset}: {detail}")]
    Malformed {
        /// Where.
        offset: usize,
        /// What is wrong.
        detail: String,
    },
    /// A tensor is not one that `PyTorch` writes, or leaves the numbers that it is a view of.
    #[error("the tensor {name} is broken: {detail}")]
    BrokenTensor {
        /// The tensor.
        name: String,
        /// What is wrong.
        detail: String,
    },
    /// A tensor of the architecture is missing.
    #[error("the weights have no tensor {name}: they are of another architecture than {architecture}")]
    MissingTensor {
        /// The tensor.
        name: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A tensor has another shape than the architecture gives it.
    #[error("the tensor {name} has the shape {found:?}, and {architecture} wants {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The architecture.
        architecture: &'static str,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape in the architecture.
        expected: Vec<usize>,
    },
    /// A tensor has other elements than 32-bit floats.
    #[error("the tensor {name} has elements of {found}, and 32-bit floats are expected")]
    Elements {
        /// The tensor.
        name: String,
        /// What they are.
        found: String,
    },
}
