//! What a rule sees in a file.

use std::fmt;
use std::time::SystemTime;

use nodupe_media::ImageFormat;

/// What a [`KeepRule`](crate::KeepRule) sees in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepValue {
    /// How long a video is.
    Seconds(u64),
    /// Its pixels, as shown.
    Resolution {
        /// Across.
        width: u32,
        /// Down.
        height: u32,
    },
    /// What kind of image it is.
    Format(ImageFormat),
    /// The quality of a JPEG, 1 to 100.
    Quality(u8),
    /// Its length in bytes.
    Bytes(u64),
    /// When it was modified.
    Modified(SystemTime),
    /// Whether it is at or below the path of the rule.
    Inside(bool),
    /// The folders on the way to it from the root of the file system.
    Folders(usize),
    /// Characters of its name.
    NameLength(usize),
    /// Its place in the group.
    Place(usize),
}

impl fmt::Display for KeepValue {
    /// Short, for people: `4000x3000`, `png`, `92`, `81234 bytes`, `2024-05-01T09:30:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds} s"),
            Self::Resolution { width, height } => write!(f, "{width}x{height}"),
            Self::Format(format) => write!(f, "{format}"),
            Self::Quality(quality) => write!(f, "{quality}"),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Modified(time) => match jiff::Timestamp::try_from(*time) {
                Ok(time) => write!(f, "{time}"),
                Err(_) => f.write_str("a time of no calendar"),
            },
            Self::Inside(is_inside) => f.write_str(if *is_inside { "inside" } else { "outside" }),
            Self::Folders(count) => write!(f, "{count} folders"),
            Self::NameLength(count) => write!(f, "{count} characters"),
            Self::Place(place) => write!(f, "place {place}"),
        }
    }
}
