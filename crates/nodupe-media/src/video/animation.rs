//! GIF, WebP and PNG of several frames, decoded here.

pub(crate) mod delays;

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder as _, Frames, ImageDecoder as _, ImageResult};
use nodupe_core::View;

use self::delays::Delays;
use super::format::VideoFormat;
use super::frames::Source;
use super::info::VideoInfo;
use super::limits::VideoLimits;
use super::process::{Budget, GLANCE, Pulse};
use super::sampling::{Choice, Chooser};
use crate::error::Failure;
use crate::limits::{Limit, check};

/// What a file says of its animation. All frames are stepped over, none is decoded.
pub(crate) fn info<R: Read + Seek>(
    mut reader: R,
    format: VideoFormat,
    limits: &VideoLimits,
) -> Result<VideoInfo, Failure> {
    let mut head = [0; 30];
    reader.rewind()?;
    reader.read_exact(&mut head)?;
    let (width, height) = canvas(&head, format);
    check(Limit::Pixels, u64::from(width) * u64::from(height), limits.max_pixels)?;
    if width == 0 || height == 0 {
        return Err(Failure::Video { format, frames: 0, said: "it has no pixels".to_owned() });
    }
    let (frames, duration) = Delays::new(reader, format)
        .fold((0u64, 0.0), |(frames, duration), delay| (frames + 1, duration + shown(delay)));
    Ok(VideoInfo {
        format,
        codec: match format {
            VideoFormat::AnimatedGif => "gif",
            VideoFormat::AnimatedWebP => "webp",
            _ => "apng",
        }
        .to_owned(),
        width,
        height,
        orientation: View::Identity,
        duration: (duration > 0.0).then_some(duration),
        frame_rate: (duration > 0.0).then(|| frames as f64 / duration),
        has_sound: false,
    })
}

/// Width and height of what all frames are laid on.
fn canvas(head: &[u8; 30], format: VideoFormat) -> (u32, u32) {
    match format {
        VideoFormat::AnimatedGif => {
            let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]));
            (side(6), side(8))
        }
        VideoFormat::AnimatedWebP => {
            let side = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]) + 1;
            (side(24), side(27))
        }
        _ => {
            let side = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            (side(16), side(20))
        }
    }
}

/// How long a frame is shown, in seconds, that says `delay`: what is too fast for a screen is slow, as in every browser.
fn shown(delay: f64) -> f64 {
    if delay < 0.0105 { 0.1 } else { delay }
}

/// An animation that is decoded on a thread of its own, a few frames ahead: a decoder that loops is left behind.
#[derive(Debug)]
pub(crate) struct Animation {
    frames: Receiver<Result<(f64, Vec<u8>), String>>,
    is_left: Arc<AtomicBool>,
    pulse: Arc<Pulse>,
    budget: Budget,
    format: VideoFormat,
    given: u64,
}

impl Animation {
    /// Decodes the whole file `bytes`, whose header says `info`.
    pub(crate) fn start(
        bytes: Vec<u8>,
        info: &VideoInfo,
        choice: Choice,
        most: u64,
        budget: Budget,
    ) -> Result<Self, Failure> {
        let (send, frames) = bounded(2);
        let (is_left, pulse) = (Arc::new(AtomicBool::new(false)), Pulse::start());
        let work = Work {
            reader: Watched { bytes: Cursor::new(bytes), is_left: Arc::clone(&is_left) },
            format: info.format,
            size: (info.width, info.height),
            chooser: Chooser::new(choice),
            most,
            pulse: Arc::clone(&pulse),
        };
        thread::Builder::new().name("animation".to_owned()).spawn(move || work.run(&send))?;
        Ok(Self { frames, is_left, pulse, budget, format: info.format, given: 0 })
    }
}

impl Source for Animation {
    fn next(&mut self, pixels: &mut Vec<u8>) -> Result<Option<f64>, Failure> {
        let started = Instant::now();
        let outcome = loop {
            let waited = started.elapsed();
            self.budget.check(waited, self.pulse.ago().min(waited))?;
            match self.frames.recv_timeout(GLANCE) {
                Ok(Ok((time, frame))) => {
                    *pixels = frame;
                    self.given += 1;
                    break Ok(Some(time));
                }
                Ok(Err(said)) => break Err(said),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.given == 0 => {
                    break Err("there is no frame in it".to_owned());
                }
                Err(RecvTimeoutError::Disconnected) => break Ok(None),
            }
        };
        self.budget.spend(started.elapsed());
        outcome.map_err(|said| Failure::Video { format: self.format, frames: self.given, said })
    }
}

impl Drop for Animation {
    fn drop(&mut self) {
        self.is_left.store(true, Ordering::Relaxed);
    }
}

/// What the thread does.
struct Work {
    reader: Watched,
    format: VideoFormat,
    size: (u32, u32),
    chooser: Chooser,
    most: u64,
    pulse: Arc<Pulse>,
}

impl Work {
    fn run(self, send: &Sender<Result<(f64, Vec<u8>), String>>) {
        let work = catch_unwind(AssertUnwindSafe(|| self.frames(send)));
        let said = match work {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the decoder panicked".to_owned(),
        };
        // Nobody may be there any more.
        let _ = send.send(Err(said.split_whitespace().collect::<Vec<_>>().join(" ")));
    }

    /// Sends the frames that are taken.
    fn frames(mut self, send: &Sender<Result<(f64, Vec<u8>), String>>) -> ImageResult<()> {
        let (mut time, mut count) = (0.0, 0);
        for frame in open(self.reader, self.format, self.size)? {
            let frame = frame?;
            self.pulse.beat();
            let (numerator, denominator) = frame.delay().numer_denom_ms();
            let at = time;
            time += shown(f64::from(numerator) / f64::from(denominator.max(1)) / 1000.0);
            let pixels = frame.into_buffer();
            if pixels.dimensions() != self.size {
                let error = io::Error::new(io::ErrorKind::InvalidData, "a frame has another size than the canvas");
                return Err(error.into());
            }
            if self.chooser.takes(at, &pixels) {
                count += 1;
                if send.send(Ok((at, pixels.into_raw()))).is_err() || count == self.most {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn open(reader: Watched, format: VideoFormat, (width, height): (u32, u32)) -> ImageResult<Frames<'static>> {
    let mut limits = image::Limits::no_limits();
    // The canvas, a frame and the one before, as RGBA of 16 bits, and what a decoder needs besides.
    limits.max_alloc = Some(u64::from(width) * u64::from(height) * 32 + (1 << 20));
    Ok(match format {
        VideoFormat::AnimatedGif => {
            let mut decoder = GifDecoder::new(reader)?;
            decoder.set_limits(limits)?;
            decoder.into_frames()
        }
        VideoFormat::AnimatedWebP => WebPDecoder::new(reader)?.into_frames(),
        _ => PngDecoder::with_limits(reader, limits)?.apng()?.into_frames(),
    })
}

/// Bytes in memory that end when nobody wants them any more.
struct Watched {
    bytes: Cursor<Vec<u8>>,
    is_left: Arc<AtomicBool>,
}

impl Watched {
    fn check(&self) -> io::Result<()> {
        if self.is_left.load(Ordering::Relaxed) {
            return Err(io::Error::other("the animation is not wanted any more"));
        }
        Ok(())
    }
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.bytes.read(buf)
    }
}

impl BufRead for Watched {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.bytes.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.consume(amount);
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.check()?;
        self.bytes.seek(to)
    }
}
