//! Which file of a group to keep: an ordered list of rules.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nodupe_media::{ImageFormat, ImageInfo, jpeg_quality};

/// What makes one file of a group better than another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeepRule {
    /// More pixels.
    Resolution,
    /// A format that stores pixels as they were: before those that may lose some (JPEG, WebP), and these before those that lose colours or
    /// precision by design (GIF, ICO, DDS).
    Format,
    /// A JPEG that is compressed less: see [`jpeg_quality`]. Says nothing of other files.
    Quality,
    /// More bytes.
    Size,
    /// Changed earlier.
    Oldest,
    /// Changed later.
    Newest,
    /// Fewer folders above it.
    Shallowest,
    /// Below this folder, or this file. Compared as it is written: `photos` is not `./photos`.
    In(PathBuf),
    /// Not below this folder.
    NotIn(PathBuf),
}

impl KeepRule {
    /// Those that need no folder, by their names.
    pub const SIMPLE: [Self; 7] =
        [Self::Resolution, Self::Format, Self::Quality, Self::Size, Self::Oldest, Self::Newest, Self::Shallowest];

    /// The name in options and reports: `resolution`, …; `in` and `not-in` stand before a colon and a folder.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resolution => "resolution",
            Self::Format => "format",
            Self::Quality => "quality",
            Self::Size => "size",
            Self::Oldest => "oldest",
            Self::Newest => "newest",
            Self::Shallowest => "shallowest",
            Self::In(_) => "in",
            Self::NotIn(_) => "not-in",
        }
    }

    /// How good a file is by this rule, the more the better; `None` where the rule does not say.
    fn value(&self, file: &Facts<'_>) -> Option<i128> {
        let seconds = |time: SystemTime| match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).ok(),
            Err(before) => i128::try_from(before.duration().as_nanos()).ok().map(|nanos| -nanos),
        };
        Some(match self {
            Self::Resolution => i128::from(file.image.width) * i128::from(file.image.height),
            Self::Format => fidelity(file.image.format),
            Self::Quality => file.quality?.into(),
            Self::Size => file.bytes.into(),
            Self::Oldest => -seconds(file.modified?)?,
            Self::Newest => seconds(file.modified?)?,
            Self::Shallowest => -(file.path.components().count() as i128),
            Self::In(folder) => file.path.starts_with(folder).into(),
            Self::NotIn(folder) => (!file.path.starts_with(folder)).into(),
        })
    }
}

/// What a format keeps of an image.
fn fidelity(format: ImageFormat) -> i128 {
    match format {
        ImageFormat::Gif | ImageFormat::Ico | ImageFormat::Dds => 0,
        ImageFormat::Jpeg | ImageFormat::WebP => 1,
        _ => 2,
    }
}

impl fmt::Display for KeepRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(folder) | Self::NotIn(folder) => write!(f, "{}:{}", self.name(), folder.display()),
            _ => f.write_str(self.name()),
        }
    }
}

/// A text that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no rule for what to keep: write resolution, format, quality, size, oldest, newest, shallowest, in:FOLDER or \
     not-in:FOLDER"
)]
pub struct UnknownKeepRule {
    /// The text.
    pub text: String,
}

/// An ordered list of rules: the first one that tells two files apart decides between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeepRules(Vec<KeepRule>);

impl Default for KeepRules {
    /// Resolution, format, quality, size, oldest: what cannot be had back comes first, and of two that are equal the one that was there first is
    /// the original.
    fn default() -> Self {
        use KeepRule::{Format, Oldest, Quality, Resolution, Size};
        Self(vec![Resolution, Format, Quality, Size, Oldest])
    }
}

impl From<Vec<KeepRule>> for KeepRules {
    fn from(rules: Vec<KeepRule>) -> Self {
        Self(rules)
    }
}

impl KeepRules {
    /// The rules in their order.
    pub fn rules(&self) -> &[KeepRule] {
        &self.0
    }

    /// Reads rules: `in:FOLDER`, `not-in:FOLDER`, or names with commas between them. A folder may have any name that a system gives.
    ///
    /// # Errors
    /// [`UnknownKeepRule`].
    pub fn parse(text: &OsStr) -> Result<Self, UnknownKeepRule> {
        let folder = |prefix: &str| {
            let rest = text.as_encoded_bytes().strip_prefix(prefix.as_bytes())?;
            // What stands behind a prefix of ASCII is a text of the system, as all of it was.
            let rest =
                text.to_str().map_or_else(|| after(text, prefix.len(), rest), |text| Some(text[prefix.len()..].into()));
            rest.filter(|folder: &PathBuf| !folder.as_os_str().is_empty())
        };
        if let Some(folder) = folder("in:") {
            return Ok(Self(vec![KeepRule::In(folder)]));
        }
        if let Some(folder) = folder("not-in:") {
            return Ok(Self(vec![KeepRule::NotIn(folder)]));
        }
        let text = text.to_string_lossy();
        let rule = |name: &str| {
            let known = KeepRule::SIMPLE.into_iter().find(|rule| rule.name() == name.trim());
            known.ok_or_else(|| UnknownKeepRule { text: name.to_owned() })
        };
        text.split(',').map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// The best of some files, by its place, and for each other the rule by which it was worse; `None` where none was, and it only came
    /// later. Rule by rule those go that are worse than the best of those that are left.
    pub(crate) fn choose(&self, files: &[Facts<'_>]) -> (usize, Vec<Option<KeepRule>>) {
        let mut worse_by = vec![None; files.len()];
        let mut left: Vec<usize> = (0..files.len()).collect();
        for rule in &self.0 {
            let values: Vec<Option<i128>> = left.iter().map(|&file| rule.value(&files[file])).collect();
            let Some(best) = values.iter().flatten().max().copied() else { continue };
            for (&file, _) in left.iter().zip(&values).filter(|(_, value)| value.is_some_and(|value| value < best)) {
                worse_by[file] = Some(rule.clone());
            }
            left.retain(|&file| worse_by[file].is_none());
        }
        (left.first().copied().unwrap_or_default(), worse_by)
    }

    /// Whether anything is to be known that only the file says.
    pub(crate) fn wants(&self, rule: &KeepRule) -> bool {
        self.0.contains(rule)
    }
}

/// What stands behind a prefix of a text that is not UTF-8.
#[cfg(unix)]
fn after(_: &OsStr, _: usize, rest: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(OsStr::from_bytes(rest).into())
}

#[cfg(windows)]
fn after(text: &OsStr, prefix: usize, _: &[u8]) -> Option<PathBuf> {
    use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
    let rest: Vec<u16> = text.encode_wide().skip(prefix).collect();
    Some(std::ffi::OsString::from_wide(&rest).into())
}

#[cfg(not(any(unix, windows)))]
fn after(_: &OsStr, _: usize, _: &[u8]) -> Option<PathBuf> {
    None
}

/// What rules look at.
pub(crate) struct Facts<'a> {
    pub(crate) path: &'a Path,
    pub(crate) bytes: u64,
    pub(crate) image: ImageInfo,
    pub(crate) quality: Option<u8>,
    pub(crate) modified: Option<SystemTime>,
}

impl<'a> Facts<'a> {
    /// Of a file: reads what a rule wants and nothing else knows. What cannot be read is unknown.
    pub(crate) fn of(path: &'a Path, bytes: u64, image: ImageInfo, rules: &KeepRules) -> Self {
        let is_timed = rules.wants(&KeepRule::Oldest) || rules.wants(&KeepRule::Newest);
        let is_jpeg = image.format == ImageFormat::Jpeg && rules.wants(&KeepRule::Quality);
        Self {
            path,
            bytes,
            image,
            quality: if is_jpeg { jpeg_quality(path) } else { None },
            modified: if is_timed { fs::metadata(path).and_then(|file| file.modified()).ok() } else { None },
        }
    }
}
