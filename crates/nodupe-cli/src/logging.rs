//! What the libraries log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::path::shown_text;
use crate::say::say;

/// Warnings; with `verbose` 1 also information, with 2 everything; where it is to be `quiet`, errors alone. `RUST_LOG`
/// says otherwise.
pub(crate) fn start(verbose: u8, quiet: bool) {
    // An application that has a subscriber of its own keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter(level(verbose, quiet)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(verbose > 0)
        // It would say with a panic that standard error is full.
        .log_internal_errors(false)
        .try_init();
}

fn level(verbose: u8, quiet: bool) -> &'static str {
    match verbose {
        0 if quiet => "error",
        0 => "warn",
        1 => "info",
        _ => "debug",
    }
}

/// What `RUST_LOG` says, where it is set and makes sense.
fn filter(level: &str) -> EnvFilter {
    let wish = std::env::var_os("RUST_LOG").filter(|wish| !wish.is_empty());
    let Some(wish) = wish.map(|wish| wish.to_string_lossy().into_owned()) else {
        return EnvFilter::new(level);
    };
    EnvFilter::try_new(&wish).unwrap_or_else(|error| {
        say(format_args!("warning: RUST_LOG is not heeded: `{}`: {error}", shown_text(&wish)));
        EnvFilter::new(level)
    })
}
