//! Files to ids and back.
//!
//! The id of an image is its real path: absolute, without `..` and with links followed, so that it is the same from
//! wherever a command is run. Where a backend gives several rows for an image, the first has that id, and the others have
//! `//` and their number, from 1, after it: no such path has `//` in it.

use std::path::{Path, PathBuf};

use nodupe_core::ItemId;

const PART: &str = "//";

/// The real path, also of what is not there any more: as far as it is there.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // Elsewhere the real path is one of a kind that nobody writes.
    if !cfg!(unix) {
        return absolute;
    }
    for there in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (there.canonicalize(), absolute.strip_prefix(there)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    absolute
}

/// The id of one of the rows of an image, whose path is the real one.
pub(crate) fn id_of(path: &Path, part: usize) -> ItemId {
    part_of(&ItemId::from_path(path), part)
}

/// The id of another row of the same image.
pub(crate) fn part_of(first: &ItemId, part: usize) -> ItemId {
    if part == 0 { first.clone() } else { ItemId::from(format!("{}{PART}{part}", first.as_str())) }
}

/// The id of the first row of the image that an id is of.
pub(crate) fn first_of(id: &ItemId) -> ItemId {
    match id.as_str().rsplit_once(PART) {
        Some((first, part)) if !first.is_empty() && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
            ItemId::from(first)
        }
        _ => id.clone(),
    }
}

/// The path of the image that an id is of; the id as it is shown where it is no path.
pub(crate) fn path_of(id: &ItemId) -> PathBuf {
    let first = first_of(id);
    first.to_path().unwrap_or_else(|| first.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_an_image_leads_back_to_its_path() {
        for path in ["/photos/a b.jpg", "/1", "/a/2", "//5", "/photos/x:1"] {
            for part in [0, 1, 17] {
                let id = id_of(Path::new(path), part);
                assert_eq!(path_of(&id), Path::new(path), "{id:?}");
                assert_eq!(first_of(&id), ItemId::from(path));
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf8_comes_back_from_any_row() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/a/\xff.jpg"));
        assert_eq!(path_of(&id_of(path, 3)), path);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_gone_has_the_path_that_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&root, root.join("link")).unwrap();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::write(root.join("a"), "").unwrap();
        let before = real_path(&root.join("sub/../link/./a"));
        std::fs::remove_file(root.join("a")).unwrap();
        assert_eq!(before, root.join("a"));
        assert_eq!(real_path(&root.join("link/a")), before);
        assert_eq!(real_path(&root.join("link/no/such/a")), root.join("no/such/a"));
    }
}
