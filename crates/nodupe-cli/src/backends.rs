//! `nodupe backends`

use std::io::{self, Write as _};
use std::process::ExitCode;

use nodupe::core::{Package, Reason};
use nodupe::select::{BackendStatus, StatusTable};
use serde::Serialize;

use crate::args::BackendsArgs;
use crate::failure::Failure;
use crate::json;

pub(crate) fn run(args: &BackendsArgs) -> Result<ExitCode, Failure> {
    let all = nodupe::backends();
    let mut out = io::stdout().lock();
    if args.json {
        let backends = all.iter().map(backend).collect();
        json::print(&mut out, &Document { version: json::VERSION, backends })?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{}", StatusTable(&all))?;
    writeln!(
        out,
        "\n* is what automatic selection takes; which similarity backend suits best depends on the size of the index."
    )?;
    if all.iter().any(|status| !status.options.is_empty()) {
        writeln!(out, "\nOptions (--set KEY=VALUE):")?;
    }
    for option in all.iter().flat_map(|status| status.options) {
        writeln!(out, "  {:<24}  {}", option.key, option.help)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Document {
    version: u32,
    backends: Vec<BackendJson>,
}

#[derive(Serialize)]
struct BackendJson {
    kind: String,
    name: &'static str,
    package: Package,
    device: String,
    priority: Option<i32>,
    suitability: &'static str,
    because: Option<String>,
    available: bool,
    automatic: bool,
    reason: Option<&'static str>,
    detail: Option<String>,
    help: Option<String>,
    options: Vec<OptionJson>,
}

#[derive(Serialize)]
struct OptionJson {
    key: &'static str,
    help: &'static str,
}

fn backend(status: &BackendStatus) -> BackendJson {
    BackendJson {
        kind: status.kind.to_string(),
        name: status.name,
        package: status.package,
        device: status.device.to_string(),
        priority: status.priority,
        suitability: status.suitability.name(),
        because: status.suitability.because().map(str::to_owned),
        available: status.is_available(),
        automatic: status.automatic,
        reason: status.reason().map(Reason::name),
        detail: status.detail(),
        help: status.help().map(str::to_owned),
        options: status.options.iter().map(|option| OptionJson { key: option.key, help: option.help }).collect(),
    }
}
