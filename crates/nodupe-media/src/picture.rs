//! An image whose header is read and whose pixels are not: the seam between the decoders and everything else.

use nodupe_core::{Channels, View};

use crate::deadline::Deadline;
use crate::error::Failure;
use crate::format::ImageFormat;
use crate::limits::Limits;
use crate::{jpeg, raster};

/// What a decoder is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) format: ImageFormat,
    /// The whole file.
    pub(crate) bytes: &'a [u8],
    /// The channels that will be used. A grey image may be given as luminance where colour is wanted.
    pub(crate) channels: Channels,
    /// What is seen through transparent pixels.
    pub(crate) background: [u8; 3],
    pub(crate) limits: &'a Limits,
    pub(crate) deadline: Deadline,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Width of the pixels as they are stored.
    pub(crate) width: u32,
    /// Height of the pixels as they are stored.
    pub(crate) height: u32,
    /// What has to be done to the stored pixels to show them.
    pub(crate) orientation: View,
    /// Bytes that decoding holds at once besides the file: the pixels and what the decoder needs.
    pub(crate) memory: u64,
}

/// An image whose header is read and within the limits, and for whose pixels no memory is taken yet.
pub(crate) trait Picture {
    fn header(&self) -> Header;

    /// Decodes to the start of `buffer`, which is made as long as it must be, 8 bits a channel, row-major: luminance
    /// where that is wanted or where the image is grey, otherwise RGB. Every byte of the image is written.
    fn read(self: Box<Self>, buffer: &mut Vec<u8>) -> Result<Channels, Failure>;
}

/// Reads the header of an image. The one place that knows which decoder is for which format.
pub(crate) fn open<'a>(request: &Request<'a>) -> Result<Box<dyn Picture + 'a>, Failure> {
    match request.format {
        ImageFormat::Jpeg => jpeg::open(request),
        _ => raster::open(request),
    }
}

/// The type of [`open`]: tests put decoders that panic and loop in its place.
pub(crate) type Open = for<'a> fn(&Request<'a>) -> Result<Box<dyn Picture + 'a>, Failure>;

/// The first `len` bytes of `buffer`, all zero.
pub(crate) fn zeroed(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    buffer.clear();
    buffer.resize(len, 0);
    buffer
}
