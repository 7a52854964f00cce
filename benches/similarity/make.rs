//! Vectors as a collection of photographs has them, many more than there are photographs.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nodupe::core::{ElementType, Row};
use nodupe::{EmbeddingBackend, EmbeddingSpace, Embeddings, ImageBatch, InputSpec, Options, Registry, View, media};
use nodupe_benches::Random;
use serde_json::{Value, json};

/// Standard deviation of what is added to each component of a float vector.
const NOISE: f32 = 0.03;
/// The most bits of a hash that are flipped.
const FLIPS: usize = 40;
/// Images in one call of the embedding backend.
const BATCH: usize = 16;
/// Random vectors that stand in for photographs.
const STAND_INS: usize = 3_000;
const SYNTHETIC_DIM: usize = 512;
const SYNTHETIC_BITS: usize = 256;

#[derive(Debug, clap::Args)]
pub(crate) struct Making {
    /// A folder of photographs
    #[arg(long, required_unless_present = "synthetic")]
    photos: Option<PathBuf>,
    /// Random vectors in place of photographs: no measure of anything but speed
    #[arg(long, conflicts_with = "photos")]
    synthetic: bool,
    /// Hashes in place of float embeddings
    #[arg(long)]
    bits: bool,
    /// The embedding backend [default: tract-cpu for floats, perceptual for bits]
    #[arg(long)]
    embedding: Option<String>,
    /// How many vectors
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// How many queries
    #[arg(long, default_value_t = 2_000)]
    queries: usize,
    /// What the random numbers start from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder of `vectors`, `queries` and `made.json`; what is there already of the same kind is left alone
    #[arg(long)]
    out: PathBuf,
}

impl Making {
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let files = self.photos.as_deref().map(files).transpose()?.unwrap_or_default();
        let names: Vec<String> = files.iter().map(|(path, bytes)| format!("{} {bytes}", path.display())).collect();
        let wanted = json!({
            "bits": self.bits, "embedding": self.embedding, "count": self.count, "queries": self.queries,
            "seed": self.seed, "photos": names,
        });
        let told = self.out.join("made.json");
        let made: Option<Value> = fs::read(&told).ok().and_then(|json| serde_json::from_slice(&json).ok());
        if made.is_some_and(|made| made["wanted"] == wanted) {
            return Ok(());
        }
        let mut random = Random(self.seed);
        let (real, kind) = self.real(&files, &mut random)?;
        fs::create_dir_all(&self.out)?;
        draw(&real, self.count, &mut random, &self.out.join("vectors"))?;
        draw(&real, self.queries, &mut random, &self.out.join("queries"))?;
        let change = match real.space().element_type() {
            ElementType::Bit => format!("up to {FLIPS} bits flipped"),
            _ => format!("Gaussian noise of {NOISE} a component, unit length again"),
        };
        let kind = format!("{kind}; drawn from them with replacement, {change}, seed {}", self.seed);
        let made = json!({"wanted": wanted, "dim": real.space().dim(), "kind": kind, "synthetic": self.synthetic});
        Ok(fs::write(told, made.to_string())?)
    }

    /// The vectors that all others are made of, and what they are.
    fn real(&self, files: &[(PathBuf, u64)], random: &mut Random) -> Result<(Embeddings, String), Box<dyn Error>> {
        if self.synthetic {
            let kind = format!("{STAND_INS} random vectors (synthetic: not of photographs)");
            return Ok((stand_ins(self.bits, random)?, kind));
        }
        let name = self.embedding.as_deref().unwrap_or(if self.bits { "perceptual" } else { "tract-cpu" });
        let registry = Registry::linked();
        let registration = registry.embeddings().iter().find(|registration| registration.name == name);
        let registration = registration.ok_or_else(|| format!("no embedding backend `{name}` is built in"))?;
        let backend = (registration.create)(&Options::new()).map_err(|why| {
            format!(
                "{why}; a neural model is fetched by `nodupe models fetch sscd-distilled`, and --synthetic goes without"
            )
        })?;
        if (backend.space().element_type() == ElementType::Bit) != self.bits {
            let kind = backend.space().element_type().name();
            return Err(format!("{name} makes vectors of {kind}").into());
        }
        let (rows, photos) = embed(backend.as_ref(), files)?;
        let model = backend.space().model();
        let kind =
            format!("{} embeddings (`{model}` by `{name}`) of {photos} photographs in all orientations", rows.len());
        Ok((rows, kind))
    }
}

/// The regular files of a folder with their sizes, by name.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>, Box<dyn Error>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let about = fs::metadata(&path)?;
        if about.is_file() {
            files.push((path, about.len()));
        }
    }
    files.sort();
    Ok(files)
}

/// Every photograph that can be described in its eight orientations, and how many those are.
fn embed(backend: &dyn EmbeddingBackend, files: &[(PathBuf, u64)]) -> Result<(Embeddings, usize), Box<dyn Error>> {
    let spec = *backend.input_spec();
    let mut rows = Embeddings::new(backend.space().clone());
    let mut photos = 0;
    for files in files.chunks(BATCH) {
        let decoded: Vec<Vec<u8>> = files.iter().filter_map(|(path, _)| pixels(path, &spec)).collect();
        if decoded.is_empty() {
            continue;
        }
        let together = decoded.concat();
        let views = backend.embed_views(&ImageBatch::for_spec(&spec, &together)?, &View::ORIENTATIONS)?;
        views.iter().try_for_each(|view| rows.append(view.embeddings().view()))?;
        photos += decoded.len();
    }
    if rows.is_empty() { Err("there is no photograph that can be described".into()) } else { Ok((rows, photos)) }
}

/// `None` for a file that is no image.
fn pixels(path: &Path, spec: &InputSpec) -> Option<Vec<u8>> {
    media::decode(path, spec).ok().map(|decoded| decoded.pixels)
}

fn stand_ins(bits: bool, random: &mut Random) -> Result<Embeddings, Box<dyn Error>> {
    if bits {
        let space = EmbeddingSpace::hamming("random", SYNTHETIC_BITS)?;
        let bytes = (0..STAND_INS * space.row_bytes()).map(|_| random.bits() as u8).collect();
        return Ok(Embeddings::from_bits(space, bytes)?);
    }
    let numbers = (0..STAND_INS * SYNTHETIC_DIM).map(|_| random.normal()).collect();
    Ok(Embeddings::from_f32(EmbeddingSpace::cosine("random", SYNTHETIC_DIM)?, numbers)?.normalized()?)
}

/// Writes `count` changed rows.
fn draw(real: &Embeddings, count: usize, random: &mut Random, path: &Path) -> io::Result<()> {
    let mut file = io::BufWriter::new(fs::File::create(path)?);
    for _ in 0..count {
        match real.get(random.below(real.len())) {
            Some(Row::F32(row)) => {
                let noisy: Vec<f32> = row.iter().map(|number| number + NOISE * random.normal()).collect();
                let length = nodupe::core::dot(&noisy, &noisy).sqrt();
                for number in noisy {
                    file.write_all(&((f64::from(number) / length) as f32).to_le_bytes())?;
                }
            }
            Some(Row::Bits(row)) => {
                let mut row = row.to_vec();
                for _ in 0..random.below(FLIPS + 1) {
                    let bit = random.below(real.space().dim());
                    row[bit / 8] ^= 1 << (bit % 8);
                }
                file.write_all(&row)?;
            }
            _ => {}
        }
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::read;
    use nodupe::Metric;

    #[test]
    fn what_is_drawn_is_near_what_it_is_drawn_from_and_the_same_for_the_same_seed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vectors");
        for bits in [false, true] {
            let real = stand_ins(bits, &mut Random(1)).unwrap();
            draw(&real, 50, &mut Random(2), &path).unwrap();
            let first = fs::read(&path).unwrap();
            let drawn = read(&path, real.space().clone(), None).unwrap();
            assert_eq!(drawn.len(), 50);
            let metric = real.space().metric();
            // The noise is 0.68 long, and a random vector is at a right angle.
            let near = if metric == Metric::Hamming { FLIPS as f32 } else { 0.35 };
            for row in drawn.view().iter() {
                let distances = real.view().iter().filter_map(|other| metric.distance(row, other));
                assert!(distances.fold(f32::MAX, f32::min) <= near);
            }
            draw(&real, 50, &mut Random(2), &path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), first);
        }
    }
}
