#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod args;
mod backends;
#[cfg(feature = "eval")]
mod calibrate;
mod embed;
#[cfg(feature = "eval")]
mod eval;
mod failure;
#[cfg(feature = "fetch")]
mod fetch;
mod index;
mod interrupt;
mod json;
mod keep;
mod list;
mod logging;
mod models;
mod path;
mod progress;
mod runtimes;
mod say;
mod scan;
mod text;
mod threads;
mod timings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

/// Runs the command with the arguments of the process. Backends are those that are linked into the program.
///
/// The exit code is 0 where it did what it was asked for, 1 where it failed or a path that was named could not be read,
/// 2 for wrong usage and 130 where it was interrupted.
pub fn run() -> ExitCode {
    run_with(std::env::args_os())
}

/// [`run`] with other arguments; the first is the name of the program.
pub fn run_with(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Where even the message cannot be printed there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let quiet = match &args.command {
        Command::Scan(args) => args.quiet,
        Command::Index(command) => command.is_quiet(),
        #[cfg(feature = "eval")]
        Command::Calibrate(args) => args.quiet,
        #[cfg(feature = "eval")]
        Command::Eval(args) => args.quiet,
        #[cfg(feature = "eval")]
        Command::EvalRun(args) => args.scan.quiet,
        _ => false,
    };
    logging::start(args.verbose, quiet);
    let done = match &args.command {
        Command::Scan(args) => scan::run(args),
        Command::Backends(args) => backends::run(args),
        Command::Models(command) => models::run(command),
        Command::Runtimes(command) => runtimes::run(command),
        Command::Index(command) => index::run(command),
        Command::Embed(args) => embed::run(args),
        #[cfg(feature = "eval")]
        Command::Calibrate(args) => calibrate::run(args),
        #[cfg(feature = "eval")]
        Command::Eval(args) => eval::run(args),
        #[cfg(feature = "eval")]
        Command::EvalRun(args) => eval::child::run(args),
    };
    done.unwrap_or_else(|failure| failure.report())
}
