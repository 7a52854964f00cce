//! The command line of `nodupe eval`.
#![allow(clippy::doc_markdown, reason = "these comments are what --help prints")]
#![allow(clippy::struct_excessive_bools, reason = "a flag of a command line is a bool")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use nodupe::eval::TransformSet;

use crate::args::{ScanArgs, threads};

pub(crate) const HELP: &str = "\
Examples:
  nodupe eval ~/Pictures
  nodupe eval --model sscd-int8 --model sscd-distilled --html report.html ~/Pictures
  nodupe eval --sets heavy,strong --seeds 1,2,3 --similarity bruteforce --similarity hnsw ~/Pictures
  nodupe eval --keep sets ~/Pictures
  nodupe eval --labels sets/heavy-1/labels.json --groups 'another tool=found.json'
  nodupe eval --embedding perceptual ~/Pictures -- --threshold 0.9 --no-views

Makes sets of edited photographs whose copies are known: basic (crop, flips, turn, aspect ratio), heavy (ten edits that change \
much) and strong (twelve combinations of edits); their parameters are in the documentation of nodupe-eval. Then runs `nodupe scan` over \
each, once for every combination of --embedding or --model with --similarity, in a process of its own, and reports precision and recall over \
pairs, the same of all pairs ranked by similarity (µAP, recall R at precisions, recall at 1), images a second, and peak memory.

What stands behind `--` is said to every scan; `nodupe scan --help` lists it. Photographs of PHOTOS that are copies of each other count as \
mistakes that they are not: take a folder without any.

Exit codes: 0 done, 1 failed or a run failed, 2 wrong usage, 130 interrupted: what was measured by then is printed, but for --html, and \
nothing is kept that was not to be kept.";

#[derive(Debug, ClapArgs)]
pub(crate) struct EvalArgs {
    /// Folders and files of photographs to make sets of.
    #[arg(value_name = "PHOTOS", required_unless_present = "labels")]
    pub(crate) photos: Vec<PathBuf>,
    /// Which sets to make: basic, heavy, strong.
    #[arg(long, value_name = "SETS", value_delimiter = ',', default_values = ["basic", "heavy"])]
    pub(crate) sets: Vec<TransformSet>,
    /// What decides all that is left to chance; of several, such as 1,2,3, the sets are pooled.
    #[arg(long, alias = "seed", value_name = "SEEDS", value_delimiter = ',', default_values_t = [1])]
    pub(crate) seeds: Vec<u64>,
    /// The most photographs to make groups of in each set.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) photographs: u32,
    /// Pixels of the longer side that larger photographs are shrunk to first.
    #[arg(long, value_name = "PIXELS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(64..=16384))]
    pub(crate) longest_side: u32,
    /// A labelled set that is there already: JSON with {"groups": [[paths…], …]}; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Vec<PathBuf>,
    /// Keep the sets in this folder, which other tools can then be run on.
    #[arg(long, value_name = "DIR", requires = "photos")]
    pub(crate) keep: Option<PathBuf>,
    /// An embedding backend to run, as `nodupe scan` takes it; may be repeated [default: auto].
    #[arg(long, value_name = "PREFERENCE")]
    pub(crate) embedding: Vec<String>,
    /// A model to run, as `nodupe scan` takes it; may be repeated. Backends that take none run once.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Vec<String>,
    /// A similarity backend to run, as `nodupe scan` takes it; may be repeated [default: auto].
    #[arg(long, value_name = "PREFERENCE")]
    pub(crate) similarity: Vec<String>,
    /// Groups that another tool printed as JSON when it was run on a set; may be repeated.
    #[arg(long, value_name = "NAME=FILE", value_parser = name_and_file)]
    pub(crate) groups: Vec<(String, PathBuf)>,
    /// Run nothing: make the sets, score the --groups.
    #[arg(long)]
    pub(crate) no_runs: bool,
    /// Score the groups alone, and embed nothing a second time to rank all pairs.
    #[arg(long)]
    pub(crate) no_ranking: bool,
    /// Threads, 1 to 1024 [default: one for each core].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Print JSON (documented in the README) instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page with plots to this file as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print no progress.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// More options of every scan.
    #[arg(last = true, value_name = "SCAN OPTIONS")]
    pub(crate) scan: Vec<String>,
}

/// One run of `nodupe eval`; the one path is that of the labels.
#[derive(Debug, ClapArgs)]
pub(crate) struct EvalRunArgs {
    /// Where the result goes.
    #[arg(long, value_name = "FILE")]
    pub(crate) result: PathBuf,
    /// Do not rank.
    #[arg(long)]
    pub(crate) no_ranking: bool,
    #[command(flatten)]
    pub(crate) scan: ScanArgs,
}

fn name_and_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("write NAME=FILE, such as immaculate=found.json".to_owned()),
    }
}
