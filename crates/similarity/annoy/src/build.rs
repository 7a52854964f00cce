//! Building the trees, in one transaction that is committed at the end or not at all.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use arroy::{Distance, MainStep, WriterProgress};
use nodupe_core::{BuildPhase, IndexError};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rayon::ThreadPoolBuilder;

use crate::backend::NAME;
use crate::environment::Environment;
use crate::failure::{At as _, of_panic};
use crate::forest::by_metric;
use crate::options::Settings;
use crate::tables::Change;

/// Trees are drawn from this, so that the same vectors give the same trees.
const SEED: u64 = 0x6e6f_6475_7065;
/// How often who waits is told.
const TICK: Duration = Duration::from_millis(50);

type Progress<'a> = dyn FnMut(BuildPhase, f32) -> ControlFlow<()> + 'a;

/// Brings the trees up to date with the vectors.
pub(crate) fn build(
    environment: &Environment,
    settings: Settings,
    threads: usize,
    progress: &mut Progress<'_>,
) -> Result<(), IndexError> {
    let mut tell = |done: f32| progress(BuildPhase::Linking, done);
    if tell(0.0).is_break() {
        return Err(IndexError::Cancelled);
    }
    // Threads of their own: whoever waits here may be the only thread of the pool of the caller.
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|why| IndexError::Backend { backend: NAME, source: why.into() })?;
    let step = Step::default();
    let cancelled = AtomicBool::new(false);
    let (ready, built) = mpsc::channel();
    let (decide, decision) = mpsc::channel();
    thread::scope(|scope| {
        let (step, cancelled) = (&step, &cancelled);
        let work = move || pool.install(move || grow(environment, settings, step, cancelled, &ready, &decision));
        // A transaction stays on the thread that began it.
        let work = thread::Builder::new().spawn_scoped(scope, work).map_err(IndexError::io(environment.file()))?;
        loop {
            match built.recv_timeout(TICK) {
                Ok(()) => {
                    // Where this breaks, nothing is decided, and the transaction is dropped.
                    if tell(1.0).is_break() {
                        cancelled.store(true, Ordering::Relaxed);
                    }
                    let _ = decide.send(!cancelled.load(Ordering::Relaxed));
                    break;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if !cancelled.load(Ordering::Relaxed) && tell(step.done()).is_break() {
                        cancelled.store(true, Ordering::Relaxed);
                    }
                }
                // It ended before there was anything to decide.
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        drop(decide);
        match work.join() {
            // Where it was stopped, nothing was committed.
            Ok(_) if cancelled.load(Ordering::Relaxed) => Err(IndexError::Cancelled),
            Ok(done) => done,
            Err(panic) => Err(of_panic(environment.file(), &*panic as &(dyn Any + Send))),
        }
    })
}

fn grow(
    environment: &Environment,
    settings: Settings,
    step: &Step,
    cancelled: &AtomicBool,
    ready: &mpsc::Sender<()>,
    decision: &mpsc::Receiver<bool>,
) -> Result<(), IndexError> {
    let (tables, file) = (&environment.tables, environment.file());
    let mut wtxn = environment.write()?;
    let mut changes = Vec::new();
    tables.for_each_change(&wtxn, |item, change| changes.push((item, change))).at(file)?;
    let trees = tables.forest.trees(&wtxn).at(file)?.map(|trees| (trees.count(), trees.items().len()));
    // A forest of few vectors is one leaf.
    let fits = |(count, items): (usize, u64)| count == settings.trees || items <= split_after(environment) as u64;
    if changes.is_empty() && trees.is_some_and(fits) {
        return Ok(());
    }
    for (item, change) in changes {
        match change {
            Change::Added => tables.forest.announce(&mut wtxn, item).at(file)?,
            Change::Removed => tables.forest.remove(&mut wtxn, item).at(file)?,
        }
    }
    tables.clear_changes(&mut wtxn).at(file)?;
    by_metric!(tables.forest.metric(), D => plant::<D>(environment, settings, step, cancelled, &mut wtxn))?;
    // Until the answer comes it can still be stopped.
    let go_on = ready.send(()).is_ok() && decision.recv() == Ok(true);
    if go_on { wtxn.commit().at(file) } else { Err(IndexError::Cancelled) }
}

fn plant<D: Distance>(
    environment: &Environment,
    settings: Settings,
    step: &Step,
    cancelled: &AtomicBool,
    wtxn: &mut heed::RwTxn<'_>,
) -> Result<(), IndexError> {
    let mut writer = environment.tables.forest.writer::<D>();
    // Trees are written to unnamed files first, and the folder of temporary files may be in memory.
    writer.set_tmpdir(environment.dir());
    let mut rng = SmallRng::seed_from_u64(SEED);
    let mut builder = writer.builder(&mut rng);
    builder.n_trees(settings.trees).split_after(split_after(environment));
    builder.cancel(|| cancelled.load(Ordering::Relaxed)).progress(|progress| step.set(progress));
    if let Some(memory) = settings.memory {
        builder.available_memory(memory);
    }
    builder.build(wtxn).at(environment.file())
}

/// Vectors in a leaf of a tree.
fn split_after(environment: &Environment) -> usize {
    environment.tables.forest.dim().max(MIN_LEAF)
}

/// Short vectors are cheap to compare, and leaves of a handful are many.
const MIN_LEAF: usize = 64;

/// How far arroy is.
#[derive(Debug, Default)]
struct Step(Mutex<Part>);

/// A step that arroy is at.
#[derive(Debug, Default)]
struct Part {
    /// Where it begins, of the whole: 0 to 1.
    start: f32,
    /// How much of the whole it is.
    share: f32,
    /// What it counts, and how far it will.
    counted: Option<(Arc<AtomicU32>, u32)>,
}

impl Step {
    fn set(&self, progress: WriterProgress) {
        // Where a step begins and how much of the whole it is: measured on a million vectors.
        let (start, share) = match progress.main {
            MainStep::PreProcessingTheItems | MainStep::RetrieveTheUpdatedItems => (0.0, 0.01),
            MainStep::RetrievingTheTreeAndItemNodes => (0.01, 0.02),
            MainStep::UpdatingTheTrees => (0.03, 0.42),
            MainStep::CreateNewTrees => (0.45, 0.45),
            MainStep::WritingNodesToDatabase => (0.9, 0.09),
            _ => (0.99, 0.0),
        };
        let counted = progress.sub.map(|sub| (sub.current, sub.max));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Part { start, share, counted };
    }

    /// 0 to 1.
    fn done(&self) -> f32 {
        let part = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let done = part
            .counted
            .as_ref()
            .map_or(0.0, |(current, max)| current.load(Ordering::Relaxed) as f32 / (*max).max(1) as f32);
        part.start + part.share * done.clamp(0.0, 1.0)
    }
}
