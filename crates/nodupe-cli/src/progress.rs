//! Progress bars, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use nodupe::dedup::{Progress, Stage};

use crate::interrupt;

/// One line on standard error for what runs now; hides itself where that is no terminal.
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

    /// Something else runs, of this length where that is known, and looks like `bounded` then and like `open` otherwise.
    fn start(&self, what: String, length: Option<u64>, bounded: &str, open: &str) {
        self.0.reset();
        self.0.set_message(what);
        if let Some(length) = length {
            self.0.set_length(length);
        }
        let template = if length.is_some() { bounded } else { open };
        // A template of ours is well formed, and else the bar only looks plain.
        self.0.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.0.enable_steady_tick(Duration::from_millis(200));
    }
}

#[cfg(feature = "eval")]
impl Bar {
    /// Something is made, of so many parts.
    pub(crate) fn begin_making(&self, what: &str, parts: usize) {
        let bounded = "{msg:<16} {wide_bar} {human_pos}/{human_len} {per_sec:>10} {eta:>5}";
        self.start(what.to_owned(), Some(parts as u64), bounded, bounded);
    }

    pub(crate) fn advance_making(&self, parts: usize) {
        self.0.inc(parts as u64);
    }
}

impl Progress for Bar {
    fn begin(&self, stage: Stage, steps: Option<usize>) {
        let bounded = "{msg:<16} {wide_bar} {human_pos}/{human_len} {per_sec:>10} {eta:>5}";
        let steps = steps.map(|steps| steps as u64);
        self.start(stage.name().to_owned(), steps, bounded, "{msg:<16} {human_pos} {spinner}");
    }

    fn advance(&self, _: Stage, steps: usize) {
        self.0.inc(steps as u64);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_asked()
    }
}

#[cfg(feature = "fetch")]
impl nodupe::models::FetchProgress for Bar {
    fn begin(&self, what: &str, total: Option<u64>) {
        let bounded = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec:>12} {eta:>5}";
        self.start(crate::path::shown_text(what), total, bounded, "{msg} {bytes} {bytes_per_sec} {spinner}");
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_asked()
    }
}
