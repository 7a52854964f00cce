//! All that has to hold before a change goes in, the quick checks first.

use std::time::Instant;

use crate::command::{Failure, Line, cargo};
use crate::features::Build;
use crate::workspace::Workspace;
use crate::{features, native, setup, tidy};

/// Everything is built by one profile, so that a cold run compiles each dependency once.
pub(crate) fn run() -> Result<(), Failure> {
    let start = Instant::now();
    let workspace = Workspace::load()?;
    let pure_rust = workspace.pure_rust();
    step("fmt", || cargo(["fmt", "--all", "--check"]).run())?;
    step("tidy", tidy::run)?;
    step("clippy", || {
        cargo(["clippy", "--workspace", "--all-targets"]).args(&pure_rust).args(["--", "-D", "warnings"]).run()
    })?;
    step("doc", || {
        cargo(["doc", "--workspace", "--no-deps"]).args(&pure_rust).env("RUSTDOCFLAGS", "-D warnings").run()
    })?;
    step("features", || features::run(Build::Dev))?;
    step("setup", setup::run)?;
    // Setup has brought all but photographs: with those, a test that skips would hide something.
    let test = test_line(&[])?;
    let test = match std::env::var_os("NODUPE_PHOTOS") {
        Some(_) => test.env("NODUPE_TEST_NO_SKIPS", "1"),
        None => test,
    };
    step("test", || test.run())?;
    step("faiss", native::faiss)?;
    step("turbojpeg", native::turbojpeg)?;
    step("outside", || outside(&workspace).run())?;
    println!("\nci: everything passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The tests of every crate with every feature that needs nothing but Rust, documentation included.
pub(crate) fn test(arguments: &[&str]) -> Result<(), Failure> {
    test_line(arguments)?.run()
}

fn test_line(arguments: &[&str]) -> Result<Line, Failure> {
    let pure_rust = Workspace::load()?.pure_rust();
    Ok(cargo(["test", "--workspace"]).args(pure_rust).args(arguments))
}

/// A backend and an application in a workspace of their own, as others have them. What is built is shared with ours.
fn outside(workspace: &Workspace) -> Line {
    let manifest = workspace.root.join("examples/third-party/Cargo.toml");
    cargo(["test", "--manifest-path"]).args([&manifest]).args(["--target-dir"]).args([&workspace.target])
}

fn step(name: &str, run: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    println!("\n== {name}");
    let start = Instant::now();
    run().map_err(|failure| Failure::new(format!("ci stopped at `{name}`: {failure}")))?;
    println!("== {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
