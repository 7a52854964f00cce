//! What the user prefers, then what works.

use std::sync::Arc;

use nodupe_core::{
    Device, EmbeddingBackend, EmbeddingSpace, IndexSpec, OptionSpec, Options, Reason, Registry, SimilarityBackend,
    Unavailable,
};

use crate::candidate::{self, Candidate, Made};
use crate::environment::{Environment, Source};
use crate::error::SelectError;
use crate::preference::{Choice, Preference};
use crate::report::{Attempt, BackendKind, Outcome, Report, detail, unmatched_because};

/// Chooses a backend of a [`Registry`].
///
/// Without a word it takes what the environment asks for ([`Environment`]), and else the strongest that works.
#[derive(Debug, Clone)]
pub struct Selector<'r> {
    registry: &'r Registry,
    options: Options,
    preference: Option<Preference>,
    environment: Environment,
    space: Option<EmbeddingSpace>,
}

/// A backend that runs, and how it came to be the one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Selected<B: ?Sized> {
    /// The backend.
    pub backend: Box<B>,
    /// What was asked for and tried.
    pub report: Report,
}

/// The first candidate that an attempt succeeded at, and what was tried before.
struct First<T> {
    made: T,
    /// See [`plan`].
    step: usize,
    report: Report,
}

impl<'r> Selector<'r> {
    /// Chooses among the backends of `registry`; the environment of the process is read now.
    pub fn new(registry: &'r Registry) -> Self {
        Self { registry, options: Options::new(), preference: None, environment: Environment::process(), space: None }
    }

    /// What the backend is told when it is made.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// What is preferred: stronger than the environment, also where it is [`Preference::auto`].
    #[must_use]
    pub fn with_preference(mut self, preference: Preference) -> Self {
        self.preference = Some(preference);
        self
    }

    /// Another environment than that of the process.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Only embedding backends whose vectors are of this space: what may be used with an index that exists. No fallback
    /// changes it. It says nothing of similarity backends, which are asked by [`IndexSpec::space`].
    #[must_use]
    pub fn producing(mut self, space: &EmbeddingSpace) -> Self {
        self.space = Some(space.clone());
        self
    }

    /// Chooses and makes an embedding backend.
    ///
    /// # Errors
    /// [`SelectError::Preference`], [`SelectError::Options`] and [`SelectError::UnknownName`] before anything is tried;
    /// [`SelectError::NoCandidate`] where there is nothing to try, [`SelectError::NothingWorks`] where all failed.
    pub fn embedding(&self) -> Result<Selected<dyn EmbeddingBackend>, SelectError> {
        let candidates = candidate::embeddings(self.registry, &self.options, self.space.as_ref());
        self.choose(BackendKind::Embedding, candidates)
    }

    /// Chooses a similarity backend and makes an empty index for what `spec` says.
    ///
    /// # Errors
    /// As [`embedding`](Self::embedding).
    pub fn similarity(&self, spec: &IndexSpec<'_>) -> Result<Selected<dyn SimilarityBackend>, SelectError> {
        let candidates = candidate::similarities(self.registry, &self.options, self.environment.completed(*spec));
        self.choose(BackendKind::Similarity, candidates)
    }

    /// Whether [`embedding`](Self::embedding) has anything to make, as the probes say. Nothing is made or logged.
    ///
    /// # Errors
    /// As [`embedding`](Self::embedding), except for what only making a backend tells.
    pub fn check_embedding(&self) -> Result<(), SelectError> {
        let candidates = candidate::embeddings(self.registry, &self.options, self.space.as_ref());
        self.check(BackendKind::Embedding, candidates)
    }

    /// Whether [`similarity`](Self::similarity) has anything to make, as the probes say. Nothing is made or logged: it is
    /// for saying early what would otherwise be an error after the work that the index is for.
    ///
    /// # Errors
    /// As [`similarity`](Self::similarity), except for what only making a backend tells.
    pub fn check_similarity(&self, spec: &IndexSpec<'_>) -> Result<(), SelectError> {
        let candidates = candidate::similarities(self.registry, &self.options, self.environment.completed(*spec));
        self.check(BackendKind::Similarity, candidates)
    }

    fn choose<B: ?Sized>(
        &self,
        kind: BackendKind,
        candidates: Vec<Candidate<'_, B>>,
    ) -> Result<Selected<B>, SelectError> {
        let First { made: Made { backend, .. }, step, report } = self.first(kind, candidates, |candidate| {
            let made = candidate.create()?;
            Ok((made.device, made))
        })?;
        log(&report, step);
        Ok(Selected { backend, report })
    }

    fn check<B: ?Sized>(&self, kind: BackendKind, candidates: Vec<Candidate<'_, B>>) -> Result<(), SelectError> {
        self.first(kind, candidates, |candidate| candidate.probe().map(|()| (candidate.device, ()))).map(|_| ())
    }

    /// The one way for both kinds: everything that can be wrong about the question is found before anything is tried.
    fn first<B: ?Sized, T>(
        &self,
        kind: BackendKind,
        candidates: Vec<Candidate<'_, B>>,
        attempt_at: impl Fn(&Candidate<'_, B>) -> Result<(Device, T), Arc<Unavailable>>,
    ) -> Result<First<T>, SelectError> {
        let (preference, source) = self.environment.resolve(kind, self.preference.as_ref())?;
        self.registry.check(&self.options)?;
        let known = kind.names(self.registry);
        self.check_names(kind, &preference, source, &known)?;

        let given = self.options_of(&candidates);
        let mut report = Report {
            kind,
            source,
            fallback: false,
            attempts: Vec::with_capacity(candidates.len()),
            unmatched: unmatched(&candidates, &preference),
            unused_options: Vec::new(),
            preference: preference.clone(),
        };
        let mut first = None;
        for (step, candidate) in plan(candidates, &preference) {
            let mut attempt = Attempt {
                name: candidate.name,
                package: candidate.package,
                device: candidate.device,
                suitability: candidate.suitability.clone(),
                outcome: Outcome::NotTried,
            };
            if first.is_none() {
                match attempt_at(&candidate) {
                    Ok((device, made)) => {
                        attempt.device = device;
                        attempt.outcome = Outcome::Selected;
                        report.fallback = step > 0 || report.unavailable().any(|(_, why)| can_be_put_right(why.reason));
                        report.unused_options = without(&given, candidate.options);
                        first = Some((made, step));
                    }
                    Err(why) => attempt.outcome = Outcome::Unavailable(why),
                }
            }
            report.attempts.push(attempt);
        }
        match first {
            Some((made, step)) => Ok(First { made, step, report }),
            None if report.attempts.is_empty() => Err(SelectError::NoCandidate { report: Box::new(report), known }),
            None => Err(SelectError::NothingWorks { report: Box::new(report) }),
        }
    }

    fn check_names(
        &self,
        kind: BackendKind,
        preference: &Preference,
        source: Source,
        known: &[&'static str],
    ) -> Result<(), SelectError> {
        let names = preference.choices().iter().filter_map(|choice| match choice {
            Choice::Name(name) => Some(name.as_str()),
            Choice::Gpu => None,
        });
        for name in names {
            if !known.contains(&name) {
                return Err(SelectError::unknown(self.registry, kind, name, source));
            }
        }
        Ok(())
    }

    /// The keys that were given and that a backend of this kind declares.
    fn options_of<B: ?Sized>(&self, candidates: &[Candidate<'_, B>]) -> Vec<String> {
        let declared = |key: &str| candidates.iter().any(|candidate| declares(candidate.options, key));
        let given = self.options.values().map(|(key, _)| key);
        given.filter(|key| declared(key)).map(str::to_owned).collect()
    }
}

fn declares(options: &[OptionSpec], key: &str) -> bool {
    options.iter().any(|option| option.key == key)
}

fn without(given: &[String], options: &[OptionSpec]) -> Vec<String> {
    given.iter().filter(|key| !declares(options, key)).cloned().collect()
}

/// The candidates in the order in which they are tried, each with its step: the place of the choice that it comes from,
/// and a last step for what automatic selection adds. Each comes once.
fn plan<'a, B: ?Sized>(
    mut candidates: Vec<Candidate<'a, B>>,
    preference: &Preference,
) -> Vec<(usize, Candidate<'a, B>)> {
    let mut planned = Vec::with_capacity(candidates.len());
    for (step, choice) in preference.choices().iter().enumerate() {
        let meant = candidates.extract_if(.., |candidate| means(choice, candidate));
        planned.extend(meant.map(|candidate| (step, candidate)));
    }
    if !preference.is_only() {
        let step = preference.choices().len();
        let automatic = candidates.into_iter().filter(|candidate| candidate.priority.is_some());
        planned.extend(automatic.map(|candidate| (step, candidate)));
    }
    planned
}

/// The choices that no candidate answers to, whatever stands before them; each comes once.
fn unmatched<B: ?Sized>(candidates: &[Candidate<'_, B>], preference: &Preference) -> Vec<Choice> {
    let mut unmatched = Vec::new();
    for choice in preference.choices() {
        if !unmatched.contains(choice) && !candidates.iter().any(|candidate| means(choice, candidate)) {
            unmatched.push(choice.clone());
        }
    }
    unmatched
}

fn means<B: ?Sized>(choice: &Choice, candidate: &Candidate<'_, B>) -> bool {
    match choice {
        Choice::Name(name) => candidate.name == name,
        Choice::Gpu => candidate.device.is_gpu() && candidate.priority.is_some(),
    }
}

/// Whether anything can be done about it. A machine without the device, a system that the backend was never made for and
/// a space or an exactness that it does not have are facts: automatic selection that passes over such a backend is not worth a warning.
fn can_be_put_right(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::NoDevice
            | Reason::UnsupportedTarget
            | Reason::UnsupportedSpace
            | Reason::OtherSpace
            | Reason::Approximate
    )
}

/// One event for each selection: a warning for a fallback, `info` where something else was passed over, else `debug`.
/// Choices from `step` on were not passed over: they would have been next.
fn log(report: &Report, step: usize) {
    let name = report.selected().map(|attempt| attempt.name);
    let wished = report.preference.choices().iter().take(step);
    let unmatched = report.unmatched.iter().filter(|choice| wished.clone().any(|wish| wish == *choice));
    let unmatched = unmatched.map(|choice| format!("{choice}: {}", unmatched_because(choice)));
    let unavailable = report.unavailable().map(|(attempt, why)| passed(attempt, why));
    let passed_over: Vec<String> = unmatched.chain(unavailable).collect();
    let passed_over = passed_over.join("; ");
    let (kind, preference, source) = (report.kind, &report.preference, report.source);
    macro_rules! event {
        ($level:ident, $message:literal) => {
            tracing::$level!(%kind, name, %preference, %source, passed_over, $message)
        };
    }
    if report.fallback {
        event!(warn, "fell back to another backend");
    } else if passed_over.is_empty() {
        event!(debug, "chose a backend");
    } else {
        event!(info, "chose a backend");
    }
}

fn passed(attempt: &Attempt, why: &Unavailable) -> String {
    let help = why.help.as_deref().map(|help| format!(" ({help})"));
    format!("{}: {}: {}{}", attempt.name, why.reason, detail(why), help.unwrap_or_default())
}
