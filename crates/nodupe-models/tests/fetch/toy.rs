//! A model that there is nothing to but its file, and a cache to fetch it into.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use nodupe_models::{Digest, FetchError, FetchProgress, Fetcher, Format, Manifest, Model, Patience};
use tempfile::TempDir;

/// The file: every byte says where it is, so that bytes in the wrong place are found.
pub(crate) fn body() -> &'static [u8] {
    static BODY: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BODY.get_or_init(|| (0..40_000_u32).flat_map(u32::to_le_bytes).collect())
}

/// A manifest with one download from `source`, a table of TOML without its braces; `more` is of the download too.
pub(crate) fn manifest(source: &str, more: &str) -> Manifest {
    Manifest::parse(&format!(
        r#"
        format = 1
        id = "toy"
        revision = "1"
        description = "a toy"
        licence = {{ name = "MIT" }}
        input = {{ width = 8, height = 8, tensor = {{ name = "image", element-type = "u8", layout = "nhwc" }} }}
        output = {{ name = "embedding", dim = 3 }}
        artifact = [{{ format = "onnx", file = "toy.onnx", precision = "f32" }}]
        download = [{{ file = "toy.onnx", from = {{ {source} }} {more} }}]
    "#
    ))
    .unwrap()
}

/// The same with the digest of [`body`].
pub(crate) fn checked(source: &str) -> Manifest {
    manifest(source, &format!(", digest = \"{}\"", Digest::sha256(body())))
}

pub(crate) fn at(url: &str) -> Manifest {
    checked(&format!("kind = \"url\", url = \"{url}\""))
}

/// A cache of its own.
#[derive(Debug)]
pub(crate) struct Cache(TempDir);

impl Cache {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// One that gives up soon, and after the first time.
    pub(crate) fn fetcher(&self) -> Fetcher<'static> {
        Fetcher::new(self.path()).with_patience(patience())
    }

    /// The sum of what is kept to go on from.
    pub(crate) fn kept(&self) -> u64 {
        let files = fs::read_dir(self.path().join("partial")).into_iter().flatten().flatten();
        files
            .filter(|file| file.path().extension().is_some_and(|it| it == "part"))
            .map(|file| file.metadata().unwrap().len())
            .sum()
    }

    /// The names in `models/`.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.path().join("models"))
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn patience() -> Patience {
    let mut patience = Patience::default();
    patience.connect = Duration::from_secs(5);
    patience.silence = Duration::from_millis(500);
    patience.pip = Duration::from_secs(20);
    patience.attempts = 1;
    patience
}

/// That `fetched` is the model with the right file, and that everything is where it should be.
#[track_caller]
pub(crate) fn assert_whole(fetched: Result<Model, FetchError>) {
    let model = fetched.unwrap();
    model.verify().unwrap();
    assert_eq!(model.read(Format::Onnx).unwrap(), body());
    assert!(model.manifest().artifacts.iter().all(|artifact| artifact.digest.is_some()));
    assert_eq!(names(model.folder()), ["model.toml", "toy.onnx"]);
}

/// Writes down what it is told, and says to stop after so many bytes.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) begun: Mutex<Vec<(String, Option<u64>)>>,
    pub(crate) bytes: Mutex<u64>,
    pub(crate) stop_after: Option<u64>,
}

impl FetchProgress for Log {
    fn begin(&self, what: &str, total: Option<u64>) {
        self.begun.lock().unwrap().push((what.to_owned(), total));
        *self.bytes.lock().unwrap() = 0;
    }

    fn advance(&self, bytes: u64) {
        *self.bytes.lock().unwrap() += bytes;
    }

    fn is_cancelled(&self) -> bool {
        self.stop_after.is_some_and(|most| *self.bytes.lock().unwrap() >= most)
    }
}

/// Writes a file and says where it is.
pub(crate) fn write(path: PathBuf, bytes: impl AsRef<[u8]>) -> PathBuf {
    fs::write(&path, bytes).unwrap();
    path
}
