//! Paths as people and programs are shown them. A path is any bytes; what is shown is text on one line.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Serialize, Serializer};

/// A path in JSON: its text, or for one that is not UTF-8 `{"escaped": "…"}`, in which a backslash is `\\` and a byte
/// that is not UTF-8 is `\xff`. Nothing is lost either way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonPath<'a>(pub(crate) &'a Path);

impl Serialize for JsonPath<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Escaped {
            escaped: String,
        }
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => Escaped { escaped: escape(self.0, |c| c == '\\') }.serialize(serializer),
        }
    }
}

/// A path for people: what would break the line or move the cursor is escaped.
pub(crate) fn shown(path: &Path) -> String {
    escape(path, char::is_control)
}

/// What a library said, for people: whatever it quotes from a file stays on its line and moves no cursor.
pub(crate) fn shown_text(text: &str) -> String {
    escape(Path::new(text), char::is_control)
}

fn escape(path: &Path, wanted: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if wanted(c) { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    fn json(bytes: &[u8]) -> String {
        serde_json::to_string(&JsonPath(Path::new(OsStr::from_bytes(bytes)))).unwrap()
    }

    #[test]
    fn paths_that_are_not_utf8_are_marked_and_lose_nothing() {
        assert_eq!(json("côte\n.jpg".as_bytes()), r#""côte\n.jpg""#);
        assert_eq!(json(b"a\xff.jpg"), r#"{"escaped":"a\\xff.jpg"}"#);
        assert_eq!(json(br"a\xff.jpg"), r#""a\\xff.jpg""#);
        assert_eq!(json(b"a\\xff\xff.jpg"), r#"{"escaped":"a\\\\xff\\xff.jpg"}"#);
    }

    #[test]
    fn what_people_are_shown_stays_on_its_line() {
        assert_eq!(shown(Path::new(OsStr::from_bytes(b"a\nb\x1b[2J\xff c"))), r"a\nb\u{1b}[2J\xff c");
    }
}
