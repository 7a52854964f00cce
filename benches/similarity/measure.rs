//! One backend on vectors in files.

use std::error::Error;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use nodupe::core::SimilarityRegistration;
use nodupe::{EmbeddingsRef, IndexSpec, Neighbors, Options, Registry, SimilarityBackend};
use serde_json::{Value, json};

use crate::files::Files;
use crate::memory;
use crate::truth::{Truth, count_pairs, ids};

#[derive(Debug, clap::Args)]
pub(crate) struct Measuring {
    /// The backend, by its name
    #[arg(long)]
    backend: String,
    /// An option of the backend, as `hnsw.m=16`
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// An option that the saved index is opened with, one value after the other, as `hnsw.ef=16,32,64`
    #[arg(long, value_name = "KEY=VALUES", value_parser = key_and_value)]
    sweep: Option<(String, String)>,
    #[command(flatten)]
    files: Files,
    /// What `truth` wrote
    #[arg(long)]
    truth: PathBuf,
    /// Threads to build and to search on
    #[arg(long)]
    threads: NonZeroUsize,
    /// How many times all queries are searched for
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Find all pairs of vectors within this distance as well
    #[arg(long, value_name = "RADIUS")]
    pairs: Option<f32>,
    /// A folder to save the index in, which is emptied
    #[arg(long)]
    scratch: PathBuf,
}

/// What building took.
struct Built {
    index: Box<dyn SimilarityBackend>,
    seconds: f64,
    memory: Option<u64>,
    peak: Option<u64>,
    pairs: Value,
    disk: u64,
}

impl Measuring {
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let registry = Registry::linked();
        let find = |registration: &&SimilarityRegistration| registration.name == self.backend;
        let registration = registry.similarities().iter().find(find).ok_or_else(|| {
            let names: Vec<&str> = registry.similarities().iter().map(|registration| registration.name).collect();
            format!("there is no backend `{}` here, but {}", self.backend, names.join(", "))
        })?;
        let mut options = Options::new().with_threads(self.threads);
        for (key, value) in &self.set {
            options = options.with(key, value);
        }
        registry.check(&options)?;
        let built = self.build(registration, &options)?;
        let queries = self.files.queries()?;
        let truth = Truth::read(&self.truth, queries.len())?;
        let searched = self.searches(registration, &options, built.index, queries.view(), truth.k())?;
        // The vectors are read again now: what an index takes of memory was measured without them.
        let vectors = self.files.vectors()?;
        for Searched { setting, mut seconds, found } in searched {
            seconds.sort_by(f64::total_cmp);
            let rate = |seconds: f64| queries.len() as f64 / seconds;
            let line = json!({
                "library": "nodupe", "version": registration.package.version, "backend": registration.name,
                "options": self.set.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
                "setting": setting, "threads": self.threads, "rows": vectors.len(), "queries": queries.len(),
                "k": truth.k(), "recall": truth.recall(&found, vectors.view(), queries.view()),
                "queries_per_s": {"median": rate(median(&seconds)), "best": rate(seconds[0])},
                "build_s": built.seconds, "memory_bytes": built.memory, "peak_bytes": built.peak,
                "disk_bytes": built.disk, "pairs": built.pairs,
            });
            println!("{line}");
        }
        Ok(())
    }

    fn build(&self, registration: &SimilarityRegistration, options: &Options) -> Result<Built, Box<dyn Error>> {
        let before = memory::anonymous();
        let vectors = self.files.vectors()?;
        let (space, ids) = (vectors.space().clone(), ids(vectors.len()));
        let spec = IndexSpec::new(&space).with_expected_len(vectors.len());
        let mut index = (registration.create)(&spec, options)?;
        let start = Instant::now();
        index.add(&ids, vectors.view())?;
        index.build(&mut |_, _| ControlFlow::Continue(()))?;
        let seconds = start.elapsed().as_secs_f64();
        let peak = memory::peak();
        drop((ids, vectors));
        let memory = memory::anonymous().zip(before).map(|(after, before)| after.saturating_sub(before));
        let pairs = self.pairs.map(|radius| -> Result<Value, Box<dyn Error>> {
            let start = Instant::now();
            let count = count_pairs(index.as_ref(), radius)?;
            Ok(json!({"radius": radius, "seconds": start.elapsed().as_secs_f64(), "count": count}))
        });
        let pairs = pairs.transpose()?.unwrap_or_default();
        empty(&self.scratch)?;
        index.save(&self.scratch)?;
        let disk = size(&self.scratch)?;
        Ok(Built { index, seconds, memory, peak, pairs, disk })
    }

    /// Every setting, of the index that was built or, where there is an option to sweep, of the saved one.
    fn searches(
        &self,
        registration: &SimilarityRegistration,
        options: &Options,
        built: Box<dyn SimilarityBackend>,
        queries: EmbeddingsRef<'_>,
        k: usize,
    ) -> Result<Vec<Searched>, Box<dyn Error>> {
        let Some((key, values)) = &self.sweep else {
            return Ok(vec![self.search(built.as_ref(), None, queries, k)?]);
        };
        drop(built);
        let space = self.files.space()?;
        let each = values.split(',').map(|value| {
            let options = options.clone().with(key, value);
            Registry::linked().check(&options)?;
            let index = (registration.open)(&IndexSpec::new(&space), &self.scratch, &options)?;
            self.search(index.as_ref(), Some(format!("{key}={value}")), queries, k)
        });
        each.collect()
    }

    fn search(
        &self,
        index: &dyn SimilarityBackend,
        setting: Option<String>,
        queries: EmbeddingsRef<'_>,
        k: usize,
    ) -> Result<Searched, Box<dyn Error>> {
        let (mut seconds, mut found) = (Vec::new(), Neighbors::new());
        for _ in 0..self.passes {
            let start = Instant::now();
            found = index.search(queries, k)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(Searched { setting, seconds, found })
    }
}

struct Searched {
    setting: Option<String>,
    seconds: Vec<f64>,
    found: Neighbors,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The middle one of sorted numbers, or between the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    fs::create_dir_all(folder)
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { size(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(vec![median(&[1.0]), median(&[1.0, 2.0]), median(&[1.0, 2.0, 9.0])], [1.0, 1.5, 2.0]);
    }
}
