//! A file to pixels of a wanted size, on this thread.

use std::any::Any;
use std::fmt;
use std::io::{Read, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nodupe_core::{Channels, InputSpec, View};

use crate::costs::{Clock, Costs};
use crate::deadline::Deadline;
use crate::error::{Failure, MediaError};
use crate::format::ImageFormat;
use crate::limits::{Limit, Limits, check};
use crate::orientation::{Shown, turned};
use crate::picture::{self, Given, Header, Open, Request};
use crate::resize::{self, Filtered, Scaler, Stored};
use crate::source;

/// How images are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// How much one file may cost.
    pub limits: Limits,
    /// What is seen through transparent pixels, as RGB; white by default. Through those of a grey image its luminance.
    pub background: [u8; 3],
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { limits: Limits::default(), background: [255; 3] }
    }
}

impl DecodeOptions {
    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with another background.
    #[must_use]
    pub fn with_background(mut self, background: [u8; 3]) -> Self {
        self.background = background;
        self
    }
}

/// What is known of an image besides its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageInfo {
    /// Width in pixels, as shown.
    pub width: u32,
    /// Height in pixels, as shown.
    pub height: u32,
    /// What kind of image it is, by its content.
    pub format: ImageFormat,
    /// What was done to the pixels as they are stored to show them.
    pub orientation: View,
}

/// An image as an [`InputSpec`] wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded {
    /// What else is known of the image.
    pub info: ImageInfo,
    /// Exactly [`InputSpec::bytes`] bytes, row-major.
    pub pixels: Vec<u8>,
}

/// Decodes one file with the default options. For more than a few, take a [`Decoder`] or a
/// [`DecodePool`](crate::DecodePool).
///
/// # Errors
/// Every [`MediaError`].
pub fn decode(path: impl AsRef<Path>, spec: &InputSpec) -> Result<Decoded, MediaError> {
    let mut pixels = Vec::with_capacity(spec.bytes());
    let info = Decoder::default().decode_path(path.as_ref(), spec, &mut pixels)?;
    Ok(Decoded { info, pixels })
}

/// Decodes one file after the other, and keeps its buffers between them (those of a large image are given back).
///
/// ICC profiles are not applied: channels are taken for sRGB. A decoder that panics costs its file and nothing else.
pub struct Decoder {
    options: DecodeOptions,
    open: Open,
    file: Vec<u8>,
    pixels: Vec<u8>,
    scaler: Scaler,
    costs: Costs,
}

/// Bytes of a buffer that are kept for the next image.
const KEPT: usize = 4 << 20;

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DecodeOptions::default())
    }
}

impl Decoder {
    /// A decoder; it takes memory when it is used.
    pub fn new(options: DecodeOptions) -> Self {
        Self::with_open(options, picture::open)
    }

    pub(crate) fn with_open(options: DecodeOptions, open: Open) -> Self {
        Self { options, open, file: Vec::new(), pixels: Vec::new(), scaler: Scaler::default(), costs: Costs::default() }
    }

    /// Where the time of all that it has decoded went.
    pub fn costs(&self) -> Costs {
        self.costs
    }

    /// Appends the image in a file as `spec` wants it to `out`: exactly [`InputSpec::bytes`] bytes. After an error `out`
    /// is as it was.
    ///
    /// # Errors
    /// Every [`MediaError`].
    pub fn decode_path(&mut self, path: &Path, spec: &InputSpec, out: &mut Vec<u8>) -> Result<ImageInfo, MediaError> {
        self.file(path, &mut Task::Pixels(spec, out), &mut Unbounded).map_err(|failure| failure.at(path))
    }

    /// The same of bytes in memory. `name` is what errors call them; its extension counts where the format has no magic
    /// bytes.
    ///
    /// # Errors
    /// Every [`MediaError`] but `NotFound` and `Io`.
    pub fn decode_bytes(
        &mut self,
        name: impl AsRef<Path>,
        bytes: &[u8],
        spec: &InputSpec,
        out: &mut Vec<u8>,
    ) -> Result<ImageInfo, MediaError> {
        let name = name.as_ref();
        check(Limit::FileBytes, bytes.len() as u64, self.options.limits.max_file_bytes)
            .and_then(|()| {
                self.bytes(name, bytes, Deadline::start(self.options.limits.deadline), &mut Task::Pixels(spec, out))
            })
            .map_err(|failure| failure.at(name))
    }

    /// The same of everything that a reader gives.
    ///
    /// # Errors
    /// Every [`MediaError`].
    pub fn decode_reader(
        &mut self,
        name: impl AsRef<Path>,
        reader: impl Read,
        spec: &InputSpec,
        out: &mut Vec<u8>,
    ) -> Result<ImageInfo, MediaError> {
        let name = name.as_ref();
        let deadline = Deadline::start(self.options.limits.deadline);
        let mut file = std::mem::take(&mut self.file);
        let decoded = source::read(reader, None, &self.options.limits, deadline, &mut file)
            .and_then(|bytes| self.bytes(name, bytes, deadline, &mut Task::Pixels(spec, out)));
        self.file = kept(file);
        decoded.map_err(|failure| failure.at(name))
    }

    /// What the header of a file says. No pixel is decoded.
    ///
    /// # Errors
    /// Every [`MediaError`].
    pub fn info(&mut self, path: &Path) -> Result<ImageInfo, MediaError> {
        self.file(path, &mut Task::Header, &mut Unbounded).map_err(|failure| failure.at(path))
    }

    /// BLAKE3 of what a file shows: width and height (two u32, little endian), then the RGB pixels, 8 bits a channel,
    /// row-major, oriented, on the background. Files that show the same have the same digest, in whatever lossless
    /// format and orientation they are stored.
    ///
    /// # Errors
    /// Every [`MediaError`].
    pub fn pixel_digest(&mut self, path: &Path) -> Result<[u8; 32], MediaError> {
        let mut digest = [0; 32];
        self.file(path, &mut Task::Digest(&mut digest), &mut Unbounded).map_err(|failure| failure.at(path))?;
        Ok(digest)
    }

    /// Does `task` with the image in a file, and asks `gate` before it takes memory.
    pub(crate) fn file(&mut self, path: &Path, task: &mut Task<'_>, gate: &mut dyn Gate) -> Result<ImageInfo, Failure> {
        let mut clock = Clock::start();
        let (mut reader, length) = source::open(path, &self.options.limits)?;
        let mut held = length;
        loop {
            gate.hold(held)?;
            let deadline = Deadline::start(self.options.limits.deadline);
            let mut file = std::mem::take(&mut self.file);
            let bytes = source::read(&mut reader, Some(length), &self.options.limits, deadline, &mut file);
            self.costs.read += clock.lap();
            let step = bytes.and_then(|bytes| self.step(path, bytes, deadline, task, gate));
            // What it took is counted there.
            clock.lap();
            match step {
                Ok(Step::Done(info)) => {
                    self.file = kept(file);
                    return Ok(info);
                }
                Err(failure) => {
                    self.file = kept(file);
                    return Err(failure);
                }
                // Not without waiting, and who waits holds nothing: the file is read again.
                Ok(Step::Needs(bytes)) => held = bytes,
            }
            reader.rewind()?;
        }
    }

    /// Does `task` with the image in `bytes`.
    fn bytes(
        &mut self,
        name: &Path,
        bytes: &[u8],
        deadline: Deadline,
        task: &mut Task<'_>,
    ) -> Result<ImageInfo, Failure> {
        match self.step(name, bytes, deadline, task, &mut Unbounded)? {
            Step::Done(info) => Ok(info),
            Step::Needs(value) => {
                Err(Failure::Limit { limit: Limit::MemoryBytes, value, allowed: self.options.limits.max_memory_bytes })
            }
        }
    }

    /// Does `task` unless the memory for it cannot be had at once. What panics below ends here.
    fn step(
        &mut self,
        name: &Path,
        bytes: &[u8],
        deadline: Deadline,
        task: &mut Task<'_>,
        gate: &mut dyn Gate,
    ) -> Result<Step, Failure> {
        let format = ImageFormat::detect(bytes, name)?;
        let length = task.length();
        let request = Request {
            format,
            bytes,
            channels: task.channels(),
            spec: task.spec(),
            background: self.options.background,
            limits: &self.options.limits,
            deadline,
        };
        let (open, pixels, scaler, costs) = (self.open, &mut self.pixels, &mut self.scaler, &mut self.costs);
        let attempt = AssertUnwindSafe(|| attempt(open, &request, task, gate, (pixels, scaler), costs));
        let step = catch_unwind(attempt).unwrap_or_else(|panic| {
            // Whatever state it left them in.
            (self.pixels, self.scaler) = Default::default();
            tracing::warn!(path = %name.display(), %format, "a decoder panicked");
            Err(Failure::Decode(format, panicked(&*panic).into()))
        });
        self.pixels = kept(std::mem::take(&mut self.pixels));
        if self.scaler.held() > KEPT {
            self.scaler = Scaler::default();
        }
        step.map_err(|failure| {
            task.undo(length);
            match failure {
                Failure::Decode(..) => deadline.explain(failure),
                _ => failure,
            }
        })
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What is done with an image.
#[derive(Debug)]
pub(crate) enum Task<'t> {
    Header,
    Pixels(&'t InputSpec, &'t mut Vec<u8>),
    Digest(&'t mut [u8; 32]),
}

impl Task<'_> {
    fn channels(&self) -> Channels {
        match self {
            Self::Pixels(spec, _) => spec.channels(),
            _ => Channels::Rgb,
        }
    }

    /// What pixels are resized to; `None` where each of them counts.
    fn spec(&self) -> Option<InputSpec> {
        match self {
            Self::Pixels(spec, _) => Some(**spec),
            _ => None,
        }
    }

    /// Bytes that it holds besides the file, for an image with this header.
    fn memory(&self, header: &Header) -> u64 {
        match self {
            Self::Header => 0,
            Self::Pixels(spec, _) => header.memory.saturating_add(resize::memory((header.width, header.height), spec)),
            Self::Digest(_) => header.memory,
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Pixels(_, out) => out.len(),
            _ => 0,
        }
    }

    /// Takes back what was appended after there were `length` bytes.
    fn undo(&mut self, length: usize) {
        if let Self::Pixels(_, out) = self {
            out.truncate(length);
        }
    }
}

enum Step {
    Done(ImageInfo),
    /// So many bytes have to be held in all, and are not to be had without waiting.
    Needs(u64),
}

/// Who is asked before memory is taken.
pub(crate) trait Gate {
    /// Gives back what is held, and waits until `bytes` may be. An error where nobody wants the image any more.
    fn hold(&mut self, bytes: u64) -> Result<(), Failure>;

    /// Holds `bytes` in all from now on, unless that means to wait.
    fn grow(&mut self, bytes: u64) -> bool;
}

struct Unbounded;

impl Gate for Unbounded {
    fn hold(&mut self, _: u64) -> Result<(), Failure> {
        Ok(())
    }

    fn grow(&mut self, _: u64) -> bool {
        true
    }
}

fn attempt(
    open: Open,
    request: &Request<'_>,
    task: &mut Task<'_>,
    gate: &mut dyn Gate,
    (pixels, scaler): (&mut Vec<u8>, &mut Scaler),
    costs: &mut Costs,
) -> Result<Step, Failure> {
    let mut clock = Clock::start();
    let picture = open(request)?;
    let header = picture.header();
    let (width, height) = turned(header.orientation, header.width, header.height);
    let info = ImageInfo { width, height, format: request.format, orientation: header.orientation };
    let needs = task.memory(&header).saturating_add(request.bytes.len() as u64);
    check(Limit::MemoryBytes, needs, request.limits.max_memory_bytes)?;
    if matches!(task, Task::Header) {
        return Ok(Step::Done(info));
    }
    if !gate.grow(needs) {
        return Ok(Step::Needs(needs));
    }
    if let Task::Pixels(spec, out) = task
        && spec.channels() == Channels::Luma
        && let Some(filter) = Filtered::new((header.width, header.height), header.orientation, spec)
        && let Some(small) = picture.filtered(&filter.across, &filter.down)
    {
        filter.compose(&small, Channels::Luma, spec, out);
        costs.decode += clock.lap();
        return Ok(Step::Done(info));
    }
    let given = picture.read(pixels);
    costs.decode += clock.lap();
    let Given { channels, reduction } = given?;
    let size = (header.width, header.height);
    let image = Stored { pixels, channels, size, reduction, orientation: header.orientation };
    match task {
        Task::Header => {}
        Task::Pixels(spec, out) => {
            scaler.append(&image, spec, out).map_err(|error| Failure::Decode(request.format, error))?;
        }
        Task::Digest(digest) => **digest = digest_of(&image, (width, height)),
    }
    costs.resize += clock.lap();
    Ok(Step::Done(info))
}

fn digest_of(image: &Stored<'_>, (width, height): (u32, u32)) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&width.to_le_bytes());
    hasher.update(&height.to_le_bytes());
    let shown = Shown::new(image.pixels, image.channels, image.size, image.orientation);
    let mut row = vec![0; width as usize * Channels::Rgb.count()];
    for y in 0..shown.height() {
        shown.row(y, Channels::Rgb, &mut row);
        hasher.update(&row);
    }
    hasher.finalize().into()
}

/// The buffer for the next image, unless this one made it large.
fn kept(buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > KEPT { Vec::new() } else { buffer }
}

/// What a panic said.
fn panicked(payload: &(dyn Any + Send)) -> String {
    let message =
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", message.unwrap_or("without a message"))
}
