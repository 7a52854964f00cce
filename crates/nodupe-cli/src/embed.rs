//! `nodupe embed`

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use nodupe::core::Row;
use nodupe::{ComputeError, EmbeddingSpace, Embeddings, Registry, Selector, compute_embeddings};
use serde::Serialize;

use crate::args::EmbedArgs;
use crate::failure::Failure;
use crate::json::{self, SkippedJson};
use crate::path::{JsonPath, shown, shown_text};
use crate::say::say;
use crate::scan::selection;
use crate::{models, threads};

pub(crate) fn run(args: &EmbedArgs) -> Result<ExitCode, Failure> {
    models::check(args.backend.model.as_deref())?;
    threads::start(args.backend.threads)?;
    let registry = Registry::linked();
    let mut selector = Selector::new(&registry).with_options(args.backend.options());
    if let Some(preference) = &args.backend.embedding {
        selector = selector.with_preference(preference.clone());
    }
    let selected = selector.embedding().map_err(selection)?;
    let decoding = threads::decoding(args.backend.threads);
    let mut outcomes: Vec<_> =
        compute_embeddings(selected.backend.as_ref(), args.files.iter().cloned(), decoding).collect();
    outcomes.sort_by_key(|(number, _)| *number);
    let outcomes = args.files.iter().zip(outcomes.into_iter().map(|(_, outcome)| outcome)).collect::<Vec<_>>();

    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let document = Document {
            version: json::VERSION,
            selection: Selection { embedding: &selected.report },
            space: selected.backend.space(),
            files: outcomes.iter().map(|(path, outcome)| file(path, outcome)).collect(),
        };
        json::print(&mut out, &document)?;
    } else {
        for (path, outcome) in &outcomes {
            match outcome {
                Ok(rows) => write_rows(&mut out, path, rows)?,
                Err(error) => say(format_args!("error: {}: {}", shown(path), shown_text(&error.reason()))),
            }
        }
    }
    out.flush()?;
    let failed = outcomes.iter().any(|(_, outcome)| outcome.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One line a row: the path, a tab, and bits in hexadecimal or numbers with blanks between them.
fn write_rows(out: &mut impl Write, path: &Path, rows: &Embeddings) -> io::Result<()> {
    for row in rows.view().iter() {
        write!(out, "{}\t", shown(path))?;
        match row {
            Row::F32(numbers) => {
                for (place, number) in numbers.iter().enumerate() {
                    write!(out, "{}{number}", if place == 0 { "" } else { " " })?;
                }
            }
            Row::Bits(bytes) => write!(out, "{}", hexadecimal(bytes))?,
            _ => {}
        }
        writeln!(out)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    selection: Selection<'a>,
    space: &'a EmbeddingSpace,
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
struct Selection<'a> {
    embedding: &'a nodupe::select::Report,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FileJson<'a> {
    Embedded { path: JsonPath<'a>, embeddings: Vec<RowJson<'a>> },
    Skipped(SkippedJson<'a>),
}

/// Numbers, or bits as the hexadecimal of their bytes.
#[derive(Serialize)]
#[serde(untagged)]
enum RowJson<'a> {
    Numbers(&'a [f32]),
    Bits(String),
}

fn file<'a>(path: &'a Path, outcome: &'a Result<Embeddings, ComputeError>) -> FileJson<'a> {
    let path = JsonPath(path);
    match outcome {
        Ok(rows) => FileJson::Embedded { path, embeddings: rows.view().iter().filter_map(row).collect() },
        Err(error) => FileJson::Skipped(SkippedJson { path, error: error.kind(), message: error.reason() }),
    }
}

fn row(row: Row<'_>) -> Option<RowJson<'_>> {
    match row {
        Row::F32(numbers) => Some(RowJson::Numbers(numbers)),
        Row::Bits(bytes) => Some(RowJson::Bits(hexadecimal(bytes))),
        _ => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
