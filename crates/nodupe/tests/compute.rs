//! Files to embeddings: one outcome a file, each of its own kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![cfg(all(feature = "media", feature = "perceptual"))]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nodupe::core::{EmbedError, EmbeddedBatch};
use nodupe::media::PoolOptions;
use nodupe::{
    BackendInfo, ComputeError, EmbeddingBackend, EmbeddingSpace, Embeddings, ImageBatch, InputSpec, Preference,
    Registry, Selector, compute_embedding, compute_embeddings,
};

fn photograph(path: &Path, seed: u32) {
    let picture = image::RgbImage::from_fn(320, 240, |x, y| {
        let wave = |step: u32, by: f32| {
            ((x as f32 * (0.01 + by) + y as f32 * 0.02 * step as f32 + seed as f32).sin() + 1.0) * 60.0
        };
        let value = (wave(1, 0.02) + wave(3, 0.11)) as u8;
        image::Rgb([value, value / 2, 255 - value])
    });
    picture.save(path).unwrap();
}

#[test]
fn every_file_has_an_outcome_and_a_bad_one_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    photograph(&at("good.png"), 1);
    photograph(&at("also.jpg"), 2);
    image::RgbImage::from_pixel(64, 64, image::Rgb([9, 9, 9])).save(at("blank.png")).unwrap();
    fs::write(at("text.jpg"), "not an image at all").unwrap();
    let whole = fs::read(at("good.png")).unwrap();
    fs::write(at("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::create_dir(at("folder.jpg")).unwrap();

    let registry = Registry::linked();
    let selected = Selector::new(&registry).with_preference(Preference::require("perceptual")).embedding().unwrap();
    let names = ["good.png", "blank.png", "text.jpg", "gone.png", "cut.png", "folder.jpg", "also.jpg"];
    let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
    let mut outcomes: Vec<_> =
        compute_embeddings(selected.backend.as_ref(), paths.clone(), PoolOptions::default()).collect();
    outcomes.sort_by_key(|(number, _)| *number);
    let kinds: Vec<&str> =
        outcomes.iter().map(|(_, outcome)| outcome.as_ref().map_or_else(ComputeError::kind, |_| "embedded")).collect();
    assert_eq!(
        kinds,
        ["embedded", "undescribable", "unsupported-format", "not-found", "decode", "io", "embedded"],
        "{outcomes:?}"
    );

    let alone = compute_embedding(selected.backend.as_ref(), &paths[0]).unwrap();
    assert_eq!(Some(&alone), outcomes[0].1.as_ref().ok());
    assert_eq!(alone.space(), selected.backend.space());
    let error = compute_embedding(selected.backend.as_ref(), at("gone.png")).unwrap_err();
    assert!(error.to_string().contains("gone.png"), "{error}");
}

/// Says how bright an image is, and remembers how many it was given at once.
struct Brightness {
    info: BackendInfo,
    space: EmbeddingSpace,
    spec: InputSpec,
    fails_above: usize,
    batches: Mutex<Vec<usize>>,
}

impl Brightness {
    fn new(fails_above: usize) -> Self {
        Self {
            info: BackendInfo::new("brightness", nodupe::core::package!()),
            space: EmbeddingSpace::hamming("brightness", 8).unwrap(),
            spec: InputSpec::luma(8, 8),
            fails_above,
            batches: Mutex::default(),
        }
    }
}

impl EmbeddingBackend for Brightness {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.spec
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        self.batches.lock().unwrap().push(batch.len());
        if batch.len() > self.fails_above {
            let source = std::io::Error::other("out of\nmemory").into();
            return Err(EmbedError::Backend { backend: "brightness", source });
        }
        let rows = batch.images().map(|image| image[0]).collect();
        Ok(EmbeddedBatch::one_row_each(Embeddings::from_bits(self.space.clone(), rows).unwrap()))
    }

    fn max_batch(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(3)
    }
}

/// Seven images, each as bright as its number says, with a file that is none among them: what `backend` says of each.
fn brightness(backend: &Brightness) -> Vec<Result<Vec<u8>, String>> {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..8).map(|number| dir.path().join(format!("{number}.png"))).collect();
    for (number, path) in paths.iter().enumerate() {
        let grey = image::Luma([number as u8 * 20]);
        if number != 4 {
            image::GrayImage::from_pixel(8, 8, grey).save(path).unwrap();
        }
    }
    let mut outcomes: Vec<_> = compute_embeddings(backend, paths, PoolOptions::default().with_threads(2)).collect();
    outcomes.sort_by_key(|(number, _)| *number);
    assert_eq!(outcomes.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    let row = |rows: Embeddings| match rows.get(0) {
        Some(nodupe::core::Row::Bits(bytes)) if rows.len() == 1 => bytes.to_vec(),
        row => panic!("{row:?}"),
    };
    outcomes.into_iter().map(|(_, outcome)| outcome.map(row).map_err(|error| error.reason())).collect()
}

#[test]
fn images_are_embedded_in_batches_and_each_gets_its_own_row() {
    let backend = Brightness::new(3);
    for (number, outcome) in brightness(&backend).into_iter().enumerate() {
        match number {
            4 => assert_eq!(outcome, Err("it does not exist".to_owned())),
            _ => assert_eq!(outcome, Ok(vec![number as u8 * 20])),
        }
    }
    assert_eq!(*backend.batches.lock().unwrap(), [3, 3, 1]);
}

#[test]
fn a_batch_that_fails_is_embedded_one_by_one() {
    let backend = Brightness::new(1);
    assert_eq!(brightness(&backend).iter().filter(|outcome| outcome.is_ok()).count(), 7);
    assert_eq!(*backend.batches.lock().unwrap(), [3, 1, 1, 1, 3, 1, 1, 1, 1]);
    let broken = brightness(&Brightness::new(0));
    assert_eq!(broken[0], Err("the backend brightness failed: out of memory".to_owned()));
}
