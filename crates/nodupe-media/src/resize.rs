//! Pixels as they are stored to the size that an [`InputSpec`] wants, turned as they are shown.
//!
//! The stored image is resized first and the small result is turned: to turn millions of pixels would cost more than to
//! resize them. Filters are symmetric, so that the result is the same up to the rounding of the two passes; the one that is
//! not has a file of its own.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use nodupe_core::{BoxError, Channels, Filter, Fit, InputSpec, View};

use crate::jarosz::{self, Axis, Kernel};
use crate::orientation::{Shown, turned};
use crate::picture::zeroed;

/// Pixels of an image as they are stored, 8 bits a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) pixels: &'a [u8],
    pub(crate) channels: Channels,
    /// Width and height of the image.
    pub(crate) size: (u32, u32),
    /// Pixels of the image, across and down, that each of the pixels stands for.
    pub(crate) reduction: u32,
    /// What has to be done to show them.
    pub(crate) orientation: View,
}

impl Stored<'_> {
    /// Width and height of the pixels.
    fn given(&self) -> (u32, u32) {
        (self.size.0.div_ceil(self.reduction), self.size.1.div_ceil(self.reduction))
    }
}

/// Resizes images, and keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Scaler {
    resizer: Resizer,
    /// The resized image before it is turned.
    small: Vec<u8>,
    /// The image with its width resized and its height not.
    narrow: Vec<u8>,
}

impl Scaler {
    /// Appends `image` as `spec` wants it to `out`: exactly [`InputSpec::bytes`].
    pub(crate) fn append(&mut self, image: &Stored<'_>, spec: &InputSpec, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let (width, height) = turned(image.orientation, image.size.0, image.size.1);
        if let Some(filter) = Filtered::new(image.size, image.orientation, spec) {
            let small =
                jarosz::resize(image.pixels, image.channels, image.size.0 as usize, &filter.across, &filter.down);
            filter.compose(&small, image.channels, spec, out);
            return Ok(());
        }
        let placed = Placed::new(spec, width, height);
        let crop = placed.crop.stored(image.orientation, (width, height)).reduced(image.reduction);
        let size = turned(image.orientation, placed.size.0, placed.size.1);
        let algorithm = algorithm(spec.filter())?;
        let start = out.len();
        if image.orientation == View::Identity && image.channels == spec.channels() && placed.fills(spec) {
            out.resize(start + spec.bytes(), 0);
            let (_, to) = out.split_at_mut(start);
            return self.resize(image, crop, size, algorithm, to);
        }
        let mut small = std::mem::take(&mut self.small);
        let bytes = zeroed(&mut small, size.0 as usize * size.1 as usize * image.channels.count());
        let resized = self.resize(image, crop, size, algorithm, bytes);
        if resized.is_ok() {
            let shown = Shown::new(&small, image.channels, size, image.orientation);
            placed.compose(&shown, spec, out);
        }
        self.small = small;
        resized
    }

    /// Bytes that the buffers hold.
    pub(crate) fn held(&self) -> usize {
        self.resizer.size_of_internal_buffers() + self.small.capacity() + self.narrow.capacity()
    }

    fn resize(
        &mut self,
        image: &Stored<'_>,
        crop: Crop,
        size: (u32, u32),
        algorithm: ResizeAlg,
        to: &mut [u8],
    ) -> Result<(), BoxError> {
        // Typed, since the resizer's own choice would have its code for every kind of pixel compiled here.
        match image.channels {
            Channels::Luma => self.resize_as::<U8>(image, crop, size, algorithm, to),
            _ => self.resize_as::<U8x3>(image, crop, size, algorithm, to),
        }
    }

    fn resize_as<P: InnerPixel + PixelTrait>(
        &mut self,
        image: &Stored<'_>,
        crop: Crop,
        (width, height): (u32, u32),
        algorithm: ResizeAlg,
        to: &mut [u8],
    ) -> Result<(), BoxError> {
        let (stored_width, stored_height) = image.given();
        let options = ResizeOptions::new().resize_alg(algorithm);
        let source = TypedImageRef::<P>::from_buffer(stored_width, stored_height, image.pixels)?;
        let mut target = TypedImage::<P>::from_buffer(width, height, to)?;
        // The resizer makes the height first, and keeps the whole width until then. Where the height grows and the width
        // shrinks (a very wide image) that is more than the image itself, without bound: there the width comes first.
        if height > stored_height && width < stored_width {
            let bytes = width as usize * stored_height as usize * image.channels.count();
            let mut narrow = TypedImage::<P>::from_buffer(width, stored_height, zeroed(&mut self.narrow, bytes))?;
            let across = options.crop(crop.left, 0.0, crop.width, f64::from(stored_height));
            self.resizer.resize_typed(&source, &mut narrow, &across)?;
            let narrow = TypedImageRef::<P>::from_buffer(width, stored_height, &self.narrow)?;
            let down = options.crop(0.0, crop.top, f64::from(width), crop.height);
            self.resizer.resize_typed(&narrow, &mut target, &down)?;
        } else {
            let both = options.crop(crop.left, crop.top, crop.width, crop.height);
            self.resizer.resize_typed(&source, &mut target, &both)?;
        }
        Ok(())
    }
}

/// How [`Filter::Jarosz`] makes of an image what a spec wants.
#[derive(Debug)]
pub(crate) struct Filtered {
    /// Of the pixels as they are stored.
    pub(crate) across: Kernel,
    pub(crate) down: Kernel,
    placed: Placed,
    orientation: View,
}

impl Filtered {
    /// For an image of `size` as stored. `None` where `spec` asks for another filter.
    pub(crate) fn new(size: (u32, u32), orientation: View, spec: &InputSpec) -> Option<Self> {
        if spec.filter() != Filter::Jarosz {
            return None;
        }
        let (width, height) = turned(orientation, size.0, size.1);
        let placed = Placed::new(spec, width, height);
        let crop = placed.crop.whole(width, height).stored(orientation, (width, height));
        let (across, down) = axes(crop, turned(orientation, placed.size.0, placed.size.1), orientation);
        Some(Self { across: Kernel::new(across), down: Kernel::new(down), placed, orientation })
    }

    /// Appends what the kernels made of the stored pixels as `spec` wants it to `out`.
    pub(crate) fn compose(&self, small: &[u8], channels: Channels, spec: &InputSpec, out: &mut Vec<u8>) {
        let size = turned(self.orientation, self.placed.size.0, self.placed.size.1);
        self.placed.compose(&Shown::new(small, channels, size, self.orientation), spec, out);
    }
}

/// Bytes that resizing an image of this size holds at most besides the pixels: the pass between, and the filter.
pub(crate) fn memory((width, height): (u32, u32), spec: &InputSpec) -> u64 {
    let (width, height) = (u64::from(width), u64::from(height));
    let largest = u64::from(spec.width().max(spec.height()));
    let channels = spec.channels().count() as u64;
    let between = width.max(largest) * height.min(largest) * channels;
    let radius = match spec.filter() {
        Filter::Lanczos3 => 3,
        Filter::CatmullRom => 2,
        _ => 1,
    };
    // Coefficients as f64 and as the integers that are computed with.
    let filter = 12 * (2 * radius * (width + height) + 8 * largest);
    between + filter + 2 * spec.bytes() as u64
}

/// How many pixels of an image of this size as stored, across and down, may be made one before it is resized as `spec` wants
/// it: 1, 2, 4 or 8, so that what is left is still as many pixels as the result has. Always 1 for filters that take pixels as they are.
#[cfg(feature = "turbojpeg")]
pub(crate) fn reduction((width, height): (u32, u32), orientation: View, spec: &InputSpec) -> u32 {
    if matches!(spec.filter(), Filter::Nearest | Filter::Jarosz) {
        return 1;
    }
    let ratio = ratio(turned(orientation, width, height), spec);
    [8, 4, 2].into_iter().find(|reduction| f64::from(*reduction) <= ratio).unwrap_or(1)
}

/// How many pixels of an image of this size as shown become one of the result, along the axis where that is fewer.
pub(crate) fn ratio((width, height): (u32, u32), spec: &InputSpec) -> f64 {
    let Placed { crop, size, .. } = Placed::new(spec, width, height);
    (crop.width / f64::from(size.0)).min(crop.height / f64::from(size.1))
}

fn algorithm(filter: Filter) -> Result<ResizeAlg, BoxError> {
    Ok(ResizeAlg::Convolution(match filter {
        Filter::Nearest => return Ok(ResizeAlg::Nearest),
        Filter::Box => FilterType::Box,
        Filter::Triangle => FilterType::Bilinear,
        Filter::CatmullRom => FilterType::CatmullRom,
        Filter::Lanczos3 => FilterType::Lanczos3,
        other => return Err(format!("the filter {other:?} is not known").into()),
    }))
}

/// Which of the axes as shown run against the stored ones that they lie on: the one to the right, the one down.
fn reversed(view: View) -> (bool, bool) {
    (
        matches!(view, View::FlipHorizontal | View::Rotate180 | View::Rotate90 | View::Transverse),
        matches!(view, View::FlipVertical | View::Rotate180 | View::Rotate270 | View::Transverse),
    )
}

/// The axes of a part of the stored pixels, which are whole, that becomes `size`.
fn axes(part: Crop, size: (u32, u32), view: View) -> (Axis, Axis) {
    let axis = |begin: f64, length: f64, out: u32, reversed| Axis {
        begin: begin as usize,
        length: length as usize,
        out: out as usize,
        reversed,
    };
    let (right, down) = reversed(view);
    let (x, y) = if view.swaps_axes() { (down, right) } else { (right, down) };
    (axis(part.left, part.width, size.0, x), axis(part.top, part.height, size.1, y))
}

/// A part of an image, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Crop {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Crop {
    /// The whole pixels of an image of `width` × `height` that are nearest to it, at least one.
    fn whole(self, width: u32, height: u32) -> Self {
        let whole = |begin: f64, length: f64, most: u32| {
            let begin = begin.round().min(f64::from(most) - 1.0);
            (begin, length.round().clamp(1.0, f64::from(most) - begin))
        };
        let (left, width) = whole(self.left, self.width, width);
        let (top, height) = whole(self.top, self.height, height);
        Self { left, top, width, height }
    }

    /// The same part where `reduction` pixels became one.
    fn reduced(self, reduction: u32) -> Self {
        let of = |length: f64| length / f64::from(reduction);
        Self { left: of(self.left), top: of(self.top), width: of(self.width), height: of(self.height) }
    }

    /// This part of the image as shown, of `size`, in the pixels as they are stored.
    fn stored(self, view: View, size: (u32, u32)) -> Self {
        let (shown_width, shown_height) = (f64::from(size.0), f64::from(size.1));
        let mut crop = self;
        let (across, down) = reversed(view);
        if across {
            crop.left = (shown_width - self.left - self.width).max(0.0);
        }
        if down {
            crop.top = (shown_height - self.top - self.height).max(0.0);
        }
        if !view.swaps_axes() {
            return crop;
        }
        Self { left: crop.top, top: crop.left, width: crop.height, height: crop.width }
    }
}

/// Which part of the image as shown becomes which part of the output.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Placed {
    crop: Crop,
    /// Width and height of the part of the output.
    size: (u32, u32),
    /// Where it begins, from the left and from the top.
    at: (u32, u32),
    /// What is around it.
    background: u8,
}

impl Placed {
    fn new(spec: &InputSpec, width: u32, height: u32) -> Self {
        let wanted = (spec.width(), spec.height());
        let (w, h) = (f64::from(width), f64::from(height));
        let whole =
            Self { crop: Crop { left: 0.0, top: 0.0, width: w, height: h }, size: wanted, at: (0, 0), background: 0 };
        match spec.fit() {
            Fit::ShortestEdge { edge } => {
                // An edge below the wanted size would leave the crop without pixels.
                let edge = u64::from(edge.get().max(wanted.0).max(wanted.1));
                let short = u64::from(width.min(height));
                let scaled = |side: u32| edge * u64::from(side) / short;
                let (left, crop_width) = centre(width, scaled(width), wanted.0);
                let (top, crop_height) = centre(height, scaled(height), wanted.1);
                let crop = Crop { left, top, width: crop_width, height: crop_height };
                Self { crop, ..whole }
            }
            Fit::Letterbox { background } => {
                let scale = (f64::from(wanted.0) / w).min(f64::from(wanted.1) / h);
                let scaled = |side: f64, most: u32| ((side * scale).round() as u32).clamp(1, most);
                let size = (scaled(w, wanted.0), scaled(h, wanted.1));
                Self { size, at: ((wanted.0 - size.0) / 2, (wanted.1 - size.1) / 2), background, ..whole }
            }
            _ => whole,
        }
    }

    fn fills(&self, spec: &InputSpec) -> bool {
        self.size == (spec.width(), spec.height())
    }

    /// Appends the resized image in its place, on the background.
    fn compose(&self, shown: &Shown<'_>, spec: &InputSpec, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + spec.bytes(), self.background);
        let count = spec.channels().count();
        let (row, left) = (spec.width() as usize * count, self.at.0 as usize * count);
        let rows = out[start..].chunks_exact_mut(row).skip(self.at.1 as usize);
        for (y, row) in rows.take(shown.height()).enumerate() {
            shown.row(y, spec.channels(), &mut row[left..][..self.size.0 as usize * count]);
        }
    }
}

/// The part of a side of `length` pixels that is the middle `wanted` pixels of it when it is scaled to `scaled`: where it
/// begins, and its length.
fn centre(length: u32, scaled: u64, wanted: u32) -> (f64, f64) {
    let ratio = f64::from(length) / scaled as f64;
    let left = (scaled - u64::from(wanted)) / 2;
    let begin = left as f64 * ratio;
    (begin, (f64::from(wanted) * ratio).min(f64::from(length) - begin))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const FILTERS: [Filter; 6] =
        [Filter::Nearest, Filter::Box, Filter::Triangle, Filter::Jarosz, Filter::CatmullRom, Filter::Lanczos3];

    fn resized(pixels: &[u8], size: (u32, u32), spec: &InputSpec) -> Vec<u8> {
        let channels = if pixels.len() == (size.0 * size.1) as usize { Channels::Luma } else { Channels::Rgb };
        let image = Stored { pixels, channels, size, reduction: 1, orientation: View::Identity };
        let mut out = Vec::new();
        Scaler::default().append(&image, spec, &mut out).unwrap();
        assert_eq!(out.len(), spec.bytes());
        out
    }

    fn edge(edge: u32) -> Fit {
        Fit::ShortestEdge { edge: NonZeroU32::new(edge).unwrap() }
    }

    #[test]
    fn an_image_of_the_wanted_size_stays_as_it_is() {
        let pixels: Vec<u8> = (0..5 * 4 * 3).map(|i| i * 4).collect();
        for filter in FILTERS {
            for fit in [Fit::Stretch, edge(4), Fit::Letterbox { background: 1 }] {
                let spec = InputSpec::rgb(5, 4).with_filter(filter).with_fit(fit);
                let shortest = matches!(fit, Fit::ShortestEdge { .. });
                assert!(shortest || resized(&pixels, (5, 4), &spec) == pixels, "{filter:?} {fit:?}");
            }
        }
    }

    #[test]
    fn a_flat_image_stays_flat() {
        for (width, height) in [(7, 3), (1, 90), (640, 2), (64, 64)] {
            let pixels = [40, 250, 3].repeat((width * height) as usize);
            for filter in FILTERS {
                for fit in [Fit::Stretch, edge(20), edge(1)] {
                    let spec = InputSpec::rgb(19, 12).with_filter(filter).with_fit(fit);
                    let out = resized(&pixels, (width, height), &spec);
                    assert_eq!(out, [40, 250, 3].repeat(19 * 12), "{width}x{height} {filter:?} {fit:?}");
                }
            }
        }
    }

    #[test]
    fn a_box_is_the_mean_and_nearest_is_one_of_the_pixels() {
        let pixels = [0, 100, 10, 20, 200, 60, 30, 40];
        let spec = InputSpec::luma(2, 1);
        assert_eq!(resized(&pixels, (4, 2), &spec.with_filter(Filter::Box)), [90, 25]);
        let nearest = resized(&pixels, (4, 2), &spec.with_filter(Filter::Nearest));
        assert!(nearest.iter().all(|pixel| pixels.contains(pixel)));
        // Two pixels to five: what lies between them is between their values.
        let between = resized(&[0, 200], (2, 1), &InputSpec::luma(5, 1));
        assert!(between.is_sorted() && between[0] == 0 && between[2] == 100 && between[4] == 200, "{between:?}");
    }

    #[test]
    fn the_shortest_edge_is_scaled_and_the_middle_is_kept() {
        // Ten columns, each of its own value; two rows.
        let row: Vec<u8> = (0..10).map(|x| x * 10).collect();
        let pixels = [row.clone(), row].concat();
        for filter in FILTERS {
            let spec = InputSpec::luma(2, 2).with_fit(edge(2)).with_filter(filter);
            assert_eq!(resized(&pixels, (10, 2), &spec), [40, 50, 40, 50], "{filter:?}");
        }
        // An edge longer than the crop leaves a margin all around.
        let spec = InputSpec::luma(2, 2).with_fit(edge(4)).with_filter(Filter::Nearest);
        let square: Vec<u8> = (0..16).collect();
        assert_eq!(resized(&square, (4, 4), &spec), [5, 6, 9, 10]);
    }

    #[test]
    fn a_letterbox_shows_the_whole_image_in_the_middle() {
        let spec = InputSpec::luma(4, 4).with_fit(Fit::Letterbox { background: 7 }).with_filter(Filter::Box);
        let wide = resized(&[100; 16], (8, 2), &spec);
        assert_eq!(wide, [7, 7, 7, 7, 100, 100, 100, 100, 7, 7, 7, 7, 7, 7, 7, 7]);
        let tall = resized(&[9; 6], (1, 6), &InputSpec::rgb(3, 2).with_fit(Fit::Letterbox { background: 0 }));
        assert_eq!(tall, [0, 0, 0, 9, 9, 9, 0, 0, 0].repeat(2));
    }

    #[test]
    fn a_very_wide_image_takes_no_more_than_itself() {
        let mut scaler = Scaler::default();
        let image = Stored {
            pixels: &vec![3; 900_000],
            channels: Channels::Luma,
            size: (900_000, 1),
            reduction: 1,
            orientation: View::Identity,
        };
        let mut out = Vec::new();
        scaler.append(&image, &InputSpec::luma(64, 64), &mut out).unwrap();
        assert_eq!(out, [3; 64 * 64]);
        assert!(scaler.held() < 10_000, "{} bytes", scaler.held());
    }
}
