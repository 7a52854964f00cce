//! How pixels lie in a file, and how they are shown.

use image::metadata::Orientation;
use nodupe_core::{Channels, View};

use crate::samples::luma;

/// What an orientation of EXIF asks to be done to the stored pixels.
pub(crate) fn of_image(orientation: Orientation) -> View {
    match orientation {
        Orientation::NoTransforms => View::Identity,
        Orientation::Rotate90 => View::Rotate90,
        Orientation::Rotate180 => View::Rotate180,
        Orientation::Rotate270 => View::Rotate270,
        Orientation::FlipHorizontal => View::FlipHorizontal,
        Orientation::FlipVertical => View::FlipVertical,
        Orientation::Rotate90FlipH => View::Transpose,
        Orientation::Rotate270FlipH => View::Transverse,
    }
}

/// What the EXIF chunk of a WebP asks for. Read here, since the decoder would take as much memory for the chunk as its
/// header says, whether the file has it or not.
pub(crate) fn of_webp(bytes: &[u8]) -> View {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some(([a, b, c, d, length @ ..], chunk)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes(*length) as usize;
        if [*a, *b, *c, *d] == *b"EXIF" {
            let exif = chunk.get(..length).and_then(Orientation::from_exif_chunk);
            return exif.map_or(View::Identity, of_image);
        }
        rest = chunk.get(length.saturating_add(length & 1)..).unwrap_or_default();
    }
    View::Identity
}

/// Width and height as shown of an image that is stored as `width` × `height`, and the other way round.
pub(crate) fn turned(view: View, width: u32, height: u32) -> (u32, u32) {
    if view.swaps_axes() { (height, width) } else { (width, height) }
}

/// The stored pixels of an image, read in the order in which they are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pixels: &'a [u8],
    channels: Channels,
    width: usize,
    height: usize,
    /// The stored pixel that is shown first, and the steps from it to the next one to the right and below.
    first: isize,
    right: isize,
    down: isize,
}

impl<'a> Shown<'a> {
    /// The `stored` pixels of `width` × `height`, seen as `view` shows them.
    pub(crate) fn new(stored: &'a [u8], channels: Channels, (width, height): (u32, u32), view: View) -> Self {
        let (shown_width, shown_height) = turned(view, width, height);
        let (w, h) = ((width as usize).cast_signed(), (height as usize).cast_signed());
        let (first, right, down) = match view {
            View::Rotate90 => ((h - 1) * w, -w, 1),
            View::Rotate180 => (h * w - 1, -1, -w),
            View::Rotate270 => (w - 1, w, -1),
            View::FlipHorizontal => (w - 1, -1, w),
            View::FlipVertical => ((h - 1) * w, 1, -w),
            View::Transpose => (0, w, 1),
            View::Transverse => (h * w - 1, -w, -1),
            _ => (0, 1, w),
        };
        Self {
            pixels: stored,
            channels,
            width: shown_width as usize,
            height: shown_height as usize,
            first,
            right,
            down,
        }
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Writes the row `y` as `wanted` to `out`, which is as long as a row. Grey as RGB is three equal channels.
    pub(crate) fn row(&self, y: usize, wanted: Channels, out: &mut [u8]) {
        let start = self.first + y.cast_signed() * self.down;
        match (self.channels, wanted) {
            (Channels::Luma, Channels::Rgb) => self.copy::<1, 3>(start, out, |[grey]| [grey; 3]),
            (Channels::Luma, _) => self.copy::<1, 1>(start, out, |pixel| pixel),
            (_, Channels::Luma) => self.copy::<3, 1>(start, out, |pixel| [luma(pixel)]),
            _ => self.copy::<3, 3>(start, out, |pixel| pixel),
        }
    }

    fn copy<const IN: usize, const OUT: usize>(
        &self,
        start: isize,
        out: &mut [u8],
        convert: impl Fn([u8; IN]) -> [u8; OUT],
    ) {
        let (stored, _) = self.pixels.as_chunks::<IN>();
        let (out, _) = out.as_chunks_mut::<OUT>();
        let out = &mut out[..self.width];
        if self.right == 1 {
            let stored = &stored[start.cast_unsigned()..][..self.width];
            for (to, from) in out.iter_mut().zip(stored) {
                *to = convert(*from);
            }
        } else {
            for (x, to) in out.iter_mut().enumerate() {
                *to = convert(stored[(start + x.cast_signed() * self.right).cast_unsigned()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nodupe_core::ImageBatch;

    use super::*;

    fn rows(shown: &Shown<'_>, wanted: Channels) -> Vec<u8> {
        let length = shown.width * wanted.count();
        let mut out = vec![0; length * shown.height()];
        for (y, row) in out.chunks_exact_mut(length).enumerate() {
            shown.row(y, wanted, row);
        }
        out
    }

    #[test]
    fn what_is_shown_is_what_the_view_of_the_core_makes() {
        let pixels: Vec<u8> = (0..4 * 4 * 3).collect();
        let batch = ImageBatch::new(4, 4, Channels::Rgb, &pixels).unwrap();
        for view in View::ORIENTATIONS {
            let shown = Shown::new(&pixels, Channels::Rgb, (4, 4), view);
            assert_eq!(rows(&shown, Channels::Rgb), view.apply(&batch).unwrap(), "{view}");
        }
    }

    #[test]
    fn a_wide_image_is_shown_tall() {
        // 1 2 3
        // 4 5 6
        let shown = |view| rows(&Shown::new(&[1, 2, 3, 4, 5, 6], Channels::Luma, (3, 2), view), Channels::Luma);
        assert_eq!(shown(View::Rotate90), [4, 1, 5, 2, 6, 3]);
        assert_eq!(shown(View::Rotate270), [3, 6, 2, 5, 1, 4]);
        assert_eq!(shown(View::Transpose), [1, 4, 2, 5, 3, 6]);
        assert_eq!(shown(View::Transverse), [6, 3, 5, 2, 4, 1]);
        assert_eq!(shown(View::Rotate180), [6, 5, 4, 3, 2, 1]);
        assert_eq!(shown(View::FlipHorizontal), [3, 2, 1, 6, 5, 4]);
        assert_eq!(shown(View::FlipVertical), [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn grey_as_colour_is_three_equal_channels() {
        let shown = Shown::new(&[1, 2], Channels::Luma, (2, 1), View::FlipHorizontal);
        assert_eq!(rows(&shown, Channels::Rgb), [2, 2, 2, 1, 1, 1]);
    }
}
