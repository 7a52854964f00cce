//! Photographs to labelled sets.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nodupe_media::{DecodeOptions, Decoder};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::EvalError;
use crate::labels::Labels;
use crate::picture::{LEAST, jpeg, read};
use crate::random::Random;
use crate::transforms::{Edit, ORIGINAL_QUALITY, TransformSet};

/// How sets are made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipe {
    /// Which edits.
    pub set: TransformSet,
    /// Chooses the photographs, and decides all that is left to chance.
    pub seed: u64,
    /// The most photographs to make groups of.
    pub photographs: usize,
    /// Pixels of the longer side that photographs are shrunk to before anything else; smaller ones are left as they are.
    pub longest_side: u32,
}

impl Recipe {
    /// A set of at most 1000 photographs of at most 1024 pixels a side.
    pub fn new(set: TransformSet, seed: u64) -> Self {
        Self { set, seed, photographs: 1000, longest_side: 1024 }
    }

    /// The same of at most so many photographs.
    #[must_use]
    pub fn with_photographs(mut self, photographs: usize) -> Self {
        self.photographs = photographs;
        self
    }

    /// The same with another longest side.
    #[must_use]
    pub fn with_longest_side(mut self, pixels: u32) -> Self {
        self.longest_side = pixels;
        self
    }
}

/// A set that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Made {
    /// Its labels.
    pub labels: PathBuf,
    /// Photographs that groups were made of.
    pub photographs: usize,
    /// Photographs that are only behind or beside others. No two copies show the same one, and none of them is in the set by itself.
    pub backgrounds: usize,
    /// Photographs that could not be read, were smaller than 32 pixels a side, or had the bytes of another one.
    pub passed_over: usize,
}

/// The least number of groups in a set.
const FEWEST: usize = 2;

/// Makes a set of `photographs` (in any order) in a folder: `images/` with JPEG files, and `labels.json`. The same photographs
/// under the same names and the same recipe make the same files, on however many threads. At most one photograph and what is made of it
/// is in the memory of each thread.
///
/// `done` is told of every photograph that is ready, and stops the work by `false`.
///
/// # Errors
/// [`EvalError::TooFew`], [`EvalError::Io`] where a file cannot be written, and [`EvalError::Interrupted`].
pub fn generate(
    photographs: &[PathBuf],
    recipe: &Recipe,
    folder: &Path,
    done: &(dyn Fn(usize) -> bool + Sync),
) -> Result<Made, EvalError> {
    let images = folder.join("images");
    fs::create_dir_all(&images).map_err(|error| EvalError::io(&images, error))?;
    let Drawn { photographs, backgrounds, passed_over } = draw(photographs, recipe)?;
    let each = recipe.set.backgrounds();
    let groups: Mutex<BTreeMap<usize, Vec<&'static str>>> = Mutex::new(BTreeMap::new());
    photographs.par_iter().enumerate().try_for_each_init(decoder, |decoder, (number, photo)| {
        let behind = &backgrounds[number * each..(number + 1) * each];
        let made = copies(decoder, photo, behind, recipe, number, &images);
        match made {
            Ok(names) => lock(&groups).insert(number, names),
            Err(error @ EvalError::Io { .. }) => return Err(error),
            // Its header was fine: it is broken further down.
            Err(error) => {
                tracing::warn!(path = %photo.display(), "a photograph was passed over: {error}");
                None
            }
        };
        if done(1) { Ok(()) } else { Err(EvalError::Interrupted) }
    })?;
    let groups = groups.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if groups.len() < FEWEST {
        return Err(EvalError::TooFew { set: recipe.set.name(), needed: FEWEST, found: groups.len() });
    }
    let made = Made {
        labels: folder.join("labels.json"),
        photographs: groups.len(),
        backgrounds: groups.len() * each,
        passed_over: passed_over + photographs.len() - groups.len(),
    };
    let mut transforms = BTreeMap::new();
    let named = groups.into_iter().map(|(number, names)| {
        let path = |&name: &&str| {
            let path = Path::new("images").join(file_name(recipe, number, name));
            if name != ORIGINAL {
                transforms.insert(path.clone(), name.to_owned());
            }
            path
        };
        names.iter().map(path).collect()
    });
    let named = named.collect();
    let labels = Labels::new(folder.to_owned(), recipe.set.name().to_owned(), Some(recipe.seed), named, transforms);
    labels.map_err(|detail| EvalError::Labels { path: made.labels.clone(), detail })?.write(&made.labels)?;
    Ok(made)
}

/// What the first file of a group is called.
const ORIGINAL: &str = "original";

/// Unique over sets and seeds, so that a path of anybody's report is known by its name.
fn file_name(recipe: &Recipe, number: usize, transform: &str) -> String {
    format!("{}-{}-{number:05}-{transform}.jpg", recipe.set, recipe.seed)
}

fn decoder() -> Decoder {
    Decoder::new(DecodeOptions::default())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Debug)]
struct Drawn {
    photographs: Vec<PathBuf>,
    backgrounds: Vec<PathBuf>,
    passed_over: usize,
}

/// Draws what a set is made of: photographs whose header can be read, no two of the same bytes, in an order that the seed says.
fn draw(photographs: &[PathBuf], recipe: &Recipe) -> Result<Drawn, EvalError> {
    let mut order = photographs.to_vec();
    order.sort();
    Random::of(&[recipe.seed, recipe.set as u64]).shuffle(&mut order);
    // A photograph for a group, and those behind its copies.
    let each = 1 + recipe.set.backgrounds();
    let wanted = recipe.photographs.max(FEWEST).saturating_mul(each);
    let (mut drawn, mut seen, mut passed_over) = (Vec::new(), HashSet::new(), 0);
    for some in order.chunks(256) {
        let digests: Vec<Option<blake3::Hash>> =
            some.par_iter().map_init(decoder, |decoder, path| digest(decoder, path)).collect();
        for (path, digest) in some.iter().zip(digests) {
            if drawn.len() == wanted {
                break;
            }
            if digest.is_some_and(|digest| seen.insert(digest)) { drawn.push(path.clone()) } else { passed_over += 1 }
        }
    }
    let groups = drawn.len() / each;
    if groups < FEWEST {
        return Err(EvalError::TooFew { set: recipe.set.name(), needed: FEWEST * each, found: drawn.len() });
    }
    drawn.truncate(groups * each);
    let backgrounds = drawn.split_off(groups);
    Ok(Drawn { photographs: drawn, backgrounds, passed_over })
}

/// Of the bytes of a file that may be made copies of.
fn digest(decoder: &mut Decoder, path: &Path) -> Option<blake3::Hash> {
    let info = decoder.info(path).ok()?;
    let is_large_enough = info.width.min(info.height) >= LEAST;
    if is_large_enough { Some(blake3::hash(&fs::read(path).ok()?)) } else { None }
}

/// Writes the original and its copies, and says which.
fn copies(
    decoder: &mut Decoder,
    photo: &Path,
    behind: &[PathBuf],
    recipe: &Recipe,
    number: usize,
    folder: &Path,
) -> Result<Vec<&'static str>, EvalError> {
    let photo = read(decoder, photo, recipe.longest_side)?;
    let write = |name: &'static str, bytes: Vec<u8>| {
        let file = folder.join(file_name(recipe, number, name));
        fs::write(&file, bytes).map_err(|error| EvalError::io(&file, error))?;
        Ok::<_, EvalError>(name)
    };
    let mut names = vec![write(ORIGINAL, jpeg(&photo, ORIGINAL_QUALITY)?)?];
    let mut behind = behind.iter();
    for (place, transform) in recipe.set.table().iter().enumerate() {
        let other = match if transform.needs_other { behind.next() } else { None } {
            Some(other) => match read(decoder, other, recipe.longest_side) {
                Ok(other) => Some(other),
                // One copy fewer.
                Err(error) => {
                    tracing::warn!(path = %other.display(), "a background was passed over: {error}");
                    continue;
                }
            },
            None => None,
        };
        let random = Random::of(&[recipe.seed, recipe.set as u64, number as u64, place as u64]);
        let mut edit = Edit { photo: &photo, other: other.as_ref().unwrap_or(&photo), random };
        names.push(write(transform.name, jpeg(&(transform.make)(&mut edit)?, transform.quality)?)?);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    /// Photographs in a folder of their own: so many that differ, a copy of the first one, a tiny one and a text.
    fn photographs(count: u8) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for seed in 0..count {
            let photo = RgbImage::from_fn(96, 64, |x, y| Rgb([(x * 2) as u8, (y * 3) as u8, seed.wrapping_mul(37)]));
            photo.save(at(&format!("{seed}.png"))).unwrap();
        }
        fs::copy(at("0.png"), at("copy.png")).unwrap();
        RgbImage::new(31, 200).save(at("narrow.png")).unwrap();
        fs::write(at("text.txt"), "no photograph").unwrap();
        let paths = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        (folder, paths)
    }

    #[test]
    fn no_photograph_is_used_twice_and_none_of_the_set_is_behind_others() {
        let (_folder, paths) = photographs(10);
        for (set, groups) in [(TransformSet::Basic, 10), (TransformSet::Heavy, 5), (TransformSet::Strong, 3)] {
            let drawn = draw(&paths, &Recipe::new(set, 1)).unwrap();
            assert_eq!(
                (drawn.photographs.len(), drawn.backgrounds.len()),
                (groups, groups * set.backgrounds()),
                "{set}"
            );
            let mut all: Vec<_> =
                drawn.photographs.iter().chain(&drawn.backgrounds).map(|path| fs::read(path).unwrap()).collect();
            let count = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count, "{set}");
        }
        assert_eq!(draw(&paths, &Recipe::new(TransformSet::Basic, 1)).unwrap().passed_over, 3);
        assert_eq!(
            draw(&paths, &Recipe::new(TransformSet::Heavy, 1).with_photographs(2)).unwrap().backgrounds.len(),
            2
        );
    }

    #[test]
    fn another_seed_draws_others_and_the_order_of_the_paths_makes_no_difference() {
        let (_folder, mut paths) = photographs(20);
        let drawn =
            |paths: &[PathBuf], seed| draw(paths, &Recipe::new(TransformSet::Heavy, seed).with_photographs(5)).unwrap();
        let one = drawn(&paths, 1);
        assert_ne!(one.photographs, drawn(&paths, 2).photographs);
        paths.reverse();
        assert_eq!(one.photographs, drawn(&paths, 1).photographs);
    }

    #[test]
    fn a_set_is_files_and_labels_that_name_them() {
        let (folder, mut paths) = photographs(4);
        // Its header is fine, and what follows is not.
        let broken = folder.path().join("broken.png");
        let whole = fs::read(folder.path().join("3.png")).unwrap();
        fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
        paths.push(broken);
        let recipe = Recipe::new(TransformSet::Basic, 7).with_longest_side(48);
        let made = generate(&paths, &recipe, &folder.path().join("set"), &|_| true).unwrap();
        let labels = Labels::open(&made.labels).unwrap();
        assert_eq!((made.photographs, made.passed_over, labels.groups(), labels.files().len()), (4, 4, 4, 24));
        assert_eq!((labels.name(), labels.seed()), ("basic", Some(7)));
        let transforms: Vec<Option<&str>> = labels.files_of(0).iter().map(|file| file.transform.as_deref()).collect();
        assert_eq!(transforms, [None, Some("crop"), Some("hflip"), Some("vflip"), Some("rot25"), Some("square")]);
        let sizes: Vec<_> = labels.paths().iter().map(|path| image::image_dimensions(path).unwrap()).take(6).collect();
        assert_eq!(sizes, [(48, 32), (42, 28), (48, 32), (48, 32), (48, 32), (32, 32)]);
        let stopped = generate(&paths, &recipe, &folder.path().join("other"), &|_| false);
        assert!(matches!(stopped, Err(EvalError::Interrupted)));
        let none = generate(&[], &recipe, &folder.path().join("none"), &|_| true).unwrap_err();
        assert_eq!(
            none.to_string(),
            "a set of basic needs at least 2 readable photographs, 0 were found: name a folder with more of them"
        );
    }
}
