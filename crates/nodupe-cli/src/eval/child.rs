//! One run over one set, in a process of its own: what it takes of memory is its own as well.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nodupe::EvaluateError;
use nodupe::eval::{EvalError, Labels, Measured};
use serde::{Deserialize, Serialize};

use crate::eval::args::EvalRunArgs;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::{interrupt, scan, threads};

/// What the process writes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Measured(Box<Measured>),
    Failed(String),
}

/// Does the run of this process.
pub(crate) fn run(args: &EvalRunArgs) -> Result<ExitCode, Failure> {
    interrupt::listen_quietly();
    threads::start(args.scan.backend.threads)?;
    let labels = Labels::open(args.scan.paths.first().map_or(Path::new(""), |path| path))?;
    let bar = Bar::new(args.scan.quiet);
    let measured = scan::scanner(&args.scan).with_progress(&bar).evaluate(&labels, !args.no_ranking);
    bar.clear();
    let outcome = match measured {
        Ok(measured) => Outcome::Measured(Box::new(measured)),
        Err(EvaluateError::Eval(EvalError::Interrupted)) => return Ok(ExitCode::from(interrupt::CODE)),
        Err(error) => Outcome::Failed(chain(&error)),
    };
    fs::write(&args.result, serde_json::to_vec(&outcome)?)?;
    Ok(ExitCode::SUCCESS)
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

/// Starts a process of this program with these arguments, waits for it, and reads what it wrote. `Err` of the inner result: the run
/// failed, and why.
pub(crate) fn measure(args: &[OsString], result: &Path) -> Result<Result<Measured, String>, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
    // What it would leave where it is killed goes with our own folder.
    if let Some(folder) = result.parent() {
        command.envs(["TMPDIR", "TMP", "TEMP"].map(|variable| (variable, folder)));
    }
    let mut child = command.spawn().map(Running)?;
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if interrupt::is_asked() {
            return Ok(Err("interrupted".to_owned()));
        }
        sleep(Duration::from_millis(20));
    };
    let outcome = fs::read(result).ok().and_then(|text| serde_json::from_slice(&text).ok());
    // One file serves all runs.
    let _ = fs::remove_file(result);
    Ok(match outcome {
        Some(Outcome::Measured(measured)) if status.success() => Ok(*measured),
        Some(Outcome::Failed(why)) => Err(why),
        _ => Err(format!("it ended with {status}")),
    })
}

/// A process that does not outlive whoever waits for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
