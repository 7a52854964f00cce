#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod budget;
mod costs;
mod deadline;
mod decoder;
mod error;
mod format;
mod jarosz;
mod jpeg;
mod limits;
mod orientation;
mod picture;
mod pool;
mod raster;
mod resize;
mod samples;
mod source;
mod video;

pub use costs::Costs;
pub use decoder::{DecodeOptions, Decoded, Decoder, ImageInfo, decode};
pub use error::MediaError;
pub use format::{Fidelity, ImageFormat};
pub use jpeg::jpeg_quality;
pub use limits::{Limit, Limits};
pub use pool::{DecodePool, Decoding, PoolOptions};
pub use video::{
    Frame, Sampling, VideoDecoder, VideoFormat, VideoFrames, VideoInfo, VideoLimits, VideoOptions, VideoTools,
    VideoToolsError,
};
