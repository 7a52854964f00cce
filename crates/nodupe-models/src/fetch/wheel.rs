//! Files out of wheels (PEP 427: zip archives), read as data: nothing of them is imported or run.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::FetchError;
use super::progress::FetchProgress;

/// A wheel all of whose names are those of files inside it.
#[derive(Debug)]
pub(crate) struct Wheel {
    name: String,
    archive: ZipArchive<File>,
    members: Vec<String>,
}

impl Wheel {
    /// Opens a wheel and looks at every name in it: one that leads out of it (`..`, an absolute path, a backslash, a link)
    /// is in no honest wheel, and none of its files is used.
    pub(crate) fn open(path: &Path) -> Result<Self, FetchError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        // A pipe would be waited for without end.
        if !path.metadata().map_err(FetchError::io(path))?.is_file() {
            return Err(FetchError::Archive { archive: name, detail: "it is not a regular file".to_owned() });
        }
        let file = File::open(path).map_err(FetchError::io(path))?;
        let mut archive = ZipArchive::new(file).map_err(|error| broken(&name, &error))?;
        let mut members = Vec::with_capacity(archive.len());
        for number in 0..archive.len() {
            let entry = archive.by_index_raw(number).map_err(|error| broken(&name, &error))?;
            let member = entry.name().map_err(|error| broken(&name, &error))?.into_owned();
            if !is_inside(&member) || entry.is_symlink() {
                return Err(FetchError::UnsafePath { archive: name, member });
            }
            members.push(member);
        }
        Ok(Self { name, archive, members })
    }

    /// The names of its files and folders.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Writes one file of it to `to`, of at most `max` bytes whatever the wheel says of its length; its CRC is checked.
    pub(crate) fn extract(
        &mut self,
        member: &str,
        to: &Path,
        max: u64,
        progress: &dyn FetchProgress,
    ) -> Result<(), FetchError> {
        let Self { name, archive, .. } = self;
        if !is_inside(member) {
            return Err(FetchError::UnsafePath { archive: name.clone(), member: member.to_owned() });
        }
        let mut entry = archive.by_name(member).map_err(|error| match error {
            ZipError::FileNotFound => FetchError::NoMember { archive: name.clone(), member: member.to_owned() },
            error => broken(name, &error),
        })?;
        if !entry.is_file() {
            return Err(FetchError::NoMember { archive: name.clone(), member: member.to_owned() });
        }
        let too_large = || FetchError::TooLarge { what: format!("{member} in {name}"), max };
        if entry.size() > max {
            return Err(too_large());
        }
        let mut file = File::create_new(to).map_err(FetchError::io(to))?;
        progress.begin(member, Some(entry.size()));
        let mut buffer = vec![0; 1 << 17];
        let mut written = 0;
        loop {
            let read = next(&mut entry, &mut buffer)
                .map_err(|error| FetchError::Archive { archive: name.clone(), detail: format!("{member}: {error}") })?;
            if read == 0 {
                return Ok(());
            }
            written += read as u64;
            if written > max {
                return Err(too_large());
            }
            file.write_all(&buffer[..read]).map_err(FetchError::io(to))?;
            progress.advance(read as u64);
            if progress.is_cancelled() {
                return Err(FetchError::Cancelled);
            }
        }
    }
}

fn next(entry: &mut ZipFile<'_, File>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match entry.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn broken(archive: &str, error: &ZipError) -> FetchError {
    FetchError::Archive { archive: archive.to_owned(), detail: error.to_string() }
}

/// Whether a name is that of a file or folder inside the archive, on any system.
fn is_inside(name: &str) -> bool {
    let parts = name.strip_suffix('/').unwrap_or(name).split('/');
    !name.contains(['\\', ':', '\0']) && parts.into_iter().all(|part| !matches!(part, "" | "." | ".."))
}
