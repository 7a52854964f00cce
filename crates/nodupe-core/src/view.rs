//! Ways to look at one image: the eight rotations and reflections of a rectangle.

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
        }
    }

    /// Whether width and height change places.
    pub const fn swaps_axes(self) -> bool {
        matches!(self, Self::Rotate90 | Self::Rotate270 | Self::Transpose | Self::Transverse)
    }

    /// The view that undoes this one: turning by both gives the image back.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Rotate90 => Self::Rotate270,
            Self::Rotate270 => Self::Rotate90,
            other => other,
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
            match batch.channels() {
                Channels::Luma => self.apply_one::<1>(image, batch, &mut out),
                Channels::Rgb => self.apply_one::<3>(image, batch, &mut out),
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
                    Self::Identity => (x, y),
                    Self::Rotate90 => (y, bottom - x),
                    Self::Rotate180 => (right - x, bottom - y),
                    Self::Rotate270 => (right - y, x),
                    Self::FlipHorizontal => (right - x, y),
                    Self::FlipVertical => (x, bottom - y),
                    Self::Transpose => (y, x),
                    Self::Transverse => (right - y, bottom - x),
                };
                out.extend_from_slice(&pixels[from_y * width + from_x]);
            }
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
            assert_eq!(view.inverse().apply(&batch).unwrap(), [1, 2, 3, 4], "{view}");
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
}
