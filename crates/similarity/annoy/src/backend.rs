//! The backend: checks, threads and folders around the database.

use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use heed::RwTxn;
use nodupe_core::{
    BackendInfo, BuildPhase, ElementType, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId,
    Metric, Neighbor, Neighbors, Options, Reason, Rows, SimilarityBackend, Storage, Suitability, Unavailable,
    check_add, check_distance, check_rows, package,
};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tempfile::TempDir;

use crate::build;
use crate::environment::Environment;
use crate::failure::{At as _, of_panic};
use crate::options::Settings;
use crate::view::{Ask, View};

pub(crate) const NAME: &str = "annoy";
/// Bytes of a transaction whose memory is worth giving back.
const LARGE: u64 = 32 << 20;
/// Queries that are answered from one view of the database.
const CHUNK: usize = 32;

/// An index in an LMDB database on disk: a forest of random-projection trees, which several processes may have open.
pub struct Annoy {
    info: BackendInfo,
    space: EmbeddingSpace,
    settings: Settings,
    home: Home,
    /// Where the index was before it was saved, until it is sure that it stays where it was saved.
    previous: Option<Home>,
    /// Threads of its own; `None`: those of the caller.
    pool: Option<ThreadPool>,
}

/// The folder that an index lives in.
struct Home {
    /// `None` where it could not be opened again.
    environment: Option<Arc<Environment>>,
    /// Goes away with the index.
    temporary: Option<TempDir>,
}

impl Annoy {
    /// An empty index: in the folder of `spec`, which is made where it is missing and holds no index yet; or in a temporary
    /// one that goes away with the index.
    ///
    /// # Errors
    /// [`Unavailable`] for a space of another element type, options that are out of range, a folder that holds an index or
    /// cannot be written, and where the database cannot be mapped or threads cannot be started.
    pub fn new(spec: &IndexSpec<'_>, options: &Options) -> Result<Self, Unavailable> {
        let settings = check(spec.space, options)?;
        let io = |path: &Path| {
            let detail = format!("no index can be made in {}", path.display());
            move |why: std::io::Error| Unavailable::new(Reason::Resources, detail).with_source(why)
        };
        let (temporary, dir) = if let Some(dir) = spec.dir {
            fs::create_dir_all(dir).map_err(io(dir))?;
            (None, dir.to_owned())
        } else {
            let made = TempDir::with_prefix("nodupe-annoy-").map_err(io(&std::env::temp_dir()))?;
            let dir = made.path().to_owned();
            (Some(made), dir)
        };
        let made = Environment::create(&dir, spec.space, settings.map_size, temporary.is_some());
        let environment = made.map(Some).map_err(|why| match why {
            IndexError::Unavailable(why) => why,
            why => {
                let detail = format!("no index can be made in {}", dir.display());
                Unavailable::new(Reason::Resources, detail).with_source(why)
            }
        })?;
        Self::at(Home { environment, temporary }, spec.space, settings, options)
    }

    /// Opens the index of a folder, in place: what changes is changed there, and seen by all that have it open.
    ///
    /// # Errors
    /// [`IndexError::Unavailable`] as for [`Annoy::new`]; [`IndexError::Io`]; [`IndexError::Corrupt`] for what is no index of
    /// this backend; [`IndexError::Version`]; [`IndexError::SpaceMismatch`].
    pub fn open(space: &EmbeddingSpace, dir: &Path, options: &Options) -> Result<Self, IndexError> {
        let settings = check(space, options)?;
        let environment = Environment::open(dir, space, settings.map_size, false)?;
        Ok(Self::at(Home { environment: Some(environment), temporary: None }, space, settings, options)?)
    }

    fn at(home: Home, space: &EmbeddingSpace, settings: Settings, options: &Options) -> Result<Self, Unavailable> {
        let start = |threads: std::num::NonZeroUsize| ThreadPoolBuilder::new().num_threads(threads.get()).build();
        let pool = options.threads().map(start).transpose().map_err(|error| {
            Unavailable::new(Reason::Resources, "its threads could not be started").with_source(error)
        })?;
        let info = BackendInfo::new(NAME, package!());
        Ok(Self { info, space: space.clone(), settings, home, previous: None, pool })
    }

    fn environment(&self) -> Result<&Environment, IndexError> {
        self.home.environment.as_deref().ok_or_else(|| {
            let source = "the database could not be mapped again after a large change: open the index anew".into();
            IndexError::Backend { backend: NAME, source }
        })
    }

    /// Gives back what LMDB keeps of the memory of a large transaction for as long as a database is open: opens it again,
    /// unless others in this process have it open.
    fn shed(&mut self) -> Result<(), IndexError> {
        let Some(environment) =
            self.home.environment.take_if(|shared| Arc::strong_count(shared) == 1 && shared.is_there())
        else {
            return Ok(());
        };
        let dir = environment.dir().to_owned();
        drop(environment);
        let temporary = self.home.temporary.is_some();
        self.home.environment = Some(Environment::open(&dir, &self.space, self.settings.map_size, temporary)?);
        Ok(())
    }

    /// Before anything is changed: sees that the index is where it was saved. A save that failed after this
    /// backend had done its part has removed the new folder; the index then goes on where it was.
    fn settle(&mut self) -> Result<(), IndexError> {
        let previous = self.previous.take();
        if self.environment()?.is_there() {
            return Ok(());
        }
        let there = |home: &Home| home.environment.as_ref().is_some_and(|environment| environment.is_there());
        if let Some(previous) = previous.filter(there) {
            tracing::warn!(index = ?previous.environment, "what was saved is gone again; going on in the old place");
            self.home = previous;
            return Ok(());
        }
        let text = "the index was removed, or saved anew by another process: open that, or save this one elsewhere";
        let why = std::io::Error::new(std::io::ErrorKind::NotFound, text);
        Err(IndexError::io(self.environment()?.file())(why))
    }

    /// Changes the database in one transaction: `Ok(None)` and errors change nothing.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&Environment, &mut RwTxn<'_>) -> Result<Option<T>, IndexError>,
    ) -> Result<Option<T>, IndexError> {
        self.settle()?;
        let environment = self.environment()?;
        let mut wtxn = environment.write()?;
        let changed = change(environment, &mut wtxn)?;
        if changed.is_some() {
            wtxn.commit().at(environment.file())?;
        }
        Ok(changed)
    }

    fn nearest(&self, queries: EmbeddingsRef<'_>, ask: Ask) -> Result<Vec<Vec<Neighbor>>, IndexError> {
        let Rows::F32 { dim, data } = queries.rows() else { return Ok(Vec::new()) };
        let environment = self.environment()?;
        let answer = |queries: &[f32]| {
            let rtxn = environment.read()?;
            View::new(environment, &rtxn)?.answer(queries, dim, ask)
        };
        let guarded = |queries: &[f32]| {
            let answered = catch_unwind(AssertUnwindSafe(|| answer(queries)));
            answered.unwrap_or_else(|panic| Err(of_panic(environment.file(), &*panic)))
        };
        // One query needs no other threads.
        if queries.len() == 1 {
            return guarded(data);
        }
        let ask_all = || -> Result<Vec<_>, IndexError> {
            let rows = queries.len().div_ceil(rayon::current_num_threads()).clamp(1, CHUNK);
            data.par_chunks(rows * dim).map(guarded).collect()
        };
        let answers = match &self.pool {
            Some(pool) => pool.install(ask_all),
            None => ask_all(),
        }?;
        Ok(answers.into_iter().flatten().collect())
    }
}

impl SimilarityBackend for Annoy {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn is_exact(&self) -> bool {
        false
    }

    fn len(&self) -> Result<usize, IndexError> {
        let environment = self.environment()?;
        let rtxn = environment.read()?;
        environment.tables.len(&rtxn).at(environment.file())
    }

    fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
        let environment = self.environment()?;
        let rtxn = environment.read()?;
        Ok(environment.tables.item(&rtxn, id).at(environment.file())?.is_some())
    }

    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        let environment = self.environment()?;
        let rtxn = environment.read()?;
        environment.tables.for_each_id(&rtxn, each).at(environment.file())
    }

    fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        // What can be seen without the database first: nobody waits for a lock to hear of it.
        check_add(&self.space, ids, rows, |_| false)?;
        let Rows::F32 { dim, data } = rows.rows() else { return Ok(()) };
        self.change(|environment, wtxn| {
            let (tables, file) = (&environment.tables, environment.file());
            for id in ids {
                if tables.item(wtxn, id).at(file)?.is_some() {
                    return Err(IndexError::AlreadyPresent { id: id.clone() });
                }
            }
            tables.insert(wtxn, ids, data, dim, file)?;
            Ok((!ids.is_empty()).then_some(()))
        })?;
        if size_of_val(data) as u64 > LARGE { self.shed() } else { Ok(()) }
    }

    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        let removed = self.change(|environment, wtxn| {
            let mut removed = 0;
            for id in ids {
                removed += usize::from(environment.tables.remove(wtxn, id, environment.file())?);
            }
            Ok(Some(removed).filter(|removed| *removed > 0))
        })?;
        Ok(removed.unwrap_or(0))
    }

    fn upsert(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        check_add(&self.space, ids, rows, |_| false)?;
        let Rows::F32 { dim, data } = rows.rows() else { return Ok(()) };
        self.change(|environment, wtxn| {
            for id in ids {
                environment.tables.remove(wtxn, id, environment.file())?;
            }
            environment.tables.insert(wtxn, ids, data, dim, environment.file())?;
            Ok((!ids.is_empty()).then_some(()))
        })?;
        if size_of_val(data) as u64 > LARGE { self.shed() } else { Ok(()) }
    }

    fn build(&mut self, progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>) -> Result<(), IndexError> {
        self.settle()?;
        let threads = self.pool.as_ref().map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads);
        build::build(self.environment()?, self.settings, threads, progress)?;
        if self.environment()?.size() > LARGE { self.shed() } else { Ok(()) }
    }

    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        check_rows(&self.space, queries)?;
        let ask = Ask { limit: k, max_distance: f32::INFINITY, search_k: self.settings.search_k };
        let mut found = Neighbors::new();
        for neighbors in self.nearest(queries, ask)? {
            found.push(neighbors, false);
        }
        Ok(found)
    }

    fn search_within(
        &self,
        queries: EmbeddingsRef<'_>,
        max_distance: f32,
        limit: usize,
    ) -> Result<Neighbors, IndexError> {
        check_distance(max_distance)?;
        check_rows(&self.space, queries)?;
        // One more than wanted tells whether the limit cut any.
        let ask = Ask { limit: limit.saturating_add(1), max_distance, search_k: self.settings.search_k };
        let mut found = Neighbors::new();
        for neighbors in self.nearest(queries, ask)? {
            let truncated = neighbors.len() > limit;
            found.push(neighbors.into_iter().take(limit), truncated);
        }
        Ok(found)
    }

    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        let environment = self.environment()?;
        let (tables, file) = (&environment.tables, environment.file());
        let rtxn = environment.read()?;
        let mut data = Vec::with_capacity(ids.len() * self.space.dim());
        for id in ids {
            let item = tables.item(&rtxn, id).at(file)?.ok_or_else(|| IndexError::NotFound { id: id.clone() })?;
            let vector = tables.forest.vector(&rtxn, item).at(file)?;
            let vector = vector.filter(|vector| vector.len() == self.space.dim());
            data.extend(vector.ok_or_else(|| IndexError::corrupt(file, format!("the vector of {id} is missing")))?);
        }
        Embeddings::from_f32(self.space.clone(), data).map(Some)
    }

    /// Copies the database and goes on in the copy.
    fn save(&mut self, empty_dir: &Path) -> Result<(), IndexError> {
        // What was removed while it was open can still be read, and so saved.
        if let Err(why) = self.settle() {
            tracing::warn!(%why, "saving an index that was removed");
        }
        self.environment()?.copy(empty_dir)?;
        let environment = Some(Environment::open(empty_dir, &self.space, self.settings.map_size, false)?);
        let previous = std::mem::replace(&mut self.home, Home { environment, temporary: None });
        self.previous = Some(previous);
        Ok(())
    }

    fn storage(&self) -> Storage {
        Storage::Live
    }
}

impl fmt::Debug for Annoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.home.environment.as_ref().map(|environment| environment.dir());
        f.debug_struct("Annoy").field("space", &self.space).field("dir", &dir).finish_non_exhaustive()
    }
}

fn check(space: &EmbeddingSpace, options: &Options) -> Result<Settings, Unavailable> {
    if !supports(space) {
        return Err(Unavailable::new(Reason::UnsupportedSpace, format!("it does not hold vectors of {space}")));
    }
    Settings::of(options)
}

pub(crate) fn create(spec: &IndexSpec<'_>, options: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    Ok(Box::new(Annoy::new(spec, options)?))
}

pub(crate) fn open(
    spec: &IndexSpec<'_>,
    dir: &Path,
    options: &Options,
) -> Result<Box<dyn SimilarityBackend>, IndexError> {
    Ok(Box::new(Annoy::open(spec.space, dir, options)?))
}

pub(crate) fn supports(space: &EmbeddingSpace) -> bool {
    space.element_type() == ElementType::F32 && matches!(space.metric(), Metric::Cosine | Metric::SquaredEuclidean)
}

/// Best for an index that lives on disk, and where the vectors would take more than half of the memory that there is.
pub(crate) fn suitability(spec: &IndexSpec<'_>) -> Suitability {
    let len = spec.expected_len.unwrap_or(0);
    let bytes = len.saturating_mul(spec.space.row_bytes()) as u64;
    if spec.dir.is_some() {
        Suitability::best("it lives on disk")
    } else if spec.memory.is_some_and(|memory| bytes > memory / 2) {
        Suitability::best(format!("it lives on disk, and {len} vectors would take more than half of the free memory"))
    } else {
        Suitability::Good
    }
}
