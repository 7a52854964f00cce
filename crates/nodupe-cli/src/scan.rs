//! `nodupe scan`

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nodupe::dedup::{ScanError, Skipped};
use nodupe::select::SelectError;
use nodupe::{Scanner, ScannerError};

use crate::args::ScanArgs;
use crate::failure::Failure;
use crate::path::{shown, shown_text};
use crate::progress::Bar;
use crate::say::say;
use crate::{interrupt, json, list, models, text, threads, timings};

pub(crate) fn run(args: &ScanArgs) -> Result<ExitCode, Failure> {
    models::check(args.backend.model.as_deref())?;
    interrupt::listen("what was found so far follows");
    threads::start(args.backend.threads)?;
    let bar = Bar::new(args.quiet);
    let scanned = scanner(args).with_progress(&bar).run(&args.paths);
    bar.clear();
    let scanned = scanned.map_err(failure)?;

    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::write(&mut out, &scanned, &args.keep.rules())?;
    } else if let Some(which) = args.keep.print {
        list::write(&mut out, &scanned.report.groups, which, args.keep.null)?;
    } else {
        text::write(&mut out, &scanned, args.quiet)?;
        if args.timings {
            timings::write(&mut out, &scanned.report.stats)?;
        }
    }
    out.flush()?;
    Ok(exit_code(&args.paths, &scanned.report.skipped, scanned.report.interrupted))
}

/// What the command line asks for.
pub(crate) fn scanner(args: &ScanArgs) -> Scanner<'_> {
    let mut scanner = Scanner::new()
        .with_options(args.backend.options())
        .with_effort(args.effort)
        .with_threshold(args.threshold)
        .with_linkage(args.group_by)
        .with_keep(args.keep.rules())
        .with_views(args.views.wish())
        .with_walk(args.walk.options())
        .with_decoding(args.walk.decoding(&args.backend))
        .with_kinds(args.videos.kinds())
        .with_videos(args.videos.options());
    if let Some(precision) = args.precision {
        scanner = scanner.with_precision(Some(precision));
    }
    if let Some(recall) = args.min_recall {
        scanner = scanner.with_min_recall(recall);
    }
    if let Some(preference) = &args.backend.embedding {
        scanner = scanner.with_embedding(preference.clone());
    }
    if let Some(preference) = &args.similarity {
        scanner = scanner.with_similarity(preference.clone());
    }
    scanner
}

/// A name or an option that does not exist is wrong usage; a backend that does not run is a failure.
pub(crate) fn failure(error: ScannerError) -> Failure {
    match error {
        ScannerError::Select(error) => selection(error),
        ScannerError::Scan(error @ ScanError::NoThreshold { .. }) => Failure::usage(error),
        error => error.into(),
    }
}

/// See [`failure`].
pub(crate) fn selection(error: SelectError) -> Failure {
    if error.report().is_some() { error.into() } else { Failure::usage(error) }
}

/// Says which of the paths that were named could not be read: all of them, whatever else happened.
pub(crate) fn exit_code(paths: &[PathBuf], skipped: &[Skipped], interrupted: bool) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let unreadable = skipped.iter().filter(|skipped| is_unreadable(skipped));
    let named = Named::new(paths);
    for skipped in unreadable.filter(|skipped| named.holds(&skipped.path)) {
        say(format_args!("error: {}: {}", shown(&skipped.path), shown_text(&skipped.message)));
        code = ExitCode::FAILURE;
    }
    if interrupted { ExitCode::from(interrupt::CODE) } else { code }
}

/// Whether nothing came of reading it. An image without an embedding was read.
fn is_unreadable(skipped: &Skipped) -> bool {
    matches!(
        skipped.error,
        "not-found"
            | "unsupported-format"
            | "decode"
            | "decode-video"
            | "audio-only"
            | "no-video-tools"
            | "limit-exceeded"
            | "io"
            | "special-file"
    )
}

/// What the command line names.
struct Named<'a> {
    paths: &'a [PathBuf],
    /// The files among them by their real path: a folder that is named as well may reach them under another name.
    files: Vec<PathBuf>,
}

impl<'a> Named<'a> {
    fn new(paths: &'a [PathBuf]) -> Self {
        let is_overlap_possible = paths.len() > 1;
        let files = paths.iter().filter(|path| is_overlap_possible && path.is_file());
        Self { paths, files: files.filter_map(|path| fs::canonicalize(path).ok()).collect() }
    }

    fn holds(&self, path: &Path) -> bool {
        // The walk calls a lone dash by a name that is not taken for standard input.
        let is_dash = path == Path::new("./-") && self.paths.iter().any(|named| named.as_os_str() == "-");
        let is_a_file = || fs::canonicalize(path).is_ok_and(|path| self.files.contains(&path));
        is_dash || self.paths.iter().any(|named| named == path) || (!self.files.is_empty() && is_a_file())
    }
}
