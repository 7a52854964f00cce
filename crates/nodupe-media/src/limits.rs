//! How much one file may cost.

use std::fmt;
use std::time::Duration;

use crate::error::Failure;

/// What is limited, and in which unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Pixels of the image, as its header says.
    Pixels,
    /// Length of the longer side, in pixels.
    Side,
    /// Bytes of the file.
    FileBytes,
    /// Bytes that decoding would hold at once, the file's own included.
    MemoryBytes,
    /// Milliseconds from the first byte to the last pixel.
    Milliseconds,
    /// Threads that were given up on because a decoder did not come back. Files that were still waiting when none was
    /// left have this error.
    AbandonedThreads,
    /// Milliseconds without a sign of life from the program that decodes a video.
    SilentMilliseconds,
}

impl Limit {
    /// The name in reports: `pixels`, `file-bytes`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pixels => "pixels",
            Self::Side => "side",
            Self::FileBytes => "file-bytes",
            Self::MemoryBytes => "memory-bytes",
            Self::Milliseconds => "milliseconds",
            Self::AbandonedThreads => "abandoned-threads",
            Self::SilentMilliseconds => "silent-milliseconds",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much one file may cost. Sizes are checked against the header, before memory for pixels is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Pixels of an image; 128,000,000 by default.
    pub max_pixels: u64,
    /// Pixels of the longer side; 1,000,000 by default. A filter has coefficients for every pixel of a side.
    pub max_side: u64,
    /// Bytes of a file; 512 MiB by default.
    pub max_file_bytes: u64,
    /// Bytes that decoding one file may hold at once: its own, its pixels as they are stored, and what the decoder and
    /// the resizer keep besides; 768 MiB by default, which is 128 megapixels of 8-bit colour as a baseline JPEG, and
    /// about 90 as a progressive one.
    pub max_memory_bytes: u64,
    /// Time from the first byte to the last pixel; 30 s by default, `None` for any. Decoders notice when they read on;
    /// [`DecodePool`](crate::DecodePool) also leaves those behind that never do.
    pub deadline: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 128_000_000,
            max_side: 1_000_000,
            max_file_bytes: 512 << 20,
            max_memory_bytes: 768 << 20,
            deadline: Some(Duration::from_secs(30)),
        }
    }
}

impl Limits {
    /// The same with another [`Limits::max_pixels`].
    #[must_use]
    pub const fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// The same with another [`Limits::max_side`].
    #[must_use]
    pub const fn with_max_side(mut self, pixels: u64) -> Self {
        self.max_side = pixels;
        self
    }

    /// The same with another [`Limits::max_file_bytes`].
    #[must_use]
    pub const fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// The same with another [`Limits::max_memory_bytes`].
    #[must_use]
    pub const fn with_max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = bytes;
        self
    }

    /// The same with another [`Limits::deadline`].
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Option<Duration>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Checks the size that a header claims.
    pub(crate) fn check_size(&self, width: u32, height: u32) -> Result<(), Failure> {
        check(Limit::Pixels, u64::from(width) * u64::from(height), self.max_pixels)?;
        check(Limit::Side, u64::from(width.max(height)), self.max_side)
    }
}

/// Fails where `value` is over what is `allowed`.
pub(crate) fn check(limit: Limit, value: u64, allowed: u64) -> Result<(), Failure> {
    if value <= allowed {
        return Ok(());
    }
    Err(Failure::Limit { limit, value, allowed })
}
