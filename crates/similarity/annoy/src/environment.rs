//! The LMDB environment of a folder: one in a process, whoever opens it how often.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use heed::{CompactionOption, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls};
use nodupe_core::{EmbeddingSpace, IndexError};

use crate::backend::NAME;
use crate::failure::At as _;
use crate::tables::{MAX_TABLES, Tables};

/// The name that LMDB gives its file.
const DATA: &str = "data.mdb";
/// Threads of all processes that read at once.
const MAX_READERS: u32 = 1_024;

/// Bytes that a database file may lack at its end.
const MAX_MISSING: u64 = 1 << 20;

/// The environments that are open in this process: LMDB must not open one twice.
static OPEN: LazyLock<Mutex<BTreeMap<PathBuf, Weak<Environment>>>> = LazyLock::new(Mutex::default);

/// A database file, mapped, and its tables.
#[derive(Debug)]
pub(crate) struct Environment {
    env: Env<WithoutTls>,
    pub(crate) tables: Tables,
    /// Where the file is, links resolved.
    dir: PathBuf,
    file: PathBuf,
}

impl Environment {
    /// Makes an empty index in a folder that holds none. One that goes away with the process need not be written through.
    pub(crate) fn create(
        dir: &Path,
        space: &EmbeddingSpace,
        map_size: usize,
        temporary: bool,
    ) -> Result<Arc<Self>, IndexError> {
        let dir = dir.canonicalize().map_err(IndexError::io(dir))?;
        let file = dir.join(DATA);
        let mut open = opened();
        if file.exists() {
            let why = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is an index already: open it");
            return Err(IndexError::io(&file)(why));
        }
        let env = map(&dir, map_size, temporary)?;
        let tables = Tables::create(&env, space, &file)?;
        Ok(register(&mut open, Self { env, tables, dir, file }))
    }

    /// Opens the index of a folder; `temporary` as in `create`.
    pub(crate) fn open(
        dir: &Path,
        space: &EmbeddingSpace,
        map_size: usize,
        temporary: bool,
    ) -> Result<Arc<Self>, IndexError> {
        let dir = dir.canonicalize().map_err(IndexError::io(dir))?;
        let file = dir.join(DATA);
        let mut open = opened();
        if let Some(there) = open.get(&dir).and_then(Weak::upgrade) {
            if !there.is_there() {
                let source = format!("{} was replaced while it was open in this process", file.display()).into();
                return Err(IndexError::Backend { backend: NAME, source });
            }
            let rtxn = there.read()?;
            there.tables.check(&rtxn, space, &there.file)?;
            drop(rtxn);
            return Ok(there);
        }
        let found = fs::metadata(&file).map_err(IndexError::io(&file))?;
        // LMDB takes an empty file for a new database.
        if !found.is_file() || found.len() == 0 {
            return Err(IndexError::corrupt(file, "it is no database"));
        }
        let env = map(&dir, map_size, temporary)?;
        whole(&env, &file)?;
        let tables = Tables::open(&env, space, &file)?;
        Ok(register(&mut open, Self { env, tables, dir, file }))
    }

    /// A view of the last committed state.
    pub(crate) fn read(&self) -> Result<RoTxn<'_, WithoutTls>, IndexError> {
        self.env.read_txn().at(&self.file)
    }

    /// The one transaction that writes: waits until no other does, in any process. What is not committed has not happened.
    pub(crate) fn write(&self) -> Result<RwTxn<'_>, IndexError> {
        self.env.write_txn().at(&self.file)
    }

    /// Writes a compact copy of the database into another folder.
    pub(crate) fn copy(&self, dir: &Path) -> Result<(), IndexError> {
        let path = dir.join(DATA);
        let copy = |option| self.env.copy_to_path(&path, option);
        let copied = copy(CompactionOption::Enabled).or_else(|why| match why {
            // What LMDB says of a page that is neither used nor free: no reason to lose the rest.
            heed::Error::Mdb(MdbError::Incompatible) => copy(CompactionOption::Disabled),
            why => Err(why),
        });
        copied.at(&path)?.sync_all().map_err(IndexError::io(&path))
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        self.env.real_disk_size().unwrap_or(0)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the file is still in its place: the folder may have been removed, or another file put there.
    pub(crate) fn is_there(&self) -> bool {
        let own = self.env.try_clone_inner_file().ok().and_then(|file: File| file.metadata().ok());
        own.zip(fs::metadata(&self.file).ok()).is_some_and(|(own, found)| same_file(&own, &found))
    }
}

/// Sees that the file is as long as the pages that it counts: reading beyond the end of a mapped file ends the process.
/// LMDB does not write pages that a transaction took and gave back, so a little may be missing at the end, of which nobody
/// reads. It is filled with zeros: where the file was cut after all, LMDB then finds no page there, and says so.
fn whole(env: &Env<WithoutTls>, file: &Path) -> Result<(), IndexError> {
    let missing = || -> Result<(u64, u64), IndexError> {
        let pages = env.info().last_page_number as u64 + 1;
        let length = pages.saturating_mul(u64::from(env.unnamed_database_stat().page_size));
        let found = fs::metadata(file).map_err(IndexError::io(file))?.len();
        Ok((length, length.saturating_sub(found)))
    };
    let (length, short) = missing()?;
    if short > MAX_MISSING {
        return Err(IndexError::corrupt(file, format!("{short} of its {length} bytes are missing")));
    }
    if short > 0 {
        // Nobody else makes it longer while this one may write.
        let _wtxn = env.write_txn().at(file)?;
        let (length, short) = missing()?;
        if short > 0 {
            let grown = File::options().write(true).open(file).and_then(|file| file.set_len(length));
            grown.map_err(IndexError::io(file))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Where a file that is open cannot be replaced, one that is there is the same.
#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

fn opened() -> MutexGuard<'static, BTreeMap<PathBuf, Weak<Environment>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register(open: &mut BTreeMap<PathBuf, Weak<Environment>>, environment: Environment) -> Arc<Environment> {
    open.retain(|_, there| there.strong_count() > 0);
    let environment = Arc::new(environment);
    open.insert(environment.dir.clone(), Arc::downgrade(&environment));
    environment
}

/// Maps the database file of a folder, which LMDB makes where there is none.
#[allow(unsafe_code, reason = "a file is mapped")]
fn map(dir: &Path, map_size: usize, temporary: bool) -> Result<Env<WithoutTls>, IndexError> {
    let file = dir.join(DATA);
    // The last handle may have gone a moment ago, and its environment be about to close.
    if let Some(closing) = heed::env_closing_event(dir) {
        closing.wait_timeout(Duration::from_secs(10));
    }
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size).max_readers(MAX_READERS).max_dbs(MAX_TABLES);
    if temporary {
        // SAFETY: without syncing, a crash of the machine leaves a broken file; nobody opens this one again.
        unsafe { options.flags(EnvFlags::NO_SYNC) };
    }
    // SAFETY: the file is changed by LMDB alone, in this process and in others, under the locks of its lock file; it is
    // opened once in a process (`OPEN`, and heed refuses a second time). That nobody else writes into it or cuts it is asked
    // of the user in the documentation: it is what any program that maps a file has to ask.
    let env = unsafe { options.open(dir) }.at(&file)?;
    // What processes that were killed left behind.
    env.clear_stale_readers().at(&file)?;
    Ok(env)
}
