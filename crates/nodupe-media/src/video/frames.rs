//! The frames of one video, each as several specs want it.

use std::fmt;
use std::path::{Path, PathBuf};

use image::ColorType;
use nodupe_core::{Channels, InputSpec};

use super::bars::Bars;
use super::info::VideoInfo;
use crate::error::{Failure, MediaError};
use crate::resize::{Scaler, Stored};
use crate::samples::to_eight_bits;

/// Where frames come from.
pub(crate) trait Source: Send {
    /// Puts the pixels of the next frame as they are stored in `pixels`; its time in seconds. Not called after an end or an error.
    fn next(&mut self, pixels: &mut Vec<u8>) -> Result<Option<f64>, Failure>;
}

/// A frame of a video.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// When it is shown, in seconds from the start.
    pub time: f64,
    /// For each spec exactly [`InputSpec::bytes`] bytes, row-major.
    pub pixels: Vec<Vec<u8>>,
}

/// The frames of one video, in the order in which they are shown, from a decoder that works a few frames ahead.
///
/// What decodes is stopped when this is dropped.
pub struct VideoFrames {
    pub(crate) path: PathBuf,
    pub(crate) info: VideoInfo,
    pub(crate) specs: Vec<InputSpec>,
    pub(crate) background: [u8; 3],
    /// `None` where bars stay.
    pub(crate) bars: Option<Bars>,
    /// Width and height of the frames as they come.
    pub(crate) size: (u32, u32),
    pub(crate) color: ColorType,
    pub(crate) most: u64,
    /// `None` after the last frame.
    pub(crate) source: Option<Box<dyn Source>>,
    pub(crate) pixels: Vec<u8>,
    pub(crate) scaler: Scaler,
    pub(crate) given: u64,
}

impl VideoFrames {
    /// What else is known of the video.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Frames that were given.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// Whether as many frames were given as [`VideoLimits::max_frames`](crate::VideoLimits::max_frames) allows, so that there may
    /// be more of them.
    pub fn is_cut(&self) -> bool {
        self.given >= self.most
    }

    /// Appends the next frame to `out`, to the first as the first spec wants it and so on: exactly [`InputSpec::bytes`] bytes each.
    /// The answer is when it is shown, in seconds from the start, or `None` where there is no other.
    ///
    /// A file that is damaged gives the frames before the damage, then the error, then nothing. After an error `out` is as it was.
    ///
    /// # Errors
    /// Every [`MediaError`] but `NotFound` and `AudioOnly`.
    pub fn next_into(&mut self, out: &mut [Vec<u8>]) -> Result<Option<f64>, MediaError> {
        let lengths: Vec<usize> = out.iter().map(Vec::len).collect();
        let time = self.step(out);
        if !matches!(time, Ok(Some(_))) {
            // At the end the decoder goes at once, and not when this does.
            self.source = None;
            self.pixels = Vec::new();
        }
        time.map_err(|failure| {
            out.iter_mut().zip(lengths).for_each(|(out, length)| out.truncate(length));
            failure.at(&self.path)
        })
    }

    fn step(&mut self, out: &mut [Vec<u8>]) -> Result<Option<f64>, Failure> {
        if self.is_cut() {
            return Ok(None);
        }
        let Some(source) = &mut self.source else { return Ok(None) };
        let Some(time) = source.next(&mut self.pixels)? else { return Ok(None) };
        let is_grey = self.specs.iter().all(|spec| spec.channels() == Channels::Luma);
        let wanted = if is_grey { Channels::Luma } else { Channels::Rgb };
        let format = self.info.format;
        let failed = |said: String| Failure::Video { format, frames: self.given, said };
        let channels = to_eight_bits(&mut self.pixels, self.color, wanted, self.background)
            .ok_or_else(|| failed(format!("{:?} pixels are not known", self.color)))?;
        let cut = self.bars.as_mut().map(|bars| bars.cut(&mut self.pixels, self.size, channels));
        let (size, orientation) = (cut.unwrap_or(self.size), self.info.orientation);
        let image = Stored { pixels: &self.pixels, channels, size, reduction: 1, orientation };
        for (spec, out) in self.specs.iter().zip(out) {
            self.scaler.append(&image, spec, out).map_err(|error| failed(error.to_string()))?;
        }
        self.given += 1;
        Ok(Some(time))
    }
}

impl Iterator for VideoFrames {
    type Item = Result<Frame, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut pixels: Vec<_> = self.specs.iter().map(|spec| Vec::with_capacity(spec.bytes())).collect();
        let time = self.next_into(&mut pixels).transpose()?;
        Some(time.map(|time| Frame { time, pixels }))
    }
}

impl std::iter::FusedIterator for VideoFrames {}

impl fmt::Debug for VideoFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoFrames")
            .field("path", &self.path)
            .field("info", &self.info)
            .field("specs", &self.specs)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
