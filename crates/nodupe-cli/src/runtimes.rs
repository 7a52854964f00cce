//! `nodupe runtimes`

use std::io::{self, Write as _};
use std::process::ExitCode;

use nodupe::models::{Runtime, installed_runtimes};
use serde::Serialize;

use crate::args::{RuntimesCommand, RuntimesListArgs};
use crate::failure::{Failure, say_error};
use crate::json;
use crate::path::{JsonPath, shown, shown_text};
use crate::say::say;

pub(crate) fn run(command: &RuntimesCommand) -> Result<ExitCode, Failure> {
    match command {
        RuntimesCommand::List(args) => list(args),
        RuntimesCommand::Verify => verify(),
        #[cfg(feature = "fetch")]
        RuntimesCommand::Fetch(args) => crate::fetch::runtime(args),
    }
}

fn list(args: &RuntimesListArgs) -> Result<ExitCode, Failure> {
    let all = installed_runtimes();
    let mut out = io::stdout().lock();
    if args.json {
        let runtimes = all.iter().map(runtime).collect();
        json::print(&mut out, &Document { version: json::VERSION, runtimes })?;
        return Ok(ExitCode::SUCCESS);
    }
    for Runtime { package, version, library, .. } in &all {
        writeln!(out, "{package:<16} {version:<8} {}", shown(library))?;
    }
    if all.is_empty() {
        writeln!(out, "None is installed: nodupe runtimes fetch brings ONNX Runtime.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn verify() -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    let mut out = io::stdout().lock();
    for runtime in installed_runtimes() {
        let name = format!("{} {}", runtime.package, runtime.version);
        match runtime.verify() {
            Ok(()) => writeln!(out, "{}: every file is as it was when it was fetched", shown_text(&name))?,
            Err(error) => {
                code = ExitCode::FAILURE;
                say_error(&name, &error);
                say(format_args!("  run `nodupe runtimes fetch {}`", shown_text(&runtime.package)));
            }
        }
    }
    Ok(code)
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    runtimes: Vec<RuntimeJson<'a>>,
}

#[derive(Serialize)]
struct RuntimeJson<'a> {
    package: &'a str,
    version: &'a str,
    library: JsonPath<'a>,
}

fn runtime(runtime: &Runtime) -> RuntimeJson<'_> {
    RuntimeJson { package: &runtime.package, version: &runtime.version, library: JsonPath(&runtime.library) }
}
