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
use nodupe::eval::{EvalError, Evaluation, GroupScore, PRECISIONS, Summary, page, read_groups};
use nodupe::{Preference, Registry, Selector};
use serde::Serialize;

use crate::args::{Args, Command};
use crate::eval::args::EvalArgs;
use crate::eval::sets::{MadeJson, Sets};
use crate::failure::Failure;
use crate::path::shown_text;
use crate::progress::Bar;
use crate::say::say;
use crate::scan::selection;
use crate::{interrupt, json, models, threads};

pub(crate) fn run(args: &EvalArgs) -> Result<ExitCode, Failure> {
    let runs = if args.no_runs { Vec::new() } else { runs(args) };
    runs.iter().try_for_each(|run| run.check(args))?;
    let groups = args.groups.iter().map(|(name, file)| Ok((name.as_str(), read_groups(file)?)));
    let groups = groups.collect::<Result<Vec<_>, EvalError>>()?;
    interrupt::listen("what was made for this is removed");
    threads::start(args.threads)?;
    let bar = Bar::new(args.quiet);
    // Sets that are not to be kept are removed when this goes, however it goes.
    let sets = match Sets::make(args, &bar) {
        Err(_) if interrupt::is_asked() => return Ok(ExitCode::from(interrupt::CODE)),
        sets => sets?,
    };
    bar.clear();

    let mut evaluation = Evaluation::new();
    for labels in &sets.labels {
        evaluation.add_set(labels.labels());
    }
    for (name, groups) in &groups {
        add_groups(&mut evaluation, &sets, name, groups);
    }
    let result = sets.work.path().join("result.json");
    for labels in &sets.labels {
        for run in &runs {
            if interrupt::is_asked() {
                return Ok(ExitCode::from(interrupt::CODE));
            }
            if !args.quiet {
                let seed = labels.labels().seed().map(|seed| format!(" {seed}")).unwrap_or_default();
                say(format_args!("running {} on {}{seed}", run.name, labels.labels().name()));
            }
            match child::measure(&run.arguments(args, labels.file(), &result), &result)? {
                _ if interrupt::is_asked() => return Ok(ExitCode::from(interrupt::CODE)),
                Ok(measured) => evaluation.add_run(labels.labels().name(), &run.name, measured),
                Err(why) => {
                    say(format_args!("error: {}: {}", shown_text(&run.name), shown_text(&why)));
                    evaluation.add_failure(labels.labels().name(), &run.name, why);
                }
            }
        }
    }
    report(args, &evaluation.summary(), &sets)
}

fn report(args: &EvalArgs, summary: &Summary, sets: &Sets) -> Result<ExitCode, Failure> {
    if let Some(file) = &args.html {
        fs::write(file, page(summary)).map_err(|error| EvalError::Io { path: file.clone(), source: error })?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::print(&mut out, &Document { version: json::VERSION, precisions: PRECISIONS, made: &sets.made, summary })?;
    } else {
        write!(out, "{summary}")?;
        sets.made.iter().try_for_each(|made| writeln!(out, "{made}"))?;
    }
    out.flush()?;
    Ok(if summary.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// Those of `recall_at_precision`.
    precisions: [f64; 3],
    made: &'a [MadeJson],
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Adds what another tool found to the sets that it was found in.
fn add_groups(evaluation: &mut Evaluation, sets: &Sets, name: &str, groups: &[Vec<PathBuf>]) {
    let mut is_known = false;
    for labels in sets.labels.iter().map(sets::Set::labels) {
        let is_of_it = groups.iter().flatten().any(|path| labels.find(path).is_some());
        if is_of_it {
            is_known = true;
            let score = GroupScore::of(labels, groups);
            evaluation.add_groups(labels.name(), name, score);
        }
    }
    if !is_known {
        say(format_args!("warning: the groups of {name} name no file of any set"));
    }
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
        selector(&run.scan.backend.embedding).check_embedding().map_err(selection)
    }
}
