//! The steps by which a bundle is written, one system call or so each, so that a test can stop between any two.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

pub(crate) trait Disk {
    /// Makes a folder, and those that it is in where they are missing.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Writes a file that is not there yet.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Puts the content of a file on the disk.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Puts the names in a folder on the disk.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Renames a file over another, or over none.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a folder and all in it.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
pub(crate) struct System;

impl Disk for System {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        // Some systems sync only what is open for writing.
        File::options().read(true).write(true).open(path)?.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Elsewhere folders cannot be opened, and their names are written with the files.
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
