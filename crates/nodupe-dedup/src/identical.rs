//! Files that are the same byte by byte.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use rayon::prelude::*;

use crate::walk::File;

/// For each file the first file that has the same bytes: itself where it is the first. Only files of one size are read;
/// those of no bytes are all the same. A file that cannot be read, or is larger than `max_bytes`, is like no other.
pub(crate) fn first_of_same_bytes(files: &[File], max_bytes: u64, read: impl Fn() -> bool + Sync) -> Vec<usize> {
    let mut by_size: HashMap<u64, Vec<usize>> = HashMap::new();
    for (number, file) in files.iter().enumerate() {
        by_size.entry(file.bytes).or_default().push(number);
    }
    let candidates: Vec<usize> = by_size
        .into_iter()
        .filter(|(bytes, same_size)| same_size.len() > 1 && *bytes <= max_bytes)
        .flat_map(|(_, same_size)| same_size)
        .collect();
    let digests: Vec<(usize, Option<blake3::Hash>)> = candidates
        .into_par_iter()
        .map(|number| (number, read().then(|| digest(&files[number].path, files[number].bytes).ok()).flatten()))
        .collect();
    let mut first: Vec<usize> = (0..files.len()).collect();
    let mut first_of: HashMap<(u64, blake3::Hash), usize> = HashMap::new();
    let mut digests: Vec<_> = digests.into_iter().filter_map(|(number, digest)| Some((number, digest?))).collect();
    digests.sort_unstable_by_key(|(number, _)| *number);
    for (number, digest) in digests {
        first[number] = *first_of.entry((files[number].bytes, digest)).or_insert(number);
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
        assert_eq!(first_of_same_bytes(&files, u64::MAX, || true), [0, 1, 0, 3, 3, 5, 6, 7]);
        assert_eq!(first_of_same_bytes(&files, 3, || true), [0, 1, 2, 3, 3, 5, 6, 7]);
    }
}
