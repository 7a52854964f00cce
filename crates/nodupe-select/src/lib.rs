#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod candidate;
mod environment;
mod error;
mod linked;
mod preference;
mod report;
mod selector;
mod survey;
mod table;

pub use environment::{Environment, Source};
pub use error::SelectError;
pub use linked::{backends, choose_backend, default_backend_name, factory, make_index};
pub use preference::{Choice, Preference, PreferenceError};
pub use report::{Attempt, BackendKind, Outcome, Report};
pub use selector::{Selected, Selector};
pub use survey::{BackendStatus, StatusTable, survey, survey_embeddings, survey_similarities};
