//! The time that one file may take, and a reader that ends when it is over.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::limits::Limit;

/// The time that one file may take, running.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    started: Instant,
    allowed: Option<Duration>,
}

impl Deadline {
    pub(crate) fn start(allowed: Option<Duration>) -> Self {
        Self { started: Instant::now(), allowed }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.allowed.is_some_and(|allowed| self.started.elapsed() > allowed)
    }

    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.allowed {
            Some(allowed) if self.started.elapsed() > allowed => Err(Failure::Limit {
                limit: Limit::Milliseconds,
                value: millis(self.started.elapsed()),
                allowed: millis(allowed),
            }),
            _ => Ok(()),
        }
    }

    /// What went wrong, told by the clock where that is why: decoders wrap or swallow what their reader says.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        self.check().err().unwrap_or(failure)
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes in memory, as decoders read them, until the deadline.
#[derive(Debug)]
pub(crate) struct TimedReader<'a> {
    bytes: io::Cursor<&'a [u8]>,
    deadline: Deadline,
    reads: u32,
}

impl<'a> TimedReader<'a> {
    /// Bytes given at once, so that a decoder comes back for more.
    const PIECE: usize = 64 << 10;
    /// One read in so many looks at the clock, which costs as much as several small reads.
    const READS: u32 = 64;

    pub(crate) fn new(bytes: &'a [u8], deadline: Deadline) -> Self {
        Self { bytes: io::Cursor::new(bytes), deadline, reads: 0 }
    }

    fn tick(&mut self) -> io::Result<()> {
        self.reads = self.reads.wrapping_add(1);
        if self.reads.is_multiple_of(Self::READS) && self.deadline.is_over() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the deadline of the file has passed"));
        }
        Ok(())
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tick()?;
        self.bytes.read(buf)
    }
}

impl BufRead for TimedReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.tick()?;
        let rest = self.bytes.fill_buf()?;
        Ok(&rest[..rest.len().min(Self::PIECE)])
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Seek for TimedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.tick()?;
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_read_for_ever_ends_at_the_deadline() {
        let deadline = Deadline::start(Some(Duration::from_millis(20)));
        let mut reader = TimedReader::new(b"x", deadline);
        let error = loop {
            reader.rewind().and_then(|()| reader.read(&mut [0; 1])).map_or_else(Some, |_| None);
            if let Err(error) = reader.fill_buf() {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(matches!(deadline.check(), Err(Failure::Limit { limit: Limit::Milliseconds, allowed: 20, .. })));
    }
}
