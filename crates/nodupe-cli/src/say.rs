//! What is said to people beside the output. That nobody can hear it is no reason to stop.

use std::fmt;
use std::io::{self, Write as _};

/// Writes a line to standard error.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    // A full disk or a closed pipe behind standard error: there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}
