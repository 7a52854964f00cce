//! The id of an item in an index.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The id of an item: a path, a URL, a key of the application's own. Any text, compared byte by byte; cheap to clone.
///
/// A path need not be UTF-8. Bytes that are not are written as NUL and two hexadecimal digits: no path holds a NUL, so
/// two paths never become one id, and [`ItemId::to_path`] gives back what went in. [`Display`](fmt::Display) shows such
/// bytes as `\xff`, and so should whatever is shown to people; [`ItemId::as_str`] is the id itself.
///
/// ```
/// use nodupe_core::ItemId;
/// let id = ItemId::from_path("photos/côte d'azur.jpg");
/// assert_eq!(id.as_str(), "photos/côte d'azur.jpg");
/// assert!(ItemId::from("a") < ItemId::from("b"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(from = "String", into = "String"))]
pub struct ItemId(Arc<str>);

/// Stands before the two hexadecimal digits of a byte that is not UTF-8.
const ESCAPE: char = '\0';

impl ItemId {
    /// The id of a path, whatever its bytes are.
    pub fn from_path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        if let Some(text) = path.to_str() {
            return Self(text.into());
        }
        let mut text = String::new();
        for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                text.push(ESCAPE);
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
        }
        Self(text.into())
    }

    /// The path that [`ItemId::from_path`] was given. `None` where this platform has no such path.
    pub fn to_path(&self) -> Option<PathBuf> {
        if !self.is_escaped() {
            return Some(PathBuf::from(&*self.0));
        }
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut parts = self.0.split(ESCAPE);
        bytes.extend_from_slice(parts.next()?.as_bytes());
        for part in parts {
            let (digits, rest) = part.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            bytes.extend_from_slice(rest.as_bytes());
        }
        path_of_bytes(bytes)
    }

    /// Whether this is the id of a path that is not UTF-8, so that its text holds escaped bytes.
    pub fn is_escaped(&self) -> bool {
        self.0.contains(ESCAPE)
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other platforms have paths that bytes cannot name")]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

impl From<&str> for ItemId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ItemId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.as_str().to_owned()
    }
}

impl From<&Path> for ItemId {
    fn from(path: &Path) -> Self {
        Self::from_path(path)
    }
}

impl AsRef<str> for ItemId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ItemId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split(ESCAPE);
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| write!(f, "\\x{part}"))
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemId({:?})", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn path(bytes: &[u8]) -> PathBuf {
        path_of_bytes(bytes.to_vec()).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_utf8_come_back_as_they_were() {
        for bytes in
            [&b"plain"[..], b"a\xffb", b"\xff", b"\xc3", b"x\xff\xfe\xc3\xa9y", b"back\\xff\xff", b"new\nline\x80"]
        {
            let id = ItemId::from_path(path(bytes));
            assert_eq!(id.to_path(), Some(path(bytes)), "{id:?}");
            assert_eq!(id.is_escaped(), std::str::from_utf8(bytes).is_err());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_looks_escaped_is_another_id() {
        let (literal, byte) = (ItemId::from_path("a\\xff"), ItemId::from_path(path(b"a\xff")));
        assert_ne!(literal, byte);
        assert_eq!(byte.to_string(), "a\\xff");
    }

    #[test]
    fn an_id_that_is_no_path_has_none() {
        for text in ["a\0", "a\0f", "a\0zz", "\0é"] {
            assert_eq!(ItemId::from(text).to_path(), None, "{text:?}");
        }
    }
}
