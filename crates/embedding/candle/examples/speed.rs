//! Times a model that is installed: images a second by threads and by images a call.
#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use nodupe_candle::Candle;
use nodupe_core::{EmbeddingBackend, ImageBatch, Options};

const LARGEST: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::args().nth(1).unwrap_or_else(|| "efficientnet-lite0".to_owned());
    for threads in [1, 2, 4, 8, 16] {
        if threads > std::thread::available_parallelism()?.get() {
            break;
        }
        let backend = Candle::new(&Options::new().with_model(&*model).with_threads(NonZeroUsize::new(threads)))?;
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let pixels: Vec<u8> = (0..LARGEST * backend.input_spec().bytes()).map(|_| byte()).collect();
        for images in [1, 8, LARGEST] {
            let batch = ImageBatch::for_spec(backend.input_spec(), &pixels[..images * backend.input_spec().bytes()])?;
            let mut best = Duration::MAX;
            for _ in 0..=2 * LARGEST / images {
                let start = Instant::now();
                std::hint::black_box(backend.embed(&batch)?);
                best = best.min(start.elapsed());
            }
            let speed = images as f64 / best.as_secs_f64();
            println!("{model}, {threads} threads, {images} images a call: {speed:.1} images/s");
        }
    }
    Ok(())
}
