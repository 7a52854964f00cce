//! Videos and animations to frames of a wanted size, in one pass.

mod animation;
mod bars;
mod decoder;
mod display;
mod ffmpeg;
mod format;
mod frames;
mod info;
mod limits;
mod plan;
mod probe;
mod process;
mod sampling;
mod stderr;
mod tools;

pub use decoder::{VideoDecoder, VideoOptions};
pub use format::VideoFormat;
pub use frames::{Frame, VideoFrames};
pub use info::VideoInfo;
pub use limits::VideoLimits;
pub use sampling::Sampling;
pub use tools::{VideoTools, VideoToolsError};
