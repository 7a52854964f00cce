//! JPEG, through `zune-jpeg` itself: luminance alone costs less than colour, and most photographs are JPEG. With the feature
//! `turbojpeg`, what libjpeg-turbo decodes without a complaint is decoded by that.

mod direct;
mod huffman;
mod quality;
#[cfg(feature = "turbojpeg")]
mod turbo;

pub use quality::jpeg_quality;

use image::metadata::Orientation;
use nodupe_core::{Channels, View};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::Failure;
use crate::format::ImageFormat;
use crate::jarosz::Kernel;
use crate::orientation;
use crate::picture::{Given, Header, Picture, Request, zeroed};
use crate::samples::rgb_to_luma;

/// Reads the header of a JPEG.
pub(crate) fn open<'a>(request: &Request<'a>) -> Result<Box<dyn Picture + 'a>, Failure> {
    Ok(Box::new(Jpeg::open(request)?))
}

/// What libjpeg-turbo calls the colours of a file; `None` where it does not make RGB of them.
#[cfg(feature = "turbojpeg")]
fn colours(space: Option<ColorSpace>) -> Option<turbojpeg::Colorspace> {
    match space? {
        ColorSpace::Luma => Some(turbojpeg::Colorspace::Gray),
        ColorSpace::YCbCr => Some(turbojpeg::Colorspace::YCbCr),
        ColorSpace::RGB => Some(turbojpeg::Colorspace::RGB),
        _ => None,
    }
}

struct Jpeg<'a> {
    header: Header,
    /// What the decoder gives.
    stored: Channels,
    wanted: Channels,
    /// The file.
    bytes: &'a [u8],
    /// How libjpeg-turbo would decode it.
    #[cfg(feature = "turbojpeg")]
    turbo: Option<turbo::Wanted>,
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
}

impl Picture for Jpeg<'_> {
    fn header(&self) -> Header {
        self.header
    }

    fn read(mut self: Box<Self>, buffer: &mut Vec<u8>) -> Result<Given, Failure> {
        let mut given = Given { channels: self.stored, reduction: self.decode(buffer)? };
        if self.stored == Channels::Rgb && self.wanted == Channels::Luma {
            rgb_to_luma(buffer);
            given.channels = Channels::Luma;
        }
        Ok(given)
    }

    fn filtered(&self, across: &Kernel, down: &Kernel) -> Option<Vec<u8>> {
        let size = (self.header.width, self.header.height);
        (self.stored == Channels::Luma).then(|| direct::read(self.bytes, size, across, down)).flatten()
    }
}

impl<'a> Jpeg<'a> {
    fn open(request: &Request<'a>) -> Result<Self, Failure> {
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
        let layout =
            Layout::of(request.bytes).ok_or_else(|| failure(DecodeErrors::FormatStatic("no frame or no scan")))?;
        if !layout.is_decoded() {
            return Err(Failure::Unsupported(format!(
                "JPEG with components sampled as {:?} is not decoded right",
                layout.sampling
            )));
        }
        let stored = match (decoder.input_colorspace(), request.channels) {
            (Some(ColorSpace::Luma), _) => Channels::Luma,
            (Some(ColorSpace::YCbCr), Channels::Luma) if layout.has_luma() => Channels::Luma,
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
            // What is read at a part of its size has its data copied once.
            memory: pixels * stored.count() as u64 + layout.kept_bytes(pixels) + request.bytes.len() as u64 + (1 << 20),
        };
        #[cfg(feature = "turbojpeg")]
        let turbo = colours(decoder.input_colorspace()).map(|colours| {
            let size = (width, height);
            let reduction = request.spec.map_or(1, |spec| crate::resize::reduction(size, orientation, &spec));
            // Colour that is sampled more sparsely along one axis than along the other is made smaller along both.
            let [across, down] = layout.most();
            let is_uneven = stored == Channels::Rgb && across != down;
            let reduction = if is_uneven { (reduction / 2).max(1) } else { reduction };
            turbo::Wanted { size, channels: stored, reduction, colours }
        });
        Ok(Self {
            header,
            stored,
            wanted: request.channels,
            bytes: request.bytes,
            #[cfg(feature = "turbojpeg")]
            turbo,
            decoder,
        })
    }

    /// Decodes to the start of `buffer`, and says how many pixels across and down became one.
    fn decode(&mut self, buffer: &mut Vec<u8>) -> Result<u32, Failure> {
        #[cfg(feature = "turbojpeg")]
        if let Some(wanted) = self.turbo {
            match turbo::read(self.bytes, wanted, buffer) {
                Ok(()) => return Ok(wanted.reduction),
                Err(error) => tracing::debug!(%error, "not decoded by libjpeg-turbo"),
            }
        }
        let len = self.header.width as usize * self.header.height as usize * self.stored.count();
        self.decoder.decode_into(zeroed(buffer, len)).map_err(failure)?;
        Ok(1)
    }
}

fn failure(error: DecodeErrors) -> Failure {
    match error {
        DecodeErrors::Unsupported(_) => Failure::Unsupported(error.to_string()),
        // Without the quotation marks that `to_string` puts around it.
        DecodeErrors::Format(detail) => Failure::Decode(ImageFormat::Jpeg, detail.into()),
        DecodeErrors::FormatStatic(detail) => Failure::Decode(ImageFormat::Jpeg, detail.into()),
        error => Failure::Decode(ImageFormat::Jpeg, error.to_string().into()),
    }
}

/// How the samples of a JPEG lie in the file, as far as the decoder treats them differently.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    progressive: bool,
    /// Horizontal and vertical sampling of each component.
    sampling: Vec<[u8; 2]>,
    /// Components of the first scan.
    first_scan: usize,
}

impl Layout {
    /// Reads the segments up to the first scan. None where there is no frame or no scan.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.get(2..)?;
        let (mut progressive, mut sampling) = (false, Vec::new());
        loop {
            let [first, marker, after @ ..] = rest else { return None };
            // Junk before a marker, and markers that are filled up with more of their first byte.
            if *first != 0xff || matches!(marker, 0 | 0xff) {
                rest = &rest[1..];
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let segment = after.get(2..length)?;
            match marker {
                // The frames, and between them tables, an extension, and conditioning.
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    progressive = *marker == 0xc2;
                    let (components, _) = segment.get(6..)?.as_chunks::<3>();
                    sampling = components.iter().map(|[_, both, _]| [both >> 4, both & 15]).collect();
                }
                0xda if sampling.is_empty() => return None,
                0xda => return Some(Self { progressive, sampling, first_scan: usize::from(*segment.first()?) }),
                _ => {}
            }
            rest = &after[length..];
        }
    }

    fn most(&self) -> [u8; 2] {
        let most = |axis: usize| self.sampling.iter().map(|both| both[axis]).max().unwrap_or(1).max(1);
        [most(0), most(1)]
    }

    fn has_scan_for_each(&self) -> bool {
        !self.progressive && self.first_scan < self.sampling.len()
    }

    /// Whether `zune-jpeg` 0.5.15 gets it right. It loses rows of sequential images with a scan for each component, and
    /// takes the first component for the one of the most samples.
    fn is_decoded(&self) -> bool {
        !self.has_scan_for_each() && self.sampling.first() == Some(&self.most())
    }

    /// Whether luminance can be had without colour: not where `zune-jpeg` 0.5.15 takes it for twice as high.
    fn has_luma(&self) -> bool {
        !(self.progressive && self.most() == [1, 2])
    }

    /// Bytes of the coefficients that are kept until all scans are read, of an image of `pixels` pixels.
    fn kept_bytes(&self, pixels: u64) -> u64 {
        if !self.progressive && !self.has_scan_for_each() {
            return 0;
        }
        let samples: u64 = self.sampling.iter().map(|[across, down]| u64::from(*across) * u64::from(*down)).sum();
        let [across, down] = self.most();
        2 * pixels * samples / (u64::from(across) * u64::from(down))
    }
}

#[cfg(test)]
mod tests;
