//! An embedding backend that lives in an application: `cargo run -p nodupe-examples --bin own_backend -- FOLDER`
//!
//! It is registered by hand, which works everywhere; in a crate of its own it would be `nodupe::core::submit!`-ted and
//! found by everyone who links it. `docs/extending.md` tells the whole story.
#![allow(clippy::print_stdout)]

use std::error::Error;

use nodupe::core::{
    EmbedError, EmbeddedBatch, EmbeddingRegistration, Filter, Matching, Orientation, Undescribable, package,
};
use nodupe::{
    BackendInfo, EmbeddingBackend, EmbeddingSpace, Embeddings, ImageBatch, InputSpec, Options, Preference, Registry,
    Scanner, Unavailable,
};

/// The brightness of a 8 × 8 thumbnail, without its mean, at unit length.
struct Thumbnail {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
}

const REGISTRATION: EmbeddingRegistration = EmbeddingRegistration::new(
    "thumbnail",
    package!(),
    |_: &Options| space(),
    |_: &Options| {
        Ok(Box::new(Thumbnail {
            info: BackendInfo::new("thumbnail", package!()),
            space: space()?,
            input: InputSpec::luma(8, 8).with_filter(Filter::Box),
        }))
    },
);

fn space() -> Result<EmbeddingSpace, Unavailable> {
    EmbeddingSpace::cosine("thumbnail-8x8", 64)
        .map_err(|error| Unavailable::new(nodupe::core::Reason::Other, "no such space").with_source(error))
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
        Matching::new(0.97, Orientation::Dependent)
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
        for image in batch.images() {
            let mean = image.iter().map(|&value| f32::from(value)).sum::<f32>() / image.len() as f32;
            let centred: Vec<f32> = image.iter().map(|&value| f32::from(value) - mean).collect();
            let length = centred.iter().map(|value| value * value).sum::<f32>().sqrt();
            // A blank image has no direction: it has no embedding, and nothing is made up for it.
            if length < 8.0 {
                outcomes.push(Err(Undescribable::new("it is all of one brightness")));
                continue;
            }
            let row = rows.len() / self.dim();
            rows.extend(centred.iter().map(|value| value / length));
            outcomes.push(Ok(row..row + 1));
        }
        let broken = |error| EmbedError::Backend { backend: "thumbnail", source: Box::new(error) };
        EmbeddedBatch::new(Embeddings::from_f32(self.space.clone(), rows).map_err(broken)?, outcomes)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut registry = Registry::linked();
    registry.register(REGISTRATION)?;
    let scanner = Scanner::new().with_registry(&registry).with_embedding(Preference::require("thumbnail"));
    let found = scanner.run(std::env::args_os().skip(1))?;
    println!("{}", found.embedding);
    for group in &found.report.groups {
        let paths: Vec<_> = group.files.iter().map(|file| file.path.display().to_string()).collect();
        println!("{:.3}  {}", group.min_similarity, paths.join("  "));
    }
    Ok(())
}
