//! How many threads work.

use std::error::Error as _;
use std::num::NonZeroUsize;

use nodupe::media::PoolOptions;

use crate::failure::Failure;

/// Sets up the thread pool of the process.
pub(crate) fn start(threads: Option<NonZeroUsize>) -> Result<(), Failure> {
    let Some(threads) = threads else {
        return Ok(());
    };
    match rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global() {
        // The system gives no more threads. The pool is lost with that: whoever used it now would panic.
        Err(error) if error.source().is_some() => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "an application that has set up the thread pool of the process keeps it");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Decoding on that many threads, or on one for each core.
pub(crate) fn decoding(threads: Option<NonZeroUsize>) -> PoolOptions {
    let decoding = PoolOptions::default();
    match threads {
        Some(threads) => decoding.with_threads(threads.get()),
        None => decoding,
    }
}
