//! Fetches models and runtimes: only when it is asked to, checked, and put in place whole.

mod bring;
mod error;
mod http;
mod hub;
mod pip;
mod progress;
mod runtime;
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::FetchError;
pub use hub::Hub;
pub use pip::PIP_VARIABLE;
pub use progress::FetchProgress;
pub use runtime::{RUNTIME_PACKAGES, RUNTIME_VERSION};

use crate::convert::convert;
use crate::error::ModelError;
use crate::install::{Slot, Staging};
use crate::library::cache_dir;
use crate::manifest::{Artifact, Manifest};
use crate::model::{Model, read};
use crate::source::Download;
use pip::Pip;

/// Fetches models and runtimes.
///
/// ```no_run
/// use nodupe_models::{Fetcher, entry};
/// let sscd = entry("sscd-distilled").ok_or("no such model")?;
/// println!("{}", sscd.licence.name);
/// let model = Fetcher::from_env()?.fetch(sscd)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Fetcher<'a> {
    cache: PathBuf,
    models: PathBuf,
    from: Option<PathBuf>,
    again: bool,
    pip: Pip,
    hub: Hub,
    patience: Patience,
    progress: &'a dyn FetchProgress,
}

/// How long servers and programs are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patience {
    /// For a connection to a server: 20 seconds.
    pub connect: Duration,
    /// For the next bytes of a server: 60 seconds.
    pub silence: Duration,
    /// For pip, from its start to its end: an hour. It has timeouts of its own for the network.
    pub pip: Duration,
    /// How often in all a server is asked that breaks off in the middle of a file, as long as each time something came: 5 times.
    pub attempts: u32,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(20), silence: seconds(60), pip: seconds(3600), attempts: 5 }
    }
}

impl Fetcher<'static> {
    /// Fetches into the user's cache directory, see [`cache_dir`].
    ///
    /// # Errors
    /// [`ModelError::NoCache`] where there is none.
    pub fn from_env() -> Result<Self, FetchError> {
        Ok(Self::new(cache_dir().ok_or(ModelError::NoCache)?))
    }

    /// Fetches into `models/` and `runtimes/` of the folder `cache`; what has come of a file is kept in its `partial/`.
    /// Pip and the hub are those of the environment.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        let cache = cache.into();
        let patience = Patience::default();
        Self {
            models: cache.join("models"),
            cache,
            from: None,
            again: false,
            pip: Pip::from_env(patience.pip),
            hub: Hub::from_env(),
            patience,
            progress: &(),
        }
    }
}

impl<'a> Fetcher<'a> {
    /// Puts models into the subfolders of `folder`, a folder of a [`ModelLibrary`](crate::ModelLibrary), instead.
    #[must_use]
    pub fn with_models_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.models = folder.into();
        self
    }

    /// Takes what is downloaded otherwise from this path, which the user brings: the file itself; a folder with the files
    /// under the names that the manifest gives them; or, for what is in a wheel, the wheel. It is checked all the same.
    #[must_use]
    pub fn with_from(mut self, path: impl Into<PathBuf>) -> Self {
        self.from = Some(path.into());
        self
    }

    /// Whether what is installed and as it should be is fetched again.
    #[must_use]
    pub fn again(mut self, again: bool) -> Self {
        self.again = again;
        self
    }

    /// Uses this pip program and no other.
    #[must_use]
    pub fn with_pip(mut self, program: impl Into<PathBuf>) -> Self {
        self.pip.program = Some(program.into());
        self
    }

    /// Uses this hub instead of that of the environment.
    #[must_use]
    pub fn with_hub(mut self, hub: Hub) -> Self {
        self.hub = hub;
        self
    }

    /// Waits this long.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.pip.deadline = patience.pip;
        self.patience = patience;
        self
    }

    /// Tells `progress` how it goes.
    #[must_use]
    pub fn with_progress<'b>(self, progress: &'b dyn FetchProgress) -> Fetcher<'b>
    where
        'a: 'b,
    {
        Fetcher { progress, ..self }
    }

    /// Fetches a model: every download of the manifest, compared with its length and digest, converted where the manifest
    /// says so, then put in place with a `model.toml` that states the digest of every file. A model that is there already
    /// and is as the manifest says is left alone, unless [`again`](Self::again) is set; another revision is replaced, once
    /// the new one is complete.
    ///
    /// Several may fetch at once: of one model, one after the other.
    ///
    /// # Errors
    /// Every [`FetchError`] but those of runtimes. What was installed before is as it was.
    pub fn fetch(&self, manifest: &Manifest) -> Result<Model, FetchError> {
        // The id names a folder: a manifest that was changed since it was parsed is looked at again.
        Manifest::parse(&manifest.to_toml()?)?;
        // Before anything is written: the cache may be one that nothing can be written to.
        let there = |folder: &Path| if self.again { None } else { installed(folder, manifest) };
        if let Some(model) = there(&self.models.join(&manifest.id)) {
            return Ok(model);
        }
        let slot = self.slot(&self.models, &manifest.id)?;
        if let Some(model) = there(slot.destination()) {
            return Ok(model);
        }
        if !self.again
            && let Some(model) = self.renew(manifest, &slot)?
        {
            return Ok(model);
        }
        if manifest.downloads.is_empty() {
            let detail = "its manifest names no place to fetch it from".to_owned();
            return Err(FetchError::Source { id: manifest.id.clone(), detail });
        }
        tracing::info!(id = manifest.id, licence = manifest.licence.name, "fetching a model");
        let staging = slot.stage()?;
        for download in &manifest.downloads {
            self.download(manifest, download, &staging)?;
        }
        let mut manifest = manifest.clone();
        manifest.state_digests(staging.folder(), Path::new(""))?;
        let path = staging.folder().join(Manifest::FILE);
        fs::write(&path, manifest.to_toml()?).map_err(FetchError::io(&path))?;
        Model::open(staging.folder())?;
        staging.commit()?;
        Ok(Model::open(slot.destination())?)
    }

    /// Renews the manifest of a model whose files are those that are meant: a threshold may have changed since.
    fn renew(&self, manifest: &Manifest, slot: &Slot) -> Result<Option<Model>, FetchError> {
        let Ok(old) = Model::open(slot.destination()) else { return Ok(None) };
        let is_there = |artifact: &Artifact| {
            let same = |other: &&Artifact| other.file == artifact.file && other.digest == artifact.digest;
            artifact.digest.is_some() && old.manifest().artifacts.iter().any(|other| same(&other))
        };
        if !manifest.artifacts.iter().all(is_there) || old.verify().is_err() {
            return Ok(None);
        }
        tracing::info!(id = manifest.id, "renewing the manifest of a model whose files are there");
        let staging = slot.stage()?;
        for artifact in &manifest.artifacts {
            let (from, to) = (old.folder().join(&artifact.file), staging.folder().join(&artifact.file));
            self.copy(&from, &to, Model::MAX_BYTES)?;
        }
        let path = staging.folder().join(Manifest::FILE);
        fs::write(&path, manifest.to_toml()?).map_err(FetchError::io(&path))?;
        Model::open(staging.folder())?.verify()?;
        staging.commit()?;
        Ok(Some(Model::open(slot.destination())?))
    }

    /// Brings one file, and writes the artifacts that are made of it.
    fn download(&self, manifest: &Manifest, download: &Download, staging: &Staging<'_>) -> Result<(), FetchError> {
        if !download.convert {
            return self.bring(&manifest.id, download, &staging.folder().join(&download.file), staging);
        }
        let weights = staging.folder().join(".weights");
        self.bring(&manifest.id, download, &weights, staging)?;
        let bytes = read(&weights, Model::MAX_BYTES)?;
        fs::remove_file(&weights).map_err(FetchError::io(&weights))?;
        let artifacts =
            convert(manifest, &bytes).map_err(|source| FetchError::Conversion { id: manifest.id.clone(), source })?;
        for (format, bytes) in artifacts {
            if let Some(artifact) = manifest.artifact(format) {
                let path = staging.folder().join(&artifact.file);
                fs::write(&path, bytes).map_err(FetchError::io(&path))?;
            }
        }
        Ok(())
    }

    fn slot(&self, root: &Path, name: &str) -> Result<Slot, FetchError> {
        Slot::acquire(root, name, &|| self.progress.is_cancelled())?.ok_or(FetchError::Cancelled)
    }
}

impl std::fmt::Debug for Fetcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cache, models, from, again, pip, hub, patience, progress: _ } = self;
        let mut debug = f.debug_struct("Fetcher");
        debug.field("cache", cache).field("models", models).field("from", from).field("again", again);
        debug.field("pip", pip).field("hub", hub).field("patience", patience).finish_non_exhaustive()
    }
}

/// The model in a folder, where it is the one of the manifest and its files are as they should be.
fn installed(folder: &Path, manifest: &Manifest) -> Option<Model> {
    let model = Model::open(folder).ok()?;
    let is_checked = model.manifest().artifacts.iter().all(|artifact| artifact.digest.is_some());
    (is_checked && model.is(manifest) && model.verify().is_ok()).then_some(model)
}
