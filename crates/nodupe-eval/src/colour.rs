//! What edits do to colours.

use image::{Rgb, RgbImage};

use crate::random::Random;

/// Luminance as Pillow's `L` has it: ITU-R BT.601.
fn luminance(Rgb([red, green, blue]): Rgb<u8>) -> f32 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000;
    (sum >> 16) as f32
}

/// Every pixel changed by a function of its channels from 0 to 255.
pub(crate) fn map(mut picture: RgbImage, change: impl Fn([f32; 3]) -> [f32; 3]) -> RgbImage {
    for Rgb(pixel) in picture.pixels_mut() {
        *pixel = change(pixel.map(f32::from)).map(|channel| channel.clamp(0.0, 255.0) as u8);
    }
    picture
}

/// All channels times `factor`, as `ImageEnhance.Brightness`.
pub(crate) fn brightness(picture: RgbImage, factor: f32) -> RgbImage {
    map(picture, |pixel| pixel.map(|channel| channel * factor))
}

/// `factor` times as far from grey, as `ImageEnhance.Color`.
pub(crate) fn saturation(mut picture: RgbImage, factor: f32) -> RgbImage {
    for pixel in picture.pixels_mut() {
        let grey = luminance(*pixel);
        pixel.0 = pixel.0.map(|channel| (grey + (f32::from(channel) - grey) * factor).clamp(0.0, 255.0) as u8);
    }
    picture
}

/// `factor` times as far from the mean luminance, as `ImageEnhance.Contrast`.
pub(crate) fn contrast(picture: RgbImage, factor: f32) -> RgbImage {
    let sum: f64 = picture.pixels().map(|pixel| f64::from(luminance(*pixel))).sum();
    let pixels = f64::from(picture.width()) * f64::from(picture.height());
    let mean = (sum / pixels.max(1.0) + 0.5).floor() as f32;
    map(picture, |pixel| pixel.map(|channel| mean + (channel - mean) * factor))
}

/// Without colour.
pub(crate) fn grey(mut picture: RgbImage) -> RgbImage {
    for pixel in picture.pixels_mut() {
        pixel.0 = [luminance(*pixel) as u8; 3];
    }
    picture
}

/// Normal noise of that deviation, the same in all channels of a pixel.
pub(crate) fn noise(mut picture: RgbImage, deviation: f32, random: &mut Random) -> RgbImage {
    for Rgb(pixel) in picture.pixels_mut() {
        let noise = random.normal() * deviation;
        *pixel = pixel.map(|channel| (f32::from(channel) + noise + 0.5).clamp(0.0, 255.0) as u8);
    }
    picture
}

/// Darker towards the corners, by up to that part of the light.
pub(crate) fn vignette(mut picture: RgbImage, part: f32) -> RgbImage {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    for (x, y, Rgb(pixel)) in picture.enumerate_pixels_mut() {
        let (x, y) = ((x as f32 + 0.5) / width - 0.5, (y as f32 + 0.5) / height - 0.5);
        let light = 1.0 - part * (x * x + y * y) * 2.0;
        *pixel = pixel.map(|channel| (f32::from(channel) * light) as u8);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhancing_is_what_pillow_computes() {
        // Pillow 11: Brightness(1.3), Color(0.5), Contrast(1.4) of the pixels (200, 100, 50) and (10, 20, 30), one by one.
        let picture = || RgbImage::from_raw(2, 1, vec![200, 100, 50, 10, 20, 30]).unwrap();
        assert_eq!(brightness(picture(), 1.3).into_raw(), [255, 130, 65, 13, 26, 39]);
        assert_eq!(grey(picture()).into_raw(), [124, 124, 124, 18, 18, 18]);
        assert_eq!(saturation(picture(), 0.5).into_raw(), [162, 112, 87, 14, 19, 24]);
        assert_eq!(contrast(picture(), 1.4).into_raw(), [251, 111, 41, 0, 0, 13]);
    }

    #[test]
    fn noise_keeps_the_mean() {
        let grey = RgbImage::from_pixel(64, 64, Rgb([128; 3]));
        let noisy = noise(grey, 10.0, &mut Random::of(&[1]));
        let mean = noisy.as_raw().iter().map(|&byte| f64::from(byte)).sum::<f64>() / (64.0 * 64.0 * 3.0);
        assert!((mean - 128.0).abs() < 1.0, "{mean}");
    }
}
