//! What the crate promises about videos and animations, good and bad.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests are tests")]

mod animations;
mod clips;
mod costs;
mod hostile;
mod info;
mod pixels;
mod processes;
mod sampling;
mod tools;
