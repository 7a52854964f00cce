//! Pictures in memory: read, resized, warped, written.

use std::path::Path;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{Rgb, RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use nodupe_core::{Filter, InputSpec};
use nodupe_media::Decoder;

use crate::error::EvalError;
use crate::random::Random;

/// The least side of a picture that edits make.
pub(crate) const LEAST: u32 = 32;

/// Reads an image file as RGB, as it is shown, and makes its longer side `longest` pixels where it is longer.
pub(crate) fn read(decoder: &mut Decoder, path: &Path, longest: u32) -> Result<RgbImage, EvalError> {
    let info = decoder.info(path)?;
    let longer = info.width.max(info.height);
    let scaled = |side: u32| {
        let scaled = u64::from(side) * u64::from(longest) / u64::from(longer.max(1));
        if longer > longest { (scaled as u32).max(1) } else { side }
    };
    let (width, height) = (scaled(info.width), scaled(info.height));
    let spec = InputSpec::rgb(width, height).with_filter(Filter::Lanczos3);
    let mut pixels = Vec::with_capacity(spec.bytes());
    decoder.decode_path(path, &spec, &mut pixels)?;
    RgbImage::from_raw(width, height, pixels).ok_or_else(|| EvalError::Picture { detail: "pixels are missing".into() })
}

/// As a baseline JPEG with colour at half the resolution (4:2:0) and the quantisation tables of the standard: what Pillow writes
/// by default.
pub(crate) fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, EvalError> {
    let failure = |detail: String| EvalError::Picture { detail };
    let side =
        |side: u32| u16::try_from(side).map_err(|_| failure(format!("{side} pixels a side are too many for JPEG")));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(picture.as_raw(), side(picture.width())?, side(picture.height())?, ColorType::Rgb)
        .map_err(|error| failure(error.to_string()))?;
    Ok(bytes)
}

/// Resized by a filter whose support grows where the picture becomes smaller, as Pillow's does; a side is at least one pixel.
pub(crate) fn resize(picture: &RgbImage, size: (u32, u32), filter: FilterType) -> Result<RgbImage, EvalError> {
    let failure = |error: &dyn std::fmt::Display| EvalError::Picture { detail: error.to_string() };
    let (width, height) = (size.0.max(1), size.1.max(1));
    let (pixels, rest) = picture.as_raw().as_chunks::<3>();
    debug_assert!(rest.is_empty());
    let pixels: Vec<U8x3> = pixels.iter().map(|&rgb| U8x3::new(rgb)).collect();
    let from = TypedImageRef::new(picture.width(), picture.height(), &pixels).map_err(|error| failure(&error))?;
    let mut to = TypedImage::new(width, height);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(|error| failure(&error))?;
    let bytes = to.pixels().iter().flat_map(|pixel| pixel.0).collect();
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| failure(&"pixels are missing"))
}

/// [`resize`] to so many times the size.
pub(crate) fn scale(picture: &RgbImage, factor: f32) -> Result<RgbImage, EvalError> {
    let side = |side: u32| part(side, factor).max(LEAST);
    resize(picture, (side(picture.width()), side(picture.height())), FilterType::Lanczos3)
}

/// `side * factor` in whole pixels, rounded down.
pub(crate) fn part(side: u32, factor: f32) -> u32 {
    (f64::from(side) * f64::from(factor) + 1e-4) as u32
}

/// What is left at `factor` of each side, at any place.
pub(crate) fn crop(picture: &RgbImage, factor: f32, random: &mut Random) -> RgbImage {
    let (width, height) = (part(picture.width(), factor).max(1), part(picture.height(), factor).max(1));
    let x = random.within(0..=picture.width().saturating_sub(width));
    let y = random.within(0..=picture.height().saturating_sub(height));
    imageops::crop_imm(picture, x, y, width, height).to_image()
}

/// Puts `top` onto `picture`, its upper left corner at a place.
pub(crate) fn put(picture: &mut RgbImage, top: &RgbImage, x: u32, y: u32) {
    imageops::replace(picture, top, i64::from(x), i64::from(y));
}

/// A picture of `size`, each pixel of which is that at `place` of the other one (the centre of the first pixel is at one half),
/// between pixels by the cubic of Catmull and Rom as Pillow's; where there is none, `ground`.
pub(crate) fn warp(
    picture: &RgbImage,
    size: (u32, u32),
    ground: Rgb<u8>,
    place: impl Fn(f32, f32) -> (f32, f32),
) -> RgbImage {
    RgbImage::from_fn(size.0.max(1), size.1.max(1), |x, y| {
        let (x, y) = place(x as f32 + 0.5, y as f32 + 0.5);
        let is_inside = x >= 0.0 && y >= 0.0 && x < picture.width() as f32 && y < picture.height() as f32;
        if is_inside { cubic(picture, x - 0.5, y - 0.5) } else { ground }
    })
}

fn cubic(picture: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let weights = |part: f32| {
        [part + 1.0, part, 1.0 - part, 2.0 - part].map(|t| {
            // a = -1/2
            if t <= 1.0 { (1.5 * t - 2.5) * t * t + 1.0 } else { ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0 }
        })
    };
    let (left, above) = (x.floor(), y.floor());
    let (across, down) = (weights(x - left), weights(y - above));
    let at = |first: f32, step: i64, side: u32| (first as i64 + step).clamp(0, i64::from(side) - 1) as u32;
    let mut sums = [0.0f32; 3];
    for (row, weight_down) in (-1..).zip(down) {
        for (column, weight) in (-1..).zip(across) {
            let Rgb(pixel) = picture.get_pixel(at(left, column, picture.width()), at(above, row, picture.height()));
            for (sum, channel) in sums.iter_mut().zip(pixel) {
                *sum += weight * weight_down * f32::from(*channel);
            }
        }
    }
    Rgb(sums.map(|sum| (sum + 0.5).clamp(0.0, 255.0) as u8))
}

/// Turned about its centre by degrees, counterclockwise, in its own size with black corners.
pub(crate) fn turn(picture: &RgbImage, degrees: f32) -> RgbImage {
    let (centre_x, centre_y) = (picture.width() as f32 / 2.0, picture.height() as f32 / 2.0);
    let (sine, cosine) = degrees.to_radians().sin_cos();
    warp(picture, picture.dimensions(), Rgb([0; 3]), |x, y| {
        let (x, y) = (x - centre_x, y - centre_y);
        (cosine * x - sine * y + centre_x, sine * x + cosine * y + centre_y)
    })
}

/// Blurred by a Gaussian of that deviation in pixels.
pub(crate) fn blur(picture: &RgbImage, deviation: f32) -> RgbImage {
    imageops::blur(picture, deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red grows to the right, green downwards.
    fn ramp() -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 4) as u8, (y * 5) as u8, 100]))
    }

    #[test]
    fn a_quarter_turn_is_counterclockwise() {
        let square = imageops::crop_imm(&ramp(), 0, 0, 40, 40).to_image();
        let (turned, wanted) = (turn(&square, 90.0), imageops::rotate270(&square));
        let differ = turned.as_raw().iter().zip(wanted.as_raw()).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        assert_eq!(differ, 0);
    }

    #[test]
    fn a_warp_to_the_same_place_changes_nothing() {
        assert_eq!(warp(&ramp(), (64, 48), Rgb([0; 3]), |x, y| (x, y)), ramp());
    }

    #[test]
    fn what_is_outside_is_ground() {
        let moved = warp(&ramp(), (64, 48), Rgb([9, 8, 7]), |x, y| (x - 10.0, y));
        assert_eq!((moved.get_pixel(9, 0), moved.get_pixel(10, 5)), (&Rgb([9, 8, 7]), ramp().get_pixel(0, 5)));
    }

    #[test]
    fn a_crop_has_its_part_of_each_side() {
        let crop = crop(&ramp(), 0.875, &mut Random::of(&[1]));
        assert_eq!(crop.dimensions(), (56, 42));
    }

    #[test]
    fn a_jpeg_of_less_quality_is_smaller() {
        let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, (x ^ y) as u8, (x + 3 * y) as u8]));
        assert!(jpeg(&picture, 15).unwrap().len() * 2 < jpeg(&picture, 92).unwrap().len());
    }
}
