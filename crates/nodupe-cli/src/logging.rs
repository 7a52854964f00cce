//! What the libraries log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Warnings; with `verbose` 1 also information, with 2 everything. `RUST_LOG` says otherwise.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // An application that has a subscriber of its own keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(verbose > 0)
        .try_init();
}
