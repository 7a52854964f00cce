//! Times the hash of one image and that of its eight orientations, on one thread.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use nodupe_core::{EmbeddingBackend, ImageBatch, View};
use nodupe_perceptual::Perceptual;

const IMAGES: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backend = Perceptual::new()?;
    let mut state = 1u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let pixels: Vec<u8> = (0..IMAGES * backend.input_spec().bytes()).map(|_| byte()).collect();
    let batch = ImageBatch::for_spec(backend.input_spec(), &pixels)?;
    for (what, views) in [("as it is", &View::ORIENTATIONS[..1]), ("eight orientations", &View::ORIENTATIONS)] {
        let mut best = Duration::MAX;
        for _ in 0..500 {
            let start = Instant::now();
            std::hint::black_box(backend.embed_views(&batch, views)?);
            best = best.min(start.elapsed());
        }
        println!("{what}: {:.2} µs an image", best.as_secs_f64() * 1e6 / IMAGES as f64);
    }
    Ok(())
}
