//! `nodupe calibrate`

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use console::style;
use nodupe::eval::{EvalError, Share};
use nodupe::{Calibrated, EvaluateError, Scanner};
use serde::Serialize;

use crate::args::{BackendArgs, ViewArgs, WalkArgs, precision};
use crate::failure::Failure;
use crate::json::{CalibrationJson, calibrated};
use crate::progress::Bar;
use crate::text::count;
use crate::{interrupt, json, models, scan, threads};

pub(crate) const HELP: &str = "\
Examples:
  nodupe calibrate ~/Pictures
  nodupe calibrate --model sscd-distilled --precision 0.99 ~/Pictures
  nodupe calibrate --json ~/Pictures | jq .threshold

`nodupe scan` does this by itself: nothing has to be calibrated first. This shows what a scan by one backend alone would choose and why, checks it on copies that \
it makes of some of the photographs and removes again, and estimates what larger collections of the same kind would need: a number for \
--threshold of `nodupe index query`, say.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (nothing is left).";

/// So many images say what is near.
const LEAST: usize = 128;

#[derive(Debug, ClapArgs)]
pub(crate) struct CalibrateArgs {
    /// Folders and files of the collection.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) backend: BackendArgs,
    /// Which part of the pairs reported is to be true, 0.5 to 1 [default: 0.999].
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    pub(crate) precision: Option<f64>,
    /// How many photographs to make copies of: half of them six, half of them eleven.
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(4..=10_000))]
    pub(crate) photographs: u32,
    #[command(flatten)]
    pub(crate) views: ViewArgs,
    #[command(flatten)]
    pub(crate) walk: WalkArgs,
    /// Print JSON (documented in the README) instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no progress.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

pub(crate) fn run(args: &CalibrateArgs) -> Result<ExitCode, Failure> {
    models::check(args.backend.model.as_deref())?;
    interrupt::listen("what was made for this is removed");
    threads::start(args.backend.threads)?;
    let folder = tempfile::tempdir()?;
    interrupt::remove_when_leaving(folder.path());
    let bar = Bar::new(args.quiet);
    let mut scanner = Scanner::new()
        .with_options(args.backend.options())
        .with_views(args.views.wish())
        .with_walk(args.walk.options())
        .with_decoding(args.walk.decoding(&args.backend))
        .with_progress(&bar);
    if let Some(precision) = args.precision {
        scanner = scanner.with_precision(Some(precision));
    }
    if let Some(preference) = &args.backend.embedding {
        scanner = scanner.with_embedding(preference.clone());
    }
    let found = scanner.calibrate(&args.paths, args.photographs as usize, folder.path());
    bar.clear();
    let found = match found {
        Err(EvaluateError::Eval(EvalError::Interrupted)) => return Ok(ExitCode::from(interrupt::CODE)),
        Err(EvaluateError::Scan(error)) => return Err(scan::failure(error)),
        found => found?,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::print(&mut out, &document(&found))?;
    } else {
        write_text(&mut out, &found)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    backend: &'static str,
    images: usize,
    threshold: f32,
    calibration: Option<CalibrationJson>,
    reported: Share,
    copies: &'a BTreeMap<String, Share>,
    larger: Vec<LargerJson>,
}

#[derive(Serialize)]
struct LargerJson {
    images: usize,
    threshold: f32,
}

fn document(found: &Calibrated) -> Document<'_> {
    let Calibrated { tier, copies, reported, larger, .. } = found;
    Document {
        version: json::VERSION,
        backend: tier.backend,
        images: tier.embedded,
        threshold: tier.threshold,
        calibration: tier.calibration.as_ref().map(calibrated),
        reported: *reported,
        copies,
        larger: larger.iter().map(|&(images, threshold)| LargerJson { images, threshold }).collect(),
    }
}

fn write_text(out: &mut impl Write, found: &Calibrated) -> io::Result<()> {
    let Calibrated { tier, copies, reported, larger, .. } = found;
    let (backend, images) = (tier.backend, count(tier.embedded, "image", "images"));
    writeln!(out, "{} is near by {backend} among {images}", style(format!("{:.3}", tier.threshold)).bold())?;
    match tier.calibration {
        Some(calibration) => {
            let nodupe::dedup::Calibration { precision, level, margin, expected_wrong, crowded, .. } = calibration;
            writeln!(
                out,
                "  {level:.3}  is how alike half of the images are to their sixteenth nearest stranger, or less"
            )?;
            writeln!(
                out,
                "  {margin:.3}  more has it to be for precision {precision}: {expected_wrong:.2} pairs of strangers are expected"
            )?;
            if crowded > 0 {
                let crowded = count(crowded, "image looks", "images look");
                writeln!(out, "  {crowded} like many others and need more")?;
            }
        }
        None => match tier.enough {
            Some(enough) => writeln!(out, "  is how alike keypoints are; {} have to be shared", enough.keypoints)?,
            None if tier.embedded < LEAST => {
                writeln!(out, "  is the backend's own: fewer than {LEAST} images say too little")?;
            }
            None => writeln!(out, "  is the backend's own: that of hashes is fixed")?,
        },
    }
    let all = copies.values().fold(Share::default(), |mut all, share| {
        all += *share;
        all
    });
    let wrong = reported.of - reported.found;
    writeln!(
        out,
        "Checked on copies of some of them: {} of {} found, {wrong} of {} wrong",
        all.found,
        all.of,
        count(usize::try_from(reported.of).unwrap_or(usize::MAX), "pair", "pairs"),
    )?;
    for (transform, Share { found, of, .. }) in copies {
        writeln!(out, "  {found:>4} of {of:<4} {transform}")?;
    }
    if !larger.is_empty() {
        writeln!(out, "Estimated for larger collections of the same kind")?;
        for (images, threshold) in larger {
            writeln!(out, "  {threshold:.3}  for {}", count(*images, "image", "images"))?;
        }
    }
    Ok(())
}
