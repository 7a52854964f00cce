//! Pixels as an embedding backend is given them.

use std::fmt;
use std::num::NonZeroU32;

use crate::error::EmbedError;

/// The channels of a pixel, one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Channels {
    /// Luminance alone: Y' of ITU-R BT.601 (`0.299 R + 0.587 G + 0.114 B`), full range, which is what JPEG stores.
    Luma,
    /// Red, green, blue: sRGB, full range.
    Rgb,
}

impl Channels {
    /// Bytes a pixel.
    pub const fn count(self) -> usize {
        match self {
            Self::Luma => 1,
            Self::Rgb => 3,
        }
    }
}

/// How an image of another aspect ratio becomes the size that a backend wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Fit {
    /// Each axis is scaled by itself; the aspect ratio is not kept.
    Stretch,
    /// The shorter edge is scaled to `edge` pixels (at least the wanted size), then the centre is cropped.
    ShortestEdge {
        /// Length of the shorter edge before the crop, in pixels.
        edge: NonZeroU32,
    },
    /// The whole image is scaled to fit and centred on a flat background.
    Letterbox {
        /// Value of every channel of the background.
        background: u8,
    },
}

/// The filter that an image is resized with.
///
/// Every filter is a convolution whose support grows with the scale when an image becomes smaller, so that no pixel of
/// the source is skipped (except [`Filter::Nearest`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Filter {
    /// The nearest pixel of the source.
    Nearest,
    /// The mean over the area of an output pixel.
    Box,
    /// A triangle of radius 1 output pixel: bilinear interpolation with antialiasing.
    Triangle,
    /// The "Jarosz filter" of Meta's *PDQ hashing* specification: two passes of a box of half an output pixel, placed as
    /// its reference implementation places them. Where `n` pixels become `m`, the box of pixel `x` is `w = ceil(n / 2m)`
    /// wide and begins at `x - (w - 1 - floor(w / 2))`, and output pixel `i` is the filtered pixel `floor((i + ½) n / m)`.
    /// This is a triangle of radius ½ output pixel, up to 1½ pixels of the source off centre: a centred one gives
    /// hashes that differ.
    Jarosz,
    /// The cubic of Catmull and Rom (a = -0.5), radius 2.
    CatmullRom,
    /// The windowed sinc of Lanczos, radius 3.
    Lanczos3,
}

/// What an embedding backend wants its images to be.
///
/// ```
/// use nodupe_core::{Channels, Filter, Fit, InputSpec};
/// let spec = InputSpec::rgb(256, 256).with_fit(Fit::Stretch).with_filter(Filter::Box);
/// assert_eq!(spec.channels(), Channels::Rgb);
/// assert_eq!(spec.bytes(), 256 * 256 * 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InputSpec {
    width: u32,
    height: u32,
    channels: Channels,
    fit: Fit,
    filter: Filter,
}

impl InputSpec {
    /// The longest side that can be asked for, in pixels.
    pub const MAX_SIDE: u32 = 16_384;

    /// Images of `width` × `height` pixels, stretched to that size with [`Filter::Triangle`].
    ///
    /// Each side is kept between 1 and [`Self::MAX_SIDE`] pixels.
    pub const fn new(width: u32, height: u32, channels: Channels) -> Self {
        const fn side(pixels: u32) -> u32 {
            match pixels {
                0 => 1,
                pixels if pixels > InputSpec::MAX_SIDE => InputSpec::MAX_SIDE,
                pixels => pixels,
            }
        }
        Self { width: side(width), height: side(height), channels, fit: Fit::Stretch, filter: Filter::Triangle }
    }

    /// RGB images of `width` × `height` pixels.
    pub const fn rgb(width: u32, height: u32) -> Self {
        Self::new(width, height, Channels::Rgb)
    }

    /// Images of `width` × `height` pixels of luminance alone: cheaper to decode than colour, so ask for it where colour
    /// is not read.
    pub const fn luma(width: u32, height: u32) -> Self {
        Self::new(width, height, Channels::Luma)
    }

    /// The same with another fit.
    #[must_use]
    pub const fn with_fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// The same with another filter.
    #[must_use]
    pub const fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Width in pixels, at least 1.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The channels of a pixel.
    pub const fn channels(&self) -> Channels {
        self.channels
    }

    /// How another aspect ratio is brought to this one.
    pub const fn fit(&self) -> Fit {
        self.fit
    }

    /// The filter that images are resized with.
    pub const fn filter(&self) -> Filter {
        self.filter
    }

    /// Bytes of one image: width × height × channels.
    pub const fn bytes(&self) -> usize {
        self.width as usize * self.height as usize * self.channels.count()
    }
}

impl fmt::Display for InputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = match self.channels {
            Channels::Luma => "luma",
            Channels::Rgb => "rgb",
        };
        write!(f, "{}x{} {channels}", self.width, self.height)
    }
}

/// Images of one size, borrowed: 8 bits a channel, row-major, one image after the other (NHWC).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ImageBatch<'a> {
    width: u32,
    height: u32,
    channels: Channels,
    data: &'a [u8],
}

impl<'a> ImageBatch<'a> {
    /// The images in `data`, each `width * height * channels` bytes.
    ///
    /// # Errors
    /// [`EmbedError::Shape`] where a size is zero or `data` is not a whole number of images.
    pub fn new(width: u32, height: u32, channels: Channels, data: &'a [u8]) -> Result<Self, EmbedError> {
        let bytes = (width as usize).checked_mul(height as usize).and_then(|n| n.checked_mul(channels.count()));
        match bytes {
            Some(bytes) if bytes > 0 && data.len().is_multiple_of(bytes) => Ok(Self { width, height, channels, data }),
            _ => Err(EmbedError::Shape {
                detail: format!("{} bytes are no whole number of {width}x{height} {channels:?} images", data.len()),
            }),
        }
    }

    /// The images in `data`, each as `spec` wants them.
    ///
    /// # Errors
    /// [`EmbedError::Shape`] where `data` is not a whole number of images.
    pub fn for_spec(spec: &InputSpec, data: &'a [u8]) -> Result<Self, EmbedError> {
        Self::new(spec.width, spec.height, spec.channels, data)
    }

    /// Width of every image in pixels.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height of every image in pixels.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// The channels of a pixel.
    pub const fn channels(&self) -> Channels {
        self.channels
    }

    /// All bytes, one image after the other.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Bytes of one image.
    pub const fn image_bytes(&self) -> usize {
        self.width as usize * self.height as usize * self.channels.count()
    }

    /// Number of images.
    pub const fn len(&self) -> usize {
        self.data.len() / self.image_bytes()
    }

    /// Whether there is no image.
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The images, in order.
    pub fn images(&self) -> std::slice::ChunksExact<'a, u8> {
        self.data.chunks_exact(self.image_bytes())
    }

    /// Checks that these images are what `spec` asks for. A backend calls it first in
    /// [`embed`](crate::EmbeddingBackend::embed).
    ///
    /// # Errors
    /// [`EmbedError::Shape`] where the size or the channels differ.
    pub fn check(&self, spec: &InputSpec) -> Result<(), EmbedError> {
        if (self.width, self.height, self.channels) == (spec.width, spec.height, spec.channels) {
            return Ok(());
        }
        Err(EmbedError::Shape {
            detail: format!(
                "the backend wants {spec}, and was given {}x{} {:?}",
                self.width, self.height, self.channels
            ),
        })
    }
}

impl fmt::Debug for ImageBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageBatch")
            .field("width", &self.width)
            .field("height", &self.height)
            .field("channels", &self.channels)
            .field("len", &self.len())
            .finish()
    }
}
