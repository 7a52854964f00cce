//! What a backend can be told: four fields that all understand, and keys that one of them declares.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::info::Device;

/// What a value of an option may be.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum OptionKind {
    /// A whole number within a range, both ends included.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A finite number within a range, both ends included.
    Number {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// `true` or `false`.
    Flag,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
}

/// An option that a backend declares: its key, what it may be, and what it does.
///
/// ```
/// use nodupe_core::{OptionSpec, Options};
/// const BINS: OptionSpec = OptionSpec::integer("histogram.bins", 1, 256, "bins a channel (default 32)");
/// let options = Options::new().with("histogram.bins", "64");
/// assert_eq!(options.get::<u32>(&BINS)?, Some(64));
/// assert!(Options::new().with("histogram.bins", "0").get::<u32>(&BINS).is_err());
/// # Ok::<(), nodupe_core::OptionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct OptionSpec {
    /// `backend.key`.
    pub key: &'static str,
    /// What its value may be.
    pub kind: OptionKind,
    /// What it does, and what holds when it is not given.
    pub help: &'static str,
}

impl OptionSpec {
    /// A whole number from `min` to `max`.
    pub const fn integer(key: &'static str, min: u64, max: u64, help: &'static str) -> Self {
        Self { key, kind: OptionKind::Integer { min, max }, help }
    }

    /// A finite number from `min` to `max`.
    pub const fn number(key: &'static str, min: f64, max: f64, help: &'static str) -> Self {
        Self { key, kind: OptionKind::Number { min, max }, help }
    }

    /// `true` or `false`.
    pub const fn flag(key: &'static str, help: &'static str) -> Self {
        Self { key, kind: OptionKind::Flag, help }
    }

    /// One of some words.
    pub const fn choice(key: &'static str, words: &'static [&'static str], help: &'static str) -> Self {
        Self { key, kind: OptionKind::Choice(words), help }
    }

    /// Any text.
    pub const fn text(key: &'static str, help: &'static str) -> Self {
        Self { key, kind: OptionKind::Text, help }
    }

    /// Checks that `value` is what the option may be.
    ///
    /// # Errors
    /// [`OptionError::Value`].
    pub fn check(&self, value: &str) -> Result<(), OptionError> {
        let (fine, wanted) = match self.kind {
            OptionKind::Integer { min, max } => {
                let fine = value.parse().is_ok_and(|number: u64| (min..=max).contains(&number));
                (fine, format!("a whole number from {min} to {max}"))
            }
            OptionKind::Number { min, max } => {
                let fine = value.parse().is_ok_and(|number: f64| (min..=max).contains(&number));
                (fine, format!("a number from {min} to {max}"))
            }
            OptionKind::Flag => (value.parse::<bool>().is_ok(), "true or false".to_owned()),
            OptionKind::Choice(words) => (words.contains(&value), format!("one of {}", words.join(", "))),
            OptionKind::Text => (true, String::new()),
        };
        if fine { Ok(()) } else { Err(self.wrong(value, wanted)) }
    }

    fn wrong(&self, value: &str, wanted: String) -> OptionError {
        OptionError::Value { key: self.key.to_owned(), value: value.to_owned(), wanted }
    }
}

/// An option that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The value is not what the option may be.
    #[error("`{value}` is no value for {key}: it must be {wanted}")]
    Value {
        /// The option.
        key: String,
        /// What it was given.
        value: String,
        /// What it may be.
        wanted: String,
    },
    /// No registered backend declares the key.
    #[error("no backend has an option `{key}`{}", hint(.suggestion.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// The closest key that there is.
        suggestion: Option<String>,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}

/// What backends are told when they are made: every field may be left out.
///
/// ```
/// use nodupe_core::Options;
/// let options = Options::new().with_threads(std::num::NonZero::new(4)).with("histogram.bins", "64");
/// assert_eq!(options.values().collect::<Vec<_>>(), [("histogram.bins", "64")]);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    model: Option<String>,
    device: Option<Device>,
    threads: Option<NonZeroUsize>,
    batch: Option<NonZeroUsize>,
    values: BTreeMap<String, String>,
}

impl Options {
    /// Nothing said.
    pub fn new() -> Self {
        Self::default()
    }

    /// The model to run: the id of an installed one or the path of a folder with `model.toml`.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The device to run on, for backends that have a choice.
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// How many threads a backend may use; `None`: as many as there are processors.
    #[must_use]
    pub fn with_threads(mut self, threads: impl Into<Option<NonZeroUsize>>) -> Self {
        self.threads = threads.into();
        self
    }

    /// How many images to embed in one call; `None`: what the backend thinks best.
    #[must_use]
    pub fn with_batch(mut self, batch: impl Into<Option<NonZeroUsize>>) -> Self {
        self.batch = batch.into();
        self
    }

    /// An option of one backend. The key is checked by whoever knows all backends (`Registry::check`), the value when it
    /// is read; the last one of a key counts.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(key.into(), value.into());
        self
    }

    /// The model to run.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The device to run on.
    pub fn device(&self) -> Option<Device> {
        self.device
    }

    /// How many threads a backend may use.
    pub fn threads(&self) -> Option<NonZeroUsize> {
        self.threads
    }

    /// How many images to embed in one call.
    pub fn batch(&self) -> Option<NonZeroUsize> {
        self.batch
    }

    /// The keys and values that were given, by key.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of a declared option; `None` where it was not given.
    ///
    /// # Errors
    /// [`OptionError::Value`] where it is not what the option may be, or does not fit in `T`.
    pub fn get<T: FromStr>(&self, option: &OptionSpec) -> Result<Option<T>, OptionError> {
        let Some(value) = self.values.get(option.key) else {
            return Ok(None);
        };
        option.check(value)?;
        value.parse().map(Some).map_err(|_| option.wrong(value, format!("a {}", std::any::type_name::<T>())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_or_of_another_type_are_refused() {
        let fine = |spec: &OptionSpec, value: &str| spec.check(value).is_ok();
        let integer = OptionSpec::integer("a.n", 1, 10, "");
        assert!(fine(&integer, "1") && fine(&integer, "10"));
        assert!(!["0", "11", "-1", "1.5", "", "x", "99999999999999999999"].iter().any(|value| fine(&integer, value)));
        let number = OptionSpec::number("a.x", 0.0, 1.0, "");
        assert!(fine(&number, "0.5") && !fine(&number, "NaN") && !fine(&number, "inf") && !fine(&number, "-0.1"));
        let choice = OptionSpec::choice("a.c", &["flat", "ivf"], "");
        assert!(fine(&choice, "ivf") && !fine(&choice, "IVF"));
        assert!(fine(&OptionSpec::flag("a.f", ""), "true") && !fine(&OptionSpec::flag("a.f", ""), "yes"));
    }

    #[test]
    fn a_value_that_does_not_fit_its_type_is_an_error() {
        let wide = OptionSpec::integer("a.n", 0, 1000, "");
        assert!(Options::new().with("a.n", "300").get::<u8>(&wide).is_err());
        assert_eq!(Options::new().get::<u8>(&wide), Ok(None));
    }
}
