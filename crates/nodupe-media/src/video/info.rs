//! What is known of a video besides its frames.

use nodupe_core::View;

use super::format::VideoFormat;

/// What is known of a video besides its frames, as the file says it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VideoInfo {
    /// What kind of file it is, by its content.
    pub format: VideoFormat,
    /// The name of the codec as ffmpeg has it: `h264`, `vp9`, …; of an animation `gif`, `webp` or `apng`.
    pub codec: String,
    /// Width in pixels, as shown: turned, and with square pixels.
    pub width: u32,
    /// Height in pixels, as shown.
    pub height: u32,
    /// What has to be done to the frames as they are stored to show them.
    pub orientation: View,
    /// Duration in seconds, above 0; `None` where the file does not say it. It may not be true.
    pub duration: Option<f64>,
    /// Frames a second, above 0: the mean, as the file says it.
    pub frame_rate: Option<f64>,
    /// Whether it has sound.
    pub has_sound: bool,
}
