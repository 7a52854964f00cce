//! An embedding backend that is a picture itself.

use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{
    BackendInfo, BoxError, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, Embeddings, Filter, ImageBatch,
    IndexSpec, InputSpec, Matching, Orientation, SimilarityBackend, package,
};

pub(crate) const SIDE: u32 = 16;
pub(crate) const DIM: usize = (SIDE * SIDE) as usize;

/// The brightness of 16 × 16 pixels: pictures of noise are nearly at right angles to each other.
pub(crate) struct Pixels {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    threshold: Option<f32>,
}

impl Pixels {
    pub(crate) fn new(threshold: Option<f32>) -> Self {
        Self {
            info: BackendInfo::new("pixels", package!()),
            space: EmbeddingSpace::cosine("pixels", DIM).unwrap(),
            input: InputSpec::luma(SIDE, SIDE).with_filter(Filter::Box),
            threshold,
        }
    }
}

impl EmbeddingBackend for Pixels {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn matching(&self) -> Matching {
        let mut matching = Matching::new(0.0, Orientation::Dependent);
        matching.default_threshold = self.threshold;
        matching
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let rows = batch.images().flat_map(|image| image.iter().map(|&value| f32::from(value) - 128.0)).collect();
        let rows = Embeddings::from_f32(self.space.clone(), rows).unwrap().normalized().unwrap();
        Ok(EmbeddedBatch::one_row_each(rows))
    }
}

pub(crate) fn naive(spec: &IndexSpec<'_>) -> Result<Box<dyn SimilarityBackend>, BoxError> {
    Ok(Box::new(NaiveIndex::new(spec.space.clone())))
}
