//! `nodupe index query`

use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use nodupe::{Answer, EmbeddingSpace, Match, View, Wanted};
use serde::Serialize;

use super::args::QueryArgs;
use super::{failure, indexer};
use crate::failure::Failure;
use crate::json::{self, Selection, SkippedJson};
use crate::path::{JsonPath, shown, shown_text};
use crate::say::say;
use crate::text::write_choices;
use crate::threads;

/// How many images are shown where nothing is said.
const NEAREST: usize = 10;

pub(crate) fn run(args: &QueryArgs) -> Result<ExitCode, Failure> {
    let indexer =
        indexer(&args.backend)?.with_views(args.views.wish()).with_decoding(threads::decoding(args.backend.threads));
    let searcher = indexer.open(&args.index).map_err(failure)?;
    let answers = searcher.search(&args.files, wanted(args))?;

    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let document = Document {
            version: json::VERSION,
            index: JsonPath(&args.index),
            selection: Selection { embedding: Some(searcher.embedding()), similarity: None },
            space: searcher.index().backend().space(),
            files: answers.iter().map(file).collect(),
        };
        json::print(&mut out, &document)?;
    } else {
        for answer in &answers {
            write_answer(&mut out, answer)?;
        }
        write_choices(&mut out, [Some(searcher.embedding())])?;
    }
    out.flush()?;
    let failed = answers.iter().any(|answer| answer.matches.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn wanted(args: &QueryArgs) -> Wanted {
    let limit = args.k.map(NonZeroUsize::get);
    match (args.threshold, limit) {
        (Some(threshold), Some(limit)) => Wanted::within(threshold).with_limit(limit),
        (Some(threshold), None) => Wanted::within(threshold),
        (None, limit) => Wanted::nearest(limit.unwrap_or(NEAREST)),
    }
}

fn write_answer(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let matches = match &answer.matches {
        Ok(matches) => matches,
        Err(error) => {
            say(format_args!("error: {}: {}", shown(&answer.path), shown_text(&error.reason())));
            return Ok(());
        }
    };
    writeln!(out, "{}", shown(&answer.path))?;
    if matches.is_empty() {
        writeln!(out, "   nothing is like it")?;
    }
    for Match { path, similarity, view, .. } in matches {
        let turned = if *view == View::Identity { String::new() } else { format!("  after {view}") };
        writeln!(out, "   {similarity:.3}  {}{turned}", shown(path))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    index: JsonPath<'a>,
    selection: Selection<'a>,
    space: &'a EmbeddingSpace,
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FileJson<'a> {
    Found { path: JsonPath<'a>, matches: Vec<MatchJson<'a>> },
    Skipped(SkippedJson<'a>),
}

#[derive(Serialize)]
struct MatchJson<'a> {
    path: JsonPath<'a>,
    similarity: f32,
    distance: f32,
    view: &'static str,
}

fn file(answer: &Answer) -> FileJson<'_> {
    let path = JsonPath(&answer.path);
    match &answer.matches {
        Ok(matches) => FileJson::Found { path, matches: matches.iter().map(found).collect() },
        Err(error) => FileJson::Skipped(SkippedJson { path, error: error.kind(), message: error.reason() }),
    }
}

fn found(found: &Match) -> MatchJson<'_> {
    let Match { path, similarity, distance, view, .. } = found;
    MatchJson { path: JsonPath(path), similarity: *similarity, distance: *distance, view: view.name() }
}
