//! The self-join of packed bits in a file: `pairs FILE BITS RADIUS [ROWS]`.
#![allow(clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::Instant;
use std::{env, fs};

use nodupe_bruteforce::BruteForce;
use nodupe_core::{EmbeddingSpace, Embeddings, ItemId, Options, SimilarityBackend as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, bits, radius, rest @ ..] = arguments.as_slice() else {
        return Err("pairs FILE BITS RADIUS [ROWS]".into());
    };
    let space = EmbeddingSpace::hamming("file", bits.parse()?)?;
    let mut bytes = fs::read(file)?;
    if let Some(rows) = rest.first() {
        bytes.truncate(rows.parse::<usize>()? * space.row_bytes());
    }
    let rows = Embeddings::from_bits(space.clone(), bytes)?;
    let ids: Vec<ItemId> = (0..rows.view().len()).map(|number| format!("{number:09}").into()).collect();
    let radius = radius.parse()?;
    for threads in [1, 2] {
        let mut index = BruteForce::new(&space, &Options::new().with_threads(NonZeroUsize::new(threads)))?;
        index.add(&ids, rows.view())?;
        let (start, mut pairs, mut sum) = (Instant::now(), 0_u64, 0.0);
        index.pairs_within(radius, &mut |pair| {
            pairs += 1;
            sum += f64::from(pair.distance);
            ControlFlow::Continue(())
        })?;
        println!("{threads} threads: {pairs} pairs (distances {sum}) in {:.2} s", start.elapsed().as_secs_f64());
        for batch in [1_000, 10_000, 100_000] {
            let queries = rows.view().slice(0..batch.min(ids.len())).ok_or("no rows")?;
            let start = Instant::now();
            let found = index.search_within(queries, radius, 512)?;
            let near: usize = found.iter().map(<[_]>::len).sum();
            println!("  {near} neighbours of {} rows in {:.3} s", queries.len(), start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
