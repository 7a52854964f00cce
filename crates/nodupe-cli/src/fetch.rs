//! What is fetched into the user's cache: models and runtimes.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use nodupe::models::{FetchError, Fetcher, Manifest, ModelError, ModelLibrary, entry};

use crate::args::{ModelsFetchArgs, RuntimesFetchArgs};
use crate::failure::Failure;
use crate::path::{shown, shown_text};
use crate::progress::Bar;
use crate::say::say;
use crate::{interrupt, models};

pub(crate) fn models(args: &ModelsFetchArgs) -> Result<ExitCode, Failure> {
    let manifests: Vec<&Manifest> = args.models.iter().map(|id| known(id)).collect::<Result<_, _>>()?;
    if args.from.is_some() && manifests.len() > 1 {
        return Err(Failure::usage("--from brings the file of one model: name one"));
    }
    let bar = Bar::new(args.quiet);
    let fetcher = fetcher(args.again, args.from.as_deref(), &bar)?;
    for manifest in manifests {
        if !args.quiet {
            let note = manifest.licence.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            say(format_args!("{}: licence {}{note}", manifest.id, manifest.licence.name));
        }
        let outcome = fetcher.fetch(manifest);
        bar.clear();
        match outcome {
            Ok(model) => writeln!(io::stdout(), "{}: {}", manifest.id, shown(model.folder()))?,
            Err(error) => return ended(error),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn runtime(args: &RuntimesFetchArgs) -> Result<ExitCode, Failure> {
    let bar = Bar::new(args.quiet);
    let fetcher = fetcher(args.again, args.from.as_deref(), &bar)?;
    if !args.quiet {
        say(format_args!("{}: licence MIT", args.runtime));
    }
    let outcome = fetcher.fetch_runtime(&args.runtime);
    bar.clear();
    match outcome {
        Ok(runtime) => {
            writeln!(io::stdout(), "{} {}: {}", runtime.package, runtime.version, shown(&runtime.library))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => ended(error),
    }
}

/// Fetches into the user's cache until Ctrl-C, or takes what the user brings.
fn fetcher<'a>(again: bool, from: Option<&Path>, bar: &'a Bar) -> Result<Fetcher<'a>, Failure> {
    interrupt::listen("what was installed before stays");
    let fetcher = Fetcher::from_env().map_err(failure)?.again(again).with_progress(bar);
    Ok(match from {
        Some(from) => fetcher.with_from(from),
        None => fetcher,
    })
}

fn known(id: &str) -> Result<&'static Manifest, Failure> {
    let unknown = || match ModelLibrary::from_env().find(Some(id)) {
        // It is there, and is the user's own: nothing says where it came from.
        Ok(_) => {
            Failure::usage(format!("`{}` is a model of your own; `nodupe models add` brings those", shown_text(id)))
        }
        Err(error @ ModelError::Unknown { .. }) => models::failure(error),
        Err(error) => Failure::usage(error),
    };
    entry(id).ok_or_else(unknown)
}

fn ended(error: FetchError) -> Result<ExitCode, Failure> {
    match error {
        FetchError::Cancelled => {
            say(format_args!("stopped; next time a file from the web goes on where it stopped, and pip starts again"));
            Ok(ExitCode::from(interrupt::CODE))
        }
        error => Err(failure(error)),
    }
}

fn failure(error: FetchError) -> Failure {
    match error.help() {
        Some(help) => Failure::Failed(Box::new(Helped { help, error })),
        None => error.into(),
    }
}

/// An error with what to do about it.
#[derive(Debug)]
struct Helped {
    help: &'static str,
    error: FetchError,
}

impl std::fmt::Display for Helped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Pip says several lines.
        let said: Vec<String> = self.error.to_string().lines().map(shown_text).collect();
        write!(f, "{} ({})", said.join("\n  "), self.help)
    }
}

impl std::error::Error for Helped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
