//! Everything but JPEG, through the `image` crate.

use image::{ColorType, ExtendedColorType, ImageDecoder, ImageError, ImageReader};
use nodupe_core::{Channels, View};

use crate::deadline::TimedReader;
use crate::error::Failure;
use crate::format::ImageFormat;
use crate::limits::Limit;
use crate::orientation;
use crate::picture::{Given, Header, Picture, Request, zeroed};
use crate::samples::to_eight_bits;

/// What the parts of a file that are not pixels (texts, profiles) may take when they are unpacked.
const METADATA_BYTES: u64 = 32 << 20;

/// Reads the header of an image that is no JPEG.
pub(crate) fn open<'a>(request: &Request<'a>) -> Result<Box<dyn Picture + 'a>, Failure> {
    let Some(format) = known(request.format) else {
        return Err(Failure::Unsupported(format!("{} is not decoded here", request.format)));
    };
    let failed = |error| failure(error, request.format, METADATA_BYTES);
    let mut reader = ImageReader::with_format(TimedReader::new(request.bytes, request.deadline), format);
    reader.limits(alloc_limit(METADATA_BYTES));
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    request.limits.check_size(width, height)?;
    if width == 0 || height == 0 {
        return Err(Failure::Decode(request.format, "it has no pixels".into()));
    }
    let color = decoder.color_type();
    let memory = memory(request, &decoder);
    // What the header promised is what the decoder gets: a frame larger than its canvas is refused.
    decoder.set_limits(alloc_limit(memory)).map_err(failed)?;
    let orientation = match request.format {
        ImageFormat::WebP => orientation::of_webp(request.bytes),
        _ => decoder.orientation().map_or(View::Identity, orientation::of_image),
    };
    Ok(Box::new(Raster {
        header: Header { width, height, orientation, memory },
        format: request.format,
        color,
        wanted: request.channels,
        background: request.background,
        decoder,
    }))
}

struct Raster<D> {
    header: Header,
    format: ImageFormat,
    color: ColorType,
    wanted: Channels,
    background: [u8; 3],
    decoder: D,
}

impl<D: ImageDecoder> Picture for Raster<D> {
    fn header(&self) -> Header {
        self.header
    }

    fn read(self: Box<Self>, buffer: &mut Vec<u8>) -> Result<Given, Failure> {
        let Ok(len) = usize::try_from(self.decoder.total_bytes()) else {
            return Err(Failure::Decode(self.format, "it is larger than the address space".into()));
        };
        // Zeroed, since decoders leave out what the file does (run lengths that skip, rows that are missing).
        self.decoder
            .read_image(zeroed(buffer, len))
            .map_err(|error| failure(error, self.format, self.header.memory))?;
        to_eight_bits(buffer, self.color, self.wanted, self.background)
            .map(Given::whole)
            .ok_or_else(|| Failure::Unsupported(format!("{} of {:?} pixels", self.format, self.color)))
    }
}

fn known(format: ImageFormat) -> Option<image::ImageFormat> {
    Some(match format {
        ImageFormat::Jpeg => return None,
        ImageFormat::Png => image::ImageFormat::Png,
        ImageFormat::Gif => image::ImageFormat::Gif,
        ImageFormat::WebP => image::ImageFormat::WebP,
        ImageFormat::Bmp => image::ImageFormat::Bmp,
        ImageFormat::Tiff => image::ImageFormat::Tiff,
        ImageFormat::Ico => image::ImageFormat::Ico,
        ImageFormat::Qoi => image::ImageFormat::Qoi,
        ImageFormat::Pnm => image::ImageFormat::Pnm,
        ImageFormat::Tga => image::ImageFormat::Tga,
        ImageFormat::Dds => image::ImageFormat::Dds,
        ImageFormat::Hdr => image::ImageFormat::Hdr,
        ImageFormat::OpenExr => image::ImageFormat::OpenExr,
        ImageFormat::Farbfeld => image::ImageFormat::Farbfeld,
    })
}

/// Bytes that decoding holds at once: the pixels as the decoder gives them, and what it keeps besides.
fn memory(request: &Request<'_>, decoder: &impl ImageDecoder) -> u64 {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let out = decoder.total_bytes();
    let more = match request.format {
        // The frame of a GIF is decoded apart and laid on the canvas. A WebP has planes or RGBA besides, an animated one
        // the canvas as well.
        ImageFormat::WebP if is_animated_webp(request.bytes) => pixels.saturating_mul(8),
        ImageFormat::Gif | ImageFormat::WebP => pixels.saturating_mul(4),
        // All samples once more, and those of a strip, which may be the whole image.
        ImageFormat::Tiff => match decoder.original_color_type() {
            ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 => out.saturating_mul(3),
            _ => out.saturating_mul(2),
        },
        ImageFormat::OpenExr => out.saturating_mul(2),
        ImageFormat::Qoi => request.bytes.len() as u64,
        ImageFormat::Ico | ImageFormat::Pnm | ImageFormat::Tga => out,
        _ => 0,
    };
    out.saturating_add(more).saturating_add(1 << 20)
}

fn is_animated_webp(bytes: &[u8]) -> bool {
    matches!(bytes.get(12..21), Some([b'V', b'P', b'8', b'X', .., flags]) if flags & 2 != 0)
}

fn alloc_limit(bytes: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

fn failure(error: ImageError, format: ImageFormat, allowed: u64) -> Failure {
    match error {
        ImageError::Unsupported(error) => Failure::Unsupported(error.to_string()),
        ImageError::Limits(_) => {
            Failure::Limit { limit: Limit::MemoryBytes, value: allowed.saturating_add(1), allowed }
        }
        error => Failure::Decode(format, error.into()),
    }
}
