//! `nodupe eval`

pub(crate) mod args;
pub(crate) mod child;
mod sets;

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use nodupe::eval::{EvalError, Evaluation, GroupScore, Labels, Measured, PRECISIONS, Summary, page, read_groups};
use nodupe::{EmbeddingSpace, IndexSpec, Preference, Registry, Selector};
use serde::Serialize;

use crate::args::{Args, Command};
use crate::eval::args::EvalArgs;
use crate::eval::sets::{MadeJson, Set, Sets};
use crate::failure::Failure;
use crate::path::{shown, shown_text};
use crate::progress::Bar;
use crate::say::say;
use crate::scan::selection;
use crate::{interrupt, json, models, text, threads};

pub(crate) fn run(args: &EvalArgs) -> Result<ExitCode, Failure> {
    let runs = if args.no_runs { Vec::new() } else { runs(args) };
    runs.iter().try_for_each(|run| run.check(args))?;
    let groups = args.groups.iter().map(|(name, file)| Ok((name.as_str(), read_groups(file)?)));
    let groups = groups.collect::<Result<Vec<_>, EvalError>>()?;
    interrupt::listen("what was measured is shown, and what was made for it removed");
    threads::start(args.threads)?;
    let bar = Bar::new(args.quiet);
    // Sets that are not to be kept are removed when this goes, however it goes.
    let sets = match Sets::make(args, &bar) {
        Err(_) if interrupt::is_asked() => return Ok(ExitCode::from(interrupt::CODE)),
        sets => sets?,
    };
    bar.clear();

    for (name, groups) in &groups {
        if !sets.labels.iter().any(|set| names_any(set.labels(), groups)) {
            say(format_args!("warning: the groups of {} name no file of any set", shown_text(name)));
        }
    }
    let mut evaluation = Evaluation::new();
    let mut known: Vec<&str> = Vec::new();
    let mut left = runs.len() * sets.labels.len();
    for set in &sets.labels {
        let labels = set.labels();
        let outcomes = outcomes(args, &runs, set, &sets)?;
        let is_whole = outcomes.len() == runs.len();
        // Results that lack a seed are not pooled with those that have it.
        if !is_whole && (outcomes.is_empty() || known.contains(&labels.name())) {
            break;
        }
        left -= outcomes.len();
        known.push(labels.name());
        evaluation.add_set(labels);
        for (name, groups) in groups.iter().filter(|(_, groups)| names_any(labels, groups)) {
            evaluation.add_groups(labels.name(), name, GroupScore::of(labels, groups));
        }
        for (run, outcome) in runs.iter().zip(outcomes) {
            match outcome {
                Ok(measured) => evaluation.add_run(labels.name(), &run.name, measured),
                Err(why) => evaluation.add_failure(labels.name(), &run.name, why),
            }
        }
        if !is_whole {
            break;
        }
    }
    if interrupt::is_asked() && known.is_empty() {
        return Ok(ExitCode::from(interrupt::CODE));
    }
    report(args, &evaluation.summary(), &sets, left)
}

/// What became of the runs over a set, in their order; of fewer than there are where it was interrupted.
fn outcomes(args: &EvalArgs, runs: &[Run], set: &Set, sets: &Sets) -> Result<Vec<Result<Measured, String>>, Failure> {
    let result = sets.work.path().join("result.json");
    let mut outcomes = Vec::with_capacity(runs.len());
    for run in runs {
        if interrupt::is_asked() {
            break;
        }
        if !args.quiet {
            let seed = set.labels().seed().map(|seed| format!(" {seed}")).unwrap_or_default();
            say(format_args!("running {} on {}{seed}", run.name, set.labels().name()));
        }
        let outcome = child::measure(&run.arguments(args, set.file(), &result), &result)?;
        match &outcome {
            _ if interrupt::is_asked() => break,
            Ok(measured) if measured.cost.unreadable > 0 => {
                let files = text::count(measured.cost.unreadable as usize, "file", "files");
                let set = shown(set.file());
                say(format_args!("warning: {files} of {set} cannot be read, and nothing in them is found"));
            }
            Ok(_) => {}
            Err(why) => say(format_args!("error: {}: {}", shown_text(&run.name), shown_text(why))),
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Prints what was measured. `left` runs are not in it, because it was interrupted.
fn report(args: &EvalArgs, summary: &Summary, sets: &Sets, left: usize) -> Result<ExitCode, Failure> {
    let interrupted = left > 0;
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let (version, made) = (json::VERSION, &sets.made);
        json::print(&mut out, &Document { version, precisions: PRECISIONS, interrupted, made, summary })?;
    } else {
        write!(out, "{summary}")?;
        sets.made.iter().try_for_each(|made| writeln!(out, "{made}"))?;
        if interrupted {
            writeln!(out, "\ninterrupted: {left} of the runs over these sets are not in it")?;
        }
    }
    out.flush()?;
    // What was measured has been printed, whatever becomes of the page.
    if let Some(file) = args.html.as_ref().filter(|_| !interrupted) {
        fs::write(file, page(summary)).map_err(|error| EvalError::Io { path: file.clone(), source: error })?;
    }
    if interrupted {
        return Ok(ExitCode::from(interrupt::CODE));
    }
    Ok(if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// Those of `recall_at_precision`.
    precisions: [f64; 3],
    /// Whether runs are missing, or seeds, because it was interrupted.
    interrupted: bool,
    made: &'a [MadeJson],
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Whether groups of another tool name any file of a set.
fn names_any(labels: &Labels, groups: &[Vec<PathBuf>]) -> bool {
    groups.iter().flatten().any(|path| labels.find(path).is_some())
}

/// One combination of backends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    name: String,
    embedding: Option<String>,
    model: Option<String>,
    similarity: Option<String>,
}

/// Every combination that is asked for. Of backends that run no model those with models are one.
fn runs(args: &EvalArgs) -> Vec<Run> {
    let or_default = |given: &[String]| match given {
        [] => vec![None],
        given => given.iter().cloned().map(Some).collect(),
    };
    let registry = Registry::linked();
    let mut runs: Vec<Run> = Vec::new();
    for embedding in or_default(&args.embedding) {
        let runs_models = embedding.as_deref().is_none_or(|embedding| runs_models(&registry, embedding));
        for model in or_default(&args.model) {
            let model = model.filter(|_| runs_models);
            for similarity in or_default(&args.similarity) {
                let named = [&embedding, &model, &similarity].into_iter().flatten().cloned();
                let name = named.reduce(|all, one| format!("{all} {one}")).unwrap_or_else(|| "auto".to_owned());
                let run = Run { name, embedding: embedding.clone(), model: model.clone(), similarity };
                if !runs.contains(&run) {
                    runs.push(run);
                }
            }
        }
    }
    runs
}

/// Whether the first backend of a preference takes a model. Of what is no backend's name that is not known.
fn runs_models(registry: &Registry, preference: &str) -> bool {
    let first = preference.split([',', '!']).next().unwrap_or_default().trim();
    let known = registry.embeddings().iter().find(|registration| registration.name == first);
    known.is_none_or(|registration| registration.runs_models)
}

impl Run {
    /// The arguments of the process that does it.
    fn arguments(&self, args: &EvalArgs, labels: &Path, result: &Path) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["eval-run".into(), "--result".into(), result.into()];
        let values = [("--embedding", &self.embedding), ("--model", &self.model), ("--similarity", &self.similarity)];
        for (flag, value) in values {
            // In one word: a value may begin with a dash.
            all.extend(value.as_ref().map(|value| format!("{flag}={value}").into()));
        }
        all.extend(args.threads.map(|threads| format!("--threads={threads}").into()));
        let flags = [(args.no_ranking, "--no-ranking"), (args.quiet, "--quiet")];
        all.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.into()));
        all.extend(args.scan.iter().map(Into::into));
        all.extend(["--".into(), labels.into()]);
        all
    }

    /// Says now what would else be said after all sets are made.
    fn check(&self, args: &EvalArgs) -> Result<(), Failure> {
        let arguments = self.arguments(args, Path::new("labels"), Path::new("result"));
        let all = std::iter::once("nodupe".into()).chain(arguments);
        let parsed = Args::try_parse_from(all).map_err(|error| {
            let text = error.to_string();
            let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Failure::usage(format!("a scan does not take this: {what}"))
        })?;
        let Command::EvalRun(run) = parsed.command else { return Ok(()) };
        if run.scan.paths.len() > 1 {
            return Err(Failure::usage("behind `--` stand options of the scan, no more paths"));
        }
        models::check(self.model.as_deref())?;
        let registry = Registry::linked();
        let selector = |preference: &Option<Preference>| {
            let selector = Selector::new(&registry).with_options(run.scan.backend.options());
            preference.iter().fold(selector, |selector, preference| selector.with_preference(preference.clone()))
        };
        selector(&run.scan.backend.embedding).check_embedding().map_err(selection)?;
        // Which space it is matters to whether a backend runs, and not to whether there is one of that name.
        let space = EmbeddingSpace::cosine("any", 512).map_err(Failure::usage)?;
        selector(&run.scan.similarity).check_similarity(&IndexSpec::new(&space)).map_err(selection)
    }
}
