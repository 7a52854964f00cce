//! `nodupe index build`, `add`, `remove` and `convert`

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::HumanCount;
use nodupe::index::Manifest;
use nodupe::{EmbeddingSpace, Indexed, Indexer, IndexerError, Options};
use serde::Serialize;

use super::args::{AddArgs, BuildArgs, ConvertArgs, FillArgs, RemoveArgs};
use super::{failure, indexer};
use crate::failure::Failure;
use crate::json::{self, Selection, SkippedJson, skip};
use crate::path::{JsonPath, shown, shown_text};
use crate::progress::Bar;
use crate::say::say;
use crate::scan::exit_code;
use crate::text::{count, name, searched_by, write_choices, write_skipped};
use crate::{interrupt, threads};

const KEPT: &str = "what was embedded so far is saved";

pub(crate) fn build(args: &BuildArgs) -> Result<ExitCode, Failure> {
    fill(&args.fill, |indexer| {
        let mut indexer = indexer.with_replace(args.force).with_on_disk(args.on_disk);
        if let Some(preference) = &args.similarity {
            indexer = indexer.with_similarity(preference.clone());
        }
        indexer.build(&args.fill.index, &args.fill.paths)
    })
}

pub(crate) fn add(args: &AddArgs) -> Result<ExitCode, Failure> {
    fill(&args.fill, |indexer| indexer.with_update(args.update).add(&args.fill.index, &args.fill.paths))
}

fn fill(args: &FillArgs, run: impl FnOnce(Indexer<'_>) -> Result<Indexed, IndexerError>) -> Result<ExitCode, Failure> {
    interrupt::listen(KEPT);
    let bar = Bar::new(args.quiet);
    let indexer = indexer(&args.backend)?
        .with_walk(args.walk.options())
        .with_decoding(args.walk.decoding(&args.backend))
        .with_progress(&bar);
    let filled = run(indexer);
    bar.clear();
    let filled = filled.map_err(failure)?;

    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::print(&mut out, &FilledJson::new(&args.index, &filled))?;
    } else if !args.quiet {
        write_filled(&mut out, args, &filled)?;
    }
    out.flush()?;
    Ok(code_of(args, &filled))
}

fn write_filled(out: &mut impl Write, args: &FillArgs, indexed: &Indexed) -> io::Result<()> {
    let index = shown(&args.index);
    let seconds = indexed.elapsed.as_secs_f64();
    let new = indexed.images - indexed.updated;
    write!(out, "{index}: {} put in", count(new, "image", "images"))?;
    if indexed.updated > 0 {
        write!(out, ", {} again", HumanCount(indexed.updated as u64))?;
    }
    if indexed.present > 0 {
        write!(out, ", {} there already", HumanCount(indexed.present as u64))?;
    }
    if let Some(manifest) = &indexed.manifest {
        write!(out, "; it holds {}", count(manifest.count as usize, "vector", "vectors"))?;
    }
    writeln!(out, " ({seconds:.1} s)")?;
    if indexed.interrupted {
        let goes_on =
            if indexed.manifest.is_some() { "what was embedded so far is saved" } else { "nothing was saved" };
        writeln!(out, "Interrupted: {goes_on}.")?;
        if indexed.manifest.is_some() {
            writeln!(out, "`nodupe index add` with the same paths goes on with what is missing.")?;
        }
    }
    write_skipped(out, &indexed.skipped)?;
    if let Some(embedding) = indexed.embedding.as_ref().filter(|_| indexed.images > 0) {
        let similarity = indexed.similarity.as_ref().map(searched_by);
        writeln!(out, "Embedded by {} ({}){}", name(embedding), indexed.space, similarity.unwrap_or_default())?;
    }
    write_choices(out, [indexed.embedding.as_ref(), indexed.similarity.as_ref()])
}

fn code_of(args: &FillArgs, indexed: &Indexed) -> ExitCode {
    let mut code = exit_code(&args.paths, &indexed.skipped, indexed.interrupted);
    if indexed.interrupted {
        return code;
    }
    let mut failed = indexed.skipped.iter().filter(|skipped| skipped.error == "backend");
    if let Some(first) = failed.next() {
        let more = failed.count();
        let more = if more > 0 { format!(" (and {} more)", count(more, "file", "files")) } else { String::new() };
        say(format_args!("error: the backend failed: {}: {}{more}", shown(&first.path), shown_text(&first.message)));
        code = ExitCode::FAILURE;
    }
    // Of `add`, that there is nothing new is no failure.
    if indexed.similarity.is_some() && indexed.manifest.is_none() {
        say(format_args!("error: no image could be put in, so no index was made"));
        code = ExitCode::FAILURE;
    }
    code
}

#[derive(Serialize)]
struct FilledJson<'a> {
    version: u32,
    index: JsonPath<'a>,
    interrupted: bool,
    saved: bool,
    images: usize,
    updated: usize,
    present: usize,
    vectors: Option<u64>,
    selection: Selection<'a>,
    space: &'a EmbeddingSpace,
    skipped: Vec<SkippedJson<'a>>,
    seconds: f64,
}

impl<'a> FilledJson<'a> {
    fn new(index: &'a Path, indexed: &'a Indexed) -> Self {
        Self {
            version: json::VERSION,
            index: JsonPath(index),
            interrupted: indexed.interrupted,
            saved: indexed.manifest.is_some(),
            images: indexed.images,
            updated: indexed.updated,
            present: indexed.present,
            vectors: indexed.manifest.as_ref().map(|manifest| manifest.count),
            selection: Selection { embedding: indexed.embedding.as_ref(), similarity: indexed.similarity.as_ref() },
            space: &indexed.space,
            skipped: indexed.skipped.iter().map(skip).collect(),
            seconds: indexed.elapsed.as_secs_f64(),
        }
    }
}

pub(crate) fn remove(args: &RemoveArgs) -> Result<ExitCode, Failure> {
    let indexer = Indexer::new();
    let removed =
        if args.missing { indexer.remove_missing(&args.index) } else { indexer.remove(&args.index, &args.paths) };
    let removed = removed.map_err(failure)?;
    let mut out = io::stdout().lock();
    if args.json {
        let document = RemovedJson {
            version: json::VERSION,
            index: JsonPath(&args.index),
            saved: removed.manifest.is_some(),
            removed: paths(&removed.images),
            unknown: paths(&removed.unknown),
            vectors: removed.manifest.as_ref().map(|manifest| manifest.count),
        };
        json::print(&mut out, &document)?;
    } else {
        let left = removed
            .manifest
            .as_ref()
            .map(|manifest| format!("; {} left", count(manifest.count as usize, "vector is", "vectors are")));
        let images = count(removed.images.len(), "image", "images");
        writeln!(out, "{}: {images} taken out{}", shown(&args.index), left.unwrap_or_default())?;
    }
    for path in &removed.unknown {
        say(format_args!("error: {}: it is not in the index, and nothing below it is", shown(path)));
    }
    Ok(if removed.unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Serialize)]
struct RemovedJson<'a> {
    version: u32,
    index: JsonPath<'a>,
    saved: bool,
    removed: Vec<JsonPath<'a>>,
    unknown: Vec<JsonPath<'a>>,
    vectors: Option<u64>,
}

fn paths(paths: &[PathBuf]) -> Vec<JsonPath<'_>> {
    paths.iter().map(|path| JsonPath(path)).collect()
}

pub(crate) fn convert(args: &ConvertArgs) -> Result<ExitCode, Failure> {
    interrupt::listen("the index is saved as far as it is built, and finds everything");
    threads::start(args.threads)?;
    let options = Options::new().with_threads(args.threads);
    let options = args.set.iter().fold(options, |options, (key, value)| options.with(key, value));
    let bar = Bar::new(args.quiet);
    let mut indexer =
        Indexer::new().with_options(options).with_replace(args.force).with_on_disk(args.on_disk).with_progress(&bar);
    if let Some(preference) = &args.similarity {
        indexer = indexer.with_similarity(preference.clone());
    }
    let converted = indexer.convert(&args.index, &args.out);
    bar.clear();
    let converted = converted.map_err(failure)?;
    let mut out = io::stdout().lock();
    if args.json {
        let document = ConvertedJson {
            version: json::VERSION,
            index: JsonPath(&args.out),
            interrupted: converted.interrupted,
            selection: Selection { embedding: None, similarity: Some(&converted.similarity) },
            manifest: &converted.manifest,
        };
        json::print(&mut out, &document)?;
    } else if !args.quiet {
        let vectors = count(converted.manifest.count as usize, "vector", "vectors");
        writeln!(out, "{}: {vectors}, searched by {}", shown(&args.out), converted.manifest.backend)?;
        if converted.interrupted {
            writeln!(out, "Interrupted: it is not built to the end, and finds everything all the same.")?;
        }
        write_choices(&mut out, [Some(&converted.similarity)])?;
    }
    Ok(if converted.interrupted { ExitCode::from(interrupt::CODE) } else { ExitCode::SUCCESS })
}

#[derive(Serialize)]
struct ConvertedJson<'a> {
    version: u32,
    index: JsonPath<'a>,
    interrupted: bool,
    selection: Selection<'a>,
    manifest: &'a Manifest,
}
