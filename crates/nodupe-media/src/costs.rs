//! Where the time goes while images are decoded.

use std::ops::AddAssign;
use std::time::Duration;

/// Where the time of decoding went, added up over threads: processor time on Linux, Android and macOS, wall time elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Costs {
    /// Opening and reading files.
    pub read: Duration,
    /// Files to pixels.
    pub decode: Duration,
    /// Pixels to the size that was wanted.
    pub resize: Duration,
}

impl AddAssign for Costs {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.decode += other.decode;
        self.resize += other.resize;
    }
}

/// A clock of this thread.
#[derive(Debug)]
pub(crate) struct Clock(Duration);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(now())
    }

    /// The time since the last lap, or the start.
    pub(crate) fn lap(&mut self) -> Duration {
        let before = std::mem::replace(&mut self.0, now());
        self.0.saturating_sub(before)
    }
}

/// The processor time of this thread.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The time since the first call.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
fn now() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed()
}
