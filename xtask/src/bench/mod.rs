//! Measurements: the criterion benchmarks, and our similarity backends beside their peers.

mod arguments;
mod contest;
mod machine;
mod page;
mod peers;
mod plot;
mod summary;
mod table;

use crate::command::{Failure, cargo};

pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["similarity", "--help" | "-h"] => {
            println!("{}", arguments::HELP);
            Ok(())
        }
        ["similarity", rest @ ..] => contest::run(&arguments::Arguments::parse(rest)?),
        rest => cargo(["bench", "--package", "nodupe-benches"]).args(rest).run(),
    }
}
