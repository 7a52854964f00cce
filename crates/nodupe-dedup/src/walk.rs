//! Folders to files.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::report::Skipped;

/// What a walk goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalkOptions {
    /// Whether symbolic links are followed (a loop is reported and left). Otherwise a link is skipped with that reason:
    /// what it points to is found where it is, and would else count as a duplicate of itself.
    pub follow_links: bool,
    /// Whether files and folders whose name begins with a dot are looked at.
    pub hidden: bool,
    /// Whether what `.ignore` and `.nodupeignore` files name (in the syntax of `.gitignore`) is passed over.
    pub ignore_files: bool,
}

impl Default for WalkOptions {
    /// Neither links nor hidden files; ignore files are heeded.
    fn default() -> Self {
        Self { follow_links: false, hidden: false, ignore_files: true }
    }
}

impl WalkOptions {
    /// The same with [`Self::follow_links`].
    #[must_use]
    pub const fn with_follow_links(mut self, follow_links: bool) -> Self {
        self.follow_links = follow_links;
        self
    }

    /// The same with [`Self::hidden`].
    #[must_use]
    pub const fn with_hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// The same with [`Self::ignore_files`].
    #[must_use]
    pub const fn with_ignore_files(mut self, ignore_files: bool) -> Self {
        self.ignore_files = ignore_files;
        self
    }
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// Where it is, below the root as that was given.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Every regular file at or below `roots`, once, in the order of the roots and by name below each; and what was passed
/// over, each with its reason. `each` is called for every entry, and stops the walk by `false`.
pub fn walk(roots: &[PathBuf], options: WalkOptions, mut each: impl FnMut() -> bool) -> (Vec<File>, Vec<Skipped>) {
    let mut files = Vec::new();
    let mut skipped = Vec::new();
    // One file may be reached on two ways only where roots overlap or links are followed.
    let mut seen = (roots.len() > 1 || options.follow_links).then(HashSet::new);
    for root in roots {
        // `ignore` takes a lone dash for standard input.
        let root = if root.as_os_str() == "-" { Path::new("./-") } else { root };
        // A root that is a link is followed, since the user named it; `ignore` does so for folders alone.
        if let Err(error) = fs::metadata(root) {
            skipped.push(Skipped::io(root.to_owned(), &error));
            continue;
        }
        let mut builder = WalkBuilder::new(root);
        builder.standard_filters(false).hidden(!options.hidden).ignore(options.ignore_files);
        builder.follow_links(options.follow_links).sort_by_file_name(Ord::cmp);
        if options.ignore_files {
            builder.add_custom_ignore_filename(".nodupeignore");
        }
        for entry in builder.build() {
            if !each() {
                return (files, skipped);
            }
            if let Some(error) = entry.as_ref().ok().and_then(DirEntry::error) {
                tracing::warn!("an ignore file is not heeded: {error}");
            }
            match entry.map_err(|error| Skipped::walk(root, &error)).and_then(|entry| regular(entry, root)) {
                Ok(Some(file)) => {
                    let is_new = match &mut seen {
                        Some(seen) => fs::canonicalize(&file.path).map_or(true, |path| seen.insert(path)),
                        None => true,
                    };
                    if is_new {
                        files.push(file);
                    }
                }
                Ok(None) => {}
                Err(skip) => skipped.push(skip),
            }
        }
    }
    (files, skipped)
}

/// The file of an entry; `None` for a folder, which the walk goes into by itself.
fn regular(entry: DirEntry, root: &Path) -> Result<Option<File>, Skipped> {
    let is_root = entry.depth() == 0;
    let metadata = if is_root { fs::metadata(root) } else { entry.metadata().map_err(io_error) };
    let path = entry.into_path();
    let metadata = metadata.map_err(|error| Skipped::io(path.clone(), &error))?;
    if metadata.is_dir() {
        Ok(None)
    } else if metadata.is_file() {
        Ok(Some(File { path, bytes: metadata.len() }))
    } else if metadata.is_symlink() {
        Err(Skipped::new(path, "symlink", "a symbolic link, and links are not followed"))
    } else {
        Err(Skipped::new(path, "special-file", "not a regular file"))
    }
}

fn io_error(error: ignore::Error) -> std::io::Error {
    error.into_io_error().unwrap_or_else(|| std::io::ErrorKind::Other.into())
}
