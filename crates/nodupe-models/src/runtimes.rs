//! Native runtimes that were fetched: where they lie in the cache, and which are there.
//!
//! `runtimes/<package>-<version>/` holds the shared libraries of one package and `runtime.toml`, which says what they are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::ModelError;
use crate::library::cache_dir;
use crate::manifest::is_file_name;
use crate::model::{compare, open, read};

/// A native runtime that was fetched into the cache: ONNX Runtime, for the backends that load it when they are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Runtime {
    /// `onnxruntime`, or `onnxruntime-gpu`, which has the CUDA provider too.
    pub package: String,
    /// Its version, as in `1.23.2`.
    pub version: String,
    /// The shared library to load: `libonnxruntime.so.1.23.2`, `libonnxruntime.1.23.2.dylib` or `onnxruntime.dll`. Those of
    /// the execution providers lie beside it.
    pub library: PathBuf,
}

/// `runtime.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) package: String,
    pub(crate) version: String,
    /// The file to load.
    pub(crate) library: String,
    /// The digest of every file.
    pub(crate) files: BTreeMap<String, Digest>,
}

impl Receipt {
    pub(crate) const FILE: &str = "runtime.toml";

    #[cfg(feature = "fetch")]
    pub(crate) fn to_toml(&self, path: &Path) -> Result<String, ModelError> {
        toml::to_string_pretty(self)
            .map_err(|error| ModelError::Manifest { path: path.to_owned(), detail: error.to_string() })
    }
}

/// The runtimes in the user's cache, the newest version first. None is loaded, and none is looked at but by name.
pub fn installed_runtimes() -> Vec<Runtime> {
    cache_dir().map(|cache| runtimes_in(&cache.join("runtimes"))).unwrap_or_default()
}

/// The runtimes in the subfolders of `root`, the newest version first; of one version `onnxruntime` before
/// `onnxruntime-gpu`. What is there and no runtime is passed over.
pub fn runtimes_in(root: &Path) -> Vec<Runtime> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut runtimes: Vec<Runtime> = entries.filter_map(|entry| Runtime::open(&entry.path()).ok()).collect();
    runtimes.sort_by_cached_key(|runtime| (Reverse(order(&runtime.version)), runtime.package.clone()));
    runtimes
}

impl Runtime {
    /// The folder that the runtime lies in.
    pub fn folder(&self) -> &Path {
        self.library.parent().unwrap_or(Path::new(""))
    }

    /// Compares every file with the digest that was taken when it was fetched.
    ///
    /// # Errors
    /// [`ModelError::Io`] and [`ModelError::WrongDigest`] for the first file that is missing or not as it was.
    pub fn verify(&self) -> Result<(), ModelError> {
        let folder = self.folder();
        for (name, expected) in Self::receipt(folder)?.files {
            let path = folder.join(name);
            let file = open(&path, u64::MAX)?;
            compare(&path, expected, expected.same_of_reader(file).map_err(ModelError::io(&path))?)?;
        }
        Ok(())
    }

    pub(crate) fn open(folder: &Path) -> Result<Self, ModelError> {
        let Receipt { package, version, library, .. } = Self::receipt(folder)?;
        let library = folder.join(library);
        // What cannot be opened cannot be loaded.
        open(&library, u64::MAX)?;
        Ok(Self { package, version, library })
    }

    fn receipt(folder: &Path) -> Result<Receipt, ModelError> {
        let path = folder.join(Receipt::FILE);
        let wrong = |detail: String| ModelError::Manifest { path: path.clone(), detail };
        let bytes = read(&path, crate::Manifest::MAX_BYTES)?;
        let text = str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
        let receipt: Receipt = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        if let Some(name) = receipt.files.keys().chain([&receipt.library]).find(|name| !is_file_name(name)) {
            return Err(wrong(format!("`{name}` is no plain file name")));
        }
        Ok(receipt)
    }
}

/// Versions by number, so that 1.23 comes after 1.9.
fn order(version: &str) -> Vec<u64> {
    version.split(|character: char| !character.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, package: &str, version: &str) -> PathBuf {
        let folder = root.join(format!("{package}-{version}"));
        fs::create_dir_all(&folder).unwrap();
        let library = format!("libonnxruntime.so.{version}");
        fs::write(folder.join(&library), version).unwrap();
        let receipt = Receipt {
            package: package.to_owned(),
            version: version.to_owned(),
            files: [(library.clone(), Digest::blake3(version.as_bytes()))].into(),
            library,
        };
        fs::write(folder.join(Receipt::FILE), toml::to_string(&receipt).unwrap()).unwrap();
        folder
    }

    #[test]
    fn runtimes_are_listed_newest_first_by_number() {
        let root = tempfile::tempdir().unwrap();
        for (package, version) in [
            ("onnxruntime", "1.9.0"),
            ("onnxruntime-gpu", "1.23.2"),
            ("onnxruntime", "1.23.2"),
            ("onnxruntime", "1.23.10"),
        ] {
            install(root.path(), package, version);
        }
        fs::create_dir(root.path().join("onnxruntime-1.99.0")).unwrap();
        fs::write(root.path().join("a-file"), "").unwrap();
        let found: Vec<_> =
            runtimes_in(root.path()).into_iter().map(|it| format!("{}-{}", it.package, it.version)).collect();
        assert_eq!(found, ["onnxruntime-1.23.10", "onnxruntime-1.23.2", "onnxruntime-gpu-1.23.2", "onnxruntime-1.9.0"]);
        assert_eq!(runtimes_in(&root.path().join("nothing-here")), []);
    }

    #[test]
    fn a_runtime_that_changed_is_found_out() {
        let root = tempfile::tempdir().unwrap();
        let folder = install(root.path(), "onnxruntime", "1.23.2");
        let runtime = Runtime::open(&folder).unwrap();
        runtime.verify().unwrap();
        fs::write(&runtime.library, "another").unwrap();
        assert!(matches!(runtime.verify(), Err(ModelError::WrongDigest { .. })));
        fs::remove_file(&runtime.library).unwrap();
        assert!(matches!(runtime.verify(), Err(ModelError::Io { .. })));
        assert!(runtimes_in(root.path()).is_empty());
    }

    #[test]
    fn a_receipt_does_not_lead_out_of_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = install(root.path(), "onnxruntime", "1.23.2");
        let receipt = fs::read_to_string(folder.join(Receipt::FILE)).unwrap();
        let escaped = receipt.replace("library = \"libonnxruntime.so.1.23.2\"", "library = \"../libevil.so\"");
        assert_ne!(receipt, escaped);
        fs::write(folder.join(Receipt::FILE), escaped).unwrap();
        fs::write(root.path().join("libevil.so"), "").unwrap();
        assert!(matches!(Runtime::open(&folder), Err(ModelError::Manifest { .. })));
    }
}
