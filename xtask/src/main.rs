//! Everything that a contributor runs: `cargo xtask help`.

// It talks to a person at a terminal; the libraries do not.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod bench;
mod ci;
mod command;
mod features;
mod native;
mod setup;
mod tidy;
mod workspace;

use std::process::ExitCode;

use command::Failure;

const HELP: &str = "\
cargo xtask COMMAND

  setup                    check the toolchain, fetch the models and the ONNX Runtime library that tests run (by pip, into
                           the user's cache), and say which optional things are absent
  ci                       all of: fmt, tidy, clippy, doc, features, setup, test, faiss (where what it takes is there), outside
                           (the tests of examples/third-party); stop at the first failure
  test [ARGS]              all tests of all crates, documentation included; ARGS go to `cargo test`
  features [--release-lto] each feature of the facade alone, none, and the default ones: what is registered is what the
                           feature says; --release-lto checks the same in a release build with fat LTO
  tidy                     what the compiler does not check: which crate may depend on which, sizes, names, documents
  bench similarity [OPTIONS]  every similarity backend and its peers on the same vectors, in turns: a table and a plot in
                           docs/benchmarks; `cargo xtask bench similarity --help`
  bench [ARGS]             the other benchmarks; ARGS go to `cargo bench`
  help                     this";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        [] | ["help" | "-h" | "--help"] => {
            println!("{HELP}");
            Ok(())
        }
        ["setup"] => setup::run(),
        ["ci"] => ci::run(),
        ["test", rest @ ..] => ci::test(rest),
        ["features"] => features::run(features::Build::Dev),
        ["features", "--release-lto"] => features::run(features::Build::ReleaseLto),
        ["tidy"] => tidy::run(),
        ["bench", rest @ ..] => bench::run(rest),
        other => Err(Failure::new(format!("no such command: `{}`; see `cargo xtask help`", other.join(" ")))),
    }
}
