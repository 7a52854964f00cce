//! A model that the user has, put among the others.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::ModelError;
use crate::install::Slot;
use crate::library::ModelLibrary;
use crate::manifest::Manifest;
use crate::model::{Model, open};

impl ModelLibrary {
    /// Copies the model in the folder `source`, its `model.toml` and its artifacts and nothing else, into the subfolder of
    /// `root` that its id names. Digests that its manifest states are compared, BLAKE3 ones are taken where it states none
    /// and written into the copy. The copy appears whole or not at all.
    ///
    /// A model of that id which is there already is replaced only where `replace` says so, or where it is the same one.
    ///
    /// # Errors
    /// [`ModelError::OtherInstalled`]; those of [`Model::open`] and [`Model::verify`] about `source`;
    /// [`ModelError::Io`] where `root` cannot be written to.
    ///
    /// ```
    /// use nodupe_models::{Digest, ModelLibrary};
    /// # let root = std::env::temp_dir().join(format!("nodupe-add-{}", std::process::id()));
    /// let (mine, models) = (root.join("mine"), root.join("models"));
    /// # std::fs::create_dir_all(&mine)?;
    /// std::fs::write(mine.join("toy.onnx"), "a graph")?;
    /// std::fs::write(mine.join("model.toml"), r#"
    ///     format = 1
    ///     id = "toy"
    ///     revision = "1"
    ///     description = "means of the colours"
    ///     licence = { name = "MIT" }
    ///     input = { width = 8, height = 8, tensor = { name = "image", element-type = "u8", layout = "nhwc" } }
    ///     output = { name = "embedding", dim = 3 }
    ///     artifact = [{ format = "onnx", file = "toy.onnx", precision = "f32" }]
    /// "#)?;
    /// ModelLibrary::add(&mine, &models, false)?;
    /// let model = ModelLibrary::new([&models]).find(Some("toy"))?;
    /// assert_eq!(model.manifest().artifacts[0].digest, Some(Digest::blake3(b"a graph")));
    /// # std::fs::remove_dir_all(&root)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(source: &Path, root: &Path, replace: bool) -> Result<Model, ModelError> {
        let mut manifest = Model::open(source)?.manifest().clone();
        let id = manifest.id.clone();
        // Nobody cancels the waiting.
        let cancelled = || ModelError::io(root)(io::ErrorKind::Interrupted.into());
        let slot = Slot::acquire(root, &id, &|| false)?.ok_or_else(cancelled)?;
        let staging = slot.stage()?;
        for artifact in &manifest.artifacts {
            copy(&source.join(&artifact.file), &staging.folder().join(&artifact.file))?;
        }
        manifest.state_digests(staging.folder(), source)?;
        if !replace && slot.destination().join(Manifest::FILE).exists() {
            let there = Model::open(slot.destination()).map(|model| model.manifest().clone());
            if !there.as_ref().is_ok_and(|there| *there == manifest) {
                let there = there.map_or_else(|_| "unknown".to_owned(), |there| there.revision);
                return Err(ModelError::OtherInstalled { id, revision: manifest.revision, there });
            }
        }
        let path = staging.folder().join(Manifest::FILE);
        fs::write(&path, manifest.to_toml()?).map_err(ModelError::io(&path))?;
        staging.commit()?;
        Model::open(slot.destination())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), ModelError> {
    let mut reader = open(from, Model::MAX_BYTES)?;
    let mut file = File::create_new(to).map_err(ModelError::io(to))?;
    io::copy(&mut reader, &mut file).map(|_| ()).map_err(ModelError::io(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn write(folder: &Path, revision: &str, bytes: &str, digest: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("toy.onnx"), bytes).unwrap();
        fs::write(folder.join("notes.txt"), "not a part of it").unwrap();
        let manifest = format!(
            r#"
            format = 1
            id = "toy"
            revision = "{revision}"
            description = "means of the colours"
            licence = {{ name = "MIT" }}
            input = {{ width = 8, height = 8, tensor = {{ name = "image", element-type = "u8", layout = "nhwc" }} }}
            output = {{ name = "embedding", dim = 3 }}
            artifact = [{{ format = "onnx", file = "toy.onnx", precision = "f32"{digest} }}]
        "#
        );
        fs::write(folder.join(Manifest::FILE), manifest).unwrap();
    }

    #[test]
    fn another_revision_is_replaced_only_when_asked_to() {
        let root = tempfile::tempdir().unwrap();
        let (mine, models) = (root.path().join("mine"), root.path().join("models"));
        write(&mine, "1", "a graph", "");
        let model = ModelLibrary::add(&mine, &models, false).unwrap();
        assert_eq!(model.manifest().artifacts[0].digest, Some(Digest::blake3(b"a graph")));
        assert!(!model.folder().join("notes.txt").exists());
        // The same one again is nothing new.
        ModelLibrary::add(&mine, &models, false).unwrap();
        for (revision, bytes) in [("2", "a graph"), ("1", "another graph")] {
            write(&mine, revision, bytes, "");
            let refused = ModelLibrary::add(&mine, &models, false);
            assert!(matches!(refused, Err(ModelError::OtherInstalled { there, .. }) if there == "1"));
            model.verify().unwrap();
        }
        write(&mine, "2", "a better graph", "");
        assert_eq!(ModelLibrary::add(&mine, &models, true).unwrap().manifest().revision, "2");
        let model = ModelLibrary::new([&models]).find(Some("toy")).unwrap();
        model.verify().unwrap();
        assert_eq!(model.read(crate::Format::Onnx).unwrap(), b"a better graph");
    }

    #[test]
    fn a_file_that_is_not_the_one_that_its_manifest_states_is_not_added() {
        let root = tempfile::tempdir().unwrap();
        let (mine, models) = (root.path().join("mine"), root.path().join("models"));
        let digest = format!(r#", digest = "{}""#, Digest::sha256(b"a graph"));
        write(&mine, "1", "another graph", &digest);
        let refused = ModelLibrary::add(&mine, &models, false);
        assert!(matches!(refused, Err(ModelError::WrongDigest { path, .. }) if path == mine.join("toy.onnx")));
        fs::remove_file(mine.join("toy.onnx")).unwrap();
        assert!(matches!(ModelLibrary::add(&mine, &models, false), Err(ModelError::Io { .. })));
        assert!(ModelLibrary::new([&models]).installed().is_empty());
        write(&mine, "1", "a graph", &digest);
        let model = ModelLibrary::add(&mine, &models, false).unwrap();
        assert_eq!(model.manifest().artifacts[0].digest, Some(Digest::sha256(b"a graph")));
    }
}
