//! Opening and reading files without being held up by what only looks like one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::deadline::Deadline;
use crate::error::Failure;
use crate::limits::{Limit, Limits, check};

/// Opens a regular file, following links, and tells its length. Directories, pipes, sockets and devices are refused: a
/// pipe would block, a device may do anything.
pub(crate) fn open(path: &Path, limits: &Limits) -> Result<(File, u64), Failure> {
    refuse_special(&fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        // The path may be a pipe by now, and opening one waits for its writer.
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    refuse_special(&metadata)?;
    check(Limit::FileBytes, metadata.len(), limits.max_file_bytes)?;
    Ok((file, metadata.len()))
}

/// Reads `length` bytes to the start of `buffer`, or fewer where there are no more; what is read is the answer. Without a
/// `length`, reads to the end, or to one byte over the limit.
pub(crate) fn read<'a>(
    mut reader: impl Read,
    length: Option<u64>,
    limits: &Limits,
    deadline: Deadline,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], Failure> {
    /// Bytes read at once; between two reads the clock is looked at.
    const PIECE: usize = 4 << 20;
    let most = length.unwrap_or_else(|| limits.max_file_bytes.saturating_add(1));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut filled = 0;
    while filled < most {
        deadline.check()?;
        // What is left from the file before is overwritten, so that nothing is zeroed for nothing.
        let wanted = match length {
            Some(_) => most,
            None => most.min((2 * filled).max(64 << 10)),
        };
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        match reader.read(&mut buffer[filled..wanted.min(filled + PIECE)]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    check(Limit::FileBytes, filled as u64, limits.max_file_bytes)?;
    Ok(&buffer[..filled])
}

fn refuse_special(metadata: &Metadata) -> Result<(), Failure> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(Failure::Io(if kind.is_dir() {
        io::Error::new(ErrorKind::IsADirectory, "it is a directory")
    } else {
        io::Error::new(ErrorKind::InvalidInput, "it is no regular file but a pipe, a socket or a device")
    }))
}
