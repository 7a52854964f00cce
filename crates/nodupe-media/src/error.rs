//! Why a file has no pixels.

use std::path::{Path, PathBuf};

use nodupe_core::BoxError;

use crate::format::ImageFormat;
use crate::limits::Limit;
use crate::video::{VideoFormat, VideoToolsError};

/// Why a file has no pixels. The path is the file's; for bytes and readers it is the name that the caller gave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There is no such file, or not any more.
    #[error("{path} does not exist", path = path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The content is no image, or of a kind of image that is not read.
    #[error("{path} is not an image that can be read: {detail}", path = path.display())]
    UnsupportedFormat {
        /// The file.
        path: PathBuf,
        /// What it is instead, as far as can be told.
        detail: String,
    },
    /// The file is an image, and it is damaged.
    #[error("{path} is damaged: the {format} decoder gave up", path = path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What its first bytes say it is.
        format: ImageFormat,
        /// What the decoder said.
        source: BoxError,
    },
    /// Decoding would take, or took, more than [`Limits`](crate::Limits) or
    /// [`PoolOptions`](crate::PoolOptions) allow.
    #[error("{path} is over the limit of {limit}: {value}, and {allowed} are allowed", path = path.display())]
    LimitExceeded {
        /// The file.
        path: PathBuf,
        /// Which limit.
        limit: Limit,
        /// What the file takes, or the least that is known of it.
        value: u64,
        /// The limit, in the same unit.
        allowed: u64,
    },
    /// The file is a video, and it is damaged or has no frame.
    #[error("{path} is damaged: after {frames} frames, {said}", path = path.display())]
    DecodeVideo {
        /// The file.
        path: PathBuf,
        /// What its first bytes say it is.
        format: VideoFormat,
        /// The frames that came before.
        frames: u64,
        /// What the decoder said.
        said: String,
    },
    /// The file is sound without a picture.
    #[error("{path} has sound and no picture", path = path.display())]
    AudioOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file is a video, and what decodes videos is not there.
    #[error("{path} is a video, and there is nothing that decodes it", path = path.display())]
    NoVideoTools {
        /// The file.
        path: PathBuf,
        /// What is missing, and what to do.
        source: VideoToolsError,
    },
    /// The caller did not want it any more.
    #[error("{path} was cancelled", path = path.display())]
    Cancelled {
        /// The file.
        path: PathBuf,
    },
    /// Reading failed, or the path is no regular file.
    #[error("{path} cannot be read", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl MediaError {
    /// The kind's name in reports, which never changes: `not-found`, `unsupported-format`, `decode`, `limit-exceeded`
    /// or `io`; of videos also `decode-video`, `audio-only`, `no-video-tools` or `cancelled`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::UnsupportedFormat { .. } => "unsupported-format",
            Self::Decode { .. } => "decode",
            Self::LimitExceeded { .. } => "limit-exceeded",
            Self::DecodeVideo { .. } => "decode-video",
            Self::AudioOnly { .. } => "audio-only",
            Self::NoVideoTools { .. } => "no-video-tools",
            Self::Cancelled { .. } => "cancelled",
            Self::Io { .. } => "io",
        }
    }

    /// What is wrong, without the path and with all that decoder and system said of it, in one line.
    pub fn reason(&self) -> String {
        let said = |what: &str, source: &dyn std::error::Error| {
            let sources = std::iter::successors(Some(source), |error| error.source());
            sources.fold(what.to_owned(), |mut text, error| {
                let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                // Many errors quote their source in their own text.
                if !line.is_empty() && !text.contains(&line) {
                    text.push_str(": ");
                    text.push_str(&line);
                }
                text
            })
        };
        match self {
            Self::NotFound { .. } => "it does not exist".to_owned(),
            Self::UnsupportedFormat { detail, .. } => format!("it is not an image that can be read: {detail}"),
            Self::Decode { format, source, .. } => {
                said(&format!("it is damaged: the {format} decoder gave up"), source.as_ref())
            }
            Self::LimitExceeded { limit, value, allowed, .. } => {
                format!("it is over the limit of {limit}: {value}, and {allowed} are allowed")
            }
            Self::DecodeVideo { frames, said, .. } => format!("it is damaged: after {frames} frames, {said}"),
            Self::AudioOnly { .. } => "it has sound and no picture".to_owned(),
            Self::NoVideoTools { source, .. } => said("it is a video, and there is nothing that decodes it", source),
            Self::Cancelled { .. } => "it was cancelled".to_owned(),
            Self::Io { source, .. } => said("it cannot be read", source),
        }
    }

    /// The file; for bytes and readers the name that the caller gave.
    pub fn path(&self) -> &Path {
        match self {
            Self::NotFound { path }
            | Self::UnsupportedFormat { path, .. }
            | Self::Decode { path, .. }
            | Self::LimitExceeded { path, .. }
            | Self::DecodeVideo { path, .. }
            | Self::AudioOnly { path }
            | Self::NoVideoTools { path, .. }
            | Self::Cancelled { path }
            | Self::Io { path, .. } => path,
        }
    }
}

/// A [`MediaError`] on its way up to where the path is known.
#[derive(Debug)]
pub(crate) enum Failure {
    Unsupported(String),
    Decode(ImageFormat, BoxError),
    Limit { limit: Limit, value: u64, allowed: u64 },
    Video { format: VideoFormat, frames: u64, said: String },
    AudioOnly,
    NoVideoTools(VideoToolsError),
    Cancelled,
    Io(std::io::Error),
}

impl Failure {
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> MediaError {
        let path = path.into();
        match self {
            Self::Unsupported(detail) => MediaError::UnsupportedFormat { path, detail },
            Self::Decode(format, source) => MediaError::Decode { path, format, source },
            Self::Limit { limit, value, allowed } => MediaError::LimitExceeded { path, limit, value, allowed },
            Self::Video { format, frames, said } => MediaError::DecodeVideo { path, format, frames, said },
            Self::AudioOnly => MediaError::AudioOnly { path },
            Self::NoVideoTools(source) => MediaError::NoVideoTools { path, source },
            Self::Cancelled => MediaError::Cancelled { path },
            Self::Io(source) if source.kind() == std::io::ErrorKind::NotFound => MediaError::NotFound { path },
            Self::Io(source) => MediaError::Io { path, source },
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(source: std::io::Error) -> Self {
        Self::Io(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_without_the_path() {
        let source = "invalid\n  header\n".into();
        let error = MediaError::Decode { path: "a/b.png".into(), format: ImageFormat::Png, source };
        assert_eq!(error.reason(), "it is damaged: the png decoder gave up: invalid header");
        let source = std::io::Error::other("no luck");
        assert_eq!(MediaError::Io { path: "x".into(), source }.reason(), "it cannot be read: no luck");
        let source = image::ImageError::IoError(std::io::Error::other("no luck")).into();
        let error = MediaError::Decode { path: "x".into(), format: ImageFormat::Png, source };
        assert_eq!(error.reason(), "it is damaged: the png decoder gave up: no luck", "said once");
    }
}
