//! The command line of `nodupe index`.
#![allow(clippy::doc_markdown, reason = "these comments are what --help prints")]
#![allow(clippy::struct_excessive_bools, reason = "a flag of a command line is a bool")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use nodupe::Preference;

use crate::args::{BackendArgs, ViewArgs, WalkArgs, similarity};

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Embed the images in folders into a new index.
    #[command(after_help = BUILD_HELP)]
    Build(BuildArgs),
    /// Embed the images in folders that are not in an index yet into it.
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// Take images out of an index.
    #[command(after_help = REMOVE_HELP)]
    Remove(RemoveArgs),
    /// Search an index for what is like an image.
    #[command(after_help = QUERY_HELP)]
    Query(QueryArgs),
    /// Show what an index says of itself.
    #[command(after_help = "Examples:\n  nodupe index info photos.index\n  nodupe index info --json photos.index")]
    Info(InfoArgs),
    /// Compare the files of an index with their digests, and open it.
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Copy an index into one of another similarity backend.
    #[command(after_help = CONVERT_HELP)]
    Convert(ConvertArgs),
}

impl IndexCommand {
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Build(args) => args.fill.quiet,
            Self::Add(args) => args.fill.quiet,
            Self::Convert(args) => args.quiet,
            _ => false,
        }
    }
}

const BUILD_HELP: &str = "\
Examples:
  nodupe index build photos.index ~/Pictures
  nodupe index build --model sscd-distilled photos.index ~/Pictures /media/disk
  nodupe index build --similarity hnsw photos.index ~/Pictures
  nodupe index build --force photos.index ~/Pictures

A preference is a list of backends to try in order, then any that works (`ort-cuda,candle`); one that must run \
(`hnsw!`); `gpu`; or `auto`. `nodupe backends` lists the names. NODUPE_EMBEDDING and NODUPE_SIMILARITY hold \
preferences for when none is given.

Images are in the index under their absolute paths, links followed, so that it means the same from every folder.

After Ctrl-C what was embedded so far is saved, and `nodupe index add` goes on with what is missing.

Exit codes: 0 done, 1 failed or a PATH could not be read, 2 wrong usage, 130 interrupted.";

const ADD_HELP: &str = "\
Examples:
  nodupe index add photos.index ~/Pictures
  nodupe index add --update photos.index ~/Pictures/edited.jpg

Images are embedded as those in the index were, or not at all: the index says by which model. Options that change its \
vectors, such as --set histogram.bins=16, are given as they were when it was built.

After Ctrl-C what was embedded so far is saved, and the same command goes on with what is missing.";

const REMOVE_HELP: &str = "\
Examples:
  nodupe index remove photos.index ~/Pictures/old.jpg
  nodupe index remove photos.index ~/Pictures/2019
  nodupe index remove --missing photos.index

Only the index is changed, never a file. What is on a disk that is not mounted is missing too.";

const QUERY_HELP: &str = "\
Examples:
  nodupe index query photos.index photo.jpg
  nodupe index query photos.index -k 3 *.jpg
  nodupe index query photos.index --threshold 0.9 --json photo.jpg

Similarities go up to 1, most alike first. An image that is in the index itself is found too.

Images are embedded as those in the index were, or not at all: the index says by which model. Options that change its \
vectors, such as --set histogram.bins=16, are given as they were when it was built.

Exit codes: 0 done, 1 failed or a FILE could not be read, 2 wrong usage.";

const VERIFY_HELP: &str = "\
Examples:
  nodupe index verify photos.index
  nodupe index verify --audit photos.index

An audit searches for images of the index as the index does and by comparing with all: what part of the 10 nearest ones \
an approximate index finds.";

const CONVERT_HELP: &str = "\
Examples:
  nodupe index convert photos.index photos-hnsw.index --similarity hnsw
  nodupe index convert photos.index photos.index --similarity bruteforce --force

No image is read. A backend that does not keep the vectors exactly cannot be converted from: build the index again.";

/// What fills an index.
#[derive(Debug, ClapArgs)]
pub(crate) struct FillArgs {
    /// The folder of the index.
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// Folders and files to look at.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    #[command(flatten)]
    pub(crate) walk: WalkArgs,
    /// Print JSON (documented in the README) instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no progress and no summary.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) fill: FillArgs,
    /// Which similarity backend: a preference [default: auto].
    #[arg(long, value_name = "PREFERENCE")]
    pub(crate) similarity: Option<Preference>,
    /// Keep the index on disk while it is filled, by a backend that can.
    #[arg(long)]
    pub(crate) on_disk: bool,
    /// Put the new index in the place of one that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) fill: FillArgs,
    /// Embed files again that are in the index already.
    #[arg(long)]
    pub(crate) update: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RemoveArgs {
    /// The folder of the index.
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// Files, and folders with everything below them; they need not be there any more.
    #[arg(required_unless_present = "missing", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take out every image whose file is not there any more.
    #[arg(long, conflicts_with = "paths")]
    pub(crate) missing: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct QueryArgs {
    /// The folder of the index.
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// Image files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How many images are shown for each [default: 10, with --threshold all].
    #[arg(short = 'k', value_name = "N")]
    pub(crate) k: Option<NonZeroUsize>,
    /// Only images that are at least so similar: over 0, up to 1.
    #[arg(long, value_name = "SIMILARITY", value_parser = similarity)]
    pub(crate) threshold: Option<f32>,
    #[command(flatten)]
    pub(crate) views: ViewArgs,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InfoArgs {
    /// The folder of the index.
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// The folder of the index.
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// Measure what part of the nearest images a search finds.
    #[arg(long)]
    pub(crate) audit: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConvertArgs {
    /// The folder of the index.
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// The folder of the new index.
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Which similarity backend: a preference [default: auto].
    #[arg(long, value_name = "PREFERENCE")]
    pub(crate) similarity: Option<Preference>,
    /// An option of a backend, such as hnsw.m=32; may be repeated. `nodupe backends` lists them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = crate::args::key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Threads for building, 1 to 1024 [default: one for each core].
    #[arg(long, value_name = "N", value_parser = crate::args::threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Keep the new index on disk while it is filled, by a backend that can.
    #[arg(long)]
    pub(crate) on_disk: bool,
    /// Put the new index in the place of one that is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no progress and no summary.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
