#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use nodupe_core::{
    BackendInfo, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace, Embeddings,
    Filter, ImageBatch, InputSpec, Matching, Options, Orientation, Reason, Unavailable, Undescribable, package,
};

const NAME: &str = "thumbnail";
/// Pixels on each side of the thumbnail.
const SIDE: u32 = 4;
/// Numbers in an embedding.
const DIM: usize = (SIDE * SIDE) as usize;
/// A thumbnail whose brightness varies by less, as the root of the sum of squares, is of one brightness.
const LEAST_LENGTH: f32 = 4.0;

/// The backend's entry in the registry.
pub const REGISTRATION: EmbeddingRegistration =
    EmbeddingRegistration::new(NAME, package!(), space, create).with_priority(15);
nodupe_core::submit!(REGISTRATION);

struct Thumbnail {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
}

/// What makes these vectors comparable. The revision is raised when the vectors change.
fn space(_: &Options) -> Result<EmbeddingSpace, Unavailable> {
    EmbeddingSpace::cosine(NAME, DIM)
        .map(|space| space.with_revision("1"))
        .map_err(|error| Unavailable::new(Reason::Other, "no such space").with_source(error))
}

fn create(options: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    Ok(Box::new(Thumbnail {
        info: BackendInfo::new(NAME, package!()),
        space: space(options)?,
        input: InputSpec::luma(SIDE, SIDE).with_filter(Filter::Box),
    }))
}

impl EmbeddingBackend for Thumbnail {
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
        Matching::new(0.98, Orientation::Dependent)
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
        for image in batch.images() {
            let mean = image.iter().map(|&value| f32::from(value)).sum::<f32>() / DIM as f32;
            let centred = image.iter().map(|&value| f32::from(value) - mean);
            let length = centred.clone().map(|value| value * value).sum::<f32>().sqrt();
            if length < LEAST_LENGTH {
                // Failure is never a vector.
                outcomes.push(Err(Undescribable::new("it is all of one brightness")));
            } else {
                let row = rows.len() / DIM;
                rows.extend(centred.map(|value| value / length));
                outcomes.push(Ok(row..row + 1));
            }
        }
        let failed = |error| EmbedError::Backend { backend: NAME, source: Box::new(error) };
        EmbeddedBatch::new(Embeddings::from_f32(self.space.clone(), rows).map_err(failed)?, outcomes)
    }
}
