//! How much one video may cost.

use std::time::Duration;

/// How much one video may cost. Memory does not grow with its length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VideoLimits {
    /// Pixels of a frame; 64 × 1024² by default, which is 8192 × 8192. A decoder holds several frames for each of its threads.
    pub max_pixels: u64,
    /// Frames that are given, at least 1; 3,600 by default. Where the file says how long it is, and that is true, they are spread
    /// over all of it; otherwise they are the first ones.
    pub max_frames: u64,
    /// Bytes of an animation, which is held in memory; 512 MiB by default. Of videos there may be any number.
    pub max_animation_bytes: u64,
    /// Of a video longer than this only key frames are decoded, however they are sampled; 90 minutes by default.
    pub whole_up_to: Duration,
    /// Time that is spent waiting for the frames of one file; 10 minutes by default, `None` for any. What the caller does
    /// between two frames does not count.
    pub deadline: Option<Duration>,
    /// Time without a sign of life from a decoder while it is waited for; 30 s by default, `None` for any.
    pub silence: Option<Duration>,
}

impl Default for VideoLimits {
    fn default() -> Self {
        Self {
            max_pixels: 64 << 20,
            max_frames: 3_600,
            max_animation_bytes: 512 << 20,
            whole_up_to: Duration::from_mins(90),
            deadline: Some(Duration::from_mins(10)),
            silence: Some(Duration::from_secs(30)),
        }
    }
}

impl VideoLimits {
    /// The same with another [`VideoLimits::max_pixels`].
    #[must_use]
    pub const fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// The same with another [`VideoLimits::max_frames`].
    #[must_use]
    pub const fn with_max_frames(mut self, frames: u64) -> Self {
        self.max_frames = frames;
        self
    }

    /// The same with another [`VideoLimits::max_animation_bytes`].
    #[must_use]
    pub const fn with_max_animation_bytes(mut self, bytes: u64) -> Self {
        self.max_animation_bytes = bytes;
        self
    }

    /// The same with another [`VideoLimits::whole_up_to`].
    #[must_use]
    pub const fn with_whole_up_to(mut self, duration: Duration) -> Self {
        self.whole_up_to = duration;
        self
    }

    /// The same with another [`VideoLimits::deadline`].
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Option<Duration>) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same with another [`VideoLimits::silence`].
    #[must_use]
    pub const fn with_silence(mut self, silence: Option<Duration>) -> Self {
        self.silence = silence;
        self
    }

    /// The most frames that are given.
    pub(crate) fn frames(&self) -> u64 {
        self.max_frames.max(1)
    }
}
