//! One similarity backend, measured in a process of its own: `cargo xtask bench similarity` runs it for every backend
//! and, in turns, its peers.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod files;
mod make;
mod measure;
mod memory;
mod truth;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use nodupe::{IndexSpec, Options, Registry};

/// Measures similarity backends on vectors in files.
#[derive(Debug, clap::Parser)]
enum Command {
    /// Print the names of the backends that hold such vectors and can run here, one a line
    List(files::Shape),
    /// Make vectors and queries out of photographs
    Make(make::Making),
    /// Write the distances of the true nearest neighbours of each query: rows of K little-endian f32
    Truth(truth::Finding),
    /// Build an index, search it, and print a line of JSON for each setting
    Measure(measure::Measuring),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::List(shape) => list(shape),
        Command::Make(making) => making.run(),
        Command::Truth(finding) => finding.run(),
        Command::Measure(measuring) => measuring.run(),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    eprintln!("similarity: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because: {cause}");
        source = cause.source();
    }
    ExitCode::FAILURE
}

fn list(shape: files::Shape) -> Result<(), Box<dyn Error>> {
    let space = shape.space()?;
    for registration in Registry::linked().similarities() {
        if !(registration.supports)(&space) {
            continue;
        }
        match (registration.probe)(&IndexSpec::new(&space), &Options::new()) {
            Ok(()) => println!("{}", registration.name),
            Err(why) => eprintln!("similarity: {} cannot run: {why}", registration.name),
        }
    }
    Ok(())
}
