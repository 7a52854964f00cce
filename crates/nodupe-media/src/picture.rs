//! An image whose header is read and whose pixels are not: the seam between the decoders and everything else.

use nodupe_core::{Channels, InputSpec, View};

use crate::deadline::Deadline;
use crate::error::Failure;
use crate::format::ImageFormat;
use crate::jarosz::Kernel;
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
    /// What the pixels are resized to, where they may be given smaller than they are.
    #[cfg_attr(not(feature = "turbojpeg"), expect(dead_code, reason = "only libjpeg-turbo gives them so"))]
    pub(crate) spec: Option<InputSpec>,
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
    fn read(self: Box<Self>, buffer: &mut Vec<u8>) -> Result<Given, Failure>;

    /// The luminance that kernels make of the stored pixels, row-major, where that can be had faster than the pixels.
    fn filtered(&self, across: &Kernel, down: &Kernel) -> Option<Vec<u8>> {
        let _ = (across, down);
        None
    }
}

/// The pixels that a decoder gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) channels: Channels,
    /// Pixels of the image, across and down, that became one; the last of a row or column may stand for fewer.
    pub(crate) reduction: u32,
}

impl Given {
    /// Every pixel of the image.
    pub(crate) fn whole(channels: Channels) -> Self {
        Self { channels, reduction: 1 }
    }
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
