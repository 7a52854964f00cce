//! Tests that need something which not every machine has.

use std::env;
use std::fmt::Display;
use std::io::{self, Write as _};

/// The environment variable that makes [`provided`] fail where it would skip. CI sets it for what it provides.
pub const NO_SKIPS_VARIABLE: &str = "NODUPE_TEST_NO_SKIPS";

/// What a test needs, where this machine has it. Otherwise says on standard error what is missing and what would bring
/// it, and the test returns early; with `NODUPE_TEST_NO_SKIPS` set the test fails instead, so that nothing skips unseen.
///
/// ```
/// let photographs = std::env::var("NODUPE_PHOTOS").map_err(|_| "NODUPE_PHOTOS is not set");
/// let Some(folder) = nodupe_conformance::provided(photographs, "set it to a folder of photographs") else {
///     return;
/// };
/// # let _ = folder;
/// ```
///
/// # Panics
/// Where the need is not met and `NODUPE_TEST_NO_SKIPS` is set.
#[allow(clippy::panic, reason = "this speaks to whoever runs tests")]
pub fn provided<T, E: Display>(need: Result<T, E>, remedy: &str) -> Option<T> {
    match need {
        Ok(provided) => Some(provided),
        Err(why) if env::var_os(NO_SKIPS_VARIABLE).is_some() => panic!("{why}: {remedy}"),
        Err(why) => {
            // Not `eprintln`, which the harness keeps to itself where a test passes. Nobody may hear it all the same.
            let _ = writeln!(io::stderr(), "skipped: {why}: {remedy}");
            None
        }
    }
}
