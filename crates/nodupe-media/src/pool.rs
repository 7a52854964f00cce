//! Many files to pixels of a wanted size, on several threads, within a budget of memory.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use nodupe_core::InputSpec;

use crate::budget::{Budget, Lease};
use crate::costs::Costs;
use crate::deadline::millis;
use crate::decoder::{DecodeOptions, Decoded, Decoder, Gate, Task};
use crate::error::{Failure, MediaError};
use crate::limits::Limit;
use crate::picture::{self, Open};

/// How many files are decoded at once, and within what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Number of threads, from 1 to 1024 (what is outside is taken for the nearer end); by default as many as the machine
    /// runs at once.
    pub threads: usize,
    /// How each file is decoded.
    pub decode: DecodeOptions,
    /// Bytes that all files which are decoded at the same time may hold together; 512 MiB by default. A file that needs
    /// more than that is decoded alone. What waits to be taken from the iterator is not counted: at most 16 MiB, or an
    /// image a thread.
    pub memory_budget: u64,
    /// Threads that are replaced after a decoder did not come back from a file; 8 by default.
    pub abandon_limit: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            decode: DecodeOptions::default(),
            memory_budget: 512 << 20,
            abandon_limit: 8,
        }
    }
}

impl PoolOptions {
    /// The same with another number of threads; more than 1024 count as 1024, none as one.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The same with other options for each file.
    #[must_use]
    pub fn with_decode(mut self, decode: DecodeOptions) -> Self {
        self.decode = decode;
        self
    }

    /// The same with another budget, in bytes.
    #[must_use]
    pub fn with_memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// The same with another number of threads that are replaced.
    #[must_use]
    pub fn with_abandon_limit(mut self, threads: usize) -> Self {
        self.abandon_limit = threads;
        self
    }
}

/// Decodes many files at once.
///
/// ```
/// use nodupe_core::InputSpec;
/// use nodupe_media::{DecodePool, PoolOptions};
///
/// let pool = DecodePool::new(PoolOptions::default().with_threads(2));
/// for (position, outcome) in pool.decode(InputSpec::luma(64, 64), ["gone.jpg".into()]) {
///     assert_eq!((position, outcome.unwrap_err().kind()), (0, "not-found"));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct DecodePool {
    options: PoolOptions,
    open: Open,
    grace: Duration,
}

impl DecodePool {
    /// A pool; its threads start with the first [`DecodePool::decode`] and end with it.
    pub fn new(options: PoolOptions) -> Self {
        Self { options, open: picture::open, grace: GRACE }
    }

    /// Decodes the files as `spec` wants them. Every path has exactly one outcome, under its position in `paths`, in the
    /// order in which they are done.
    ///
    /// `paths` is drawn from as files are decoded, by the threads of the pool. Nothing that is held grows with their
    /// number. Dropping the iterator ends the threads, each after the file that it is at.
    ///
    /// The iterator always ends: a thread whose decoder does not come back from a file is left behind two seconds after
    /// the [deadline](crate::Limits::deadline), and replaced [so many times](PoolOptions::abandon_limit); without a
    /// deadline, never.
    pub fn decode<I>(&self, spec: InputSpec, paths: I) -> Decoding
    where
        I: IntoIterator<Item = PathBuf>,
        I::IntoIter: Send + 'static,
    {
        let threads = self.options.threads.clamp(1, MAX_THREADS);
        let waiting = ((16 << 20) / spec.bytes()).clamp(threads, MAX_THREADS);
        let (sender, outcomes) = bounded(waiting);
        let mut decoding = Decoding {
            shared: Arc::new(Shared {
                spec,
                options: self.options.clone(),
                open: self.open,
                paths: Mutex::new(Box::new(paths.into_iter().fuse().enumerate())),
                budget: Budget::new(self.options.memory_budget),
                costs: Mutex::default(),
                stopped: AtomicBool::new(false),
                grace: self.grace,
            }),
            outcomes,
            sender,
            slots: Vec::with_capacity(threads),
            running: 0,
            abandoned: 0,
        };
        for _ in 0..threads {
            decoding.start_worker();
        }
        decoding
    }
}

/// The outcomes of [`DecodePool::decode`]: the position of a path, and its image or why there is none.
pub struct Decoding {
    shared: Arc<Shared>,
    outcomes: Receiver<Message>,
    /// For workers that replace others.
    sender: Sender<Message>,
    slots: Vec<Arc<Slot>>,
    /// Workers that have neither ended nor been left behind.
    running: usize,
    abandoned: usize,
}

type Outcome = (usize, Result<Decoded, MediaError>);

enum Message {
    Outcome(Outcome),
    /// A worker has ended, after all of its outcomes.
    Ended,
}

/// More threads than this are a slip of the hand; as many outcomes may also wait to be taken.
const MAX_THREADS: usize = 1024;
/// Time after the deadline in which a decoder may notice it.
const GRACE: Duration = Duration::from_secs(2);
/// How often somebody who waits looks for workers that do not come back.
const PATROL: Duration = Duration::from_millis(50);

impl Iterator for Decoding {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        while self.running > 0 {
            match self.outcomes.recv_timeout(PATROL) {
                Ok(Message::Outcome(outcome)) => return Some(outcome),
                Ok(Message::Ended) => self.running -= 1,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(outcome) = self.leave_behind() {
                        return Some(outcome);
                    }
                }
                // Not while `sender` is there.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Whoever ended has sent everything. If nobody is left and paths are, their decoders did not come back, or no
        // thread could be started.
        let (index, path) = self.shared.next_path()?;
        let allowed = self.shared.options.abandon_limit as u64;
        let failure = match self.abandoned {
            0 => Failure::Io(io::Error::other("no thread could be started to decode it")),
            _ => Failure::Limit { limit: Limit::AbandonedThreads, value: self.abandoned as u64, allowed },
        };
        Some((index, Err(failure.at(path))))
    }
}

impl Decoding {
    /// Where the time of the threads went that have ended; after the last outcome, of all that were not left behind.
    pub fn costs(&self) -> Costs {
        *self.shared.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_worker(&mut self) {
        let slot = Arc::new(Slot::default());
        let worker = Worker { shared: Arc::clone(&self.shared), slot: Arc::clone(&slot), sender: self.sender.clone() };
        match thread::Builder::new().name("nodupe-decode".to_owned()).spawn(move || worker.run()) {
            Ok(_) => {
                self.slots.push(slot);
                self.running += 1;
            }
            Err(error) => tracing::warn!(%error, "a thread for decoding could not be started"),
        }
    }

    /// Gives up on a worker that is past its deadline, if there is one, and answers for it.
    fn leave_behind(&mut self) -> Option<Outcome> {
        let allowed = self.shared.options.decode.limits.deadline?;
        let patience = allowed + self.shared.grace;
        let late = self.slots.iter().enumerate().find_map(|(at, slot)| Some((at, slot.abandon(patience)?)));
        let (at, (index, path, since)) = late?;
        self.slots.swap_remove(at);
        self.running -= 1;
        self.abandoned += 1;
        tracing::warn!(path = %path.display(), "a decoder did not come back; its thread is left behind");
        if self.abandoned <= self.shared.options.abandon_limit {
            self.start_worker();
        }
        let failure =
            Failure::Limit { limit: Limit::Milliseconds, value: millis(since.elapsed()), allowed: millis(allowed) };
        Some((index, Err(failure.at(&*path))))
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        // Workers that wait to send are let go by the receiver, which is dropped next.
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.budget.close();
    }
}

impl fmt::Debug for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoding")
            .field("running", &self.running)
            .field("abandoned", &self.abandoned)
            .finish_non_exhaustive()
    }
}

type Paths = Box<dyn Iterator<Item = (usize, PathBuf)> + Send>;

/// What the workers of one run have in common.
struct Shared {
    spec: InputSpec,
    options: PoolOptions,
    open: Open,
    paths: Mutex<Paths>,
    budget: Arc<Budget>,
    /// Of the workers that have ended.
    costs: Mutex<Costs>,
    stopped: AtomicBool,
    grace: Duration,
}

impl Shared {
    /// The next path. None where there is no more: also after the iterator has panicked, which ends the thread that asked.
    fn next_path(&self) -> Option<(usize, PathBuf)> {
        self.paths.lock().ok()?.next()
    }
}

struct Worker {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    sender: Sender<Message>,
}

impl Worker {
    fn run(self) {
        let mut decoder = Decoder::with_open(self.shared.options.decode.clone(), self.shared.open);
        self.work(&mut decoder);
        *self.shared.costs.lock().unwrap_or_else(PoisonError::into_inner) += decoder.costs();
    }

    fn work(&self, decoder: &mut Decoder) {
        while !self.shared.stopped.load(Ordering::Relaxed) {
            let Some((index, path)) = self.shared.next_path() else {
                break;
            };
            let path: Arc<Path> = path.into();
            self.slot.begin(index, Arc::clone(&path));
            let outcome = self.decode(decoder, &path);
            if !self.slot.finish() {
                // Somebody else has answered for this file, and works in this one's place.
                return;
            }
            if self.sender.send(Message::Outcome((index, outcome))).is_err() {
                break;
            }
        }
    }

    fn decode(&self, decoder: &mut Decoder, path: &Path) -> Result<Decoded, MediaError> {
        let mut pixels = Vec::with_capacity(self.shared.spec.bytes());
        let mut gate = SharedBudget { budget: &self.shared.budget, slot: &self.slot };
        decoder
            .file(path, &mut Task::Pixels(&self.shared.spec, &mut pixels), &mut gate)
            .map(|info| Decoded { info, pixels })
            .map_err(|failure| failure.at(path))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.slot.is_abandoned() {
            // Fails where nobody listens any more.
            let _ = self.sender.send(Message::Ended);
        }
    }
}

/// What a worker is at, where the one who waits for it can see it.
#[derive(Default)]
struct Slot(Mutex<Job>);

#[derive(Default)]
enum Job {
    #[default]
    Idle,
    Running {
        index: usize,
        path: Arc<Path>,
        /// Since when; `None` while it waits for memory, which is not its fault.
        since: Option<Instant>,
        lease: Option<Lease>,
    },
    /// The worker was given up on. What it holds is given back when it comes back after all.
    Abandoned { _lease: Option<Lease> },
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Job> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, index: usize, path: Arc<Path>) {
        *self.lock() = Job::Running { index, path, since: Some(Instant::now()), lease: None };
    }

    /// Whether the outcome is still asked for.
    fn finish(&self) -> bool {
        let mut job = self.lock();
        if matches!(*job, Job::Abandoned { .. }) {
            return false;
        }
        *job = Job::Idle;
        true
    }

    fn is_abandoned(&self) -> bool {
        matches!(*self.lock(), Job::Abandoned { .. })
    }

    /// Gives up on the worker if it has been at a file for longer than `patience`.
    fn abandon(&self, patience: Duration) -> Option<(usize, Arc<Path>, Instant)> {
        let mut job = self.lock();
        let Job::Running { index, path, since: Some(since), lease } = &mut *job else {
            return None;
        };
        if since.elapsed() <= patience {
            return None;
        }
        if let Some(lease) = lease {
            lease.disown();
        }
        let answer = (*index, Arc::clone(path), *since);
        *job = Job::Abandoned { _lease: lease.take() };
        Some(answer)
    }
}

/// The budget as one worker sees it. The lease lies in the slot, so that it can be disowned there.
struct SharedBudget<'a> {
    budget: &'a Arc<Budget>,
    slot: &'a Slot,
}

impl Gate for SharedBudget<'_> {
    fn hold(&mut self, bytes: u64) -> Result<(), Failure> {
        let unwanted = || Failure::Io(io::ErrorKind::Interrupted.into());
        match &mut *self.slot.lock() {
            Job::Running { since, lease, .. } => (*since, *lease) = (None, None),
            _ => return Err(unwanted()),
        }
        let taken = self.budget.take(bytes).map_err(|_| unwanted())?;
        match &mut *self.slot.lock() {
            Job::Running { since, lease, .. } => (*since, *lease) = (Some(Instant::now()), Some(taken)),
            _ => return Err(unwanted()),
        }
        Ok(())
    }

    fn grow(&mut self, bytes: u64) -> bool {
        match &mut *self.slot.lock() {
            Job::Running { lease: Some(lease), .. } => lease.grow(bytes),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
