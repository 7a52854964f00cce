//! The CUDA execution provider of ONNX Runtime: a library beside the runtime's own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nodupe_core::{OptionError, Options};
use ort::ep::{ArenaExtendStrategy, CUDA, ExecutionProviderDispatch, cuda::ConvAlgorithmSearch};

use crate::options::MEMORY;

/// Its file.
pub(crate) const LIBRARY: &str =
    if cfg!(windows) { "onnxruntime_providers_cuda.dll" } else { "libonnxruntime_providers_cuda.so" };

/// The provider for a device.
///
/// # Errors
/// Where an option has a value that it cannot have.
pub(crate) fn provider(device: u32, options: &Options) -> Result<ExecutionProviderDispatch, OptionError> {
    let mut cuda = CUDA::default()
        .with_device_id(i32::try_from(device).unwrap_or(i32::MAX))
        // Batches are of one shape: what the first one takes is all that is ever taken.
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        // An exhaustive search may choose other kernels the next time, and with them other last bits.
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        // 10 bits of mantissa are too few to stay in the space of the same model on a processor.
        .with_tf32(false);
    if let Some(mebibytes) = options.get::<usize>(&MEMORY)? {
        cuda = cuda.with_memory_limit(mebibytes << 20);
    }
    Ok(cuda.build().error_on_failure())
}

/// The major version of CUDA that the provider was built for: the one in the name of the CUDA runtime which it links.
/// `None` where it links none by name.
pub(crate) fn cuda_version(provider: &Path) -> io::Result<Option<u32>> {
    find_version(File::open(provider)?)
}

fn find_version(mut library: impl Read) -> io::Result<Option<u32>> {
    const NAMES: [&[u8]; 2] = [b"libcudart.so.", b"cudart64_"];
    // The name may lie across the end of a piece, so the last bytes of one come before the next.
    const KEPT: usize = 32;
    let mut piece = vec![0; KEPT + (1 << 20)];
    let mut length = 0;
    loop {
        let read = library.read(&mut piece[length..])?;
        length += read;
        let text = &piece[..length];
        for name in NAMES {
            let found = text.windows(name.len()).position(|window| window == name);
            // Digits up to the end of what was read may go on after it.
            if let Some(digits) = found.map(|at| &text[at + name.len()..])
                && let Some(end) = digits.iter().position(|byte| !byte.is_ascii_digit())
                && let Some(version) = str::from_utf8(&digits[..end]).ok().and_then(|digits| digits.parse().ok())
            {
                return Ok(Some(version));
            }
        }
        if read == 0 {
            return Ok(None);
        }
        let from = length.saturating_sub(KEPT);
        piece.copy_within(from..length, 0);
        length -= from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(into.len());
            into[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn the_version_of_cuda_is_read_from_the_name_of_its_runtime() {
        let library =
            [vec![7; 100_000].as_slice(), b"\0libc.so.6\0libcudart.so.12\0libcublas.so.12\0".as_slice(), &[9; 50]]
                .concat();
        for step in [1, 7, 33, 1 << 20] {
            let found = find_version(Trickle(&library[99_900..], step)).unwrap();
            assert_eq!(found, Some(12), "{step} bytes at a time");
        }
        assert_eq!(find_version(Trickle(&library, 4096)).unwrap(), Some(12));
        assert_eq!(find_version(Trickle(b"\0cudart64_13.dll\0", 3)).unwrap(), Some(13));
        assert_eq!(find_version(Trickle(b"no such name: libcudart.so.x", 5)).unwrap(), None);
    }
}
