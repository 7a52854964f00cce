//! Building an index, as whoever waits is told.

use std::ops::ControlFlow;

use nodupe_core::{IndexError, SimilarityBackend};

use crate::progress::{Progress, Stage};

/// Steps of a build, which says what part is done.
pub(crate) const STEPS: usize = 1_000;

/// What became of building an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// Whether there was anything to build, as far as that is told: an index that has nothing to do says at most once that
    /// it is done.
    pub worked: bool,
    /// Whether it was stopped: the index is as it was, and finds everything all the same.
    pub stopped: bool,
}

/// Builds an index: tells `progress` the part that is done, and stops where that cancels.
///
/// # Errors
/// Those of [`SimilarityBackend::build`] but [`IndexError::Cancelled`].
pub fn build(index: &mut dyn SimilarityBackend, progress: &dyn Progress) -> Result<Built, IndexError> {
    let (mut phase, mut done, mut told) = (None, 0, 0);
    let built = index.build(&mut |now, part| {
        told += 1;
        if phase.replace(now) != Some(now) {
            done = 0;
            progress.begin(Stage::Build, Some(STEPS));
        }
        let reached = (part.clamp(0.0, 1.0) * STEPS as f32) as usize;
        progress.advance(Stage::Build, reached.saturating_sub(done));
        done = done.max(reached);
        if progress.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match built {
        Ok(()) => Ok(Built { worked: told > 1, stopped: false }),
        Err(IndexError::Cancelled) => Ok(Built { worked: false, stopped: true }),
        Err(error) => Err(error),
    }
}
