//! Opens videos.

use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image::ColorType;
use nodupe_core::InputSpec;

use super::animation::{self, Animation};
use super::bars::Bars;
use super::ffmpeg::{Ffmpeg, Wanted};
use super::format::{VideoFormat, any_size, head, is_audio};
use super::frames::{Source, VideoFrames};
use super::info::VideoInfo;
use super::limits::VideoLimits;
use super::plan;
use super::probe::{self, Probed};
use super::process::Budget;
use super::sampling::{Choice, Sampling};
use super::tools::{VideoTools, VideoToolsError};
use crate::deadline::Deadline;
use crate::error::{Failure, MediaError};
use crate::limits::{Limit, Limits, check};
use crate::resize::Scaler;
use crate::source;

/// How videos are decoded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VideoOptions {
    /// Which frames are taken; one a second by default.
    pub sampling: Sampling,
    /// Of a video with fewer frames by a [`Sampling::Rate`], more are taken, up to four a second: so many where that is enough. 0 by default.
    pub min_frames: u64,
    /// Whether black bars at two opposite sides (letterbox, pillarbox) are cut off; not by default. What is as wide and as dark from the first frame on
    /// is a bar.
    pub trims_bars: bool,
    /// How much one file may cost.
    pub limits: VideoLimits,
    /// Threads of a decoder; 0, the default, for as many as ffmpeg likes, which is all cores.
    pub threads: usize,
    /// What is seen through transparent pixels, as RGB; white by default.
    pub background: [u8; 3],
    /// Set by the caller when nobody wants the frames any more: who waits for one has [`MediaError::Cancelled`] within 50 ms.
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Default for VideoOptions {
    fn default() -> Self {
        Self {
            sampling: Sampling::default(),
            min_frames: 0,
            trims_bars: false,
            limits: VideoLimits::default(),
            threads: 0,
            background: [255; 3],
            cancelled: None,
        }
    }
}

impl VideoOptions {
    /// The same with another sampling.
    #[must_use]
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// The same with at least so many frames of a short video, where four a second are enough for that.
    #[must_use]
    pub fn with_min_frames(mut self, frames: u64) -> Self {
        self.min_frames = frames;
        self
    }

    /// The same with or without black bars.
    #[must_use]
    pub fn with_trims_bars(mut self, trims: bool) -> Self {
        self.trims_bars = trims;
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: VideoLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with another number of threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The same with another background.
    #[must_use]
    pub fn with_background(mut self, background: [u8; 3]) -> Self {
        self.background = background;
        self
    }

    /// The same with a flag that ends it.
    #[must_use]
    pub fn with_cancelled(mut self, cancelled: Arc<AtomicBool>) -> Self {
        self.cancelled = Some(cancelled);
        self
    }
}

/// Opens videos: those of ffmpeg, and animations, which need none.
#[derive(Debug, Clone)]
pub struct VideoDecoder {
    tools: Result<VideoTools, VideoToolsError>,
    options: VideoOptions,
}

impl VideoDecoder {
    /// A decoder with the programs of this machine. Without them it reads animations, and calls all else
    /// [`MediaError::NoVideoTools`].
    pub fn new(options: VideoOptions) -> Self {
        Self::with_tools(VideoTools::get().cloned().map_err(Clone::clone), options)
    }

    /// A decoder with these programs, or without.
    pub fn with_tools(tools: Result<VideoTools, VideoToolsError>, options: VideoOptions) -> Self {
        Self { tools, options }
    }

    /// What the file at `path` says of itself. No frame is decoded.
    ///
    /// # Errors
    /// Every [`MediaError`].
    pub fn info(&self, path: &Path) -> Result<VideoInfo, MediaError> {
        let info = || match open(path)? {
            (format, file) if format.is_animation() => {
                animation::info(BufReader::new(file), format, &self.options.limits)
            }
            (format, _) => self.probe(path, format, &mut self.budget()).map(|probed| probed.info),
        };
        info().map_err(|failure| failure.at(path))
    }

    /// The frames of the file at `path`, each as every one of `specs` wants it. The file is decoded once.
    ///
    /// # Errors
    /// Every [`MediaError`].
    pub fn frames(&self, path: &Path, specs: &[InputSpec]) -> Result<VideoFrames, MediaError> {
        let frames = || match open(path)? {
            (format, file) if format.is_animation() => self.animation(path, format, file, specs),
            (format, _) => self.video(path, format, specs),
        };
        frames().map_err(|failure| failure.at(path))
    }

    fn budget(&self) -> Budget {
        let VideoLimits { deadline, silence, .. } = self.options.limits;
        Budget::new(deadline, silence, self.options.cancelled.clone())
    }

    fn tools(&self) -> Result<&VideoTools, Failure> {
        self.tools.as_ref().map_err(|error| Failure::NoVideoTools(error.clone()))
    }

    fn probe(&self, path: &Path, format: VideoFormat, budget: &mut Budget) -> Result<Probed, Failure> {
        probe::probe(self.tools()?, path, format, &self.options.limits, budget)
    }

    fn video(&self, path: &Path, format: VideoFormat, specs: &[InputSpec]) -> Result<VideoFrames, Failure> {
        let (tools, limits, mut budget) = (self.tools()?, &self.options.limits, self.budget());
        let probed = self.probe(path, format, &mut budget)?;
        let duration = self.duration(path, &probed, &mut budget)?;
        let choice = Choice::new(self.options.sampling, self.options.min_frames, duration, limits);
        let size = plan::scaled(probed.stored, probed.aspect, probed.info.orientation, specs);
        let wanted = Wanted { choice, size, threads: self.options.threads, limits };
        let source = Box::new(Ffmpeg::start(tools, path, &probed, wanted, budget)?);
        let color = if probed.has_alpha { ColorType::Rgba8 } else { ColorType::Rgb8 };
        Ok(self.read(path, probed.info, specs, (size, color, source)))
    }

    /// How long a video is, as far as that can be trusted for what depends on it.
    fn duration(&self, path: &Path, probed: &Probed, budget: &mut Budget) -> Result<Option<f64>, Failure> {
        let limits = &self.options.limits;
        let Some(duration) = probed.info.duration else { return Ok(None) };
        if !Choice::depends_on(self.options.sampling, duration, limits) {
            return Ok(Some(duration));
        }
        let found = probe::reaches(self.tools()?, path, probed, duration, limits, budget)?;
        // The key frame before may be some way off.
        Ok(found.filter(|time| *time > 0.0).map(|time| if time > duration * 0.7 { duration } else { time }))
    }

    fn animation(
        &self,
        path: &Path,
        format: VideoFormat,
        mut file: File,
        specs: &[InputSpec],
    ) -> Result<VideoFrames, Failure> {
        let limits = &self.options.limits;
        let bytes = whole(&mut file, limits)?;
        let info = animation::info(std::io::Cursor::new(&bytes), format, limits)?;
        let choice = Choice::new(self.options.sampling, self.options.min_frames, info.duration, limits);
        let size = (info.width, info.height);
        let source = Box::new(Animation::start(bytes, &info, choice, limits.frames(), self.budget())?);
        Ok(self.read(path, info, specs, (size, ColorType::Rgba8, source)))
    }

    fn read(
        &self,
        path: &Path,
        info: VideoInfo,
        specs: &[InputSpec],
        (size, color, source): ((u32, u32), ColorType, Box<dyn Source>),
    ) -> VideoFrames {
        VideoFrames {
            path: path.to_owned(),
            info,
            specs: specs.to_vec(),
            background: self.options.background,
            bars: self.options.trims_bars.then(Bars::default),
            size,
            color,
            most: self.options.limits.frames(),
            source: Some(source),
            pixels: Vec::new(),
            scaler: Scaler::default(),
            given: 0,
        }
    }
}

/// Opens a regular file that is a video.
fn open(path: &Path) -> Result<(VideoFormat, File), Failure> {
    let (mut file, length) = source::open(path, &any_size())?;
    if let Some(format) = VideoFormat::of_file(&mut file, path)? {
        return Ok((format, file));
    }
    file.rewind()?;
    let is_sound = is_audio(&head(&mut file)?);
    Err(match length {
        0 => Failure::Unsupported("the file is empty".to_owned()),
        _ if is_sound => Failure::AudioOnly,
        _ => Failure::Unsupported("it is no video".to_owned()),
    })
}

/// A whole animation.
fn whole(file: &mut File, limits: &VideoLimits) -> Result<Vec<u8>, Failure> {
    let length = file.metadata()?.len();
    check(Limit::FileBytes, length, limits.max_animation_bytes)?;
    file.rewind()?;
    let mut bytes = Vec::new();
    let allowed = Limits::default().with_max_file_bytes(limits.max_animation_bytes);
    let read = source::read(file, Some(length), &allowed, Deadline::start(limits.deadline), &mut bytes)?.len();
    bytes.truncate(read);
    Ok(bytes)
}
