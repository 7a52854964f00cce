//! Measures the index: `cargo run --release -p nodupe-annoy --example speed -- vectors.f32 queries.f32 dim [key=value…]`.
//!
//! The files are little-endian floats, rows one after the other. Prints the time to add and to build, the size on disk, and,
//! from a second process that opens the index, recall@10 against exact search, queries a second and `RssAnon`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]

use std::collections::HashSet;
use std::env;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nodupe_annoy::Annoy;
use nodupe_core::{EmbeddingSpace, Embeddings, IndexSpec, ItemId, Options, SimilarityBackend as _, dot};
use rayon::prelude::*;

const K: usize = 10;
/// Queries that are compared with exact search.
const AUDITED: usize = 200;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let (vectors, queries, dim) = (&args[0], &args[1], args[2].parse().unwrap());
    let mut options = Options::new();
    for (key, value) in args[3..].iter().filter_map(|arg| arg.split_once('=')) {
        options = options.with(key, value);
    }
    let space = EmbeddingSpace::cosine("measured", dim).unwrap();
    let folder = env::var_os("NODUPE_SPEED_INDEX");
    if let Some(folder) = folder.as_deref().filter(|_| env::var_os("NODUPE_SPEED_ASK").is_some()) {
        return ask(&space, Path::new(folder), vectors, queries, &options);
    }
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder.as_deref().map_or(temporary.path(), Path::new);
    if !dir.join("data.mdb").exists() {
        make(&space, dir, vectors, &options);
    }
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(&args).env("NODUPE_SPEED_INDEX", dir).env("NODUPE_SPEED_ASK", "1");
    assert!(again.status().unwrap().success());
}

fn make(space: &EmbeddingSpace, dir: &Path, vectors: &str, options: &Options) {
    let mut index = Annoy::new(&IndexSpec::new(space).with_dir(dir), options).unwrap();
    let rows = Embeddings::from_f32(space.clone(), read(vectors)).unwrap();
    let start = Instant::now();
    for begin in (0..rows.len()).step_by(10_000) {
        let end = rows.len().min(begin + 10_000);
        let ids: Vec<ItemId> = (begin..end).map(|row| format!("photos/{row:08}.jpg").into()).collect();
        index.add(&ids, rows.view().slice(begin..end).unwrap()).unwrap();
    }
    println!("added {} in {:.1} s", rows.len(), start.elapsed().as_secs_f64());
    drop(rows);
    let start = Instant::now();
    index.build(&mut |_, _| ControlFlow::Continue(())).unwrap();
    println!("built in {:.1} s, {}", start.elapsed().as_secs_f64(), memory());
    println!("{} MiB on disk", fs::metadata(dir.join("data.mdb")).unwrap().len() >> 20);
}

fn ask(space: &EmbeddingSpace, dir: &Path, vectors: &str, queries: &str, options: &Options) {
    let index = Annoy::open(space, dir, options).unwrap();
    let queries = Embeddings::from_f32(space.clone(), read(queries)).unwrap();
    let mut times = Vec::new();
    let mut found = index.search(queries.view(), K).unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        found = index.search(queries.view(), K).unwrap();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let rate = |time: f64| queries.len() as f64 / time;
    println!("{:.0} queries/s (median {:.0}), {}", rate(times[0]), rate(times[1]), memory());
    let base = read(vectors);
    let dim = space.dim();
    let asked = read_rows(&queries, dim);
    let hits: usize = (0..AUDITED.min(queries.len()))
        .into_par_iter()
        .map(|query| {
            let mut all: Vec<(f64, usize)> =
                base.chunks_exact(dim).enumerate().map(|(row, vector)| (-dot(&asked[query], vector), row)).collect();
            all.select_nth_unstable_by(K - 1, |a, b| a.0.total_cmp(&b.0));
            let truth: HashSet<String> = all[..K].iter().map(|(_, row)| format!("photos/{row:08}.jpg")).collect();
            found.of(query).iter().filter(|near| truth.contains(near.id.as_str())).count()
        })
        .sum();
    println!("recall@{K} {:.4}", hits as f64 / (AUDITED.min(queries.len()) * K) as f64);
}

fn read(path: &str) -> Vec<f32> {
    fs::read(path).unwrap().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn read_rows(rows: &Embeddings, dim: usize) -> Vec<Vec<f32>> {
    let nodupe_core::Rows::F32 { data, .. } = rows.view().rows() else { return Vec::new() };
    data.chunks_exact(dim).map(<[f32]>::to_vec).collect()
}

/// Anonymous memory of this process, where the system says so.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon"));
    line.unwrap_or("RssAnon: unknown").split_whitespace().collect::<Vec<_>>().join(" ")
}
