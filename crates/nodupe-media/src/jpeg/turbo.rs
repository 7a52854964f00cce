//! JPEG by libjpeg-turbo, at the scale that is wanted.
//!
//! Only files that it decodes without a warning: what the others are is for `zune-jpeg` to say, so that a file has the same
//! error in every build.

use nodupe_core::Channels;
use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor};

use crate::picture::zeroed;

/// Scans of a progressive file, as `zune-jpeg` counts them.
const MAX_SCANS: u32 = 100;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Width and height, as `zune-jpeg` has read them.
    pub(super) size: (u32, u32),
    /// Luminance, or RGB.
    pub(super) channels: Channels,
    /// 1, 2, 4 or 8: so many pixels across and down become one.
    pub(super) reduction: u32,
    /// What the samples of the file are, likewise.
    pub(super) colours: Colorspace,
}

/// Decodes to the start of `buffer`, which is made as long as it must be.
pub(super) fn read(bytes: &[u8], wanted: Wanted, buffer: &mut Vec<u8>) -> Result<(), turbojpeg::Error> {
    let scale = ScalingFactor::new(1, wanted.reduction as usize);
    let mut decompressor = Decompressor::new()?;
    decompressor.set_scan_limit(MAX_SCANS)?;
    decompressor.set_scaling_factor(scale)?;
    let header = decompressor.read_header(bytes)?;
    let size = (wanted.size.0 as usize, wanted.size.1 as usize);
    if (header.width, header.height) != size || header.colorspace != wanted.colours || header.is_lossless {
        return Err(turbojpeg::Error::TurboJpegError("its header is understood in two ways".to_owned()));
    }
    let (width, height) = (scale.scale(size.0), scale.scale(size.1));
    let format = match wanted.channels {
        Channels::Luma => PixelFormat::GRAY,
        _ => PixelFormat::RGB,
    };
    let pitch = width * format.size();
    let pixels = zeroed(buffer, pitch * height);
    decompressor.decompress(bytes, Image { pixels, width, pitch, height, format })
}

#[cfg(test)]
mod tests;
