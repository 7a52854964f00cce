//! `nodupe scan`

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use nodupe::dedup::{ScanError, WalkOptions};
use nodupe::media::{DecodeOptions, Limits, PoolOptions};
use nodupe::select::SelectError;
use nodupe::{Scanned, Scanner, ScannerError};

use crate::args::ScanArgs;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::say::say;
use crate::{interrupt, json, text};

pub(crate) fn run(args: &ScanArgs) -> Result<ExitCode, Failure> {
    interrupt::listen();
    if let Some(threads) = args.backend.threads {
        // An application that has set up the pool of the process keeps it.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
    }
    let bar = Bar::new(args.quiet);
    let scanned = scanner(args).with_progress(&bar).run(&args.paths);
    bar.clear();
    let scanned = scanned.map_err(failure)?;

    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::write(&mut out, &scanned)?;
    } else {
        text::write(&mut out, &scanned, args.quiet)?;
    }
    out.flush()?;
    Ok(exit_code(args, &scanned))
}

fn scanner(args: &ScanArgs) -> Scanner<'_> {
    let mut limits = Limits::default();
    if let Some(pixels) = args.max_pixels {
        limits = limits.with_max_pixels(pixels);
    }
    let mut decoding = PoolOptions::default().with_decode(DecodeOptions::default().with_limits(limits));
    if let Some(threads) = args.backend.threads {
        decoding = decoding.with_threads(threads.get());
    }
    let walk = WalkOptions::default()
        .with_follow_links(args.follow_links)
        .with_hidden(args.hidden)
        .with_ignore_files(!args.no_ignore);
    let mut scanner = Scanner::new()
        .with_options(args.backend.options())
        .with_threshold(args.threshold)
        .with_linkage(args.group_by)
        .with_views(if args.views { Some(true) } else { args.no_views.then_some(false) })
        .with_walk(walk)
        .with_decoding(decoding);
    if let Some(preference) = &args.backend.embedding {
        scanner = scanner.with_embedding(preference.clone());
    }
    if let Some(preference) = &args.similarity {
        scanner = scanner.with_similarity(preference.clone());
    }
    scanner
}

/// A name or an option that does not exist is wrong usage; a backend that does not run is a failure.
fn failure(error: ScannerError) -> Failure {
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

fn exit_code(args: &ScanArgs, scanned: &Scanned) -> ExitCode {
    if scanned.report.interrupted {
        return ExitCode::from(interrupt::CODE);
    }
    let is_named = |skipped: &nodupe::dedup::Skipped| args.paths.contains(&skipped.path);
    let unreadable = |skipped: &&nodupe::dedup::Skipped| skipped.error != "undescribable" && is_named(skipped);
    let mut code = ExitCode::SUCCESS;
    for skipped in scanned.report.skipped.iter().filter(unreadable) {
        say(format_args!("error: {}: {}", crate::path::shown(&skipped.path), skipped.message));
        code = ExitCode::FAILURE;
    }
    code
}
