//! What makes two vectors comparable.

use std::fmt;
use std::sync::Arc;

use crate::error::SpaceError;

/// How far apart two vectors are. A small distance means alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Metric {
    /// `1 - cos`, in `[0, 2]`. The vectors are of unit length.
    Cosine,
    /// The squared Euclidean distance, in `[0, ∞)`.
    SquaredEuclidean,
    /// The number of bits that differ, in `[0, bits]`.
    Hamming,
}

impl Metric {
    /// The name in manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::SquaredEuclidean => "squared-euclidean",
            Self::Hamming => "hamming",
        }
    }
}

/// What one row of vectors is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ElementType {
    /// 32-bit floating point numbers.
    F32,
    /// Bits, eight in a byte, the first one in the lowest bit of the first byte.
    Bit,
}

impl ElementType {
    /// The name in manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bit => "bit",
        }
    }
}

/// What makes vectors comparable: two vectors may be compared exactly when their spaces are equal.
///
/// A space is named by the model, its revision, the revision of the preprocessing (a resize with another filter gives
/// other vectors), the precision that the model runs at, what a row is made of, how long it is, and the metric. It is not
/// the digest of a file: one model stored as ONNX and as safetensors is one space.
///
/// ```
/// use nodupe_core::{EmbeddingSpace, Metric};
/// let space = EmbeddingSpace::cosine("sscd", 512)?.with_revision("2").with_precision("int8");
/// assert_eq!(space.metric(), Metric::Cosine);
/// assert_eq!(space.to_string(), "sscd@2/int8 cosine f32x512");
/// # Ok::<(), nodupe_core::SpaceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "stored::Space", into = "stored::Space")
)]
pub struct EmbeddingSpace {
    model: Arc<str>,
    revision: Arc<str>,
    preprocessing: Arc<str>,
    precision: Arc<str>,
    element_type: ElementType,
    dim: usize,
    metric: Metric,
}

impl EmbeddingSpace {
    /// The most dimensions that a space may have: a length beyond it is a mistake or an attack, not an embedding.
    pub const MAX_DIM: usize = 1 << 20;

    /// Unit vectors of `dim` 32-bit floats, compared by cosine.
    ///
    /// # Errors
    /// [`SpaceError`] where `dim` is 0 or over [`Self::MAX_DIM`].
    pub fn cosine(model: impl Into<Arc<str>>, dim: usize) -> Result<Self, SpaceError> {
        Self::new(model.into(), ElementType::F32, dim, Metric::Cosine)
    }

    /// Vectors of `dim` 32-bit floats, compared by squared Euclidean distance.
    ///
    /// # Errors
    /// [`SpaceError`] where `dim` is 0 or over [`Self::MAX_DIM`].
    pub fn squared_euclidean(model: impl Into<Arc<str>>, dim: usize) -> Result<Self, SpaceError> {
        Self::new(model.into(), ElementType::F32, dim, Metric::SquaredEuclidean)
    }

    /// Rows of `bits` packed bits, compared by Hamming distance.
    ///
    /// # Errors
    /// [`SpaceError`] where `bits` is 0, not a multiple of 8, or over [`Self::MAX_DIM`].
    pub fn hamming(model: impl Into<Arc<str>>, bits: usize) -> Result<Self, SpaceError> {
        Self::new(model.into(), ElementType::Bit, bits, Metric::Hamming)
    }

    fn new(model: Arc<str>, element_type: ElementType, dim: usize, metric: Metric) -> Result<Self, SpaceError> {
        match dim {
            0 => Err(SpaceError::ZeroDim),
            dim if dim > Self::MAX_DIM => Err(SpaceError::TooLarge { dim, max: Self::MAX_DIM }),
            bits if element_type == ElementType::Bit && bits % 8 != 0 => Err(SpaceError::UnalignedBits { bits }),
            dim => Ok(Self {
                model,
                revision: "1".into(),
                preprocessing: "1".into(),
                precision: element_type.name().into(),
                element_type,
                dim,
                metric,
            }),
        }
    }

    /// The same model in another revision of its weights or its definition (at first `1`).
    #[must_use]
    pub fn with_revision(mut self, revision: impl Into<Arc<str>>) -> Self {
        self.revision = revision.into();
        self
    }

    /// The same with another way from the file to the model's input (at first `1`).
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: impl Into<Arc<str>>) -> Self {
        self.preprocessing = preprocessing.into();
        self
    }

    /// The same model run at another precision, where that changes the vectors by more than a cosine of 0.9999 (at
    /// first the name of the element type).
    #[must_use]
    pub fn with_precision(mut self, precision: impl Into<Arc<str>>) -> Self {
        self.precision = precision.into();
        self
    }

    /// The id of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The revision of the model.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The revision of what happens to an image before the model sees it.
    pub fn preprocessing(&self) -> &str {
        &self.preprocessing
    }

    /// The precision that the model runs at.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// What a row is made of.
    pub fn element_type(&self) -> ElementType {
        self.element_type
    }

    /// Components of a row: floats, or bits.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How rows are compared.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Bytes of one row: 4 × dim for floats, dim / 8 for bits.
    pub fn row_bytes(&self) -> usize {
        match self.element_type {
            ElementType::F32 => self.dim * size_of::<f32>(),
            ElementType::Bit => self.dim / 8,
        }
    }

    /// The similarity that people see: the cosine (`1 - distance`), `1 - distance / bits` for packed bits, and
    /// `1 / (1 + distance)` for squared Euclidean distances. 1 means alike; only the cosine can be below 0.
    pub fn similarity(&self, distance: f32) -> f32 {
        match self.metric {
            Metric::Cosine => 1.0 - distance,
            Metric::SquaredEuclidean => 1.0 / (1.0 + distance),
            Metric::Hamming => 1.0 - distance / self.dim as f32,
        }
    }

    /// The largest distance at which the similarity is still at least `similarity`: the other way round of
    /// [`EmbeddingSpace::similarity`]. For Hamming a whole number of bits; a similarity over 1 gives a negative distance,
    /// which nothing is within.
    pub fn max_distance(&self, similarity: f32) -> f32 {
        match self.metric {
            Metric::Cosine => 1.0 - similarity,
            Metric::SquaredEuclidean => 1.0 / similarity.max(f32::MIN_POSITIVE) - 1.0,
            // 1 - 31/256 is no f32 that gives back 31 exactly, hence the slack of a thousandth of a bit.
            Metric::Hamming => ((1.0 - similarity) * self.dim as f32 + 1e-3).floor(),
        }
    }
}

impl fmt::Display for EmbeddingSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.model, self.revision)?;
        if *self.preprocessing != *"1" {
            write!(f, "+{}", self.preprocessing)?;
        }
        if *self.precision != *self.element_type.name() {
            write!(f, "/{}", self.precision)?;
        }
        write!(f, " {} {}x{}", self.metric.name(), self.element_type.name(), self.dim)
    }
}

/// The space as it is written to files: every field by name, checked when it is read.
#[cfg(feature = "serde")]
mod stored {
    use super::{ElementType, EmbeddingSpace, Metric, SpaceError};

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Space {
        model: String,
        revision: String,
        preprocessing: String,
        precision: String,
        element_type: ElementType,
        dim: usize,
        metric: Metric,
    }

    impl From<EmbeddingSpace> for Space {
        fn from(space: EmbeddingSpace) -> Self {
            Self {
                model: space.model.as_ref().to_owned(),
                revision: space.revision.as_ref().to_owned(),
                preprocessing: space.preprocessing.as_ref().to_owned(),
                precision: space.precision.as_ref().to_owned(),
                element_type: space.element_type,
                dim: space.dim,
                metric: space.metric,
            }
        }
    }

    impl TryFrom<Space> for EmbeddingSpace {
        type Error = SpaceError;

        fn try_from(stored: Space) -> Result<Self, SpaceError> {
            let space = match (stored.element_type, stored.metric) {
                (ElementType::F32, Metric::Cosine) => Self::cosine(stored.model, stored.dim),
                (ElementType::F32, Metric::SquaredEuclidean) => Self::squared_euclidean(stored.model, stored.dim),
                (ElementType::Bit, Metric::Hamming) => Self::hamming(stored.model, stored.dim),
                (element_type, metric) => Err(SpaceError::Unknown {
                    detail: format!("{} rows are not compared by {}", element_type.name(), metric.name()),
                }),
            }?;
            Ok(space
                .with_revision(stored.revision)
                .with_preprocessing(stored.preprocessing)
                .with_precision(stored.precision))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_differs_in_each_of_its_parts() {
        let space = EmbeddingSpace::cosine("m", 8).unwrap();
        let others = [
            EmbeddingSpace::cosine("n", 8).unwrap(),
            EmbeddingSpace::cosine("m", 16).unwrap(),
            EmbeddingSpace::squared_euclidean("m", 8).unwrap(),
            EmbeddingSpace::hamming("m", 8).unwrap(),
            space.clone().with_revision("2"),
            space.clone().with_preprocessing("2"),
            space.clone().with_precision("int8"),
        ];
        assert!(others.iter().all(|other| *other != space));
        assert_eq!(EmbeddingSpace::cosine("m", 8).unwrap(), space);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert_eq!(EmbeddingSpace::cosine("m", 0), Err(SpaceError::ZeroDim));
        assert_eq!(EmbeddingSpace::hamming("m", 12), Err(SpaceError::UnalignedBits { bits: 12 }));
        assert!(matches!(EmbeddingSpace::cosine("m", usize::MAX), Err(SpaceError::TooLarge { .. })));
    }

    #[test]
    fn every_whole_number_of_bits_survives_the_way_through_similarity() {
        for bits in [8, 64, 256, 1024] {
            let space = EmbeddingSpace::hamming("m", bits).unwrap();
            for distance in 0..=bits {
                assert_eq!(space.max_distance(space.similarity(distance as f32)) as usize, distance);
            }
        }
    }
}
