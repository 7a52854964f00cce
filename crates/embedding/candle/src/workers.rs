//! Images spread over threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nodupe_core::{Reason, Unavailable};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that take one image after the other, each in a pool of its own: candle splits its products over the pool that it
/// is called in, which only costs where there are images for all threads.
pub(crate) struct Workers {
    alone: Vec<ThreadPool>,
    /// All threads for one image.
    together: ThreadPool,
}

impl Workers {
    /// So many threads; `None`: as many as there are processors.
    pub(crate) fn new(threads: Option<NonZeroUsize>) -> Result<Self, Unavailable> {
        let threads = threads.map_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get), Into::into);
        let pool = |threads: usize| {
            ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .map_err(|source| Unavailable::new(Reason::Resources, "threads cannot be started").with_source(source))
        };
        Ok(Self { alone: (0..threads).map(|_| pool(1)).collect::<Result<_, _>>()?, together: pool(threads)? })
    }

    /// What `run` gives for every item, in their order, or its error for the first that has one.
    pub(crate) fn map<I: Copy + Sync, T: Send, E: Send>(
        &self,
        items: &[I],
        run: impl Fn(I) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        if let [item] = items {
            return Ok(vec![self.together.install(|| run(*item))?]);
        }
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(items.len()));
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(number) else { break };
                let result = run(*item);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
            }
        };
        spread(&self.alone, &work);
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// Does the same work on one thread of every pool, and waits for all.
fn spread(pools: &[ThreadPool], work: &(dyn Fn() + Sync)) {
    if let Some((first, others)) = pools.split_first() {
        first.in_place_scope(|scope| {
            scope.spawn(|_| work());
            spread(others, work);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items_and_the_first_error_counts() {
        let workers = Workers::new(NonZeroUsize::new(3)).unwrap();
        let items: Vec<usize> = (0..100).collect();
        let slow = |item: usize| {
            thread::sleep(std::time::Duration::from_micros(((item * 37) % 50) as u64));
            if item % 40 == 39 { Err(item) } else { Ok(2 * item) }
        };
        assert_eq!(workers.map(&items[..39], slow), Ok((0..39).map(|item| 2 * item).collect()));
        assert_eq!(workers.map(&items, slow), Err(39));
        assert_eq!(workers.map(&items[..0], slow), Ok(vec![]));
        assert_eq!(workers.map(&items[39..40], slow), Err(39));
    }

    #[test]
    fn no_more_threads_run_than_were_asked_for() {
        let workers = Workers::new(NonZeroUsize::new(2)).unwrap();
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let run = |_: usize| -> Result<(), ()> {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(std::time::Duration::from_millis(1));
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        };
        workers.map(&(0..20).collect::<Vec<_>>(), run).unwrap();
        assert_eq!(most.into_inner(), 2);
    }
}
