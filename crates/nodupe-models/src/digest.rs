//! Digests of files: what arrived is what was meant.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// The digest of a file: `sha256:` or `blake3:` and 64 hexadecimal digits. Digests find accidents and mirrors that lie;
/// whom to trust is for whoever wrote the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Digest {
    /// SHA-256 (FIPS 180-4): what publishers of models and packages state.
    Sha256([u8; 32]),
    /// BLAKE3: what is computed here for files that come without one.
    Blake3([u8; 32]),
}

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no digest: write sha256: or blake3: and 64 hexadecimal digits")]
pub struct InvalidDigest {
    /// The text.
    pub text: String,
}

/// Computes a digest piece by piece.
#[derive(Debug, Clone)]
pub struct Digester(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(sha2::Sha256),
    Blake3(Box<blake3::Hasher>),
}

impl Digest {
    /// The SHA-256 digest of some bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::Sha256(sha2::Sha256::digest(bytes).into())
    }

    /// The BLAKE3 digest of some bytes.
    pub fn blake3(bytes: &[u8]) -> Self {
        Self::Blake3(blake3::hash(bytes).into())
    }

    /// The digest of other bytes by the same function.
    #[must_use]
    pub fn same_of(self, bytes: &[u8]) -> Self {
        match self {
            Self::Sha256(_) => Self::sha256(bytes),
            Self::Blake3(_) => Self::blake3(bytes),
        }
    }

    /// What computes a digest by the same function.
    pub fn digester(self) -> Digester {
        match self {
            Self::Sha256(_) => Digester(State::Sha256(sha2::Sha256::new())),
            Self::Blake3(_) => Digester(State::Blake3(Box::new(blake3::Hasher::new()))),
        }
    }

    /// The digest of what is read, by the same function, in a fixed amount of memory.
    ///
    /// # Errors
    /// What reading gives.
    pub fn same_of_reader(self, mut reader: impl Read) -> io::Result<Self> {
        let mut digester = self.digester();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(digester.finish()),
                read => digester.update(&buffer[..read]),
            }
        }
    }
}

impl Digester {
    /// Some more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Blake3(state) => {
                state.update(bytes);
            }
        }
    }

    /// The digest of all of them.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest::Sha256(state.finalize().into()),
            State::Blake3(state) => Digest::Blake3(state.finalize().into()),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Sha256(bytes) => ("sha256", bytes),
            Self::Blake3(bytes) => ("blake3", bytes),
        };
        write!(f, "{name}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let parse = || {
            let (name, digits) = text.split_once(':')?;
            let pairs = digits.as_bytes().chunks(2);
            let byte = |pair: &[u8]| {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let [high, low] = pair else { return None };
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()
            };
            let bytes = pairs.map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()?;
            match name {
                "sha256" => Some(Self::Sha256(bytes)),
                "blake3" => Some(Self::Blake3(bytes)),
                _ => None,
            }
        };
        parse().ok_or_else(|| InvalidDigest { text: text.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        for digest in [Digest::sha256(b"nodupe"), Digest::blake3(b"nodupe")] {
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(digest.same_of_reader(&b"nodupe"[..]).unwrap(), digest);
            assert_ne!(digest.same_of(b"other"), digest);
        }
        // FIPS 180-4 example: the digest of no bytes.
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::sha256(b"").to_string(), empty);
        for wrong in ["", "sha256:", "md5:00", &empty[..70], &empty.replace('e', "é"), &empty.replace('e', "g")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
