//! What a run of the suite found.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nodupe_core::EmbeddingSpace;

/// What a check says: a kept promise, one that could not be tried, or (`Err`) what was seen instead.
pub(crate) type Seen = Result<Verdict, String>;

/// What became of a promise that was not broken.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It was tried, and kept.
    Kept,
    /// It could not be tried: why.
    Skipped(String),
}

/// A promise and how it is tried on a subject.
pub(crate) struct Check<S: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) run: fn(&S) -> Seen,
}

/// Returns what was seen from the function that it stands in, where the condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        // By a variable, so that a comparison with NaN, which does not hold, reads as one that does not.
        let holds: bool = $condition;
        if !holds {
            return Err(format!($($seen)+));
        }
    };
}
pub(crate) use ensure;

/// Runs what belongs to a backend and turns its panic into what was seen.
pub(crate) fn guard<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        format!("it panicked: {}", text.unwrap_or("(no message)"))
    })
}

/// Says what failed, with every source of the error.
pub(crate) fn failed<E: Error>(what: &str) -> impl Fn(E) -> String {
    move |error| {
        let mut text = format!("{what} failed: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

/// A promise that a backend did not keep.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check that saw it; the README lists them.
    pub check: &'static str,
    /// What was promised.
    pub promise: &'static str,
    /// The space in which it was seen; `None` where it has nothing to do with one.
    pub space: Option<EmbeddingSpace>,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.check, self.promise)?;
        if let Some(space) = &self.space {
            write!(f, " in {space}")?;
        }
        write!(f, ": {}", self.seen)
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The promises that a backend did not keep: at least one. Both `Display` and `Debug` (what `unwrap` prints) are a list
/// for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations {
    backend: &'static str,
    list: Vec<Violation>,
}

impl Violations {
    pub(crate) fn new(backend: &'static str, list: Vec<Violation>) -> Self {
        Self { backend, list }
    }

    /// The name of the backend.
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// The violations, in the order in which they were seen.
    pub fn list(&self) -> &[Violation] {
        &self.list
    }

    /// Whether a check saw one.
    pub fn names(&self, check: &str) -> bool {
        self.list.iter().any(|violation| violation.check == check)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let promises = if self.list.len() == 1 { "promise" } else { "promises" };
        write!(f, "the backend `{}` does not keep {} {promises}:", self.backend, self.list.len())?;
        self.list.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Violations {}

/// What was tried and kept.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Passed {
    /// The name of the backend.
    pub backend: &'static str,
    /// The checks that ran, each once.
    pub checks: Vec<&'static str>,
    /// The spaces that they ran in.
    pub spaces: Vec<EmbeddingSpace>,
    /// What could not be tried: look at it, since a backend that supports nothing breaks nothing.
    pub skipped: Vec<Skipped>,
}

/// A check that could not be tried.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Skipped {
    /// The check.
    pub check: &'static str,
    /// The space in which it could not; `None` where it has nothing to do with one.
    pub space: Option<EmbeddingSpace>,
    /// Why not.
    pub why: String,
}

/// Collects what checks say.
#[derive(Debug)]
pub(crate) struct Report {
    passed: Passed,
    violations: Vec<Violation>,
}

impl Report {
    pub(crate) fn new(backend: &'static str) -> Self {
        Self {
            passed: Passed { backend, checks: Vec::new(), spaces: Vec::new(), skipped: Vec::new() },
            violations: Vec::new(),
        }
    }

    pub(crate) fn run<S: ?Sized>(&mut self, check: &Check<S>, subject: &S, space: Option<&EmbeddingSpace>) {
        if !self.passed.checks.contains(&check.name) {
            self.passed.checks.push(check.name);
        }
        if let Some(space) = space.filter(|space| !self.passed.spaces.contains(space)) {
            self.passed.spaces.push(space.clone());
        }
        match guard(|| (check.run)(subject)).and_then(|seen| seen) {
            Ok(Verdict::Kept) => {}
            Ok(Verdict::Skipped(why)) => {
                self.passed.skipped.push(Skipped { check: check.name, space: space.cloned(), why });
            }
            Err(seen) => self.violate(check.name, check.promise, space, seen),
        }
    }

    pub(crate) fn violate(
        &mut self,
        check: &'static str,
        promise: &'static str,
        space: Option<&EmbeddingSpace>,
        seen: String,
    ) {
        self.violations.push(Violation { check, promise, space: space.cloned(), seen });
    }

    /// A check was asked for that there is not.
    pub(crate) fn unknown(&mut self, name: &'static str) {
        let seen = "the suite has no check of this name".to_owned();
        self.violate(name, "the check exists", None, seen);
    }

    pub(crate) fn finish(self) -> Result<Passed, Violations> {
        if self.violations.is_empty() {
            Ok(self.passed)
        } else {
            Err(Violations::new(self.passed.backend, self.violations))
        }
    }
}
