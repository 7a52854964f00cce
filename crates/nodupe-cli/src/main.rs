//! The `nodupe` command. An application that links more backends calls [`nodupe_cli::run`] likewise.

fn main() -> std::process::ExitCode {
    nodupe_cli::run()
}
