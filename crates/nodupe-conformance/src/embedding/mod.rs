//! The suite for embedding backends.

mod agreement;
mod identity;
mod images;
mod subject;
mod vectors;
mod views;

use nodupe_core::{EmbeddingRegistration, Options};

use crate::report::{Check, Passed, Report, Violations, guard};
use subject::Subject;

pub use agreement::{Agreement, agreement, agreement_on};

/// The suite for an embedding backend: `embedding(REGISTRATION).run().unwrap()` is its conformance test.
pub fn embedding(registration: EmbeddingRegistration) -> EmbeddingSuite {
    EmbeddingSuite { registration, options: Options::new(), only: None }
}

/// What is tried on an embedding backend.
#[derive(Debug, Clone)]
#[must_use = "the suite does nothing until it is run"]
pub struct EmbeddingSuite {
    registration: EmbeddingRegistration,
    options: Options,
    only: Option<Vec<&'static str>>,
}

impl EmbeddingSuite {
    /// The options that the backend is made with: the model, the device.
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Runs these checks alone, by name: to look into one violation.
    pub fn only(mut self, checks: impl IntoIterator<Item = &'static str>) -> Self {
        self.only = Some(checks.into_iter().collect());
        self
    }

    /// The checks, by name, and what promise each tries.
    pub fn checks() -> impl Iterator<Item = (&'static str, &'static str)> {
        let names = CHECKS.iter().copied().flatten().map(|check| (check.name, check.promise));
        std::iter::once((CREATE, CREATE_PROMISE)).chain(names)
    }

    /// Runs the suite: about a hundred images go through the backend.
    ///
    /// A backend that needs what this machine may lack (a library, a model, a GPU) asks its own probe before, and skips the
    /// test where that says so: here it would be a violation of `create`.
    ///
    /// # Errors
    /// [`Violations`]: what was promised, and what was seen. A panic of the backend is one; a call that never returns is
    /// not noticed.
    pub fn run(&self) -> Result<Passed, Violations> {
        let mut report = Report::new(self.registration.name);
        let unknown = |only: &&&str| !Self::checks().any(|check| check.0 == **only);
        if let Some(unknown) = self.only.iter().flatten().find(unknown) {
            report.unknown(unknown);
            return report.finish();
        }
        match guard(|| Subject::new(self.registration, &self.options)).and_then(|made| made) {
            Err(why) => report.violate(CREATE, CREATE_PROMISE, None, why),
            Ok(subject) => {
                for check in CHECKS.iter().copied().flatten() {
                    if self.only.as_ref().is_none_or(|only| only.contains(&check.name)) {
                        report.run(check, &subject, Some(subject.backend.space()));
                    }
                }
            }
        }
        report.finish()
    }
}

const CREATE: &str = "create";
const CREATE_PROMISE: &str = "the backend is made";

const CHECKS: [&[Check<Subject>]; 4] = [identity::CHECKS, images::CHECKS, vectors::CHECKS, views::CHECKS];
