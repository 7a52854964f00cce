//! Samples of any depth to 8 bits, alpha to a background, colour to luminance: in place, front to back, since no pixel
//! becomes longer.

use std::sync::LazyLock;

use image::ColorType;
use nodupe_core::Channels;

/// Luminance of ITU-R BT.601, in 16-bit fixed point as JPEG encoders compute it.
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    ((sum + (1 << 15)) >> 16) as u8
}

/// RGB pixels to luminance.
pub(crate) fn rgb_to_luma(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 3;
    for i in 0..count {
        let pixel = [pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]];
        pixels[i] = luma(pixel);
    }
    pixels.truncate(count);
}

/// Pixels of `color`, in the byte order of the machine, to 8 bits: luminance where `wanted` is or where they are grey,
/// otherwise RGB. Transparent pixels show `background`; those of a grey image its luminance.
///
/// `None` where `color` is not known.
pub(crate) fn to_eight_bits(
    pixels: &mut Vec<u8>,
    color: ColorType,
    wanted: Channels,
    background: [u8; 3],
) -> Option<Channels> {
    let convert = Convert { wanted, background };
    Some(match color {
        ColorType::L8 => Channels::Luma,
        ColorType::La8 => convert.grey::<1, 2, u8>(pixels),
        ColorType::Rgb8 if wanted == Channels::Rgb => Channels::Rgb,
        ColorType::Rgb8 => {
            rgb_to_luma(pixels);
            Channels::Luma
        }
        ColorType::Rgba8 => convert.colour::<1, 4, u8>(pixels),
        ColorType::L16 => convert.grey::<2, 1, u16>(pixels),
        ColorType::La16 => convert.grey::<2, 2, u16>(pixels),
        ColorType::Rgb16 => convert.colour::<2, 3, u16>(pixels),
        ColorType::Rgba16 => convert.colour::<2, 4, u16>(pixels),
        ColorType::Rgb32F => convert.colour::<4, 3, f32>(pixels),
        ColorType::Rgba32F => convert.colour::<4, 4, f32>(pixels),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
struct Convert {
    wanted: Channels,
    background: [u8; 3],
}

impl Convert {
    /// Pixels of `N` samples of `B` bytes: grey, and alpha where `N` is 2.
    fn grey<const B: usize, const N: usize, S: Sample<B>>(self, pixels: &mut Vec<u8>) -> Channels {
        let background = luma(self.background);
        let count = pixels.len() / (B * N);
        for i in 0..count {
            let (samples, _) = pixels[B * N * i..B * N * (i + 1)].as_chunks::<B>();
            let mut grey = S::colour(samples[0]);
            if N == 2 {
                grey = over(grey, background, S::alpha(samples[1]));
            }
            pixels[i] = grey;
        }
        pixels.truncate(count);
        Channels::Luma
    }

    /// Pixels of `N` samples of `B` bytes: red, green, blue, and alpha where `N` is 4.
    fn colour<const B: usize, const N: usize, S: Sample<B>>(self, pixels: &mut Vec<u8>) -> Channels {
        let count = pixels.len() / (B * N);
        let length = self.wanted.count();
        for i in 0..count {
            let (samples, _) = pixels[B * N * i..B * N * (i + 1)].as_chunks::<B>();
            let mut pixel = [S::colour(samples[0]), S::colour(samples[1]), S::colour(samples[2])];
            if N == 4 {
                let alpha = S::alpha(samples[3]);
                for (channel, background) in pixel.iter_mut().zip(self.background) {
                    *channel = over(*channel, background, alpha);
                }
            }
            match self.wanted {
                Channels::Luma => pixels[i] = luma(pixel),
                _ => pixels[length * i..][..3].copy_from_slice(&pixel),
            }
        }
        pixels.truncate(length * count);
        self.wanted
    }
}

/// `colour` at the opacity `alpha` before `background`.
fn over(colour: u8, background: u8, alpha: u8) -> u8 {
    let (colour, background, alpha) = (u32::from(colour), u32::from(background), u32::from(alpha));
    ((colour * alpha + background * (255 - alpha) + 127) / 255) as u8
}

/// A sample of `B` bytes.
trait Sample<const B: usize> {
    fn colour(bytes: [u8; B]) -> u8;
    fn alpha(bytes: [u8; B]) -> u8;
}

impl Sample<1> for u8 {
    fn colour([value]: [u8; 1]) -> u8 {
        value
    }

    fn alpha([value]: [u8; 1]) -> u8 {
        value
    }
}

impl Sample<2> for u16 {
    fn colour(bytes: [u8; 2]) -> u8 {
        ((u32::from(Self::from_ne_bytes(bytes)) + 128) / 257) as u8
    }

    fn alpha(bytes: [u8; 2]) -> u8 {
        Self::colour(bytes)
    }
}

/// Floats are linear light from 0 to 1, more is cut off, and screens and 8-bit files want the sRGB curve.
impl Sample<4> for f32 {
    fn colour(bytes: [u8; 4]) -> u8 {
        static CURVE: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let encode = |linear: f32| {
                if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
            };
            (0..=u16::MAX).map(|i| (255.0 * encode(f32::from(i) / 65_535.0)).round() as u8).collect()
        });
        let linear = Self::from_ne_bytes(bytes).clamp(0.0, 1.0);
        // A cast makes nothing of NaN, as it should.
        CURVE.get((linear * 65_535.0) as usize).copied().unwrap_or(u8::MAX)
    }

    fn alpha(bytes: [u8; 4]) -> u8 {
        (255.0 * Self::from_ne_bytes(bytes).clamp(0.0, 1.0)).round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: [u8; 3] = [255; 3];

    fn converted(color: ColorType, wanted: Channels, background: [u8; 3], pixels: &[u8]) -> (Channels, Vec<u8>) {
        let mut pixels = pixels.to_vec();
        let channels = to_eight_bits(&mut pixels, color, wanted, background).unwrap();
        (channels, pixels)
    }

    fn bytes_of<const B: usize>(samples: &[[u8; B]]) -> Vec<u8> {
        samples.as_flattened().to_vec()
    }

    #[test]
    fn transparent_pixels_show_the_background() {
        let pixels = [10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 51];
        let (_, rgb) = converted(ColorType::Rgba8, Channels::Rgb, [200, 100, 0], &pixels);
        assert_eq!(rgb, [200, 100, 0, 10, 20, 30, 160, 80, 0]);
        let (_, grey) = converted(ColorType::La8, Channels::Rgb, WHITE, &[0, 0, 0, 255, 100, 255]);
        assert_eq!(grey, [255, 0, 100]);
    }

    #[test]
    fn grey_stays_one_channel_and_colour_becomes_luminance_where_that_is_wanted() {
        assert_eq!(converted(ColorType::L8, Channels::Rgb, WHITE, &[7, 9]), (Channels::Luma, vec![7, 9]));
        let (channels, luma) =
            converted(ColorType::Rgb8, Channels::Luma, WHITE, &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!((channels, luma), (Channels::Luma, vec![76, 150, 29, 255]));
    }

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        let pixels = bytes_of(&[0u16, 128, 129, 65_535, 257 * 99, 1].map(u16::to_ne_bytes));
        assert_eq!(converted(ColorType::Rgb16, Channels::Rgb, WHITE, &pixels).1, [0, 0, 1, 255, 99, 0]);
        assert_eq!(converted(ColorType::L16, Channels::Luma, WHITE, &pixels).1, [0, 0, 1, 255, 99, 0]);
    }

    #[test]
    fn floats_are_linear_light_and_what_is_out_of_range_is_cut_off() {
        let pixels = bytes_of(&[-1.0, 0.0, 0.215_861, 1.0, 70.0, f32::NAN].map(f32::to_ne_bytes));
        assert_eq!(converted(ColorType::Rgb32F, Channels::Rgb, WHITE, &pixels).1, [0, 0, 128, 255, 255, 0]);
    }
}
