//! Files that are the same byte by byte, and images that are pixel by pixel.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use nodupe_media::{DecodeOptions, Decoder};
use rayon::prelude::*;

use crate::embed::Image;
use crate::progress::{Progress, Stage};
use crate::walk::File;

/// For each file the first file that has the same bytes: itself where it is the first. Only files of one size are read;
/// those of no bytes are all the same. A file that cannot be read, or is larger than `max_bytes`, is like no other.
/// Where `progress` cancels, so is one that was not reached.
pub(crate) fn first_of_same_bytes(files: &[File], max_bytes: u64, progress: &dyn Progress) -> Vec<usize> {
    let mut by_size: HashMap<u64, Vec<usize>> = HashMap::new();
    for (number, file) in files.iter().enumerate() {
        by_size.entry(file.bytes).or_default().push(number);
    }
    let candidates: Vec<usize> = by_size
        .into_iter()
        .filter(|(bytes, same_size)| same_size.len() > 1 && *bytes <= max_bytes)
        .flat_map(|(_, same_size)| same_size)
        .collect();
    progress.begin(Stage::Identical, Some(candidates.len()));
    let digests = candidates.into_par_iter().filter_map(|number| {
        progress.advance(Stage::Identical, 1);
        let file = (!progress.is_cancelled()).then(|| &files[number])?;
        Some((number, digest(&file.path, file.bytes).ok()?))
    });
    let mut digests: Vec<(usize, blake3::Hash)> = digests.collect();
    let mut first: Vec<usize> = (0..files.len()).collect();
    let mut first_of: HashMap<(u64, blake3::Hash), usize> = HashMap::new();
    digests.sort_unstable_by_key(|(number, _)| *number);
    for (number, digest) in digests {
        first[number] = *first_of.entry((files[number].bytes, digest)).or_insert(number);
    }
    first
}

/// For each image the first one that has the same pixels as shown: itself where it is the first. Only images are compared of which a
/// backend was given the same, since else they cannot be equal: these are decoded once more, in full. Where `progress` cancels, one
/// that was not reached is like no other.
pub(crate) fn first_of_same_pixels<'a>(
    images: &[Option<Image>],
    path: impl Fn(usize) -> &'a Path + Sync,
    decode: &DecodeOptions,
    progress: &dyn Progress,
) -> Vec<u32> {
    let mut by_input: HashMap<(u64, u32, u32), Vec<usize>> = HashMap::new();
    for (number, image) in images.iter().enumerate() {
        if let Some(Image { info, input }) = image {
            by_input.entry((*input, info.width, info.height)).or_default().push(number);
        }
    }
    let candidates: Vec<usize> = by_input.into_values().filter(|same| same.len() > 1).flatten().collect();
    if !candidates.is_empty() {
        progress.begin(Stage::Pixels, Some(candidates.len()));
    }
    let digest = |decoder: &mut Decoder, number: usize| {
        progress.advance(Stage::Pixels, 1);
        let digest = (!progress.is_cancelled()).then(|| decoder.pixel_digest(path(number)).ok());
        digest.flatten().map(|digest| (number, digest))
    };
    let digests = candidates.into_par_iter().map_init(|| Decoder::new(decode.clone()), digest).flatten();
    let mut digests: Vec<(usize, [u8; 32])> = digests.collect();
    digests.sort_unstable();
    let mut first: Vec<u32> = (0..images.len() as u32).collect();
    let mut first_of: HashMap<[u8; 32], u32> = HashMap::new();
    for (number, digest) in digests {
        first[number] = *first_of.entry(digest).or_insert(number as u32);
    }
    first
}

/// BLAKE3 of a file that is still as long as it was; one that grows without end is not followed.
fn digest(path: &Path, bytes: u64) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut file = fs::File::open(path)?.take(bytes.saturating_add(1));
    io::copy(&mut file, &mut hasher)?;
    if hasher.count() == bytes { Ok(hasher.finalize()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn the_first_of_the_same_bytes_stands_for_all_and_unreadable_ones_for_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let contents: [&[u8]; 6] = [b"same", b"diff", b"same", b"", b"", b"same!"];
        let mut files: Vec<File> = (0..)
            .zip(contents)
            .map(|(number, content)| {
                let path = dir.path().join(number.to_string());
                fs::write(&path, content).unwrap();
                File { path, bytes: content.len() as u64 }
            })
            .collect();
        files.push(File { path: dir.path().join("gone"), bytes: 4 });
        // Grown since the walk: no longer what it was.
        files.push(File { path: files[5].path.clone(), bytes: 4 });
        assert_eq!(first_of_same_bytes(&files, u64::MAX, &Silent), [0, 1, 0, 3, 3, 5, 6, 7]);
        assert_eq!(first_of_same_bytes(&files, 3, &Silent), [0, 1, 2, 3, 3, 5, 6, 7]);
    }
}
