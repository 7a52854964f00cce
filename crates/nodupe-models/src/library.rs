//! Where models are looked for.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use nodupe_core::closest;

use crate::catalogue::catalogue;
use crate::error::ModelError;
use crate::manifest::{Manifest, is_id};
use crate::model::Model;

/// The environment variable that names folders of models, separated as in `PATH`.
pub const FOLDERS_VARIABLE: &str = "NODUPE_MODELS";

/// Folders whose subfolders are models; the first that has a model wins.
///
/// ```
/// use nodupe_models::{ModelError, ModelLibrary};
/// let library = ModelLibrary::new([std::env::temp_dir().join("nothing-here")]);
/// assert!(matches!(library.find(Some("sscd-distilled")), Err(ModelError::NotInstalled { .. })));
/// assert!(matches!(library.find(Some("no-such-model")), Err(ModelError::Unknown { .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLibrary {
    folders: Vec<PathBuf>,
}

/// The folder in the user's cache directory where nodupe keeps what it fetches: `models/` and `runtimes/`.
///
/// `$XDG_CACHE_HOME/nodupe` or `~/.cache/nodupe`; on Windows and macOS what is usual there. `None` where there is no home.
pub fn cache_dir() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("nodupe"))
}

impl ModelLibrary {
    /// These folders, the first first.
    pub fn new(folders: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self { folders: folders.into_iter().map(Into::into).collect() }
    }

    /// The folders of `NODUPE_MODELS`, then the user's cache.
    pub fn from_env() -> Self {
        let named = env::var_os(FOLDERS_VARIABLE);
        let named = named.iter().flat_map(env::split_paths).filter(|folder| !folder.as_os_str().is_empty());
        Self::new(named.chain(cache_dir().map(|cache| cache.join("models"))))
    }

    /// The folders.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The model that is called `name`, or that lies in the folder `name`; without a name the first of the catalogue's
    /// order that is installed, then the first by id.
    ///
    /// Which model serves does not depend on who asks: a backend that cannot run it is unavailable, and does not run another.
    ///
    /// # Errors
    /// [`ModelError::NotInstalled`], [`ModelError::Unknown`] and [`ModelError::NoneInstalled`]; those of [`Model::open`].
    pub fn find(&self, name: Option<&str>) -> Result<Model, ModelError> {
        match name {
            Some(name) if is_folder(name) => Model::open(name.strip_suffix(Manifest::FILE).unwrap_or(name)),
            Some(name) => self.named(name)?.ok_or_else(|| self.missing(name)),
            None => self.first(),
        }
    }

    /// Every installed model, in the order of [`find`](Self::find); those that cannot be used with their error. What an
    /// earlier folder has is not looked for in a later one.
    pub fn installed(&self) -> Vec<(String, Result<Model, ModelError>)> {
        let mut ids = self.ids();
        let place = |id: &String| catalogue().iter().position(|entry| entry.id == *id).unwrap_or(usize::MAX);
        ids.sort_by_key(|id| (place(id), id.clone()));
        let model = |id: String| match self.named(&id) {
            Ok(model) => model.map(|model| (id, Ok(model))),
            Err(error) => Some((id, Err(error))),
        };
        ids.into_iter().filter_map(model).collect()
    }

    fn named(&self, id: &str) -> Result<Option<Model>, ModelError> {
        if !is_id(id) {
            return Ok(None);
        }
        let mut candidates = self.folders.iter().map(|folder| folder.join(id));
        let Some(folder) = candidates.find(|folder| folder.join(Manifest::FILE).is_file()) else {
            return Ok(None);
        };
        let model = Model::open(folder)?;
        if model.manifest().id == id {
            return Ok(Some(model));
        }
        let detail = format!("it is of the model `{}`, and its folder is called `{id}`", model.manifest().id);
        Err(ModelError::Manifest { path: model.folder().join(Manifest::FILE), detail })
    }

    fn first(&self) -> Result<Model, ModelError> {
        // One that is broken is an error: another one would give other vectors without a word.
        match self.installed().into_iter().next() {
            Some((_, model)) => model,
            None => Err(ModelError::NoneInstalled {
                first: catalogue().first().map(|entry| entry.id.clone()).unwrap_or_default(),
            }),
        }
    }

    fn missing(&self, name: &str) -> ModelError {
        let mut known: Vec<String> = catalogue().iter().map(|entry| entry.id.clone()).collect();
        if known.iter().any(|id| id == name) {
            return ModelError::NotInstalled { id: name.to_owned() };
        }
        known.extend(self.ids().into_iter().filter(|id| catalogue().iter().all(|entry| entry.id != *id)));
        let suggestion = closest(name, known.iter().map(String::as_str)).map(str::to_owned);
        ModelError::Unknown { name: name.to_owned(), known, suggestion }
    }

    /// The ids of all that lies in the folders, sorted, each once. A folder that cannot be listed holds nothing.
    fn ids(&self) -> Vec<String> {
        let entries = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let models = entries.filter(|entry| entry.path().join(Manifest::FILE).is_file());
        let names = models.filter_map(|entry| entry.file_name().into_string().ok());
        let mut ids: Vec<String> = names.filter(|name| is_id(name)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Whether a text means a folder rather than an id: it has a separator, or there is a manifest in it.
fn is_folder(name: &str) -> bool {
    name.contains(['/', '\\']) || Path::new(name).join(Manifest::FILE).is_file()
}
