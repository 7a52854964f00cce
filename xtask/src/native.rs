//! What needs more than Rust to build: FAISS and libjpeg-turbo, from the sources that crates carry.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::command::{Failure, cargo};

const HELP: &str =
    "install cmake, a C++ compiler and OpenBLAS (Debian and Ubuntu: `apt install cmake g++ libopenblas-dev`)";

const TURBOJPEG_HELP: &str =
    "install cmake, a C compiler and, for x86, nasm (Debian and Ubuntu: `apt install cmake gcc nasm`)";

/// Says what is there of what the features `faiss` and `turbojpeg` take. They are in no default features, so that nothing of it
/// is a failure.
pub(crate) fn say() {
    match missing() {
        None => println!("found: cmake, a C++ compiler with OpenMP, BLAS and LAPACK"),
        Some(what) => println!("absent: {what} (the feature `faiss` cannot be built; {HELP})"),
    }
    match missing_for_turbojpeg() {
        None => println!("found: what libjpeg-turbo is built by"),
        Some(what) => println!("absent: {what} (the feature `turbojpeg` cannot be built; {TURBOJPEG_HELP})"),
    }
}

/// Checks and tests decoding by libjpeg-turbo, where that can be built.
pub(crate) fn turbojpeg() -> Result<(), Failure> {
    if let Some(what) = missing_for_turbojpeg() {
        println!("skipped: there is no {what}; {TURBOJPEG_HELP}");
        return Ok(());
    }
    let media = ["--package", "nodupe-media", "--features", "turbojpeg"];
    cargo(["clippy", "--all-targets"]).args(media).args(["--", "-D", "warnings"]).run()?;
    cargo(["test"]).args(media).run()
}

/// The first thing that building libjpeg-turbo takes and that is not there.
fn missing_for_turbojpeg() -> Option<&'static str> {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    if !runs("cmake".into(), &["--version"], "") {
        return Some("cmake");
    }
    if !runs(compiler, &["--version"], "") {
        return Some("C compiler");
    }
    let is_x86 = cfg!(any(target_arch = "x86_64", target_arch = "x86"));
    if is_x86 && !runs("nasm".into(), &["-v"], "") { Some("assembler (nasm)") } else { None }
}

/// Checks and tests the crate, and that the facade registers it, where it can be built.
pub(crate) fn faiss() -> Result<(), Failure> {
    if let Some(what) = missing() {
        println!("skipped: there is no {what}; {HELP}");
        return Ok(());
    }
    cargo(["clippy", "--package", "nodupe-faiss", "--all-targets", "--", "-D", "warnings"]).run()?;
    cargo(["doc", "--package", "nodupe-faiss", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run()?;
    cargo(["test", "--package", "nodupe-faiss"]).run()?;
    let features = ["--no-default-features", "--features", "faiss,bruteforce"];
    cargo(["test", "--package", "nodupe", "--test", "registered"]).args(features).run()
}

/// The first thing that building FAISS takes and that is not there.
fn missing() -> Option<&'static str> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if !runs("cmake".into(), &["--version"], "") {
        return Some("cmake");
    }
    if !runs(compiler.clone(), &["--version"], "") {
        return Some("C++ compiler");
    }
    let links = |libraries: &[&str]| {
        let null = if cfg!(windows) { "NUL" } else { "/dev/null" };
        let arguments = [&["-x", "c++", "-", "-o", null][..], libraries].concat();
        runs(compiler.clone(), &arguments, "int main() {}")
    };
    if !links(&["-lgomp"]) {
        return Some("OpenMP (libgomp)");
    }
    if links(&["-lblas", "-llapack"]) { None } else { Some("BLAS and LAPACK") }
}

/// Whether a program runs and is content.
fn runs(program: OsString, arguments: &[&str], input: &str) -> bool {
    let mut command = Command::new(program);
    let child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return false };
    let given = child.stdin.take().is_none_or(|mut stdin| stdin.write_all(input.as_bytes()).is_ok());
    child.wait().is_ok_and(|status| status.success() && given)
}
