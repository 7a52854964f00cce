//! What is chosen, and what is said about it.

#![allow(clippy::unwrap_used, clippy::panic)] // all of it is tests

#[path = "../fakes/mod.rs"]
mod fakes;

mod embedding;
mod environment;
mod mistakes;
mod order;
mod report;
mod similarity;
mod survey;

use nodupe_select::{Outcome, Report};

/// `"a no-device, b selected, c not-tried"`: the attempts of a report in their order.
fn outcomes(report: &Report) -> String {
    let attempts = report.attempts.iter().map(|attempt| {
        let outcome = match &attempt.outcome {
            Outcome::Unavailable(why) => why.reason.name(),
            outcome => outcome.name(),
        };
        format!("{} {outcome}", attempt.name)
    });
    attempts.collect::<Vec<_>>().join(", ")
}
