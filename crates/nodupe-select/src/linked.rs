//! The short way, for programs that use whatever is linked into them: [`Registry::linked`], no options, and the
//! environment of the process. Whoever wants more has [`Selector`] and [`survey`].

use nodupe_core::{
    Conflict, EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace, IndexSpec, Options, Registry, SimilarityBackend,
};

use crate::environment::Source;
use crate::error::SelectError;
use crate::report::BackendKind;
use crate::selector::{Selected, Selector};
use crate::survey::{BackendStatus, survey, survey_embeddings};

/// Every backend of this program, of both kinds, and whether it can run here. Nothing is made.
#[doc(alias = "list_backends")]
#[doc(alias = "get_backends")]
#[doc(alias = "available_backends")]
pub fn backends() -> Vec<BackendStatus> {
    survey(&Registry::linked(), &Options::new())
}

/// The embedding backend of this name: its `create` makes it.
///
/// # Errors
/// [`SelectError::UnknownName`]; [`SelectError::Ambiguous`] where two packages have registered the name.
#[doc(alias = "get_factory")]
#[doc(alias = "get_backend")]
pub fn factory(name: &str) -> Result<EmbeddingRegistration, SelectError> {
    let registry = Registry::linked();
    let mut named = registry.embeddings().iter().filter(|entry| entry.name == name);
    match (named.next(), named.next()) {
        (None, _) => Err(SelectError::unknown(&registry, BackendKind::Embedding, name, Source::Call)),
        (Some(&only), None) => Ok(only),
        (Some(first), Some(second)) => {
            Err(SelectError::Ambiguous(Conflict { name: first.name, first: first.package, second: second.package }))
        }
    }
}

/// The embedding backend that automatic selection takes, as far as that can be told without making it; `None` where none
/// can run.
#[doc(alias = "default_backend")]
#[doc(alias = "get_default_backend")]
#[doc(alias = "get_default_backend_name")]
pub fn default_backend_name() -> Option<&'static str> {
    let all = survey_embeddings(&Registry::linked(), &Options::new());
    all.iter().find(|status| status.automatic).map(|status| status.name)
}

/// Makes the embedding backend that a [`Preference`](crate::Preference) as text asks for: `"auto"`, `"ort-cuda,candle"`, `"gpu"`, …
///
/// # Errors
/// [`SelectError::Preference`], and those of [`Selector::embedding`].
#[doc(alias = "get_embedding_backend")]
#[doc(alias = "select_backend")]
pub fn choose_backend(preference: &str) -> Result<Selected<dyn EmbeddingBackend>, SelectError> {
    let registry = Registry::linked();
    let preference = SelectError::parse(preference)?;
    Selector::new(&registry).with_preference(preference).embedding()
}

/// Makes an empty index of unit vectors of `dim` floats, by the similarity backend that a [`Preference`](crate::Preference) as text asks for.
///
/// The space of such vectors is called `plain`. Embeddings of a backend belong into an index of the backend's own space:
/// [`Selector::similarity`].
///
/// # Errors
/// [`SelectError::Space`] where `dim` is 0 or too large; [`SelectError::Preference`], and those of
/// [`Selector::similarity`].
#[doc(alias = "create_index")]
#[doc(alias = "get_index")]
pub fn make_index(dim: usize, preference: &str) -> Result<Selected<dyn SimilarityBackend>, SelectError> {
    let registry = Registry::linked();
    let preference = SelectError::parse(preference)?;
    let space = EmbeddingSpace::cosine("plain", dim)?;
    Selector::new(&registry).with_preference(preference).similarity(&IndexSpec::new(&space))
}
