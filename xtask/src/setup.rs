//! What a machine needs. A toolchain is all that building takes; tests of the neural backends want models and ONNX Runtime,
//! which are brought here.

use std::path::Path;

use crate::command::{Failure, Line, cargo};
use crate::native;
use crate::workspace::Workspace;

/// Environment variables that add something, and what is missing without them.
const OPTIONAL: &[(&str, &str)] =
    &[("NODUPE_PHOTOS", "a folder of photographs: tests that look at real ones are skipped")];

/// The models that tests run, and the runtime that runs them: fetched into the user's cache, and left alone where they are.
const MODELS: &[&str] = &["sscd-distilled", "sscd-int8", "efficientnet-lite0"];
const RUNTIME: &str = "onnxruntime";

pub(crate) fn run() -> Result<(), Failure> {
    toolchain_is_there()?;
    native::say();
    bring()?;
    for (variable, without) in OPTIONAL {
        match std::env::var_os(variable) {
            Some(value) if Path::new(&value).exists() => println!("found: {variable}"),
            Some(value) => println!("absent: {variable}={} does not exist ({without})", Path::new(&value).display()),
            None => println!("absent: {variable} ({without})"),
        }
    }
    println!("setup: done; next: `cargo xtask ci`");
    Ok(())
}

/// Fetches what tests of the neural backends want. It takes pip and an index that it reaches; the tests themselves never do.
fn bring() -> Result<(), Failure> {
    let workspace = Workspace::load()?;
    // With the features of the tests, so that nothing is compiled twice.
    cargo(["build", "--workspace", "--bin", "nodupe"]).args(workspace.pure_rust()).run()?;
    let program = workspace.target.join("debug").join(format!("nodupe{}", std::env::consts::EXE_SUFFIX));
    Line::new(&program).args(["models", "fetch"]).args(MODELS).run()?;
    Line::new(&program).args(["runtimes", "fetch", RUNTIME]).run()
}

fn toolchain_is_there() -> Result<(), Failure> {
    let wanted = toolchain(include_str!("../../rust-toolchain.toml"))
        .ok_or_else(|| Failure::new("rust-toolchain.toml names no channel"))?;
    let found = Line::new("rustc").args(["--version"]).output()?;
    if found.split_whitespace().nth(1) != Some(wanted) {
        let found = found.trim();
        return Err(Failure::new(format!("this is {found}, and {wanted} is needed: run `rustup toolchain install`")));
    }
    for component in ["fmt", "clippy"] {
        let version = cargo([component, "--version"]).output();
        let install = |_| Failure::new(format!("`cargo {component}` is missing: run `rustup toolchain install`"));
        println!("found: {}", version.map_err(install)?.trim());
    }
    println!("found: {}", found.trim());
    Ok(())
}

/// The channel that `rust-toolchain.toml` pins.
fn toolchain(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.trim().strip_prefix("channel"))?;
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_toolchain_is_read() {
        assert_eq!(toolchain("[toolchain]\nchannel = \"1.95.0\"\ncomponents = []\n"), Some("1.95.0"));
        assert_eq!(toolchain("[toolchain]\n"), None);
    }
}
