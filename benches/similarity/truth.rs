//! The true neighbours, and how many of them were found.

use std::collections::HashSet;
use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nodupe::{EmbeddingsRef, IndexSpec, ItemId, Neighbors, Options, Registry, SimilarityBackend};
use serde_json::json;

use crate::files::Files;

/// Distances are computed in double precision on both sides, and rounded to f32.
const ROUNDING: f32 = 1e-6;

#[derive(Debug, clap::Args)]
pub(crate) struct Finding {
    #[command(flatten)]
    files: Files,
    /// How many neighbours
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Threads to search on
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The file of the distances
    #[arg(long)]
    out: PathBuf,
    /// Count the pairs of vectors within this distance as well, and print how many there are
    #[arg(long, value_name = "RADIUS")]
    pairs: Option<f32>,
}

impl Finding {
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let (vectors, queries) = (self.files.vectors()?, self.files.queries()?);
        let space = vectors.space().clone();
        let registry = Registry::linked();
        let exact = registry.similarities().iter().find(|registration| registration.name == "bruteforce");
        let exact = exact.ok_or("the exact backend, bruteforce, is not built in")?;
        let mut index = (exact.create)(&IndexSpec::new(&space), &Options::new().with_threads(self.threads))?;
        index.add(&ids(vectors.len()), vectors.view())?;
        let k = self.k.min(vectors.len());
        let found = index.search(queries.view(), k)?;
        let distances = found.iter().flatten().flat_map(|near| near.distance.to_le_bytes());
        fs::write(&self.out, distances.collect::<Vec<u8>>())?;
        let pairs = self.pairs.map(|radius| count_pairs(index.as_ref(), radius)).transpose()?;
        println!("{}", json!({"rows": vectors.len(), "queries": queries.len(), "k": k, "pairs": pairs}));
        Ok(())
    }
}

/// The id of each row: its number, in as many digits for all, so that ids are in the order of rows.
pub(crate) fn ids(rows: usize) -> Vec<ItemId> {
    (0..rows).map(|row| format!("{row:09}").into()).collect()
}

pub(crate) fn count_pairs(index: &dyn SimilarityBackend, radius: f32) -> Result<u64, Box<dyn Error>> {
    let mut pairs = 0;
    index.pairs_within(radius, &mut |_| {
        pairs += 1;
        ControlFlow::Continue(())
    })?;
    Ok(pairs)
}

/// For each query the distance of the last of its true `k` nearest vectors.
#[derive(Debug)]
pub(crate) struct Truth {
    k: usize,
    farthest: Vec<f32>,
}

impl Truth {
    /// Reads what `truth` wrote for this many queries.
    pub(crate) fn read(path: &Path, queries: usize) -> Result<Self, Box<dyn Error>> {
        let bytes = fs::read(path).map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", path.display())))?;
        let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if queries == 0 || numbers.is_empty() || !numbers.len().is_multiple_of(queries) {
            return Err(format!("{} is of other queries", path.display()).into());
        }
        let k = numbers.len() / queries;
        Ok(Self { k, farthest: numbers.chunks_exact(k).map(|row| row[k - 1]).collect() })
    }

    pub(crate) fn k(&self) -> usize {
        self.k
    }

    /// The part of the true neighbours that was found. What counts is the distance, computed from the vectors: of equally
    /// near ones any will do.
    pub(crate) fn recall(&self, found: &Neighbors, vectors: EmbeddingsRef<'_>, queries: EmbeddingsRef<'_>) -> f64 {
        let metric = vectors.space().metric();
        let mut hits = 0;
        for ((near, query), &farthest) in found.iter().zip(queries.iter()).zip(&self.farthest) {
            let rows: HashSet<usize> = near.iter().filter_map(|near| near.id.as_str().parse().ok()).collect();
            let distances = rows.iter().filter_map(|&row| metric.distance(query, vectors.get(row)?));
            hits += distances.filter(|&distance| distance <= farthest + ROUNDING).count().min(self.k);
        }
        hits as f64 / (self.k * self.farthest.len()) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodupe::core::Neighbor;
    use nodupe::{EmbeddingSpace, Embeddings};

    #[test]
    fn of_equally_near_vectors_any_will_do_and_none_counts_twice() {
        let space = EmbeddingSpace::hamming("toy", 8).unwrap();
        let vectors = Embeddings::from_bits(space.clone(), vec![0, 1, 2, 0xff]).unwrap();
        let query = Embeddings::from_bits(space, vec![0]).unwrap();
        let truth = Truth { k: 2, farthest: vec![1.0] };
        let recall = |rows: &[usize]| {
            let mut found = Neighbors::new();
            // The distance that the index says is not what counts.
            found.push(rows.iter().map(|&row| Neighbor { id: ids(4)[row].clone(), distance: 0.0 }), false);
            truth.recall(&found, vectors.view(), query.view())
        };
        assert_eq!(vec![recall(&[0, 1]), recall(&[0, 2]), recall(&[1, 2])], [1.0; 3]);
        assert_eq!(vec![recall(&[0, 3]), recall(&[0]), recall(&[0, 0])], [0.5; 3]);
        assert_eq!(vec![recall(&[]), recall(&[0, 1, 2])], [0.0, 1.0]);
    }

    #[test]
    fn the_truth_of_other_queries_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth");
        let numbers = [0.1f32, 0.2, 0.3, 0.4, 0.5, 0.6];
        fs::write(&path, numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
        let truth = Truth::read(&path, 2).unwrap();
        assert_eq!((truth.k(), truth.farthest), (3, vec![0.3, 0.6]));
        assert!(Truth::read(&path, 4).is_err());
        assert!(Truth::read(&path, 0).is_err());
    }
}
