//! Queries a second over vectors in files: `speed VECTORS QUERIES DIM [K]`, rows of little-endian f32 of unit length.
#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};
use std::{env, fs};

use nodupe_bruteforce::BruteForce;
use nodupe_core::{EmbeddingSpace, Embeddings, ItemId, Options, SimilarityBackend as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [vectors, queries, dim, rest @ ..] = arguments.as_slice() else {
        return Err("speed VECTORS QUERIES DIM [K]".into());
    };
    let space = EmbeddingSpace::cosine("file", dim.parse()?)?;
    let k = rest.first().map_or(Ok(10), |k| k.parse())?;
    let read = |path: &str| -> Result<Embeddings, Box<dyn std::error::Error>> {
        let bytes = fs::read(path)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(Embeddings::from_f32(space.clone(), numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())?)
    };
    let (vectors, queries) = (read(vectors)?, read(queries)?);
    let ids: Vec<ItemId> = (0..vectors.view().len()).map(|number| format!("{number:09}").into()).collect();
    for threads in [1, 2] {
        let options = Options::new().with_threads(NonZeroUsize::new(threads));
        let mut index = BruteForce::new(&space, &options)?;
        index.add(&ids, vectors.view())?;
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            index.search(queries.view(), k)?;
            best = best.min(start.elapsed());
        }
        let (m, n, dim) = (queries.view().len() as f64, ids.len() as f64, space.dim() as f64);
        let (rate, flops) = (m / best.as_secs_f64(), 2.0 * m * n * dim / best.as_secs_f64() / 1e9);
        println!("{threads} threads: {rate:.0} queries/s, {flops:.0} GFLOP/s");
    }
    Ok(())
}
