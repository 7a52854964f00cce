//! Images a second, by the images in a call and the threads that work on them. The argument is a model: its name or its
//! folder.
#![allow(clippy::print_stdout)]

use std::env;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use nodupe_core::{EmbeddingBackend, ImageBatch};
use nodupe_models::ModelLibrary;
use nodupe_tract_cpu::TractCpu;

/// What each figure is the best of.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ModelLibrary::from_env().find(env::args().nth(1).as_deref())?;
    println!("{}", model.manifest().id);
    println!("images a call  threads  images/s");
    let processors = std::thread::available_parallelism()?;
    for threads in [NonZeroUsize::MIN, processors] {
        let backend = TractCpu::new(&model, Some(threads))?;
        for images in [1, 8, 64] {
            let pixels = noise(images * backend.input_spec().bytes());
            let batch = ImageBatch::for_spec(backend.input_spec(), &pixels)?;
            let mut best = Duration::MAX;
            for _ in 0..ROUNDS {
                let start = Instant::now();
                black_box(backend.embed(&batch)?);
                best = best.min(start.elapsed());
            }
            println!("{images:13}  {threads:7}  {:8.1}", images as f64 / best.as_secs_f64());
        }
    }
    Ok(())
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| byte()).collect()
}
