//! The command line.
#![allow(clippy::doc_markdown, reason = "these comments are what --help prints")]
#![allow(clippy::struct_excessive_bools, reason = "a flag of a command line is a bool")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use nodupe::dedup::{Linkage, MediaKinds, Scan, WalkOptions};
use nodupe::media::{DecodeOptions, Limits, PoolOptions, Sampling, VideoOptions};
use nodupe::{Effort, Options, Preference};

use crate::index::args::IndexCommand;
use crate::keep::KeepArgs;
use crate::threads;

/// Finds near-duplicate images and videos.
#[derive(Debug, Parser)]
#[command(name = "nodupe", version, about, max_term_width = 100, propagate_version = true)]
pub(crate) struct Args {
    /// Say more on standard error (-v information, -vv everything); RUST_LOG says it finer.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find near-duplicate images and videos in folders.
    #[command(after_help = format!("{SCAN_HELP}\n\n{}", crate::keep::help()))]
    Scan(ScanArgs),
    /// List the backends and whether they can run here.
    #[command(
        after_help = "Examples:\n  nodupe backends\n  nodupe backends --json | jq '.backends[] | select(.available)'"
    )]
    Backends(BackendsArgs),
    /// List, fetch and check the models of neural backends.
    #[command(subcommand, after_help = MODELS_HELP)]
    Models(ModelsCommand),
    /// List and fetch the native libraries of backends.
    #[command(subcommand, after_help = RUNTIMES_HELP)]
    Runtimes(RuntimesCommand),
    /// Make, change and search indexes of images on disk.
    #[command(subcommand, after_help = INDEX_HELP)]
    Index(IndexCommand),
    /// Print the embeddings of images.
    #[command(after_help = EMBED_HELP)]
    Embed(EmbedArgs),
    /// Show how near is near in a collection, and check it.
    #[cfg(feature = "eval")]
    #[command(after_help = crate::calibrate::HELP)]
    Calibrate(crate::calibrate::CalibrateArgs),
    /// Measure how well near duplicates are found.
    #[cfg(feature = "eval")]
    #[command(after_help = crate::eval::args::HELP)]
    Eval(crate::eval::args::EvalArgs),
    /// One run of `eval`, in a process of its own.
    #[cfg(feature = "eval")]
    #[command(hide = true)]
    EvalRun(crate::eval::args::EvalRunArgs),
}

const SCAN_HELP: &str = "\
Examples:
  nodupe scan ~/Pictures
  nodupe scan --model sscd-distilled ~/Pictures
  nodupe scan --json ~/Pictures > duplicates.json
  nodupe scan --precision 0.99 ~/Pictures   finds more, of which more is wrong
  nodupe scan --embedding histogram --group-by complete photos more-photos
  nodupe scan --embedding 'perceptual!' --no-views photos
  nodupe scan --effort fast photos          the chosen embedding backend alone
  nodupe scan --videos-only ~/Videos        copies, clips and shared parts; needs ffmpeg
  nodupe scan --keep in:originals,oldest .  what is in the folder originals, then the oldest
  nodupe scan --print duplicates -0 photos | xargs -0 ls -l

A preference is a list of backends to try in order, then any that works (`ort-cuda,candle`); one that must run \
(`faiss!`); `gpu`; or `auto`. `nodupe backends` lists the names. NODUPE_EMBEDDING and NODUPE_SIMILARITY hold \
preferences for when none is given.

Files named in a .nodupeignore or .ignore file (in the syntax of .gitignore), hidden files and symbolic links are \
passed over. Nothing is ever changed or deleted.

Exit codes: 0 done, 1 failed or a PATH could not be read, 2 wrong usage, 130 interrupted (what was found is shown).";

const EMBED_HELP: &str = "\
Examples:
  nodupe embed photo.jpg
  nodupe embed --embedding histogram --json *.jpg

A preference is a list of backends to try in order, then any that works (`ort-cuda,candle`); one that must run \
(`candle!`); `gpu`; or `auto`. `nodupe backends` lists the names. NODUPE_EMBEDDING holds the preference for when none \
is given.";

const MODELS_HELP: &str = "\
Examples:
  nodupe models list
  nodupe models fetch sscd-distilled
  nodupe models fetch resnet50 --from resnet50.safetensors
  nodupe models verify

Models are looked for in the folders of NODUPE_MODELS, then in the user's cache. Nothing is fetched unless it is asked for.";

const RUNTIMES_HELP: &str = "\
Examples:
  nodupe runtimes fetch onnxruntime
  nodupe runtimes list

ONNX Runtime is looked for where --set ort-cpu.library=FILE and ORT_DYLIB_PATH say, then among these, then in the system.";

const INDEX_HELP: &str = "\
Examples:
  nodupe index build photos.index ~/Pictures
  nodupe index query photos.index photo.jpg
  nodupe index add photos.index ~/Pictures/new

An index is a folder. It holds the embedding of every image under the absolute path of its file, and says itself which \
backend opens it and which one its images were embedded by.";

/// More threads than any machine makes use of are a slip of the hand.
const MAX_THREADS: usize = 1024;

/// What chooses backends and tells them things.
#[derive(Debug, ClapArgs)]
pub(crate) struct BackendArgs {
    /// Which embedding backend: a preference (see below) [default: auto].
    #[arg(long, value_name = "PREFERENCE")]
    pub(crate) embedding: Option<Preference>,
    /// Which model: one of `nodupe models list`, or a folder with a model.toml [default: the first that is installed].
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Threads for decoding, embedding and searching, 1 to 1024 [default: one for each core].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// An option of a backend, such as histogram.bins=64; may be repeated. `nodupe backends` lists them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
}

impl BackendArgs {
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new().with_threads(self.threads);
        if let Some(model) = &self.model {
            options = options.with_model(model);
        }
        self.set.iter().fold(options, |options, (key, value)| options.with(key, value))
    }
}

/// Which views of an image are looked at.
#[derive(Debug, ClapArgs)]
pub(crate) struct ViewArgs {
    /// Look at every image as it is and not under the eight rotations and flips.
    #[arg(long, conflicts_with = "views")]
    no_views: bool,
    /// Look at every image under the eight rotations and flips, also where that takes eight times as long.
    #[arg(long)]
    views: bool,
}

impl ViewArgs {
    /// What is wished, where anything is.
    pub(crate) fn wish(&self) -> Option<bool> {
        if self.views { Some(true) } else { self.no_views.then_some(false) }
    }
}

/// Which files are looked at.
#[derive(Debug, ClapArgs)]
pub(crate) struct WalkArgs {
    /// Images of more pixels than this are passed over [default: 128000000].
    #[arg(long, value_name = "PIXELS")]
    max_pixels: Option<u64>,
    /// Look at hidden files and folders as well.
    #[arg(long)]
    hidden: bool,
    /// Follow symbolic links.
    #[arg(long)]
    follow_links: bool,
    /// Do not read .ignore and .nodupeignore files.
    #[arg(long)]
    no_ignore: bool,
}

impl WalkArgs {
    pub(crate) fn options(&self) -> WalkOptions {
        WalkOptions::default()
            .with_follow_links(self.follow_links)
            .with_hidden(self.hidden)
            .with_ignore_files(!self.no_ignore)
    }

    /// Decoding within these limits, on as many threads as the backends have.
    pub(crate) fn decoding(&self, backend: &BackendArgs) -> PoolOptions {
        let mut limits = Limits::default();
        if let Some(pixels) = self.max_pixels {
            limits = limits.with_max_pixels(pixels);
        }
        threads::decoding(backend.threads).with_decode(DecodeOptions::default().with_limits(limits))
    }
}

/// Whether and how videos are looked at.
#[derive(Debug, ClapArgs)]
pub(crate) struct VideoArgs {
    /// Leave videos out; animations count as their first frame.
    #[arg(long, conflicts_with = "videos_only")]
    images_only: bool,
    /// Leave images out.
    #[arg(long)]
    videos_only: bool,
    /// Frames of a video that are looked at in each second, over 0, up to 30; more finds shorter parts and takes longer. Of short videos up to four
    /// a second are in any case [default: 1].
    #[arg(long, value_name = "N", value_parser = frame_rate)]
    frame_rate: Option<f64>,
}

impl VideoArgs {
    pub(crate) fn kinds(&self) -> MediaKinds {
        match (self.images_only, self.videos_only) {
            (true, _) => MediaKinds::Images,
            (_, true) => MediaKinds::Videos,
            _ => MediaKinds::All,
        }
    }

    pub(crate) fn options(&self) -> VideoOptions {
        let options = Scan::video_options();
        match self.frame_rate {
            Some(rate) => options.with_sampling(Sampling::Rate(rate)),
            None => options,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ScanArgs {
    /// Folders and files to look at.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    /// Which similarity backend: a preference (see below) [default: auto].
    #[arg(long, value_name = "PREFERENCE")]
    pub(crate) similarity: Option<Preference>,
    /// How much to do to find duplicates: fast asks the embedding backend alone; balanced looks for images that hashes or
    /// keypoints tell first; thorough asks the embedding backend for rotations, flips, the middle and the quarters of every image besides.
    #[arg(long, value_name = "HOW MUCH", default_value = "balanced", value_parser = effort())]
    pub(crate) effort: Effort,
    /// Which part of the pairs reported is to be true, 0.5 to 1: thresholds are read from the collection accordingly, but for
    /// those of hashes, which are fixed, and in collections of fewer than 128 images, which say too little [default: 0.999].
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    pub(crate) precision: Option<f64>,
    /// From which similarity on two images are near duplicates by the embedding backend, over 0, up to 1, instead of what the
    /// precision asks for.
    #[arg(long, value_name = "SIMILARITY", value_parser = similarity)]
    pub(crate) threshold: Option<f32>,
    /// The part of the near pairs that an approximate search has to find, 0 to 1, as measured on a sample; where it finds less,
    /// everything is searched exactly [default: 0.95].
    #[arg(long, value_name = "RECALL", value_parser = recall)]
    pub(crate) min_recall: Option<f64>,
    #[command(flatten)]
    pub(crate) views: ViewArgs,
    /// How pairs become groups.
    #[arg(long, value_name = "HOW", default_value = "average", value_parser = linkage())]
    pub(crate) group_by: Linkage,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) walk: WalkArgs,
    #[command(flatten)]
    pub(crate) videos: VideoArgs,
    /// Say where the time went, also with --quiet; in JSON it is said in any case.
    #[arg(long)]
    pub(crate) timings: bool,
    /// Print JSON (documented in the README) instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no progress and no summary, only groups.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BackendsArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EmbedArgs {
    /// Image files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    /// Print JSON instead of one line a file.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List the models that are known and those that are installed.
    List(ModelsListArgs),
    /// Show what is known of a model.
    Info(ModelsNamedArgs),
    /// Fetch models into the user's cache.
    #[cfg(feature = "fetch")]
    Fetch(ModelsFetchArgs),
    /// Compare the files of installed models with their digests.
    Verify(ModelsVerifyArgs),
    /// Copy a folder with a model.toml into the user's cache.
    Add(ModelsAddArgs),
    /// Print the folder of an installed model.
    Path(ModelsNamedArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsListArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsNamedArgs {
    /// A model of `nodupe models list`, or a folder with a model.toml.
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "fetch")]
#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsFetchArgs {
    /// Models of `nodupe models list`.
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// The file to use instead of fetching one: for models whose weights you bring.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Fetch also what is installed already.
    #[arg(long)]
    pub(crate) again: bool,
    /// Print no progress.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsVerifyArgs {
    /// Models to check [default: all that are installed].
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsAddArgs {
    /// A folder with a model.toml and the files that it names.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Replace an installed model of the same id.
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuntimesCommand {
    /// List the libraries that are installed in the user's cache.
    List(RuntimesListArgs),
    /// Fetch a library into the user's cache.
    #[cfg(feature = "fetch")]
    Fetch(RuntimesFetchArgs),
    /// Compare the installed libraries with the digests that were taken when they were fetched.
    Verify,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RuntimesListArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "fetch")]
#[derive(Debug, ClapArgs)]
pub(crate) struct RuntimesFetchArgs {
    /// Which one.
    #[arg(value_name = "RUNTIME", default_value = "onnxruntime", value_parser = ["onnxruntime", "onnxruntime-gpu"])]
    pub(crate) runtime: String,
    /// The wheel to use instead of fetching one.
    #[arg(long, value_name = "FILE.whl")]
    pub(crate) from: Option<PathBuf>,
    /// Fetch also what is installed already.
    #[arg(long)]
    pub(crate) again: bool,
    /// Print no progress.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as histogram.bins=64")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(crate) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MAX_THREADS);
    number.ok_or_else(|| format!("a number of threads is from 1 to {MAX_THREADS}"))
}

pub(crate) fn similarity(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| *number > 0.0 && *number <= 1.0);
    number.ok_or_else(|| "a similarity is a number over 0 and up to 1".to_owned())
}

pub(crate) fn precision(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.5..=1.0).contains(number));
    number.ok_or_else(|| "a precision is a number from 0.5 to 1".to_owned())
}

fn recall(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "a recall is a number from 0 to 1".to_owned())
}

fn frame_rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| *number > 0.0 && *number <= 30.0);
    number.ok_or_else(|| "a frame rate is a number over 0 and up to 30".to_owned())
}

/// The names of the linkages, so that help and errors list them.
fn linkage() -> impl clap::builder::TypedValueParser<Value = Linkage> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Linkage::ALL.map(Linkage::name)).try_map(|name| name.parse::<Linkage>())
}

fn effort() -> impl clap::builder::TypedValueParser<Value = Effort> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Effort::ALL.map(Effort::name)).try_map(|name| name.parse::<Effort>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_tells_the_default_rules() {
        let default = format!("[default: {}]", nodupe::dedup::KeepRules::default());
        let help = Args::command().find_subcommand_mut("scan").unwrap().render_long_help().to_string();
        assert!(help.split_whitespace().collect::<Vec<_>>().join(" ").contains(&default), "{help}");
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            &["scan"][..],
            &["scan", "--threshold", "0", "x"],
            &["scan", "--threshold", "NaN", "x"],
            &["scan", "--precision", "0.4", "x"],
            &["scan", "--threshold", "1.1", "x"],
            &["scan", "--min-recall", "1.01", "x"],
            &["scan", "--min-recall", "NaN", "x"],
            &["scan", "--group-by", "magic", "x"],
            &["scan", "--keep", "biggest", "x"],
            &["scan", "--keep", "in:/no/such/folder", "x"],
            &["scan", "--print", "all", "x"],
            &["scan", "--print", "kept", "--json", "x"],
            &["scan", "--null", "x"],
            &["scan", "--threads", "0", "x"],
            &["scan", "--threads", "1025", "x"],
            &["embed", "--threads", "1025", "x"],
            &["scan", "--set", "nothing", "x"],
            &["scan", "--views", "--no-views", "x"],
            &["scan", "--embedding", "", "x"],
            &["scan", "--max-pixels", "-1", "x"],
            &["embed"],
            &["index", "build", "x.index"],
            &["index", "query", "x.index", "a.png", "-k", "0"],
            &["index", "query", "x.index", "a.png", "--threshold", "2"],
            &["index", "remove", "x.index"],
            &["index", "remove", "x.index", "--missing", "a.png"],
        ] {
            assert!(Args::try_parse_from([&["nodupe"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
