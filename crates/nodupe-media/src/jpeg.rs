//! JPEG, through `zune-jpeg` itself: luminance alone costs less than colour, and most photographs are JPEG.

use image::metadata::Orientation;
use nodupe_core::{Channels, View};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::Failure;
use crate::format::ImageFormat;
use crate::orientation;
use crate::picture::{Header, Picture, Request, zeroed};
use crate::samples::rgb_to_luma;

/// Reads the header of a JPEG.
pub(crate) fn open<'a>(request: &Request<'a>) -> Result<Box<dyn Picture + 'a>, Failure> {
    // Junk between the segments of a header is common and harmless, damage in the pixels is neither: lenient here,
    // strict there.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(request.bytes), options);
    decoder.decode_headers().map_err(failure)?;
    let info = decoder.info().ok_or_else(|| failure(DecodeErrors::ZeroError))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    request.limits.check_size(width, height)?;
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif))
        .map_or(View::Identity, orientation::of_image);
    let stored = match (decoder.input_colorspace(), request.channels) {
        (Some(ColorSpace::Luma), _) | (Some(ColorSpace::YCbCr), Channels::Luma) => Channels::Luma,
        // CMYK and YCCK too; their samples are inverted, as Adobe's are and all that are met.
        _ => Channels::Rgb,
    };
    let options = decoder.options().set_strict_mode(true).jpeg_set_out_colorspace(match stored {
        Channels::Luma => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    });
    decoder.set_options(options);
    let pixels = u64::from(width) * u64::from(height);
    let header = Header {
        width,
        height,
        orientation,
        memory: pixels * stored.count() as u64 + coefficient_bytes(request.bytes, pixels) + (1 << 20),
    };
    Ok(Box::new(Jpeg { header, stored, wanted: request.channels, decoder }))
}

struct Jpeg<'a> {
    header: Header,
    /// What the decoder gives.
    stored: Channels,
    wanted: Channels,
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
}

impl Picture for Jpeg<'_> {
    fn header(&self) -> Header {
        self.header
    }

    fn read(mut self: Box<Self>, buffer: &mut Vec<u8>) -> Result<Channels, Failure> {
        let len = self.header.width as usize * self.header.height as usize * self.stored.count();
        self.decoder.decode_into(zeroed(buffer, len)).map_err(failure)?;
        if self.stored == Channels::Rgb && self.wanted == Channels::Luma {
            rgb_to_luma(buffer);
            return Ok(Channels::Luma);
        }
        Ok(self.stored)
    }
}

fn failure(error: DecodeErrors) -> Failure {
    match error {
        DecodeErrors::Unsupported(_) => Failure::Unsupported(error.to_string()),
        error => Failure::Decode(ImageFormat::Jpeg, error.to_string().into()),
    }
}

/// Bytes of the coefficients that are kept until all scans are read, of an image of `pixels` pixels: none where the
/// first scan has it all, otherwise two a coefficient.
fn coefficient_bytes(bytes: &[u8], pixels: u64) -> u64 {
    let mut rest = bytes.get(2..).unwrap_or_default();
    let mut progressive = false;
    let mut components = 3;
    // Coefficients of all components for one of the component that has most.
    let (mut samples, mut most) = (3, 1);
    while let [0xff, marker, after @ ..] = rest {
        let (length, segment) = match after {
            // Fill bytes and markers without a segment.
            _ if *marker == 0xff => {
                rest = &rest[1..];
                continue;
            }
            [high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                (length, after.get(2..length).unwrap_or_default())
            }
            _ => break,
        };
        match marker {
            // SOF0 to SOF15, without DHT, JPG and DAC.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                progressive = *marker == 0xc2;
                let sampling: Vec<u64> = segment
                    .get(6..)
                    .unwrap_or_default()
                    .chunks_exact(3)
                    .map(|component| u64::from(component[1] >> 4) * u64::from(component[1] & 15))
                    .collect();
                components = sampling.len();
                samples = sampling.iter().sum();
                most = sampling.iter().copied().max().unwrap_or(1).max(1);
            }
            0xda => {
                let first = usize::from(segment.first().copied().unwrap_or(0));
                if !progressive && first == components {
                    return 0;
                }
                break;
            }
            _ => {}
        }
        rest = after.get(length..).unwrap_or_default();
    }
    pixels.saturating_mul(2).saturating_mul(samples) / most
}
