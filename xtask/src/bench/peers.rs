//! A Python that has the peers.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Failure, Line};

/// The packages and their versions: FAISS of the version that its Rust crate builds.
const PINNED: &[&str] = &["numpy>=2,<3", "faiss-cpu==1.12.0", "hnswlib==0.8.0", "usearch==2.26.6"];
const SCRIPT: &str = "benches/peers/similarity.py";

pub(super) struct Peers {
    python: PathBuf,
    script: PathBuf,
    /// Package and version.
    pub(super) versions: Vec<(String, String)>,
}

impl Peers {
    /// Takes the Python that is given, or makes a virtual environment in `folder`; what of the peers is missing is said.
    pub(super) fn find(python: Option<&Path>, root: &Path, folder: &Path) -> Result<Self, Failure> {
        let python = match python {
            Some(python) => python.to_owned(),
            None => environment(&folder.join("python"))?,
        };
        let script = root.join(SCRIPT);
        let json = Line::new(&python).args([&script]).args(["versions"]).output()?;
        let found: Value =
            serde_json::from_str(&json).map_err(|why| Failure::new(format!("{SCRIPT} versions: {why}")))?;
        let mut versions = Vec::new();
        for (library, version) in found.as_object().into_iter().flatten() {
            match version.as_str() {
                Some(version) => versions.push((library.clone(), version.to_owned())),
                None => println!("skipped: {library} is not installed in this Python"),
            }
        }
        Ok(Self { python, script, versions })
    }

    /// Python with the script.
    pub(super) fn line(&self) -> Line {
        Line::new(&self.python).args([&self.script])
    }

    pub(super) fn has(&self, library: &str) -> bool {
        self.versions.iter().any(|(name, _)| name == library)
    }
}

/// Makes the environment, or completes it. A package that cannot be installed is one peer less.
fn environment(folder: &Path) -> Result<PathBuf, Failure> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        Line::new("python3").args(["-m", "venv"]).args([folder]).run()?;
    }
    for package in PINNED {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package];
        if let Err(failure) = Line::new(&python).args(pip).run() {
            println!("skipped: {package}: {failure}");
        }
    }
    Ok(python)
}
