//! Paths alone, for other programs.

use std::ffi::OsStr;
use std::io::{self, Write};

use nodupe::dedup::{Group, Member};

/// Which files of a group are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Print {
    /// All files but the one to keep.
    Duplicates,
    /// The one to keep.
    Kept,
}

/// Writes the paths of one part of each group, each ended by a line break or a NUL. On Unix a path is its bytes; elsewhere what is no Unicode in it
/// is replaced. None begins with a dash, which would be taken for an option.
pub(crate) fn write(out: &mut impl Write, groups: &[Group], which: Print, null: bool) -> io::Result<()> {
    let end: &[u8] = if null { b"\0" } else { b"\n" };
    for group in groups {
        let files: Vec<&Member> = match which {
            Print::Duplicates => group.duplicates().collect(),
            Print::Kept => group.kept().into_iter().collect(),
        };
        for file in files {
            if file.path.as_os_str().as_encoded_bytes().starts_with(b"-") {
                out.write_all(b"./")?;
            }
            write_path(out, file.path.as_os_str())?;
            out.write_all(end)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn write_path(out: &mut impl Write, path: &OsStr) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    out.write_all(path.as_bytes())
}

#[cfg(not(unix))]
fn write_path(out: &mut impl Write, path: &OsStr) -> io::Result<()> {
    out.write_all(path.to_string_lossy().as_bytes())
}
