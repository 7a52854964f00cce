//! The suite for similarity backends.

mod adding;
mod building;
mod changing;
mod identity;
mod judge;
mod searching;
mod sequences;
mod storing;
mod subject;
mod within;

use nodupe_core::{EmbeddingSpace, Options, SimilarityRegistration};

use crate::report::{Check, Passed, Report, Violations, guard};
use subject::Subject;

/// The suite for a similarity backend: `similarity(REGISTRATION).run().unwrap()` is its conformance test.
///
/// ```
/// use nodupe_conformance::{reference, similarity};
/// let passed = similarity(reference::REGISTRATION).only(["search-order", "vectors"]).run()?;
/// assert!(passed.skipped.is_empty());
/// # Ok::<(), nodupe_conformance::Violations>(())
/// ```
pub fn similarity(registration: SimilarityRegistration) -> SimilaritySuite {
    SimilaritySuite {
        registration,
        options: Options::new(),
        recall: 0.9,
        sequences: 128,
        spaces: Vec::new(),
        damage: None,
        only: None,
    }
}

/// What is tried on a similarity backend, and how strictly.
#[derive(Debug, Clone)]
#[must_use = "the suite does nothing until it is run"]
pub struct SimilaritySuite {
    registration: SimilarityRegistration,
    options: Options,
    recall: f64,
    sequences: u32,
    spaces: Vec<EmbeddingSpace>,
    /// `Some`: why damaged files are not opened.
    damage: Option<String>,
    only: Option<Vec<&'static str>>,
}

impl SimilaritySuite {
    /// The options that every index is made and opened with.
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The recall that an approximate index reaches, 0 to 1 (at first 0.9): the part of the true nearest neighbours, of
    /// the vectors within a distance and of the pairs that it finds. Nothing is asked of an exact one: it finds all.
    pub fn with_recall(mut self, recall: f64) -> Self {
        self.recall = recall;
        self
    }

    /// How many random sequences of calls are compared with the reference (at first 128).
    pub fn with_sequences(mut self, sequences: u32) -> Self {
        self.sequences = sequences;
        self
    }

    /// More spaces to try, for a backend that supports few: the suite's own have 8, 1, 3, 511 and 512 floats and 72, 8, 256
    /// and 1024 bits. Tried before those, and so what all checks run in.
    pub fn with_spaces(mut self, spaces: impl IntoIterator<Item = EmbeddingSpace>) -> Self {
        self.spaces.extend(spaces);
        self
    }

    /// Does not open files with changed bytes: for a backend whose native loader trusts them, which stops the whole test.
    /// Its users are protected from accidents by the digests of `nodupe-index`. `why` is among what was skipped.
    pub fn without_damage(mut self, why: impl Into<String>) -> Self {
        self.damage = Some(why.into());
        self
    }

    /// Runs these checks alone, by name: to look into one violation.
    pub fn only(mut self, checks: impl IntoIterator<Item = &'static str>) -> Self {
        self.only = Some(checks.into_iter().collect());
        self
    }

    /// The checks, by name, and what promise each tries.
    pub fn checks() -> impl Iterator<Item = (&'static str, &'static str)> {
        let names = CHECKS.iter().copied().flatten().map(|(_, check)| (check.name, check.promise));
        std::iter::once((CREATE, CREATE_PROMISE)).chain(names)
    }

    /// Runs the suite.
    ///
    /// A backend that needs what this machine may lack (a library, a server, a GPU) asks its own probe before, and skips
    /// the test where that says so: here it would be a violation of `create`.
    ///
    /// # Errors
    /// [`Violations`]: what was promised, and what was seen. A panic of the backend is one; a call that never returns is
    /// not noticed.
    pub fn run(&self) -> Result<Passed, Violations> {
        let name = self.registration.name;
        let mut report = Report::new(name);
        let unknown = |only: &&&str| !Self::checks().any(|check| check.0 == **only);
        if let Some(unknown) = self.only.iter().flatten().find(unknown) {
            report.unknown(unknown);
            return report.finish();
        }
        let mut seen = Vec::new();
        for space in self.supported(&mut report) {
            let first_of_metric = !seen.contains(&space.metric());
            let first = seen.is_empty();
            seen.push(space.metric());
            let subject = Subject::new(self, space);
            if let Err(why) = guard(|| subject.create().map(drop)).and_then(|made| made) {
                report.violate(CREATE, CREATE_PROMISE, Some(subject.space()), why);
                continue;
            }
            for (scope, check) in CHECKS.iter().copied().flatten() {
                let wanted = match scope {
                    Scope::Once => first,
                    Scope::Metric => first_of_metric,
                    Scope::Space => true,
                };
                if wanted && self.only.as_ref().is_none_or(|only| only.contains(&check.name)) {
                    report.run(check, &subject, (*scope != Scope::Once).then(|| subject.space()));
                }
            }
        }
        if seen.is_empty() {
            let why = "it supports none of the spaces that the suite tries; name one with `with_spaces`".to_owned();
            report.violate(CREATE, CREATE_PROMISE, None, why);
        }
        report.finish()
    }

    fn supported(&self, report: &mut Report) -> Vec<EmbeddingSpace> {
        let mut spaces = self.spaces.clone();
        spaces.extend(own_spaces());
        let supports = |space: &EmbeddingSpace| match guard(|| (self.registration.supports)(space)) {
            Ok(supported) => supported,
            Err(why) => {
                report.violate(CREATE, CREATE_PROMISE, Some(space), format!("`supports`: {why}"));
                false
            }
        };
        let mut supports = supports;
        spaces.retain(|space| supports(space));
        spaces
    }
}

/// The spaces that the suite tries: the first of each metric is the one that all checks run in.
fn own_spaces() -> impl Iterator<Item = EmbeddingSpace> {
    const MODEL: &str = "conformance";
    let floats = [8, 1, 3, 511, 512];
    let cosine = floats.map(|dim| EmbeddingSpace::cosine(MODEL, dim));
    let euclidean = floats.map(|dim| EmbeddingSpace::squared_euclidean(MODEL, dim));
    let bits = [72, 8, 256, 1024].map(|bits| EmbeddingSpace::hamming(MODEL, bits));
    cosine.into_iter().chain(euclidean).chain(bits).flatten()
}

/// In which spaces a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In the first one.
    Once,
    /// In the first one of each metric.
    Metric,
    /// In all of them.
    Space,
}

const CREATE: &str = "create";
const CREATE_PROMISE: &str = "an empty index is made for every space that `supports` says yes to";

type Entry = (Scope, Check<Subject>);

const CHECKS: [&[Entry]; 8] = [
    identity::CHECKS,
    adding::CHECKS,
    changing::CHECKS,
    building::CHECKS,
    searching::CHECKS,
    within::CHECKS,
    storing::CHECKS,
    sequences::CHECKS,
];
