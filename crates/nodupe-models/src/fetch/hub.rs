//! Files of the Hugging Face hub: found in its cache, or fetched from its server or a mirror.
//!
//! `hf-hub` knows where its cache and the token lie. The bytes are fetched by [`http`](super::http): its own transfer has no
//! deadline and no bound, and writes where the server's headers say.

use std::env;
use std::fmt;
use std::path::PathBuf;

use hf_hub::{Cache, Repo, RepoType};

use super::FetchError;

/// The Hugging Face hub or a mirror of it, as the environment says unless told otherwise.
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    token: Option<String>,
    cache: Option<Cache>,
    offline: bool,
}

impl Hub {
    /// The hub that `HF_ENDPOINT` names, with the token of `HF_TOKEN` or of the file that logging in leaves, the cache in
    /// `HF_HOME`, and nothing fetched where `HF_HUB_OFFLINE` is set.
    pub fn from_env() -> Self {
        let text = |name: &str| env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        // Without a home `Cache` would panic.
        let cache = (text("HF_HOME").is_some() || env::home_dir().is_some()).then(Cache::from_env);
        let is_yes = |text: String| matches!(text.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE");
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            token: text("HF_TOKEN").or_else(|| cache.as_ref()?.token()),
            cache,
            offline: text("HF_HUB_OFFLINE").is_some_and(is_yes),
        }
    }

    /// The hub at this address, without a token and without a cache.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), token: None, cache: None, offline: false }
    }

    /// With a token, which is sent to the host of the endpoint alone, wherever that redirects to.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// With the cache in this folder, as `$HF_HOME/hub` is laid out. It is read, and nothing is written to it.
    #[must_use]
    pub fn with_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(Cache::new(folder.into()));
        self
    }

    /// Whether nothing is fetched.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where another program has put the file into the cache.
    pub(crate) fn cached(&self, repo: &str, revision: &str, file: &str) -> Result<Option<PathBuf>, FetchError> {
        check(repo, revision, file)?;
        let Some(cache) = &self.cache else { return Ok(None) };
        let cache = cache.repo(Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned()));
        // A commit has no entry among the names that lead to commits.
        let paths = [cache.get(file), Some(cache.pointer_path(revision).join(file))];
        Ok(paths.into_iter().flatten().find(|path| path.is_file()))
    }

    /// Where the file is fetched from.
    pub(crate) fn address(&self, repo: &str, revision: &str, file: &str) -> Result<String, FetchError> {
        check(repo, revision, file)?;
        if self.offline {
            return Err(FetchError::Offline { what: described(repo, revision, file) });
        }
        let revision = revision.replace('/', "%2F");
        Ok(format!("{}/{repo}/resolve/{revision}/{file}", self.endpoint.trim_end_matches('/')))
    }
}

/// They become parts of the path of a file and of an address.
fn check(repo: &str, revision: &str, file: &str) -> Result<(), FetchError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed);
    if [repo, revision, file].into_iter().all(|text| text.split('/').all(is_part)) {
        return Ok(());
    }
    let detail = format!("{} is no file of the hub", described(repo, revision, file));
    Err(FetchError::Source { id: repo.to_owned(), detail })
}

fn described(repo: &str, revision: &str, file: &str) -> String {
    format!("{file} of {repo} at {revision}")
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, token, cache, offline } = self;
        let mut debug = f.debug_struct("Hub");
        debug.field("endpoint", endpoint).field("token", &token.as_ref().map(|_| "…"));
        debug.field("cache", cache).field("offline", offline).finish()
    }
}
