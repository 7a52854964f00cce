//! The memory that all workers of a pool share.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A number of bytes that images take from before they take memory, first come, first served.
///
/// Whoever waits holds nothing, so that no two wait for each other. An image that is larger than all there is goes
/// alone: it is let through when nobody else holds anything.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// Leases that will be given back. Those of abandoned threads may never be, and block nobody.
    holders: usize,
    waiting: VecDeque<u64>,
    next_ticket: u64,
    closed: bool,
}

impl State {
    fn has(&self, bytes: u64, total: u64, others: usize) -> bool {
        others == 0 || self.used.saturating_add(bytes) <= total
    }
}

/// The budget is closed: nobody wants what the memory is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Budget {
    pub(crate) fn new(total: u64) -> Arc<Self> {
        Arc::new(Self { total, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Waits until `bytes` may be held.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Result<Lease, Closed> {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        while !state.closed {
            if state.waiting.front() == Some(&ticket) && state.has(bytes, self.total, state.holders) {
                state.waiting.pop_front();
                state.used += bytes;
                state.holders += 1;
                if !state.waiting.is_empty() {
                    self.changed.notify_all();
                }
                return Ok(Lease { budget: Arc::clone(self), bytes, counts: true });
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Err(Closed)
    }

    /// Lets everybody go who waits, with an error.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    bytes: u64,
    /// Whether others wait for it.
    counts: bool,
}

impl Lease {
    /// Holds `bytes` in all from now on, unless that means to wait.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let mut state = self.budget.lock();
        let others = state.holders - usize::from(self.counts);
        let granted = more == 0 || state.has(more, self.budget.total, others);
        if granted {
            state.used += more;
            self.bytes += more;
        }
        granted
    }

    /// The holder may never come back: others do not wait for it any more, though what it holds stays taken.
    pub(crate) fn disown(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.budget.lock().holders -= 1;
            self.budget.changed.notify_all();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.used -= self.bytes;
        state.holders -= usize::from(self.counts);
        drop(state);
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn held_by_state(budget: &Budget) -> (u64, usize) {
        let state = budget.lock();
        (state.used, state.holders)
    }

    #[test]
    fn what_is_held_at_once_stays_within_the_budget() {
        let budget = Budget::new(100);
        let (held, peak) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for worker in 0..8 {
                let (budget, held, peak) = (&budget, &held, &peak);
                scope.spawn(move || {
                    for i in 0..200 {
                        let bytes = 1 + (i * 7 + worker * 13) % 60;
                        let lease = budget.take(bytes).unwrap();
                        peak.fetch_max(held.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                        thread::yield_now();
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        drop(lease);
                    }
                });
            }
        });
        assert!(peak.into_inner() <= 100);
        assert_eq!(held_by_state(&budget), (0, 0));
    }

    #[test]
    fn what_is_larger_than_the_budget_goes_alone_and_others_wait_for_it() {
        let budget = Budget::new(10);
        let large = budget.take(1_000).unwrap();
        let other = thread::spawn({
            let budget = Arc::clone(&budget);
            move || budget.take(1).map(drop)
        });
        thread::sleep(Duration::from_millis(30));
        assert!(!other.is_finished());
        drop(large);
        assert_eq!(other.join().unwrap(), Ok(()));
    }

    #[test]
    fn a_lease_grows_only_without_waiting() {
        let budget = Budget::new(10);
        let mut one = budget.take(4).unwrap();
        assert!(one.grow(50), "nobody else holds anything");
        drop(one);
        let mut one = budget.take(4).unwrap();
        let two = budget.take(4).unwrap();
        assert!(one.grow(6) && !one.grow(7) && one.grow(3));
        drop(two);
        assert!(one.grow(7));
    }

    #[test]
    fn who_never_comes_back_blocks_nobody() {
        let budget = Budget::new(10);
        let mut lost = budget.take(10).unwrap();
        lost.disown();
        drop(budget.take(10).unwrap());
        drop(lost);
        assert_eq!(held_by_state(&budget), (0, 0));
    }

    #[test]
    fn closing_lets_go_of_who_waits() {
        let budget = Budget::new(1);
        let lease = budget.take(1).unwrap();
        let waiting = thread::spawn({
            let budget = Arc::clone(&budget);
            move || budget.take(1).map(drop)
        });
        budget.close();
        assert_eq!(waiting.join().unwrap(), Err(Closed));
        drop(lease);
    }
}
