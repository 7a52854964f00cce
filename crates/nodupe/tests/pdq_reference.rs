//! Files to hashes, all the way, against the reference implementation of PDQ (the Python package `pdqhash` 0.2.8).
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![cfg(all(feature = "media", feature = "perceptual"))]

use std::path::Path;

use nodupe::core::Row;
use nodupe::{ComputeError, EmbeddingBackend, Preference, Registry, Selector, compute_embedding};

fn perceptual() -> Box<dyn EmbeddingBackend> {
    let registry = Registry::linked();
    Selector::new(&registry).with_preference(Preference::require("perceptual")).embedding().unwrap().backend
}

/// Bits that differ between a file's hash and one as Meta's tools write it.
fn bits_from(backend: &dyn EmbeddingBackend, path: &Path, hex: &str) -> Result<u32, ComputeError> {
    let rows = compute_embedding(backend, path)?;
    let Some(Row::Bits(row)) = rows.get(0) else { panic!("no row") };
    let digit = |digit: char| digit.to_digit(16).unwrap();
    Ok(nodupe_perceptual::hex(row).chars().zip(hex.chars()).map(|(a, b)| (digit(a) ^ digit(b)).count_ones()).sum())
}

/// A grid of 23 × 23 patches of pseudo-random colour.
fn patches(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([1, 2, 3].map(|channel: u32| {
            let mut hash = (x * 23 / width).wrapping_mul(73_856_093)
                ^ (y * 23 / height).wrapping_mul(19_349_663)
                ^ channel.wrapping_mul(83_492_791);
            hash ^= hash >> 13;
            hash = hash.wrapping_mul(0x5bd1_e995);
            (hash ^ (hash >> 15)) as u8
        }))
    })
}

#[test]
fn files_have_the_hashes_of_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let backend = perceptual();
    for (width, height, hex) in [
        (64, 64, "3f926f96a32e42dcb146cf990a276ba6e44a2cc783db5057522d7613af46c3b0"),
        (128, 128, "3b826f2e836ed6d4f1d68fb940af6fa4e46ea8c583934057522d7c11aa4687b1"),
        (375, 500, "3b926b2e836ed6d4f5d68f9942276ba4e46ea8c503d35056522d7c11af6687a1"),
        (500, 375, "3f926b2a836ed6d4f1d68fb9422f6ba0e46ea8c783934056522d7c11af6687a1"),
    ] {
        for format in ["png", "jpg"] {
            let path = dir.path().join(format!("{width}x{height}.{format}"));
            patches(width, height).save(&path).unwrap();
            let bits = bits_from(backend.as_ref(), &path, hex).unwrap();
            // The reference saw the pixels of the PNG; the JPEG lost some of them.
            assert!(bits <= if format == "png" { 4 } else { 10 }, "{bits} bits for {}", path.display());
        }
    }
}

/// `NODUPE_PHOTOS` is a folder of photographs, and `NODUPE_PDQ_REFERENCE` what
/// `crates/embedding/perceptual/tests/pdq_reference.py` printed for it.
#[test]
fn photographs_have_the_hashes_of_the_reference() {
    let (Some(photos), Some(expected)) = (std::env::var_os("NODUPE_PHOTOS"), std::env::var_os("NODUPE_PDQ_REFERENCE"))
    else {
        println!("skipped: set NODUPE_PHOTOS to a folder and NODUPE_PDQ_REFERENCE to its hashes");
        return;
    };
    let backend = perceptual();
    let (mut bits, mut other_decisions) = (Vec::new(), 0);
    let expected = std::fs::read_to_string(expected).unwrap();
    for line in expected.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, hex, quality, ..] = columns[..] else { panic!("three columns are needed: {line}") };
        let found = bits_from(backend.as_ref(), &Path::new(&photos).join(name), hex);
        other_decisions += usize::from(found.is_ok() != (quality.parse::<u32>().unwrap() > 49));
        bits.extend(found);
    }
    bits.sort_unstable();
    let at = |share: usize| bits[(bits.len() - 1) * share / 100];
    let mean = f64::from(bits.iter().sum::<u32>()) / bits.len() as f64;
    println!(
        "{} photographs: {mean:.2} bits on average, 99 % within {}, all within {}; {other_decisions} quality decisions differ",
        bits.len(),
        at(99),
        at(100)
    );
    assert!(at(99) <= 10);
    assert!(other_decisions * 100 <= bits.len());
}
