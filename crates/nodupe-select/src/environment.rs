//! Where a preference comes from. The only place that reads environment variables.

use std::ffi::OsString;
use std::fmt;

use crate::error::SelectError;
use crate::preference::Preference;
use crate::report::BackendKind;

/// What the environment prefers: `NODUPE_EMBEDDING` and `NODUPE_SIMILARITY`, each a [`Preference`] as text. A variable
/// that is empty counts as not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    embedding: Option<String>,
    similarity: Option<String>,
}

impl Environment {
    /// The environment of this process, as it is now.
    pub fn process() -> Self {
        Self::from_lookup(|variable| std::env::var_os(variable))
    }

    /// No variable is set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// What `lookup` says that the variables are.
    ///
    /// ```
    /// use nodupe_select::Environment;
    /// let environment = Environment::from_lookup(|variable| (variable == "NODUPE_EMBEDDING").then(|| "gpu".into()));
    /// assert_ne!(environment, Environment::empty());
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        // What is not UTF-8 is no name of a backend: it becomes an error that shows it, not a variable that is ignored.
        let read = |kind: BackendKind| {
            let value = lookup(kind.variable())?.to_string_lossy().into_owned();
            (!value.is_empty()).then_some(value)
        };
        Self { embedding: read(BackendKind::Embedding), similarity: read(BackendKind::Similarity) }
    }

    /// The strongest preference that there is, and who has it: the call, the environment, or else automatic selection.
    pub(crate) fn resolve(
        &self,
        kind: BackendKind,
        call: Option<&Preference>,
    ) -> Result<(Preference, Source), SelectError> {
        if let Some(preference) = call {
            return Ok((preference.clone(), Source::Call));
        }
        let value = match kind {
            BackendKind::Embedding => &self.embedding,
            BackendKind::Similarity => &self.similarity,
        };
        let Some(text) = value else {
            return Ok((Preference::auto(), Source::Default));
        };
        let source = Source::Environment(kind.variable());
        match text.parse() {
            Ok(preference) => Ok((preference, source)),
            Err(error) => Err(SelectError::Preference { text: text.clone(), origin: source, source: error }),
        }
    }
}

/// Who asked for a preference, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// The program: [`Selector::with_preference`](crate::Selector::with_preference).
    Call,
    /// This environment variable.
    Environment(&'static str),
    /// Nobody, so selection is automatic.
    Default,
}

impl Source {
    /// ` (from NODUPE_EMBEDDING)`: said in messages where it is not what is written at the call.
    pub(crate) fn note(self) -> String {
        match self {
            Self::Environment(variable) => format!(" (from {variable})"),
            Self::Call | Self::Default => String::new(),
        }
    }
}

/// `call`, `default`, or the name of the variable.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "call",
            Self::Environment(variable) => variable,
            Self::Default => "default",
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Source {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
