//! Fetching for real: from a server on the loopback interface that answers well, badly, or not at all; from wheels made
//! here; from a program that stands in for pip.
#![allow(clippy::unwrap_used, reason = "what helps tests is one of them")]

mod hub;
mod installing;
mod pip;
mod runtime;
mod server;
mod toy;
mod url;
mod wheels;
