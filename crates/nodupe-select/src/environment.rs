//! Where a preference comes from, and what the machine has. The only place that reads environment variables.

use std::ffi::OsString;
use std::fmt;

use nodupe_core::IndexSpec;
use sysinfo::{MemoryRefreshKind, System};

use crate::error::SelectError;
use crate::preference::Preference;
use crate::report::BackendKind;

/// What the environment prefers: `NODUPE_EMBEDDING` and `NODUPE_SIMILARITY`, each a [`Preference`] as text. A variable
/// that is empty counts as not set. And the memory that an index may take, where [`IndexSpec::memory`] does not say.
///
/// [`IndexSpec::memory`]: nodupe_core::IndexSpec::memory
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    embedding: Option<String>,
    similarity: Option<String>,
    memory: Option<u64>,
}

impl Environment {
    /// The environment of this process, as it is now: its variables, and the memory that is free for it.
    pub fn process() -> Self {
        let environment = Self::from_lookup(|variable| std::env::var_os(variable));
        Self { memory: free_memory(), ..environment }
    }

    /// The same with so many bytes of memory.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// No variable is set, and nobody knows how much memory there is.
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
        Self { embedding: read(BackendKind::Embedding), similarity: read(BackendKind::Similarity), memory: None }
    }

    /// The same index, with the memory of the machine where it does not say how much it may take.
    pub(crate) fn completed<'a>(&self, mut spec: IndexSpec<'a>) -> IndexSpec<'a> {
        spec.memory = spec.memory.or(self.memory);
        spec
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

/// Bytes that a process may take without others giving any up: of the machine, or of the control group where that has less.
/// `None` on systems that do not say.
fn free_memory() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    Some(system.available_memory().min(group)).filter(|&bytes| bytes > 0)
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
