//! What kind of video a file is, told by its first bytes; and whether a GIF, a WebP or a PNG moves.

mod audio;
mod magic;

use std::fmt;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use super::animation::delays::Delays;
use crate::error::MediaError;
use crate::limits::Limits;
use crate::source;

pub(crate) use audio::is_audio;

/// A kind of file that holds a video, or an animation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoFormat {
    /// MP4, M4V, 3GP: ISO base media that is no still image.
    Mp4,
    /// `QuickTime`.
    QuickTime,
    /// Matroska.
    Matroska,
    /// `WebM`.
    WebM,
    /// AVI.
    Avi,
    /// Flash video.
    Flv,
    /// ASF, which WMV is.
    Asf,
    /// Ogg.
    Ogg,
    /// MPEG program stream, VOB.
    MpegPs,
    /// MPEG transport stream: packets of 188 bytes, of 192 (M2TS) or of 204.
    MpegTs,
    /// MPEG-1, MPEG-2 or MPEG-4 video without a container.
    MpegVideo,
    /// H.264 without a container.
    H264,
    /// H.265 without a container.
    Hevc,
    /// `RealMedia`.
    Real,
    /// YUV4MPEG2.
    Y4m,
    /// MXF.
    Mxf,
    /// DV without a container, which has no magic bytes and is known by its extension.
    Dv,
    /// IVF.
    Ivf,
    /// NUT.
    Nut,
    /// GIF of several frames.
    AnimatedGif,
    /// WebP of several frames.
    AnimatedWebP,
    /// PNG of several frames.
    Apng,
}

impl VideoFormat {
    /// The name in reports: `mp4`, `matroska`, `animated-gif`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::QuickTime => "quicktime",
            Self::Matroska => "matroska",
            Self::WebM => "webm",
            Self::Avi => "avi",
            Self::Flv => "flv",
            Self::Asf => "asf",
            Self::Ogg => "ogg",
            Self::MpegPs => "mpeg-ps",
            Self::MpegTs => "mpeg-ts",
            Self::MpegVideo => "mpeg-video",
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Real => "realmedia",
            Self::Y4m => "y4m",
            Self::Mxf => "mxf",
            Self::Dv => "dv",
            Self::Ivf => "ivf",
            Self::Nut => "nut",
            Self::AnimatedGif => "animated-gif",
            Self::AnimatedWebP => "animated-webp",
            Self::Apng => "apng",
        }
    }

    /// Whether it is read without ffmpeg.
    pub const fn is_animation(self) -> bool {
        matches!(self, Self::AnimatedGif | Self::AnimatedWebP | Self::Apng)
    }

    /// What the file at `path` is; `None` where it is no video, as a GIF with one frame is none. The first bytes decide, and the
    /// extension where a kind of file has none of its own. At most two frames of an animation are stepped over, and nothing is
    /// decoded, so that what looks like a video may turn out to have no picture.
    ///
    /// # Errors
    /// [`MediaError::NotFound`] and [`MediaError::Io`].
    pub fn of_path(path: &Path) -> Result<Option<Self>, MediaError> {
        let (file, _) = source::open(path, &any_size()).map_err(|failure| failure.at(path))?;
        Self::of_file(file, path).map_err(|source| MediaError::Io { path: path.to_owned(), source })
    }

    /// The same of a file in memory, or of the beginning of one: 4 KiB are enough for all but animations. `name` is for its
    /// extension.
    pub fn of_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Option<Self> {
        // Memory can be read.
        Self::read(Cursor::new(bytes), name.as_ref()).unwrap_or_default()
    }

    /// The same of an open file.
    pub(crate) fn of_file(file: impl Read + Seek, name: &Path) -> io::Result<Option<Self>> {
        Self::read(BufReader::with_capacity(HEAD, file), name)
    }

    fn read(mut reader: impl Read + Seek, name: &Path) -> io::Result<Option<Self>> {
        let head = head(&mut reader)?;
        if let Some(animation) = magic::animation(&head) {
            let moves = Delays::new(reader, animation).take(2).count() == 2;
            return Ok(moves.then_some(animation));
        }
        Ok(magic::detect(&head).or_else(|| magic::by_extension(&head, name)))
    }
}

/// What is read of a file to tell what it is.
const HEAD: usize = 4 << 10;

/// The first bytes of a file.
pub(crate) fn head(mut reader: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    reader.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// No limit: videos are not held in memory.
pub(crate) fn any_size() -> Limits {
    Limits::default().with_max_file_bytes(u64::MAX)
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
