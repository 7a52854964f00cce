//! ONNX Runtime, out of the wheels that it is published in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use super::bring::is_wheel;
use super::wheel::Wheel;
use super::{FetchError, Fetcher};
use crate::digest::Digest;
use crate::manifest::is_file_name;
use crate::runtimes::{Receipt, Runtime};

/// The packages that a runtime is fetched from: for any processor, and for CUDA (Linux and Windows on x86-64).
pub const RUNTIME_PACKAGES: &[&str] = &["onnxruntime", "onnxruntime-gpu"];

/// The version of ONNX Runtime that is fetched: the last one with wheels for Linux on x86-64 and ARM, Windows, and macOS on
/// both of its processors.
pub const RUNTIME_VERSION: &str = "1.23.2";

/// The folder of the wheel that the libraries are in.
const FOLDER: &str = "onnxruntime/capi/";

/// The most bytes of one library: the CUDA provider has some 400 MB.
const MAX_BYTES: u64 = 2 << 30;

impl Fetcher<'_> {
    /// Fetches a runtime: one of [`RUNTIME_PACKAGES`], the version [`RUNTIME_VERSION`], the wheel for this machine, of which
    /// only the shared libraries of ONNX Runtime are unpacked. One that is there already and is as it was when it was
    /// fetched is left alone, unless [`again`](Self::again) is set.
    ///
    /// Pip compares the wheel with the digest that its index states; nothing is known of it here beforehand. The digests
    /// of the libraries are noted, so that [`Runtime::verify`] finds what changes them later.
    ///
    /// # Errors
    /// [`FetchError::UnknownRuntime`]; those of pip, of wheels and of the disk. What was installed before is as it was.
    pub fn fetch_runtime(&self, package: &str) -> Result<Runtime, FetchError> {
        if !RUNTIME_PACKAGES.contains(&package) {
            return Err(FetchError::UnknownRuntime { name: package.to_owned() });
        }
        let slot = self.slot(&self.cache.join("runtimes"), &format!("{package}-{RUNTIME_VERSION}"))?;
        if !self.again
            && let Ok(runtime) = Runtime::open(slot.destination())
            && runtime.verify().is_ok()
        {
            return Ok(runtime);
        }
        let staging = slot.stage()?;
        let unpack = |wheel: Wheel| self.unpack(wheel, package, staging.folder());
        match &self.from {
            Some(path) if is_wheel(path) => unpack(Wheel::open(path)?)?,
            Some(path) => {
                let detail = format!("{} is no wheel of it (.whl)", path.display());
                return Err(FetchError::Source { id: package.to_owned(), detail });
            }
            None => self.with_wheel(package, RUNTIME_VERSION, &staging, unpack)?,
        }
        Runtime::open(staging.folder())?;
        staging.commit()?;
        Ok(Runtime::open(slot.destination())?)
    }

    fn unpack(&self, mut wheel: Wheel, package: &str, folder: &Path) -> Result<(), FetchError> {
        let names = wheel.names().filter_map(|name| name.strip_prefix(FOLDER)).filter(|name| is_library(name));
        let names: Vec<String> = names.map(str::to_owned).collect();
        let Some(library) = names.iter().find(|name| is_the_library(name)).cloned() else {
            let member = format!("{FOLDER}libonnxruntime");
            return Err(FetchError::NoMember { archive: format!("{package} {RUNTIME_VERSION}"), member });
        };
        let mut files = BTreeMap::new();
        for name in names {
            let path = folder.join(&name);
            wheel.extract(&format!("{FOLDER}{name}"), &path, MAX_BYTES, self.progress)?;
            let file = File::open(&path).map_err(FetchError::io(&path))?;
            let digest = Digest::Blake3([0; 32]).same_of_reader(file).map_err(FetchError::io(&path))?;
            files.insert(name, digest);
        }
        let version = RUNTIME_VERSION.to_owned();
        let path = folder.join(Receipt::FILE);
        let receipt = Receipt { package: package.to_owned(), version, library, files }.to_toml(&path)?;
        fs::write(&path, receipt).map_err(FetchError::io(&path))
    }
}

/// Whether a file of the wheel is a library of ONNX Runtime: itself or a provider, and not the module for Python.
fn is_library(name: &str) -> bool {
    let extension = [".dylib", ".dll", ".so"].iter().any(|extension| name.ends_with(extension));
    let is_ours = name.contains("onnxruntime") && !name.contains("pybind11");
    is_file_name(name) && is_ours && (extension || name.contains(".so."))
}

/// Whether it is the one to load.
fn is_the_library(name: &str) -> bool {
    name == "onnxruntime.dll" || name.starts_with("libonnxruntime.")
}
