//! One reason to keep a file rather than another one.

use std::fs;
use std::path::{self, Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use std::{fmt, io};

use nodupe_media::{ImageFormat, jpeg_quality};

use super::value::KeepValue;
use crate::report::{MediaInfo, Member};

/// One reason to keep a file rather than another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeepRule {
    /// The longer of two videos, to the second: what one of them was cut from.
    Longest,
    /// More pixels.
    Resolution,
    /// The format that can hold more of an image: [`Fidelity`](nodupe_media::Fidelity). Floats before lossless before lossy formats, these before
    /// fixed blocks, palettes last: what a file of the former was made from is not known to have been better, what one of the latter was made
    /// from is.
    Format,
    /// The higher quality of two JPEG files, by [`jpeg_quality`]. Unknown of other formats.
    Quality,
    /// More bytes: of what is alike otherwise, the file that was compressed less, or holds more beside the pixels.
    Size,
    /// Fewer bytes, to have the most room.
    Smallest,
    /// Modified first.
    Oldest,
    /// Modified last.
    Newest,
    /// At or below this path rather than elsewhere. A relative one is below the working directory.
    In(PathBuf),
    /// Elsewhere rather than at or below this path.
    NotIn(PathBuf),
    /// In fewer folders.
    Shallowest,
    /// The shorter file name, in characters: `a.jpg` rather than `a (1).jpg`.
    ShortestName,
    /// First in the walk: in the order of the roots, and by name below each. It always decides.
    First,
}

impl KeepRule {
    /// How each rule is written, and which file it keeps.
    pub const ALL: [(&str, &str); 13] = [
        ("longest", "the longer of two videos, to the second"),
        ("resolution", "the one of more pixels"),
        ("format", "floats before lossless before lossy before palettes"),
        ("quality", "of two JPEG files the one that was compressed less, by its quantisation tables"),
        ("size", "the one of more bytes"),
        ("smallest", "the one of fewer bytes"),
        ("oldest", "the one that was modified first"),
        ("newest", "the one that was modified last"),
        ("in:PATH", "what is in this folder"),
        ("not-in:PATH", "what is elsewhere"),
        ("shallowest", "the one in fewer folders"),
        ("shortest-name", "the one with the shorter file name"),
        ("first", "the one that is found first: in the order of the paths given, then by name"),
    ];

    /// The name without a path: `resolution`, `in`, …
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Longest => "longest",
            Self::Resolution => "resolution",
            Self::Format => "format",
            Self::Quality => "quality",
            Self::Size => "size",
            Self::Smallest => "smallest",
            Self::Oldest => "oldest",
            Self::Newest => "newest",
            Self::In(_) => "in",
            Self::NotIn(_) => "not-in",
            Self::Shallowest => "shallowest",
            Self::ShortestName => "shortest-name",
            Self::First => "first",
        }
    }

    /// The path of a rule that has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::In(path) | Self::NotIn(path) => Some(path),
            _ => None,
        }
    }

    pub(super) fn from_bytes(text: &[u8]) -> Result<Self, UnknownKeepRule> {
        const PLAIN: [KeepRule; 11] = [
            KeepRule::Longest,
            KeepRule::Resolution,
            KeepRule::Format,
            KeepRule::Quality,
            KeepRule::Size,
            KeepRule::Smallest,
            KeepRule::Oldest,
            KeepRule::Newest,
            KeepRule::Shallowest,
            KeepRule::ShortestName,
            KeepRule::First,
        ];
        let below = |prefix: &[u8]| text.strip_prefix(prefix).filter(|path| !path.is_empty()).and_then(path_of);
        let found = PLAIN.into_iter().find(|rule| rule.name().as_bytes() == text);
        found
            .or_else(|| below(b"in:").map(Self::In))
            .or_else(|| below(b"not-in:").map(Self::NotIn))
            .ok_or_else(|| UnknownKeepRule { text: String::from_utf8_lossy(text).into_owned() })
    }

    /// What looks at files for this rule.
    pub(super) fn judge(&self) -> Judge<'_> {
        Judge { rule: self, folder: self.path().map(Place::of) }
    }

    /// The more the better, among values of this rule.
    pub(super) fn worth(&self, value: &KeepValue) -> i128 {
        let amount = match value {
            KeepValue::Seconds(seconds) => i128::from(*seconds),
            KeepValue::Resolution { width, height } => i128::from(*width) * i128::from(*height),
            KeepValue::Format(format) => format.fidelity() as i128,
            KeepValue::Quality(quality) => i128::from(*quality),
            KeepValue::Bytes(bytes) => i128::from(*bytes),
            KeepValue::Modified(time) => since_epoch(*time),
            KeepValue::Inside(is_inside) => i128::from(*is_inside),
            KeepValue::Folders(count) | KeepValue::NameLength(count) | KeepValue::Place(count) => *count as i128,
        };
        match self {
            Self::Longest
            | Self::Resolution
            | Self::Format
            | Self::Quality
            | Self::Size
            | Self::Newest
            | Self::In(_) => amount,
            Self::Smallest | Self::Oldest | Self::NotIn(_) | Self::Shallowest | Self::ShortestName | Self::First => {
                -amount
            }
        }
    }
}

/// Nanoseconds.
fn since_epoch(time: SystemTime) -> i128 {
    let nanoseconds = |time: Duration| time.as_nanos().cast_signed();
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => -nanoseconds(before.duration()),
    }
}

/// A rule that is about to look at files.
pub(super) struct Judge<'a> {
    rule: &'a KeepRule,
    folder: Option<Place>,
}

impl Judge<'_> {
    /// What the rule sees in the file at `place` of its group; `None` where that is not known.
    pub(super) fn value(&self, place: usize, file: &Member) -> Option<KeepValue> {
        Some(match self.rule {
            KeepRule::Longest => KeepValue::Seconds(file.media.duration()?.round() as u64),
            KeepRule::Resolution => {
                let (width, height) = file.media.size();
                KeepValue::Resolution { width, height }
            }
            KeepRule::Format => match &file.media {
                MediaInfo::Image(image) => KeepValue::Format(image.format),
                MediaInfo::Video(_) => return None,
            },
            KeepRule::Quality => match &file.media {
                MediaInfo::Image(image) if image.format == ImageFormat::Jpeg => {
                    KeepValue::Quality(jpeg_quality(&file.path)?)
                }
                _ => return None,
            },
            KeepRule::Size | KeepRule::Smallest => KeepValue::Bytes(file.bytes),
            KeepRule::Oldest | KeepRule::Newest => {
                KeepValue::Modified(fs::metadata(&file.path).and_then(|metadata| metadata.modified()).ok()?)
            }
            KeepRule::In(_) | KeepRule::NotIn(_) => KeepValue::Inside(self.folder.as_ref()?.holds(&file.path)),
            KeepRule::Shallowest => {
                KeepValue::Folders(path::absolute(&file.path).ok()?.components().count().saturating_sub(1))
            }
            KeepRule::ShortestName => KeepValue::NameLength(file.path.file_name()?.to_string_lossy().chars().count()),
            KeepRule::First => KeepValue::Place(place),
        })
    }
}

/// A path as it is written, and as the file system has it: a file may lie in a folder by either.
struct Place {
    written: io::Result<PathBuf>,
    real: io::Result<PathBuf>,
}

impl Place {
    fn of(path: &Path) -> Self {
        Self { written: path::absolute(path), real: fs::canonicalize(path) }
    }

    fn holds(&self, file: &Path) -> bool {
        let below = |place: &io::Result<PathBuf>, file: io::Result<PathBuf>| match (place, file) {
            (Ok(place), Ok(file)) => file.starts_with(place),
            _ => false,
        };
        below(&self.written, path::absolute(file)) || below(&self.real, fs::canonicalize(file))
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere not all bytes are a path")]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

impl fmt::Display for KeepRule {
    /// As it is read, but for a path that is not UTF-8.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "{}:{}", self.name(), path.display()),
            None => f.pad(self.name()),
        }
    }
}

impl FromStr for KeepRule {
    type Err = UnknownKeepRule;

    fn from_str(text: &str) -> Result<Self, UnknownKeepRule> {
        Self::from_bytes(text.as_bytes())
    }
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no rule: write {}", KeepRule::ALL.map(|(name, _)| name).join(", "))]
pub struct UnknownKeepRule {
    /// The text.
    pub text: String,
}
