//! Progress bars, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use nodupe::dedup::{Progress, Stage};

use crate::interrupt;

/// One line on standard error for the stage that runs; hides itself where that is no terminal.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(quiet: bool) -> Self {
        Self(if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() })
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begin(&self, stage: Stage, steps: Option<usize>) {
        self.0.reset();
        self.0.set_message(stage.name());
        let template = match steps {
            Some(steps) => {
                self.0.set_length(steps as u64);
                "{msg:<16} {wide_bar} {human_pos}/{human_len} {per_sec:>10} {eta:>5}"
            }
            None => "{msg:<16} {human_pos} {spinner}",
        };
        // A template of ours is well formed, and else the bar only looks plain.
        self.0.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, _: Stage, steps: usize) {
        self.0.inc(steps as u64);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_asked()
    }
}
