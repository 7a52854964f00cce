//! Folders to an index on disk, and images to what is like them in it.

mod change;
mod convert;
mod error;
mod ids;
mod remove;
mod search;

use std::borrow::Cow;
use std::path::Path;

use nodupe_core::{
    Describes, EmbeddingBackend, EmbeddingSpace, IndexError, IndexSpec, Options, Registry, SimilarityBackend,
};
use nodupe_dedup::{Progress, Silent, WalkOptions};
use nodupe_index::{BundleError, WriteLock, read_manifest};
use nodupe_media::PoolOptions;
use nodupe_select::{Preference, SelectError, Selected, Selector};

use crate::choice;

pub use self::change::Indexed;
pub use self::convert::Converted;
pub use self::error::IndexerError;
pub use self::remove::Removed;
pub use self::search::{Answer, Match, Searcher, Wanted};

/// Makes, changes and asks indexes of images on disk: chooses the backends, reads and embeds the files, saves the bundle.
///
/// An index holds the embeddings of files under their real paths (see [`ItemId::from_path`](nodupe_core::ItemId)): absolute,
/// links followed, so that they mean the same from everywhere. What is added to an index and what it is asked with is
/// embedded by a backend of the space that the index holds, or not at all: no fallback changes it.
///
/// Each change is one save: another program that opens the index sees all of it or nothing, and a crash leaves the index as it
/// was. While one process changes an index others are refused; readers never are. A live index (a database that changes in
/// place) may hold more after a crash than it did before.
///
/// ```
/// use nodupe::{Indexer, Preference, Wanted};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(all(feature = "histogram", feature = "bruteforce"))] {
/// # let folder = tempfile::tempdir()?;
/// # let photos = folder.path().join("photos");
/// # std::fs::create_dir(&photos)?;
/// # for (name, red) in [("a.png", 250), ("b.png", 240), ("c.png", 10)] {
/// #     image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([red, x as u8, y as u8])).save(photos.join(name))?;
/// # }
/// # let path = folder.path().join("photos.index");
/// let indexer = Indexer::new().with_embedding(Preference::prefer(["histogram"]));
/// let built = indexer.build(&path, [&photos])?;
/// assert_eq!((built.images, built.skipped.len()), (3, 0));
///
/// // From now on the index says which backend it needs.
/// let searcher = Indexer::new().open(&path)?;
/// for answer in searcher.search([photos.join("a.png")], Wanted::nearest(2))? {
///     for found in answer.matches? {
///         println!("{:.3}  {}", found.similarity, found.path.display());
///     }
/// }
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Indexer<'a> {
    registry: Option<&'a Registry>,
    embedding: Option<Preference>,
    similarity: Option<Preference>,
    options: Options,
    views: Option<bool>,
    replace: bool,
    update: bool,
    on_disk: bool,
    walk: WalkOptions,
    decoding: PoolOptions,
    progress: &'a dyn Progress,
}

impl Default for Indexer<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Indexer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer")
            .field("embedding", &self.embedding)
            .field("similarity", &self.similarity)
            .field("options", &self.options)
            .field("replace", &self.replace)
            .field("update", &self.update)
            .finish_non_exhaustive()
    }
}

impl<'a> Indexer<'a> {
    /// The best backends that run here, or those that an index needs; what is there is neither replaced nor embedded again.
    pub fn new() -> Self {
        Self {
            registry: None,
            embedding: None,
            similarity: None,
            options: Options::new(),
            views: None,
            replace: false,
            update: false,
            on_disk: false,
            walk: WalkOptions::default(),
            decoding: PoolOptions::default(),
            progress: &Silent,
        }
    }

    /// Chooses among these backends instead of all that are linked.
    #[must_use]
    pub fn with_registry(mut self, registry: &'a Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Which embedding backend; otherwise what `NODUPE_EMBEDDING` says, and else the strongest that runs. Of an index that is
    /// there, among those of its space.
    #[must_use]
    pub fn with_embedding(mut self, preference: Preference) -> Self {
        self.embedding = Some(preference);
        self
    }

    /// Which similarity backend a new index is of; otherwise what `NODUPE_SIMILARITY` says, and else the strongest for the
    /// size. An index that is there opens with its own.
    #[must_use]
    pub fn with_similarity(mut self, preference: Preference) -> Self {
        self.similarity = Some(preference);
        self
    }

    /// What the backends are told when they are made and opened.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Whether a search looks at an image under all eight rotations and flips. `None`: where that is cheap.
    #[must_use]
    pub fn with_views(mut self, views: Option<bool>) -> Self {
        self.views = views;
        self
    }

    /// Whether a new index may take the place of one that is there.
    #[must_use]
    pub fn with_replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Whether files that are in the index already are embedded again.
    #[must_use]
    pub fn with_update(mut self, update: bool) -> Self {
        self.update = update;
        self
    }

    /// Whether a new index should live on disk while it is filled: automatic selection then prefers backends that can.
    #[must_use]
    pub fn with_on_disk(mut self, on_disk: bool) -> Self {
        self.on_disk = on_disk;
        self
    }

    /// What the walk goes into.
    #[must_use]
    pub fn with_walk(mut self, walk: WalkOptions) -> Self {
        self.walk = walk;
        self
    }

    /// Threads and limits of decoding.
    #[must_use]
    pub fn with_decoding(mut self, decoding: PoolOptions) -> Self {
        self.decoding = decoding;
        self
    }

    /// Who is told what goes on, and can stop it: what has been done by then is saved.
    #[must_use]
    pub fn with_progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    fn registry(&self) -> Cow<'a, Registry> {
        choice::registry(self.registry)
    }

    fn similarity<'r>(&self, registry: &'r Registry) -> Selector<'r> {
        choice::selector(registry, &self.options, self.similarity.as_ref())
    }

    /// An empty index for about `len` vectors, made while `lock` is held.
    fn empty(
        &self,
        registry: &Registry,
        space: &EmbeddingSpace,
        len: usize,
        lock: &WriteLock,
    ) -> Result<Selected<dyn SimilarityBackend>, IndexerError> {
        let dir = self.on_disk.then(|| lock.working_dir()).transpose()?;
        let mut spec = IndexSpec::new(space).with_expected_len(len);
        if let Some(dir) = &dir {
            spec = spec.with_dir(dir);
        }
        Ok(self.similarity(registry).similarity(&spec)?)
    }

    /// A backend whose embeddings belong in an index of `space`.
    fn producing(
        &self,
        registry: &Registry,
        space: &EmbeddingSpace,
    ) -> Result<Selected<dyn EmbeddingBackend>, IndexerError> {
        let mut options = self.options.clone();
        if options.model().is_none()
            && let Some(model) = model_of(space)
        {
            options = options.with_model(model);
        }
        let selected = choice::selector(registry, &options, self.embedding.as_ref()).producing(space).embedding();
        let selected = selected.map_err(|source| match source.report() {
            Some(_) => {
                let space = Box::new(space.clone());
                IndexerError::Space { help: help_for(&space), space, source: Box::new(source) }
            }
            None => source.into(),
        })?;
        of_images(selected)
    }

    /// What an index that is there is opened with: options that nobody knows are refused as they are when one is made.
    fn checked(&self, registry: &Registry) -> Result<(), IndexerError> {
        Ok(registry.check(&self.options).map_err(SelectError::from)?)
    }
}

/// Refuses a backend whose rows are no images.
fn of_images(selected: Selected<dyn EmbeddingBackend>) -> Result<Selected<dyn EmbeddingBackend>, IndexerError> {
    match selected.backend.matching().describes {
        Describes::Image => Ok(selected),
        _ => Err(IndexerError::Parts { backend: selected.backend.info().name }),
    }
}

/// Refuses to put an index in the place of another, unless that is wished.
fn refuse_existing(path: &Path, replace: bool) -> Result<(), IndexerError> {
    match read_manifest(path) {
        Ok(_) | Err(BundleError::Index(IndexError::Corrupt { .. } | IndexError::Version { .. })) if !replace => {
            Err(IndexerError::Exists { path: path.to_owned() })
        }
        // Whether the folder may become one is seen when its lock is taken.
        Ok(_) | Err(BundleError::NotABundle { .. }) => Ok(()),
        Err(why) => Err(why.into()),
    }
}

/// The model that an embedding space is of, where there is one of just that space: the first that is installed may be
/// another.
fn model_of(space: &EmbeddingSpace) -> Option<String> {
    #[cfg(feature = "models")]
    {
        use nodupe_models::{ModelLibrary, entry};
        let is_it = |manifest: &nodupe_models::Manifest| manifest.space().is_ok_and(|found| found == *space);
        let installed = ModelLibrary::from_env().find(Some(space.model())).ok();
        installed
            .is_some_and(|model| is_it(model.manifest()))
            .then(|| space.model().to_owned())
            .or_else(|| entry(space.model()).filter(|manifest| is_it(manifest)).map(|manifest| manifest.id.clone()))
    }
    #[cfg(not(feature = "models"))]
    {
        let _ = space;
        None
    }
}

/// What to do where no backend gives embeddings of a space.
fn help_for(space: &EmbeddingSpace) -> String {
    #[cfg(feature = "models")]
    if let Some(manifest) = nodupe_models::entry(space.model()) {
        let id = &manifest.id;
        return if manifest.space().is_ok_and(|found| found == *space) {
            format!(
                "they are those of the model `{id}`: `nodupe models fetch {id}` brings it where it is not installed, \
                 and the program wants a backend that runs models"
            )
        } else {
            format!("they are those of another revision of the model `{id}`: build the index again")
        };
    }
    #[cfg(not(feature = "models"))]
    let _ = space;
    "name the backend, the model and the options that it was built with".to_owned()
}
