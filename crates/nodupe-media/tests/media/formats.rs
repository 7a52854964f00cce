//! Each format, and each kind of pixel that it may hold.

use std::io::Cursor;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, LumaA, Rgb, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, SamplingFactor};
use nodupe_core::{Channels, InputSpec, View};
use nodupe_media::{DecodeOptions, Decoder};

use crate::pictures::{decoded, decoded_as, difference, encoded, jpeg, jpeg_of, one_of_each, png, smooth, tiff};

fn luma([red, green, blue]: [u8; 3]) -> u8 {
    (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)).round() as u8
}

#[test]
fn every_format_gives_the_pixels_that_went_in() {
    let picture = smooth(40, 30);
    let gray: Vec<u8> = picture.pixels().map(|pixel| luma(pixel.0)).collect();
    for (name, bytes) in one_of_each(&picture) {
        let file = format!("picture.{name}");
        let (info, pixels) = decoded_as(&file, &bytes, &InputSpec::rgb(40, 30)).unwrap();
        assert_eq!((info.width, info.height, info.format.name(), info.orientation), (40, 30, name, View::Identity));
        let tolerance = match name {
            "jpeg" => 6,
            // 256 colours.
            "gif" => 24,
            _ => 0,
        };
        // What was written as linear light is shown lighter.
        let is_linear = matches!(name, "hdr" | "openexr");
        if !is_linear {
            assert!(difference(&pixels, &picture) <= tolerance, "{name}: {}", difference(&pixels, &picture));
        }
        let (_, pixels) = decoded_as(&file, &bytes, &InputSpec::luma(40, 30)).unwrap();
        if !is_linear {
            assert!(difference(&pixels, &gray) <= tolerance + 1, "{name} as luminance");
        }
    }
}

#[test]
fn floats_are_taken_for_linear_light() {
    let half = image::Rgb32FImage::from_pixel(4, 4, image::Rgb([0.214, 1.0, 0.0]));
    let bytes = encoded(half, ImageFormat::Hdr);
    let (_, pixels) = decoded(&bytes, &InputSpec::rgb(1, 1)).unwrap();
    assert!(difference(&pixels, &[127, 255, 0]) <= 2, "{pixels:?}");
}

#[test]
fn deep_and_shallow_samples_become_eight_bits() {
    let picture = smooth(16, 12);
    let deep = DynamicImage::from(picture.clone());
    let spec = InputSpec::rgb(16, 12);
    for bytes in [
        encoded(deep.to_rgb16(), ImageFormat::Png),
        encoded(deep.to_rgba16(), ImageFormat::Png),
        encoded(deep.to_rgb16(), ImageFormat::Tiff),
        encoded(deep.to_rgba8(), ImageFormat::WebP),
    ] {
        assert_eq!(decoded(&bytes, &spec).unwrap().1, picture.as_raw().as_slice());
    }
    // One bit: black, white, white, black.
    let bits = png(4, 1, 1, 0, &[], &[0, 0b0110_0000]);
    assert_eq!(decoded(&bits, &InputSpec::luma(4, 1)).unwrap().1, [0, 255, 255, 0]);
    assert_eq!(decoded(b"P4 4 1\n\x90", &InputSpec::luma(4, 1)).unwrap().1, [0, 255, 255, 0]);
    // Two bits of a palette, of which the second colour is half transparent.
    let palette: [(&[u8; 4], &[u8]); 2] = [(b"PLTE", &[255, 0, 0, 0, 0, 0, 0, 0, 255]), (b"tRNS", &[255, 128])];
    let indexed = png(3, 1, 2, 3, &palette, &[0, 0b0001_1000]);
    assert_eq!(decoded(&indexed, &InputSpec::rgb(3, 1)).unwrap().1, [255, 0, 0, 127, 127, 127, 0, 0, 255]);
}

#[test]
fn grey_images_are_three_equal_channels_where_colour_is_wanted() {
    let gray = GrayImage::from_fn(8, 8, |x, y| image::Luma([(x * 20 + y) as u8]));
    let expected: Vec<u8> = gray.as_raw().iter().flat_map(|value| [*value; 3]).collect();
    let deep = DynamicImage::from(gray.clone());
    for bytes in [
        encoded(gray.clone(), ImageFormat::Png),
        encoded(deep.to_luma16(), ImageFormat::Png),
        encoded(deep.to_luma_alpha8(), ImageFormat::Png),
        encoded(gray.clone(), ImageFormat::Pnm),
        tiff(8, 8, 1, 1, &gray),
        jpeg_of(&gray, (8, 8), ColorType::Luma, |_| {}),
    ] {
        let (info, pixels) = decoded(&bytes, &InputSpec::rgb(8, 8)).unwrap();
        assert!(difference(&pixels, &expected) <= 3, "{}", info.format);
        let (_, pixels) = decoded(&bytes, &InputSpec::luma(8, 8)).unwrap();
        assert!(difference(&pixels, &gray) <= 3, "{}", info.format);
    }
}

#[test]
fn transparent_pixels_show_the_background_that_was_asked_for() {
    let clear = RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 0]));
    let veiled = GrayAlphaImage::from_pixel(4, 4, LumaA([0, 128]));
    let color = |background: Option<[u8; 3]>, bytes: &[u8]| {
        let options = DecodeOptions::default();
        let options = background.map_or(options.clone(), |background| options.with_background(background));
        let mut out = Vec::new();
        Decoder::new(options).decode_bytes("a", bytes, &InputSpec::rgb(1, 1), &mut out).unwrap();
        out
    };
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff, ImageFormat::Qoi, ImageFormat::Ico] {
        let bytes = encoded(clear.clone(), format);
        assert_eq!(color(None, &bytes), [255, 255, 255], "{format:?}");
        assert_eq!(color(Some([10, 200, 30]), &bytes), [10, 200, 30], "{format:?}");
    }
    assert_eq!(color(None, &encoded(veiled, ImageFormat::Png)), [127, 127, 127]);
}

#[test]
fn cmyk_jpegs_have_the_colours_that_were_meant() {
    // Cyan, magenta, yellow, black as ink: no ink is white.
    let inks: [([u8; 4], [u8; 3]); 5] = [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([0, 255, 255, 0], [255, 0, 0]),
        ([255, 0, 255, 0], [0, 255, 0]),
        ([0, 0, 0, 255], [0, 0, 0]),
        ([0, 0, 0, 128], [127, 127, 127]),
    ];
    for (ink, shown) in inks {
        let pixels = ink.repeat(64);
        for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
            for progressive in [false, true] {
                let bytes = jpeg_of(&pixels, (8, 8), kind, |encoder| encoder.set_progressive(progressive));
                let (_, rgb) = decoded(&bytes, &InputSpec::rgb(1, 1)).unwrap();
                assert!(difference(&rgb, &shown) <= 4, "{ink:?} as {kind:?} is {rgb:?}");
                let (_, grey) = decoded(&bytes, &InputSpec::luma(1, 1)).unwrap();
                assert!(grey[0].abs_diff(luma(shown)) <= 4, "{ink:?} as {kind:?} is {grey:?}");
            }
        }
    }
}

#[test]
fn the_luminance_of_a_jpeg_is_that_of_its_colours_however_it_is_stored() {
    use SamplingFactor::{F_1_1, F_1_2, F_1_4, F_2_1, F_2_2, F_4_1, F_4_2};
    for (width, height) in [(64, 48), (33, 17), (7, 50), (1, 1), (250, 3)] {
        let picture = smooth(width, height);
        let gray: Vec<u8> = picture.pixels().map(|pixel| luma(pixel.0)).collect();
        for sampling in [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1, F_4_2, F_1_4] {
            for scans in ["one", "one each", "progressive"] {
                let bytes = jpeg(&picture, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_progressive(scans == "progressive");
                    encoder.set_optimized_huffman_tables(scans == "one each");
                });
                let what = format!("{width}x{height} {sampling:?} {scans}");
                let luma = decoded(&bytes, &InputSpec::luma(width, height));
                // Refused where the decoder would lose rows. The encoder cannot put all components into one scan where one is
                // sampled four times.
                let rows_are_lost = match scans {
                    "one" => matches!(sampling, F_4_1 | F_4_2 | F_1_4),
                    "one each" => true,
                    _ => false,
                };
                if rows_are_lost {
                    assert_eq!(luma.unwrap_err().kind(), "unsupported-format", "{what}");
                    continue;
                }
                let (_, pixels) = luma.expect(&what);
                assert!(difference(&pixels, &gray) <= 6, "{what}: {}", difference(&pixels, &gray));
                let (_, pixels) = decoded(&bytes, &InputSpec::rgb(width, height)).expect(&what);
                // Chroma that is shared by many pixels is not theirs.
                assert!(difference(&pixels, &picture) <= 75, "{what}: {}", difference(&pixels, &picture));
            }
        }
    }
}

#[test]
fn a_jpeg_may_have_restarts_and_comments_and_be_followed_by_anything() {
    let picture = smooth(70, 45);
    for progressive in [false, true] {
        let plain = jpeg(&picture, |encoder| encoder.set_progressive(progressive));
        let (_, expected) = decoded(&plain, &InputSpec::luma(70, 45)).unwrap();
        let restarts = jpeg(&picture, |encoder| {
            encoder.set_progressive(progressive);
            encoder.set_restart_interval(2);
        });
        // As cameras append a preview, a gain map or a video.
        let followed = [&plain[..], b"\xff\xd8\xff\xe0\0\x04..\xff\xc0", &plain, &[0xff; 9]].concat();
        let commented = [&plain[..2], b"\xff\xfe\0\x06abcd\xff\xff\xff\xed\0\x03.", &plain[2..]].concat();
        for (bytes, what) in [(restarts, "restarts"), (followed, "followed"), (commented, "commented")] {
            let (_, pixels) = decoded(&bytes, &InputSpec::luma(70, 45)).expect(what);
            assert_eq!(pixels, expected, "{what} progressive {progressive}");
        }
    }
    // Without the marker of the end, everything is there.
    let plain = jpeg(&picture, |_| {});
    let (_, pixels) = decoded(&plain[..plain.len() - 2], &InputSpec::luma(70, 45)).unwrap();
    assert!(difference(&pixels, &decoded(&plain, &InputSpec::luma(70, 45)).unwrap().1) <= 1);
}

#[test]
fn cmyk_is_decoded_right_or_refused() {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2};
    let picture = smooth(50, 35);
    let inks: Vec<u8> =
        picture.pixels().flat_map(|Rgb([red, green, blue])| [255 - red, 255 - green, 255 - blue, 0]).collect();
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        for sampling in [F_1_1, F_2_1, F_1_2, F_2_2] {
            for one_each in [false, true] {
                let bytes = jpeg_of(&inks, (50, 35), kind, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_optimized_huffman_tables(one_each);
                });
                let what = format!("{kind:?} {sampling:?} one scan each {one_each}");
                match decoded(&bytes, &InputSpec::rgb(50, 35)) {
                    Ok((_, pixels)) => assert!(difference(&pixels, &picture) <= 8, "{what}"),
                    Err(error) => {
                        assert_eq!(error.kind(), "unsupported-format", "{what}");
                        assert!(one_each || sampling != F_1_1, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_sampling_of_a_single_component_means_nothing() {
    let gray: Vec<u8> = smooth(35, 21).pixels().map(|pixel| luma(pixel.0)).collect();
    for progressive in [false, true] {
        let plain = jpeg_of(&gray, (35, 21), ColorType::Luma, |encoder| encoder.set_progressive(progressive));
        let frame = plain.windows(2).position(|bytes| matches!(bytes, [0xff, 0xc0 | 0xc2])).unwrap();
        let (_, expected) = decoded(&plain, &InputSpec::luma(35, 21)).unwrap();
        assert!(difference(&expected, &gray) <= 3);
        for sampling in [0x22, 0x21, 0x12, 0x41] {
            let mut bytes = plain.clone();
            bytes[frame + 11] = sampling;
            let (_, pixels) = decoded(&bytes, &InputSpec::luma(35, 21)).unwrap();
            assert_eq!(pixels, expected, "{sampling:x} progressive {progressive}");
        }
    }
}

#[test]
fn of_an_animation_the_first_frame_counts() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for color in [[250, 0, 0, 255], [0, 0, 250, 255]] {
        let frame = RgbaImage::from_pixel(6, 6, Rgba(color));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let (_, pixels) = decoded(&bytes, &InputSpec::rgb(1, 1)).unwrap();
    assert!(difference(&pixels, &[250, 0, 0]) <= 2, "{pixels:?}");
}

#[test]
fn bytes_a_reader_and_a_file_give_the_same() {
    let bytes = encoded(smooth(50, 20), ImageFormat::Png);
    let spec = InputSpec::rgb(16, 16);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not a png.jpg");
    std::fs::write(&path, &bytes).unwrap();
    let mut decoder = Decoder::default();
    let mut out = vec![7];
    let from_bytes = decoder.decode_bytes("a", &bytes, &spec, &mut out).unwrap();
    let from_reader = decoder.decode_reader("b", Cursor::new(&bytes), &spec, &mut out).unwrap();
    let from_file = decoder.decode_path(&path, &spec, &mut out).unwrap();
    assert_eq!((from_bytes, from_reader), (from_file, from_bytes));
    assert_eq!(decoder.info(&path).unwrap(), from_file);
    let images: Vec<_> = out[1..].chunks_exact(spec.bytes()).collect();
    assert_eq!((out[0], images.len()), (7, 3));
    assert!(images.iter().all(|image| *image == images[0]));
    assert_eq!(nodupe_media::decode(&path, &spec).unwrap().pixels, images[0]);
}

#[test]
fn the_pixel_digest_is_of_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut decoder = Decoder::default();
    let mut digest = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        decoder.pixel_digest(&path).unwrap()
    };
    let picture = smooth(30, 20);
    let png = digest("a.png", encoded(picture.clone(), ImageFormat::Png));
    for (name, bytes) in one_of_each(&picture) {
        let same = !matches!(name, "jpeg" | "gif" | "hdr" | "openexr");
        assert_eq!(digest(&format!("b.{name}"), bytes) == png, same, "{name}");
    }
    let mut other = picture.clone();
    other.get_pixel_mut(29, 19).0[2] ^= 1;
    assert_ne!(digest("c", encoded(other, ImageFormat::Png)), png);
    // As many pixels, in another shape.
    let (wide, tall) = (GrayImage::new(8, 2), GrayImage::new(2, 8));
    assert_ne!(digest("d", encoded(wide.clone(), ImageFormat::Png)), digest("e", encoded(tall, ImageFormat::Png)));
    // Grey as grey and as colour.
    let colour = DynamicImage::from(wide.clone()).to_rgb8();
    assert_eq!(digest("f", encoded(wide, ImageFormat::Png)), digest("g", encoded(colour, ImageFormat::Bmp)));
}

#[test]
fn channels_are_what_the_spec_says() {
    let bytes = encoded(smooth(9, 9), ImageFormat::Png);
    for spec in [InputSpec::luma(5, 3), InputSpec::rgb(5, 3)] {
        let (_, pixels) = decoded(&bytes, &spec).unwrap();
        assert_eq!(pixels.len(), 15 * if spec.channels() == Channels::Luma { 1 } else { 3 });
    }
}
