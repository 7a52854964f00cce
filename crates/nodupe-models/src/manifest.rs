//! `model.toml`: what a model is, in words that any runtime understands.

use std::fmt;
use std::path::Path;

use nodupe_core::{EmbeddingSpace, Filter, Fit, InputSpec, Matching, Orientation};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::ModelError;
use crate::source::Download;

/// A manifest, as `model.toml` says it.
///
/// ```
/// use nodupe_models::Manifest;
/// let manifest = Manifest::parse(r#"
///     format = 1
///     id = "toy"
///     revision = "1"
///     description = "means of the colours"
///     licence = { name = "MIT" }
///     [input]
///     width = 8
///     height = 8
///     tensor = { name = "image", element-type = "u8", layout = "nhwc" }
///     [output]
///     name = "embedding"
///     dim = 3
///     [[artifact]]
///     format = "onnx"
///     file = "toy.onnx"
///     precision = "f32"
/// "#)?;
/// assert_eq!((manifest.space()?.model(), manifest.space()?.dim()), ("toy", 3));
/// # Ok::<(), nodupe_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Version of this format: [`Manifest::FORMAT`].
    pub format: u32,
    /// What the model is called by: lower-case letters, digits, `-`, `_` and `.`, at most 64 of them.
    pub id: String,
    /// Revision of the weights and of the definition: vectors of two revisions are not comparable.
    pub revision: String,
    /// What it is, in one line.
    pub description: String,
    /// Under which terms it may be used.
    pub licence: Licence,
    /// What images it wants.
    pub input: Input,
    /// What it gives.
    pub output: Output,
    /// How its embeddings are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<Threshold>,
    /// The network, for backends that build it themselves from the weights: `efficientnet-lite0`, `resnet50`, `sscd-resnet50`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Its files: the same model in one or more formats.
    #[serde(rename = "artifact")]
    pub artifacts: Vec<Artifact>,
    /// Where the files come from.
    #[serde(rename = "download", default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Download>,
}

/// Under which terms a model may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Licence {
    /// SPDX identifier or expression.
    pub name: String,
    /// What one should know of it in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where its text is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What images a model wants, and how their pixels become its input tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Input {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How another aspect ratio is brought to that size.
    #[serde(default = "stretch")]
    pub fit: Fit,
    /// The filter that images are resized with.
    #[serde(default = "triangle")]
    pub filter: Filter,
    /// Revision of what this manifest cannot say, such as how pixels are resized: part of the embedding space, as all of this is.
    #[serde(default = "one")]
    pub preprocessing: String,
    /// The tensor that the network is given.
    pub tensor: Tensor,
}

/// The input tensor of a network: a batch of RGB images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Tensor {
    /// Its name in the graph.
    pub name: String,
    /// What its elements are.
    pub element_type: TensorElement,
    /// The order of its axes.
    pub layout: Layout,
    /// What is subtracted from each channel, in units of the pixel values 0 to 255. Only for floats.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mean: [f32; 3],
    /// What each channel is then divided by, in the same units. Only for floats.
    #[serde(default = "ones", skip_serializing_if = "is_one")]
    pub std: [f32; 3],
}

/// What the elements of an input tensor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TensorElement {
    /// The pixel values themselves, 0 to 255.
    U8,
    /// 32-bit floats: `(value - mean) / std`.
    F32,
}

/// The order of the axes of an input tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// Batch, height, width, channel: as the pixels lie in an [`ImageBatch`](nodupe_core::ImageBatch).
    Nhwc,
    /// Batch, channel, height, width.
    Nchw,
}

/// What a model gives: one row of floats an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Output {
    /// The name of the output tensor in the graph. Its shape is batch × `dim`, or batch × `dim` × 1 × 1.
    pub name: String,
    /// Components of an embedding.
    pub dim: usize,
}

/// How the embeddings of a model are compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Threshold {
    /// The cosine from which on two images are near duplicates, calibrated for groups by average link: over 0, up to 1.
    pub threshold: f32,
    /// Whether turning or mirroring an image leaves its embedding as it was.
    #[serde(default)]
    pub orientation_invariant: bool,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Artifact {
    /// What it is.
    pub format: Format,
    /// Its name, beside `model.toml`.
    pub file: String,
    /// The digest of its bytes. Required of installed models that are not the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What the weights are stored as.
    pub precision: Precision,
}

/// What a file of a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// A graph with its weights, for ONNX runtimes.
    Onnx,
    /// Weights by name, for backends that know the architecture.
    Safetensors,
}

/// What weights are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit floats that are computed with as 32-bit ones: the vectors are those of `f32`, and so is the space.
    F16,
    /// 8-bit integers that are computed with as such: a space of its own.
    Int8,
}

impl Manifest {
    /// The newest version of the format that this crate reads.
    pub const FORMAT: u32 = 1;
    /// The name of the file.
    pub const FILE: &str = "model.toml";
    /// The most bytes that a manifest may have.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// Reads a manifest and checks that its parts go together.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] with what is wrong, [`ModelError::Version`] where it is of a newer format.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        Self::parse_at(text, Path::new(Self::FILE))
    }

    /// The same; errors name `path`.
    pub(crate) fn parse_at(text: &str, path: &Path) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let wrong = |detail: String| ModelError::Manifest { path: path.to_owned(), detail };
        // The version comes first: a newer format may have fields that are unknown here.
        let Versioned { format } = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        if format > Self::FORMAT {
            return Err(ModelError::Version { path: path.to_owned(), found: format, supported: Self::FORMAT });
        }
        let manifest: Self = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// The manifest as text that [`parse`](Self::parse) reads.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] where it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string_pretty(self)
            .map_err(|error| ModelError::Manifest { path: Self::FILE.into(), detail: error.to_string() })
    }

    fn check(&self) -> Result<(), String> {
        if !is_id(&self.id) {
            return Err(format!("`{}` is no id: up to 64 lower-case letters, digits, `-`, `_` and `.`", self.id));
        }
        let Input { width, height, fit, tensor, .. } = &self.input;
        for side in [*width, *height] {
            if side == 0 || side > InputSpec::MAX_SIDE {
                return Err(format!("{width}x{height} is no size of images"));
            }
        }
        if let Fit::ShortestEdge { edge } = fit
            && edge.get() < *width.max(height)
        {
            return Err(format!("a shortest edge of {edge} leaves nothing to crop {width}x{height} from"));
        }
        let is_scale = |std: &f32| std.is_finite() && *std > 0.0;
        if !tensor.mean.iter().all(|mean| mean.is_finite()) || !tensor.std.iter().all(is_scale) {
            return Err("mean and std are finite, and std is over 0".to_owned());
        }
        if tensor.element_type == TensorElement::U8 && !(is_zero(&tensor.mean) && is_one(&tensor.std)) {
            return Err("mean and std are for f32 tensors: u8 ones are given the pixel values".to_owned());
        }
        if let Some(Threshold { threshold, .. }) = self.matching
            && !(threshold > 0.0 && threshold <= 1.0)
        {
            return Err(format!("{threshold} is no threshold: it is over 0 and up to 1"));
        }
        if self.artifacts.is_empty() {
            return Err("a model has at least one artifact".to_owned());
        }
        let files = self.artifacts.iter().map(|artifact| &artifact.file);
        for file in files.chain(self.downloads.iter().map(|download| &download.file)) {
            if !is_file_name(file) {
                return Err(format!("`{file}` is no plain file name"));
            }
        }
        let precisions = self.artifacts.iter().map(|artifact| artifact.precision.space_tag());
        if let Some(other) = precisions.clone().find(|tag| Some(*tag) != precisions.clone().next()) {
            return Err(format!("artifacts of one model are of one embedding space, and one is {other}"));
        }
        self.check_files()?;
        if self.revision.is_empty() {
            return Err("a model has a revision".to_owned());
        }
        match self.space() {
            Ok(_) => Ok(()),
            Err(ModelError::Manifest { detail, .. }) => Err(detail),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Each file once, each format once, and downloads that lead to artifacts.
    fn check_files(&self) -> Result<(), String> {
        for (place, artifact) in self.artifacts.iter().enumerate() {
            let mut before = self.artifacts.iter().take(place);
            if before.any(|other| other.format == artifact.format || other.file == artifact.file) {
                return Err(format!("there are two artifacts `{}` of format {}", artifact.file, artifact.format));
            }
        }
        for download in &self.downloads {
            if download.convert && self.architecture.is_none() {
                return Err(format!("`{}` is converted, and no architecture says to what", download.file));
            }
            if !download.convert && self.artifacts.iter().all(|artifact| artifact.file != download.file) {
                return Err(format!("the download `{}` is no artifact", download.file));
            }
        }
        Ok(())
    }

    /// The space of the model's embeddings: its id, revision, precision, and as the preprocessing eight hexadecimal digits
    /// of the BLAKE3 digest of [`Input`]. Not the file: one model in two formats is one space.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] where `dim` is none that a space can have.
    pub fn space(&self) -> Result<EmbeddingSpace, ModelError> {
        let wrong = |detail: String| ModelError::Manifest { path: Self::FILE.into(), detail };
        let space =
            EmbeddingSpace::cosine(self.id.as_str(), self.output.dim).map_err(|error| wrong(error.to_string()))?;
        // Images of another size or values of another scale are other vectors, whatever the manifest calls them.
        let input = toml::to_string(&self.input).map_err(|error| wrong(error.to_string()))?;
        let preprocessing = blake3::hash(input.as_bytes()).to_hex().chars().take(8).collect::<String>();
        let precision = self.artifacts.first().map_or("f32", |artifact| artifact.precision.space_tag());
        Ok(space.with_revision(self.revision.as_str()).with_preprocessing(preprocessing).with_precision(precision))
    }

    /// What images the model wants.
    pub fn input_spec(&self) -> InputSpec {
        InputSpec::rgb(self.input.width, self.input.height).with_fit(self.input.fit).with_filter(self.input.filter)
    }

    /// What comparing the model's embeddings needs to know.
    pub fn matching(&self) -> Matching {
        let Some(Threshold { threshold, orientation_invariant }) = self.matching else {
            return Matching::default();
        };
        Matching::new(threshold, if orientation_invariant { Orientation::Invariant } else { Orientation::Dependent })
    }

    /// The file of a format.
    pub fn artifact(&self, format: Format) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.format == format)
    }
}

impl Precision {
    /// What it is called in an [`EmbeddingSpace`].
    pub const fn space_tag(self) -> &'static str {
        match self {
            Self::F32 | Self::F16 => "f32",
            Self::Int8 => "int8",
        }
    }

    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}

impl Format {
    /// The name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a text may be the id of a model: it is also the name of its folder.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('.')
}

/// Whether a text names a file in the folder of the model and nothing else, on any system.
pub(crate) fn is_file_name(text: &str) -> bool {
    let forbidden = |character: char| character.is_control() || "/\\:*?\"<>|".contains(character);
    (1..=128).contains(&text.len()) && !text.starts_with('.') && !text.contains(forbidden) && text != Manifest::FILE
}

const fn stretch() -> Fit {
    Fit::Stretch
}

const fn triangle() -> Filter {
    Filter::Triangle
}

fn one() -> String {
    "1".to_owned()
}

const fn ones() -> [f32; 3] {
    [1.0; 3]
}

#[allow(clippy::float_cmp, reason = "the very values that stand for nothing to do")]
fn is_zero(mean: &[f32; 3]) -> bool {
    *mean == [0.0; 3]
}

#[allow(clippy::float_cmp, reason = "the very values that stand for nothing to do")]
fn is_one(std: &[f32; 3]) -> bool {
    *std == [1.0; 3]
}
