//! Writes the files of a model from its weights: `convert -- MANIFEST WEIGHTS FOLDER` (WEIGHTS may be `seed:N`).

use std::error::Error;
use std::fs;
use std::path::Path;

use nodupe_models::{Digest, Manifest, convert, seeded_weights};

#[allow(clippy::print_stdout, reason = "a program says what it wrote")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, weights, folder] = &arguments[..] else {
        return Err("usage: convert MANIFEST WEIGHTS FOLDER".into());
    };
    let mut manifest = Manifest::parse(&fs::read_to_string(manifest)?)?;
    let weights = match weights.strip_prefix("seed:") {
        Some(seed) => seeded_weights(manifest.architecture.as_deref().unwrap_or_default(), seed.parse()?)?,
        None => fs::read(weights)?,
    };
    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    for (format, bytes) in convert(&manifest, &weights)? {
        let digest = Digest::sha256(&bytes);
        for artifact in manifest.artifacts.iter_mut().filter(|artifact| artifact.format == format) {
            fs::write(folder.join(&artifact.file), &bytes)?;
            artifact.digest = Some(digest);
            println!("{}: {digest}", artifact.file);
        }
    }
    fs::write(folder.join(Manifest::FILE), manifest.to_toml()?)?;
    Ok(())
}
