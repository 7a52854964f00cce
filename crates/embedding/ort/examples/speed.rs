//! Times the backend on noise: `speed [images [batch …]]`. The model is that of `NODUPE_MODEL`, the library as for the
//! backend. Prints images a second: the best of some rounds, and those for the processor time that was used.
#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use nodupe_core::{ImageBatch, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let (images, batches) = numbers.split_first().map_or((256, [].as_slice()), |(first, rest)| (*first, rest));
    let batches = if batches.is_empty() { &[1, 8, 16, 32, 64] } else { batches };
    let threads = std::env::var("NODUPE_THREADS").ok().map(|text| text.parse::<NonZeroUsize>()).transpose()?;
    let mut options = Options::new().with_threads(threads);
    if let Ok(model) = std::env::var("NODUPE_MODEL") {
        options = options.with_model(model);
    }
    let started = Instant::now();
    let backend = (nodupe_ort::REGISTRATION.create)(&options)?;
    println!(
        "{} opened in {:.0} ms, batches of up to {:?}",
        backend.space(),
        started.elapsed().as_secs_f64() * 1e3,
        backend.max_batch()
    );
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let most = batches.iter().max().copied().unwrap_or(1);
    let pixels: Vec<u8> = (0..most * backend.input_spec().bytes()).map(|_| byte()).collect();
    for &size in batches {
        let batch = ImageBatch::for_spec(backend.input_spec(), &pixels[..size * backend.input_spec().bytes()])?;
        let calls = images.div_ceil(size);
        let mut best = Duration::MAX;
        backend.embed(&batch)?;
        for _ in 0..5 {
            let started = Instant::now();
            for _ in 0..calls {
                std::hint::black_box(backend.embed(&batch)?);
            }
            best = best.min(started.elapsed());
        }
        println!("batch {size:3}: {:7.1} images/s", (calls * size) as f64 / best.as_secs_f64());
    }
    Ok(())
}
