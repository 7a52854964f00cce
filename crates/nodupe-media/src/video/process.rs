//! A program that writes to us: read without being blocked by it, and gone when it is not wanted any more.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::stderr::{self, Said};
use crate::deadline::millis;
use crate::error::Failure;
use crate::limits::Limit;

/// Pieces of output that wait for us; a program that is faster waits.
const AHEAD: usize = 2;
/// How often we look whether the caller has cancelled.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);
/// How long a program may take to end after it has closed its output, or was killed.
const FAREWELL: Duration = Duration::from_secs(2);

/// What waiting for a program may cost.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    /// What was spent, and what there was.
    spent: Duration,
    deadline: Option<Duration>,
    silence: Option<Duration>,
    cancelled: Option<Arc<AtomicBool>>,
}

impl Budget {
    pub(crate) fn new(
        deadline: Option<Duration>,
        silence: Option<Duration>,
        cancelled: Option<Arc<AtomicBool>>,
    ) -> Self {
        Self { spent: Duration::ZERO, deadline, silence, cancelled }
    }

    /// Why it is over `waited` after we began to wait, with a sign of life `quiet` ago.
    pub(crate) fn check(&self, waited: Duration, quiet: Duration) -> Result<(), Failure> {
        if self.cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            return Err(Failure::Cancelled);
        }
        let over =
            |limit, value, allowed| Err(Failure::Limit { limit, value: millis(value), allowed: millis(allowed) });
        match (self.deadline, self.silence) {
            (Some(allowed), _) if self.spent + waited > allowed => {
                over(Limit::Milliseconds, self.spent + waited, allowed)
            }
            (_, Some(allowed)) if quiet > allowed => over(Limit::SilentMilliseconds, quiet, allowed),
            _ => Ok(()),
        }
    }

    /// Takes off what was spent.
    pub(crate) fn spend(&mut self, waited: Duration) {
        self.spent += waited;
    }
}

/// When there was the last sign of life.
#[derive(Debug)]
pub(crate) struct Pulse {
    started: Instant,
    last: AtomicU64,
}

impl Pulse {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), last: AtomicU64::new(0) })
    }

    pub(crate) fn beat(&self) {
        self.last.store(millis(self.started.elapsed()), Ordering::Relaxed);
    }

    pub(crate) fn ago(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

/// What came of waiting for a piece.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// As many bytes as were asked for, or fewer where the output ends.
    Piece(Vec<u8>),
    /// All was read before.
    End,
    Over(Failure),
    Failed(io::Error),
}

/// A program that runs. It is killed and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    is_over: bool,
    pieces: Receiver<io::Result<Vec<u8>>>,
    used: Sender<Vec<u8>>,
    pulse: Arc<Pulse>,
    said: Said,
}

impl Process {
    /// Starts it, and reads pieces of `size` bytes from it. `input` is what it calls the file.
    pub(crate) fn start(command: &mut Command, size: usize, input: &OsStr) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Where the program is a script, what that starts has to go, too.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (pulse, said) = (Pulse::start(), Said::default());
        let (send, pieces) = bounded(AHEAD);
        let (used, free) = bounded(AHEAD + 2);
        let process = Self { child, is_over: false, pieces, used, pulse: Arc::clone(&pulse), said: said.clone() };
        if let Some(stdout) = stdout {
            let pulse = Arc::clone(&pulse);
            spawn("video pixels", move || read(stdout, size, &pulse, &send, &free))?;
        }
        if let Some(stderr) = stderr {
            let input = input.to_string_lossy().into_owned();
            spawn("video messages", move || stderr::read(stderr, &input, &pulse, &said))?;
        }
        Ok(process)
    }

    /// What it has said.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    /// The next piece of its output.
    pub(crate) fn piece(&mut self, budget: &mut Budget) -> Outcome {
        let started = Instant::now();
        let outcome = loop {
            let waited = started.elapsed();
            // It may have been silent for as long as we did not listen.
            if let Err(failure) = budget.check(waited, self.pulse.ago().min(waited)) {
                self.kill();
                break Outcome::Over(failure);
            }
            match self.pieces.recv_timeout(GLANCE) {
                Ok(Ok(piece)) => break Outcome::Piece(piece),
                Ok(Err(error)) => break Outcome::Failed(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Outcome::End,
            }
        };
        budget.spend(started.elapsed());
        outcome
    }

    /// Gives back the memory of a piece.
    pub(crate) fn give_back(&self, piece: Vec<u8>) {
        let _ = self.used.try_send(piece);
    }

    /// How it ended, after its output has; `None` where it had to be killed.
    pub(crate) fn finish(&mut self) -> Option<ExitStatus> {
        let status = self.wait();
        if status.is_none() {
            self.kill();
        }
        // The last line may still be on its way.
        self.said.wait_for_end(FAREWELL);
        self.is_over = true;
        status
    }

    /// Waits a little for its end.
    fn wait(&mut self) -> Option<ExitStatus> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if started.elapsed() < FAREWELL => thread::sleep(pause),
                _ => return None,
            }
            pause = (pause * 2).min(GLANCE);
        }
    }

    /// Kills and reaps it.
    fn kill(&mut self) {
        if self.is_over || matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Reads `output` to its end in pieces, until nobody wants them.
fn read(
    mut output: impl Read,
    size: usize,
    pulse: &Pulse,
    pieces: &Sender<io::Result<Vec<u8>>>,
    free: &Receiver<Vec<u8>>,
) {
    loop {
        let mut piece = free.try_recv().unwrap_or_default();
        piece.resize(size, 0);
        let mut filled = 0;
        let end = loop {
            match output.read(&mut piece[filled..]) {
                Ok(0) => break Ok(true),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            pulse.beat();
            if filled == size {
                break Ok(false);
            }
        };
        piece.truncate(filled);
        let is_last = !matches!(end, Ok(false));
        let gone = filled > 0 && pieces.send(Ok(piece)).is_err();
        if let Err(error) = end {
            let _ = pieces.send(Err(error));
        }
        if is_last || gone {
            return;
        }
    }
}
