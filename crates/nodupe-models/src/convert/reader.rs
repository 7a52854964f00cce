//! Bytes that are read from the front to the back, and never past their end.

use super::error::ConvertError;

/// Bytes, and how many of them were read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.offset == self.bytes.len()
    }

    /// The next bytes, borrowed.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], ConvertError> {
        let end = self.offset.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.offset..end)).ok_or(self.cut_short())?;
        self.offset += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ConvertError> {
        self.take(N)?.try_into().map_err(|_| self.cut_short())
    }

    pub(super) fn byte(&mut self) -> Result<u8, ConvertError> {
        self.array().map(|[byte]| byte)
    }

    /// The text up to the end of the line, which is passed.
    pub(super) fn line(&mut self) -> Result<&'a str, ConvertError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(self.cut_short())?;
        let line = str::from_utf8(self.take(length)?).map_err(|_| self.malformed("a name that is not UTF-8"))?;
        self.take(1)?;
        Ok(line)
    }

    /// That what was read last is wrong.
    pub(super) fn malformed(&self, detail: impl Into<String>) -> ConvertError {
        ConvertError::Malformed { offset: self.offset, detail: detail.into() }
    }

    const fn cut_short(&self) -> ConvertError {
        ConvertError::Truncated { offset: self.bytes.len() }
    }
}
