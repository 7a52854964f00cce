//! Time to build, and queries a second: `speed VECTORS QUERIES DIM INDEX [THREADS [DIR [KEY=VALUE …]]]`, rows of little-endian
//! f32 of unit length. With a folder the index is saved there, and opened from there where it is saved already.
#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use nodupe_core::{EmbeddingSpace, Embeddings, ItemId, Neighbors, Options, SimilarityBackend as _};
use nodupe_faiss::Faiss;

const K: usize = 10;
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [vectors, queries, dim, what, rest @ ..] = arguments.as_slice() else {
        return Err("speed VECTORS QUERIES DIM INDEX [THREADS [DIR [KEY=VALUE …]]]".into());
    };
    let space = EmbeddingSpace::cosine("file", dim.parse()?)?;
    let read = |path: &str| -> Result<Embeddings, Box<dyn std::error::Error>> {
        let bytes = fs::read(path)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(Embeddings::from_f32(space.clone(), numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())?)
    };
    let queries = read(queries)?;
    let threads: usize = rest.first().map_or(Ok(2), |text| text.parse())?;
    let mut options = Options::new().with_threads(NonZeroUsize::new(threads)).with("faiss.index", what);
    for (key, value) in rest.iter().skip(2).filter_map(|option| option.split_once('=')) {
        options = options.with(key, value);
    }
    let dir = rest.get(1).map(Path::new);
    let index = match dir {
        Some(dir) if dir.join("state").exists() => Faiss::open(&space, dir, &options)?,
        _ => {
            let vectors = read(vectors)?;
            let ids: Vec<ItemId> = (0..vectors.len()).map(|number| format!("{number:09}").into()).collect();
            let mut index = Faiss::new(&space, &options)?;
            index.add(&ids, vectors.view())?;
            let truth = index.search(queries.view(), K)?;
            let start = Instant::now();
            index.build(&mut |_, _| ControlFlow::Continue(()))?;
            println!("build: {:.1} s", start.elapsed().as_secs_f64());
            println!("recall@{K}: {:.4}", recall(&truth, &index.search(queries.view(), K)?));
            if let Some(dir) = dir {
                fs::create_dir_all(dir)?;
                index.save(dir)?;
            }
            index
        }
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        index.search(queries.view(), K)?;
        times.push(start.elapsed());
    }
    times.sort();
    let rate = |time: Duration| queries.len() as f64 / time.as_secs_f64();
    println!("{what}: {:.0} queries/s (median {:.0})", rate(times[0]), rate(times[times.len() / 2]));
    Ok(())
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
