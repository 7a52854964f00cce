//! Real photographs against the reference: `NODUPE_PHOTOS` is a folder of them, and `NODUPE_PDQ_REFERENCE` what
//! `tests/pdq_reference.py` printed for it. Skipped where either is not set.

use std::path::Path;

use nodupe_core::{EmbeddingBackend, ImageBatch, Row};
use nodupe_perceptual::Perceptual;

mod reference;

#[test]
fn photographs_have_the_hashes_of_the_reference() {
    let (Some(photos), Some(expected)) = (std::env::var_os("NODUPE_PHOTOS"), std::env::var_os("NODUPE_PDQ_REFERENCE"))
    else {
        println!("skipped: set NODUPE_PHOTOS to a folder and NODUPE_PDQ_REFERENCE to its hashes");
        return;
    };
    let backend = Perceptual::new().unwrap();
    let mut bits = Vec::new();
    let mut other_decisions = 0;
    let expected = std::fs::read_to_string(expected).unwrap();
    for line in expected.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, hash, quality, ..] = columns[..] else { panic!("three columns are needed: {line}") };
        let photo = image::open(Path::new(&photos).join(name)).unwrap().into_rgb8();
        let pixels = reference::downsampled(&reference::luminance(&photo), photo.width() as usize);
        let embedded = backend.embed(&ImageBatch::for_spec(backend.input_spec(), &pixels).unwrap()).unwrap();
        match embedded.first_row(0) {
            Some(Row::Bits(row)) => bits.push(reference::bits_from(row, hash)),
            _ => println!("{name}: {:?}", embedded.outcomes()[0]),
        }
        other_decisions += usize::from(embedded.outcomes()[0].is_ok() != (quality.parse::<u32>().unwrap() > 49));
    }
    bits.sort_unstable();
    assert!(!bits.is_empty());
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
