//! Files to embeddings: one outcome a file, each of its own kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![cfg(all(feature = "media", feature = "perceptual"))]

use std::fs;
use std::path::{Path, PathBuf};

use nodupe::media::PoolOptions;
use nodupe::{ComputeError, Preference, Registry, Selector, compute_embedding, compute_embeddings};

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
