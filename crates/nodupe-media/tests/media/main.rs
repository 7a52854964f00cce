//! What the crate promises about files of every kind, good and bad.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests are tests")]

mod costs;
mod files;
mod formats;
mod hostile;
mod orientation;
mod photographs;
mod pictures;
mod pool;
