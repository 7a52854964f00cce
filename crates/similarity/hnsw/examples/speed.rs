//! Time to build, and queries a second over recall: `speed VECTORS QUERIES DIM [M [EF_CONSTRUCTION [THREADS]]]`, rows of
//! little-endian f32 of unit length.
#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use std::{env, fs};

use nodupe_core::{EmbeddingSpace, Embeddings, ItemId, Neighbors, Options, SimilarityBackend as _};
use nodupe_hnsw::Hnsw;

const K: usize = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [vectors, queries, dim, rest @ ..] = arguments.as_slice() else {
        return Err("speed VECTORS QUERIES DIM [M [EF_CONSTRUCTION [THREADS]]]".into());
    };
    let space = EmbeddingSpace::cosine("file", dim.parse()?)?;
    let number = |place: usize, usual: &str| rest.get(place).map_or(usual, String::as_str).to_owned();
    let threads: usize = number(2, "2").parse()?;
    let read = |path: &str| -> Result<Embeddings, Box<dyn std::error::Error>> {
        let bytes = fs::read(path)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(Embeddings::from_f32(space.clone(), numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())?)
    };
    let (vectors, queries) = (read(vectors)?, read(queries)?);
    let ids: Vec<ItemId> = (0..vectors.view().len()).map(|number| format!("{number:09}").into()).collect();
    let options = Options::new()
        .with_threads(NonZeroUsize::new(threads))
        .with("hnsw.m", number(0, "16"))
        .with("hnsw.ef-construction", number(1, "200"));
    let mut index = Hnsw::new(&space, &options)?;
    index.add(&ids, vectors.view())?;
    let start = Instant::now();
    let truth = index.search(queries.view(), K)?;
    println!("not built: {:.0} queries/s", queries.len() as f64 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    index.build(&mut |_, _| ControlFlow::Continue(()))?;
    println!("build: {:.1} s", start.elapsed().as_secs_f64());
    let dir = env::temp_dir().join(format!("nodupe-hnsw-speed-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    index.save(&dir)?;
    for ef in [16, 32, 48, 64, 96, 128, 192, 256] {
        let index = Hnsw::open(&space, &dir, &options.clone().with("hnsw.ef", ef.to_string()))?;
        let mut times = Vec::new();
        let mut found = Neighbors::new();
        for _ in 0..7 {
            let start = Instant::now();
            found = index.search(queries.view(), K)?;
            times.push(start.elapsed());
        }
        times.sort();
        let rate = |time: Duration| queries.len() as f64 / time.as_secs_f64();
        let (best, median) = (rate(times[0]), rate(times[times.len() / 2]));
        println!("ef {ef}: recall {:.4}, {best:.0} queries/s (median {median:.0})", recall(&truth, &found));
    }
    Ok(fs::remove_dir_all(&dir)?)
}

/// The part of the true neighbours that was found.
fn recall(truth: &Neighbors, found: &Neighbors) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for (truth, found) in truth.iter().zip(found.iter()) {
        hits += truth.iter().filter(|near| found.iter().any(|other| other.id == near.id)).count();
        all += truth.len();
    }
    hits as f64 / all as f64
}
