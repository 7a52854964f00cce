//! Bytes that are not what they seem: every one has a typed outcome, and `out` is as it was.

use nodupe_core::InputSpec;
use nodupe_media::{DecodeOptions, Decoder, Limit, Limits, MediaError};
use proptest::prelude::*;

use crate::pictures::{decoded_as, encoded, jpeg, one_of_each, oriented, smooth};

const SPEC: InputSpec = InputSpec::rgb(8, 8);

/// Decodes as luminance and as colour, and checks what holds whatever the bytes are.
fn try_both(name: &str, bytes: &[u8]) -> Result<(), MediaError> {
    let mut decoder = Decoder::default();
    let mut last = Ok(());
    for spec in [InputSpec::luma(8, 8), SPEC] {
        let mut out = vec![1, 2, 3];
        last = decoder.decode_bytes(name, bytes, &spec, &mut out).map(drop);
        let appended = if last.is_ok() { spec.bytes() } else { 0 };
        assert_eq!((&out[..3], out.len()), (&[1, 2, 3][..], 3 + appended));
    }
    last
}

fn small_files() -> Vec<(&'static str, Vec<u8>)> {
    let picture = smooth(20, 14);
    let mut files = one_of_each(&picture);
    files.push(("jpeg", jpeg(&picture, |encoder| encoder.set_progressive(true))));
    files.extend(oriented(&picture, 6));
    files
}

#[test]
fn a_file_that_ends_early_is_damaged() {
    for (name, bytes) in small_files() {
        let name = format!("picture.{name}");
        for length in 0..bytes.len() {
            let outcome = try_both(&name, &bytes[..length]);
            if let Err(error) = &outcome {
                assert!(matches!(error.kind(), "decode" | "unsupported-format"), "{name} of {length} bytes: {error:?}");
            }
            // A few bytes at the end may be padding, a checksum or a marker that nobody needs.
            if length < bytes.len() * 3 / 4 {
                assert!(outcome.is_err(), "{name} of {length} bytes out of {}", bytes.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn flipped_bits_have_an_outcome(file in 0..17_usize, flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..6)) {
        let (name, mut bytes) = small_files().swap_remove(file);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = try_both(&format!("picture.{name}"), &bytes);
    }

    #[test]
    fn noise_after_a_good_beginning_has_an_outcome(file in 0..17_usize, kept in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let (name, mut bytes) = small_files().swap_remove(file);
        bytes.truncate(kept.index(bytes.len()));
        bytes.extend(noise);
        let _ = try_both(&format!("picture.{name}"), &bytes);
    }
}

/// A header of each format that says a size, and nothing after it.
pub(crate) fn headers(width: u16, height: u16) -> Vec<(&'static str, Vec<u8>)> {
    let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
    let (wide, high) = (u32::from(width).to_le_bytes(), u32::from(height).to_le_bytes());
    let (big_w, big_h) = (width.to_be_bytes(), height.to_be_bytes());
    let (big_wide, big_high) = (u32::from(width).to_be_bytes(), u32::from(height).to_be_bytes());
    let canvas = |side: u16| [(side - 1).to_le_bytes().as_slice(), &[0]].concat();
    let empty = || image::RgbImage::new(1, 1);
    let mut png = encoded(empty(), image::ImageFormat::Png);
    png[16..20].copy_from_slice(&big_wide);
    png[20..24].copy_from_slice(&big_high);
    let checksum = crate::pictures::crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    let mut bmp = encoded(empty(), image::ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&wide);
    bmp[22..26].copy_from_slice(&high);
    let mut tga = encoded(empty(), image::ImageFormat::Tga);
    tga[12..16].copy_from_slice(&[w, h].concat());
    let mut jpeg = jpeg(&empty(), |_| {});
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[big_h, big_w].concat());
    let mut dds = vec![0; 128];
    dds[..8].copy_from_slice(b"DDS \x7c\0\0\0");
    dds[8..12].copy_from_slice(&0x1007_u32.to_le_bytes());
    dds[12..20].copy_from_slice(&[high, wide].concat());
    dds[76..88].copy_from_slice(b"\x20\0\0\0\x04\0\0\0DXT1");
    let lossless = b"VP8L\x05\0\0\0\x2f\0\0\0\0\0";
    let webp = [b"WEBPVP8X\x0a\0\0\0\0\0\0\0", &canvas(width)[..], &canvas(height), lossless].concat();
    vec![
        ("jpeg", jpeg),
        ("png", png),
        ("gif", [b"GIF89a", &w[..], &h, &[0, 0, 0, b',', 0, 0, 0, 0], &w, &h, &[0, 2, 1, 0, 0, b';']].concat()),
        ("webp", [b"RIFF", &(webp.len() as u32).to_le_bytes()[..], &webp].concat()),
        ("bmp", bmp),
        ("tiff", crate::pictures::tiff(width.into(), height.into(), 1, 1, &[0; 8])),
        ("qoi", [b"qoif", &big_wide[..], &big_high, &[3, 0], &[0; 16]].concat()),
        ("pnm", format!("P6 {width} {height} 255\n\0\0\0").into_bytes()),
        ("tga", tga),
        ("dds", dds),
        ("hdr", format!("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n\0\0\0").into_bytes()),
        ("farbfeld", [b"farbfeld", &big_wide[..], &big_high, &[0; 8]].concat()),
    ]
}

#[test]
fn a_header_of_a_few_bytes_that_says_a_huge_size_is_over_the_limit() {
    // QOI itself ends at 400 megapixels.
    for (name, bytes) in
        headers(60_000, 60_000).into_iter().filter(|(name, _)| *name != "qoi").chain(headers(19_000, 20_000))
    {
        let error = decoded_as(&format!("huge.{name}"), &bytes, &SPEC).unwrap_err();
        assert!(
            matches!(
                error,
                MediaError::LimitExceeded { limit: Limit::Pixels, value: 380_000_000.., allowed: 128_000_000, .. }
            ),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn every_limit_says_what_it_was_asked_and_what_it_allows() {
    let bytes = encoded(smooth(100, 50), image::ImageFormat::Png);
    let fails = |limits: Limits| {
        let mut decoder = Decoder::new(DecodeOptions::default().with_limits(limits));
        match decoder.decode_bytes("a.png", &bytes, &SPEC, &mut Vec::new()).unwrap_err() {
            MediaError::LimitExceeded { limit, value, allowed, path } => {
                assert_eq!(path.to_str(), Some("a.png"));
                (limit, value, allowed)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fails(Limits::default().with_max_pixels(4999)), (Limit::Pixels, 5000, 4999));
    assert_eq!(fails(Limits::default().with_max_side(99)), (Limit::Side, 100, 99));
    assert_eq!(fails(Limits::default().with_max_file_bytes(20)), (Limit::FileBytes, bytes.len() as u64, 20));
    let (limit, value, allowed) = fails(Limits::default().with_max_memory_bytes(15_000));
    assert!(limit == Limit::MemoryBytes && value > 15_000 && allowed == 15_000);
    let exact = Limits::default().with_max_pixels(5000).with_max_side(100).with_max_memory_bytes(value);
    let mut decoder = Decoder::new(DecodeOptions::default().with_limits(exact));
    decoder.decode_bytes("a.png", &bytes, &SPEC, &mut Vec::new()).unwrap();
}

#[test]
fn a_reader_without_end_is_over_the_limit() {
    let mut decoder =
        Decoder::new(DecodeOptions::default().with_limits(Limits::default().with_max_file_bytes(100_000)));
    let error = decoder.decode_reader("zeros", std::io::repeat(0), &SPEC, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, MediaError::LimitExceeded { limit: Limit::FileBytes, value: 100_001, .. }), "{error:?}");
}

#[test]
fn images_of_one_pixel_in_height_or_width_are_resized() {
    for (width, height) in [(1, 1), (1, 3000), (3000, 1), (200_000, 1), (1, 200_000), (2, 1)] {
        let picture = image::RgbImage::from_pixel(width, height, image::Rgb([10, 200, 90]));
        let bytes = encoded(picture, image::ImageFormat::Png);
        for fit in [
            nodupe_core::Fit::Stretch,
            nodupe_core::Fit::ShortestEdge { edge: std::num::NonZeroU32::new(32).unwrap() },
            nodupe_core::Fit::Letterbox { background: 0 },
        ] {
            use nodupe_core::Filter::{Box, CatmullRom, Jarosz, Lanczos3, Nearest, Triangle};
            for filter in [Nearest, Box, Triangle, Jarosz, CatmullRom, Lanczos3] {
                let spec = InputSpec::rgb(24, 32).with_fit(fit).with_filter(filter);
                let (_, pixels) = decoded_as("a", &bytes, &spec).unwrap();
                let center = &pixels[(15 * 24 + 11) * 3..][..3];
                assert_eq!(center, [10, 200, 90], "{width}x{height} {fit:?} {filter:?}");
            }
        }
    }
}
