//! Where an index computes: on threads of its own, or on those of the caller.

use rayon::ThreadPool;

/// Does the work on `pool`, or else on the pool of the caller.
pub(crate) fn on<T: Send>(pool: Option<&ThreadPool>, work: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// How many threads that is.
pub(crate) fn count(pool: Option<&ThreadPool>) -> usize {
    pool.map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads)
}
