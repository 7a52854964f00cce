//! Ways to look at one image: the eight rotations and reflections of a rectangle, and parts of it.

use std::fmt;

use crate::error::EmbedError;
use crate::image::{Channels, ImageBatch};

/// A way to look at an image before it is embedded. Rotations are clockwise.
///
/// The names say what is done to the image, so that `view(Rotate90)` of an upright photograph has its top at the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum View {
    /// As it is.
    #[default]
    Identity,
    /// Turned by 90° clockwise.
    Rotate90,
    /// Turned by 180°.
    Rotate180,
    /// Turned by 270° clockwise.
    Rotate270,
    /// Left and right exchanged.
    FlipHorizontal,
    /// Top and bottom exchanged.
    FlipVertical,
    /// Rows and columns exchanged: mirrored at the diagonal from the top left.
    Transpose,
    /// Mirrored at the diagonal from the top right.
    Transverse,
    /// The middle, half as wide and half as high, enlarged to the size of all.
    CropCentre,
    /// The upper left quarter, likewise.
    CropTopLeft,
    /// The upper right quarter.
    CropTopRight,
    /// The lower left quarter.
    CropBottomLeft,
    /// The lower right quarter.
    CropBottomRight,
}

impl View {
    /// All eight orientations, [`View::Identity`] first.
    pub const ORIENTATIONS: [Self; 8] = [
        Self::Identity,
        Self::Rotate90,
        Self::Rotate180,
        Self::Rotate270,
        Self::FlipHorizontal,
        Self::FlipVertical,
        Self::Transpose,
        Self::Transverse,
    ];

    /// The middle and the four quarters.
    pub const CROPS: [Self; 5] =
        [Self::CropCentre, Self::CropTopLeft, Self::CropTopRight, Self::CropBottomLeft, Self::CropBottomRight];

    /// The name in reports: `rotate-90`, `flip-horizontal`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Rotate90 => "rotate-90",
            Self::Rotate180 => "rotate-180",
            Self::Rotate270 => "rotate-270",
            Self::FlipHorizontal => "flip-horizontal",
            Self::FlipVertical => "flip-vertical",
            Self::Transpose => "transpose",
            Self::Transverse => "transverse",
            Self::CropCentre => "crop-centre",
            Self::CropTopLeft => "crop-top-left",
            Self::CropTopRight => "crop-top-right",
            Self::CropBottomLeft => "crop-bottom-left",
            Self::CropBottomRight => "crop-bottom-right",
        }
    }

    /// Whether width and height change places.
    pub const fn swaps_axes(self) -> bool {
        matches!(self, Self::Rotate90 | Self::Rotate270 | Self::Transpose | Self::Transverse)
    }

    /// The view that undoes this one: turning by both gives the image back. `None` for a crop, which leaves nothing to turn back.
    #[must_use]
    pub const fn inverse(self) -> Option<Self> {
        match self {
            Self::Rotate90 => Some(Self::Rotate270),
            Self::Rotate270 => Some(Self::Rotate90),
            other if other.crop().is_some() => None,
            other => Some(other),
        }
    }

    /// Where the part begins that a crop shows, in halves of its own width and height.
    const fn crop(self) -> Option<[usize; 2]> {
        match self {
            Self::CropCentre => Some([1, 1]),
            Self::CropTopLeft => Some([0, 0]),
            Self::CropTopRight => Some([2, 0]),
            Self::CropBottomLeft => Some([0, 2]),
            Self::CropBottomRight => Some([2, 2]),
            _ => None,
        }
    }

    /// The pixels of every image of `batch` as this view shows them, in the layout of [`ImageBatch`].
    ///
    /// # Errors
    /// [`EmbedError::UnsupportedView`] where the view swaps the axes of images that are not square: the result would not
    /// be of the batch's size.
    pub fn apply(self, batch: &ImageBatch<'_>) -> Result<Vec<u8>, EmbedError> {
        if self.swaps_axes() && batch.width() != batch.height() {
            return Err(EmbedError::UnsupportedView { view: self });
        }
        let mut out = Vec::with_capacity(batch.data().len());
        for image in batch.images() {
            match (self.crop(), batch.channels()) {
                (Some(corner), Channels::Luma) => enlarge::<1>(image, batch, corner, &mut out),
                (Some(corner), Channels::Rgb) => enlarge::<3>(image, batch, corner, &mut out),
                (None, Channels::Luma) => self.apply_one::<1>(image, batch, &mut out),
                (None, Channels::Rgb) => self.apply_one::<3>(image, batch, &mut out),
            }
        }
        Ok(out)
    }

    fn apply_one<const C: usize>(self, image: &[u8], batch: &ImageBatch<'_>, out: &mut Vec<u8>) {
        let (width, height) = (batch.width() as usize, batch.height() as usize);
        let (right, bottom) = (width - 1, height - 1);
        let (pixels, _) = image.as_chunks::<C>();
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = match self {
                    Self::Rotate90 => (y, bottom - x),
                    Self::Rotate180 => (right - x, bottom - y),
                    Self::Rotate270 => (right - y, x),
                    Self::FlipHorizontal => (right - x, y),
                    Self::FlipVertical => (x, bottom - y),
                    Self::Transpose => (y, x),
                    Self::Transverse => (right - y, bottom - x),
                    _ => (x, y),
                };
                out.extend_from_slice(&pixels[from_y * width + from_x]);
            }
        }
    }
}

/// Appends the part of an image that is half as wide and half as high, enlarged to the size of all by bilinear interpolation.
fn enlarge<const C: usize>(image: &[u8], batch: &ImageBatch<'_>, corner: [usize; 2], out: &mut Vec<u8>) {
    let (width, height) = (batch.width() as usize, batch.height() as usize);
    let (pixels, _) = image.as_chunks::<C>();
    // In quarters of a pixel, from its middle: the middles of the result lie a quarter before and behind those of the part.
    let along = |size: usize, corner: usize, place: usize| {
        let part = size.div_ceil(2);
        let first = ((size - part) * corner).div_ceil(2);
        let (least, most) = (4 * first, 4 * (first + part - 1));
        let at = (4 * first + 2 * place).saturating_sub(1).clamp(least, most);
        (at / 4, (at / 4 + 1).min(size - 1), (at % 4) as u32)
    };
    for y in 0..height {
        let (top, bottom, down) = along(height, corner[1], y);
        for x in 0..width {
            let (left, right, across) = along(width, corner[0], x);
            let [a, b, c, d] =
                [(top, left), (top, right), (bottom, left), (bottom, right)].map(|(y, x)| pixels[y * width + x]);
            out.extend((0..C).map(|channel| {
                let [a, b, c, d] = [a, b, c, d].map(|pixel| u32::from(pixel[channel]));
                let (above, below) = (a * (4 - across) + b * across, c * (4 - across) + d * across);
                ((above * (4 - down) + below * down + 8) / 16) as u8
            }));
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(view: View) -> Vec<u8> {
        // 1 2
        // 3 4
        view.apply(&ImageBatch::new(2, 2, Channels::Luma, &[1, 2, 3, 4]).unwrap()).unwrap()
    }

    #[test]
    fn each_view_moves_the_corners_where_its_name_says() {
        assert_eq!(turned(View::Identity), [1, 2, 3, 4]);
        assert_eq!(turned(View::Rotate90), [3, 1, 4, 2]);
        assert_eq!(turned(View::Rotate180), [4, 3, 2, 1]);
        assert_eq!(turned(View::Rotate270), [2, 4, 1, 3]);
        assert_eq!(turned(View::FlipHorizontal), [2, 1, 4, 3]);
        assert_eq!(turned(View::FlipVertical), [3, 4, 1, 2]);
        assert_eq!(turned(View::Transpose), [1, 3, 2, 4]);
        assert_eq!(turned(View::Transverse), [4, 2, 3, 1]);
    }

    #[test]
    fn a_view_and_its_inverse_give_the_image_back() {
        for view in View::ORIENTATIONS {
            let once = turned(view);
            let batch = ImageBatch::new(2, 2, Channels::Luma, &once).unwrap();
            assert_eq!(view.inverse().unwrap().apply(&batch).unwrap(), [1, 2, 3, 4], "{view}");
        }
    }

    #[test]
    fn colour_stays_with_its_pixel_and_images_stay_apart() {
        let batch = ImageBatch::new(2, 1, Channels::Rgb, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).unwrap();
        assert_eq!(View::FlipHorizontal.apply(&batch).unwrap(), [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
    }

    #[test]
    fn swapping_the_axes_of_a_wide_image_is_refused() {
        let batch = ImageBatch::new(2, 1, Channels::Luma, &[1, 2]).unwrap();
        assert!(matches!(View::Transpose.apply(&batch), Err(EmbedError::UnsupportedView { view: View::Transpose })));
        assert!(View::Rotate180.apply(&batch).is_ok());
    }

    #[test]
    fn a_crop_shows_a_part_as_large_as_all() {
        let data: Vec<u8> = (0..16).map(|place| place * 10).collect();
        let batch = ImageBatch::new(4, 4, Channels::Luma, &data).unwrap();
        let crop = |view: View| view.apply(&batch).unwrap();
        // 0  10
        // 40 50, and a quarter of the way between them
        assert_eq!(crop(View::CropTopLeft), [0, 3, 8, 10, 10, 13, 18, 20, 30, 33, 38, 40, 40, 43, 48, 50]);
        let corners = |view: View| [0, 3, 12, 15].map(|place| crop(view)[place]);
        assert_eq!(corners(View::CropTopRight), [20, 30, 60, 70]);
        assert_eq!(corners(View::CropBottomLeft), [80, 90, 120, 130]);
        assert_eq!(corners(View::CropBottomRight), [100, 110, 140, 150]);
        assert_eq!(corners(View::CropCentre), [50, 60, 90, 100]);
        for view in View::CROPS {
            assert_eq!(view.inverse(), None, "{view}");
            for (width, height) in [(1, 1), (3, 5), (5, 2)] {
                let data = vec![7; width * height * 3];
                let batch = ImageBatch::new(width as u32, height as u32, Channels::Rgb, &data).unwrap();
                assert_eq!(view.apply(&batch).unwrap(), data, "{view} of {width} x {height}");
            }
        }
    }
}
