//! `nodupe runtimes`

use std::io::{self, Write as _};
use std::process::ExitCode;

use nodupe::models::{Runtime, installed_runtimes};
use serde::Serialize;

use crate::args::{RuntimesCommand, RuntimesListArgs};
use crate::failure::Failure;
use crate::json;
use crate::path::{JsonPath, shown};

pub(crate) fn run(command: &RuntimesCommand) -> Result<ExitCode, Failure> {
    match command {
        RuntimesCommand::List(args) => list(args),
        #[cfg(feature = "fetch")]
        RuntimesCommand::Fetch(args) => crate::fetch::runtime(args),
    }
}

fn list(args: &RuntimesListArgs) -> Result<ExitCode, Failure> {
    let all = installed_runtimes();
    let mut out = io::stdout().lock();
    if args.json {
        let runtimes = all.iter().map(runtime).collect();
        serde_json::to_writer(&mut out, &Document { version: json::VERSION, runtimes })?;
        writeln!(out)?;
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
