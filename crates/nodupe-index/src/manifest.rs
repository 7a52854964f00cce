//! What a bundle records about itself: `manifest.json`.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nodupe_core::{EmbeddingSpace, IndexError, Storage};
use serde::{Deserialize, Serialize};

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// No manifest is larger: a longer file is a mistake or an attack.
const MAX_BYTES: u64 = 16 << 20;

/// What a bundle says of itself: the content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Version of the format of bundles.
    pub format: u32,
    /// Which snapshot this is: its files are in the folder `gen-` and this number. Each save counts one up.
    pub generation: u64,
    /// The backend that wrote it, and that opens it.
    pub backend: String,
    /// The package of the backend.
    pub package: PackageVersion,
    /// The space of the vectors, and with it the metric.
    pub space: EmbeddingSpace,
    /// Number of vectors. Of a live or remote index, when it was saved.
    pub count: u64,
    /// Where the index lives.
    pub storage: Storage,
    /// Every file of a snapshot, by name. None of a live or remote index: its files change.
    pub files: Vec<StoredFile>,
}

/// A package and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PackageVersion {
    /// The Cargo package.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredFile {
    /// Its name in the folder of the generation: letters, digits, `.`, `_` and `-`, not a dot first.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// BLAKE3 of its bytes: 64 hexadecimal digits.
    pub blake3: String,
}

impl Manifest {
    /// The name of the folder that the files are in.
    pub fn folder(&self) -> String {
        folder(self.generation)
    }

    /// Reads and checks a manifest. `path` is that of the file.
    pub(crate) fn read(path: &Path) -> Result<Self, IndexError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(IndexError::io(path))?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(IndexError::io(path))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(IndexError::corrupt(path, format!("it is longer than {MAX_BYTES} bytes")));
        }
        Self::parse(&bytes, path)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let corrupt = |why: serde_json::Error| IndexError::corrupt(path, why.to_string());
        // The version first: what a newer one looks like is not known.
        let Version { format: found } = serde_json::from_slice(bytes).map_err(corrupt)?;
        if found > FORMAT {
            return Err(IndexError::Version { path: path.to_owned(), found, supported: FORMAT });
        }
        if found == 0 {
            return Err(IndexError::corrupt(path, "there is no format version 0"));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(corrupt)?;
        let mut seen = HashSet::new();
        for file in &manifest.files {
            if !is_plain(&file.name) {
                return Err(IndexError::corrupt(path, format!("{:?} is no name of a file of an index", file.name)));
            }
            // A file system may take two spellings of a name for one.
            if !seen.insert(file.name.to_ascii_lowercase()) {
                return Err(IndexError::corrupt(path, format!("the file {} stands twice", file.name)));
            }
            if blake3::Hash::from_hex(&file.blake3).is_err() {
                return Err(IndexError::corrupt(path, format!("the digest of {} is none", file.name)));
            }
        }
        Ok(manifest)
    }

    /// The bytes of the file.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// The name of the folder of a generation.
pub(crate) fn folder(generation: u64) -> String {
    format!("gen-{generation}")
}

/// The generation that a folder is of, by its name.
pub(crate) fn generation_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("gen-")?.parse().ok()?;
    // Not `gen-+7` or `gen-007`.
    (folder(number) == name).then_some(number)
}

/// Whether a name can be nothing but that of a file in the folder where it is looked for, on every system.
pub(crate) fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=200).contains(&name.len()) && !name.starts_with('.') && !name.ends_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_lead_elsewhere_are_refused() {
        for name in ["ids", "vectors.f32", "a-b_c.9", "gen-1"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "C:",
            "C:x",
            "c:\\x",
            ".hidden",
            "x\0",
            "a b",
            "é",
            "x\n",
            "a.",
            "~",
            "%2e",
            &"x".repeat(201),
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn only_the_names_that_are_given_are_generations() {
        assert_eq!(generation_of(&folder(0)), Some(0));
        assert_eq!(generation_of(&folder(u64::MAX)), Some(u64::MAX));
        for name in ["gen-", "gen-+1", "gen-01", "gen--1", "gen-1x", "gen-18446744073709551616", "Gen-1", "1"] {
            assert_eq!(generation_of(name), None, "{name}");
        }
    }
}
