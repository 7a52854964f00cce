//! Bytes that are not what they seem: every one has a typed outcome, and `out` is as it was.

mod headers;

use std::time::Duration;

use nodupe_core::InputSpec;
use nodupe_media::{DecodeOptions, Decoder, Limit, Limits, MediaError};
use proptest::prelude::*;

use self::headers::headers;
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
    fn flipped_bits_have_an_outcome(file in any::<prop::sample::Index>(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..6)) {
        let (name, mut bytes) = {
            let mut files = small_files();
            files.swap_remove(file.index(files.len()))
        };
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = try_both(&format!("picture.{name}"), &bytes);
    }

    #[test]
    fn noise_after_a_good_beginning_has_an_outcome(file in any::<prop::sample::Index>(), kept in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let (name, mut bytes) = {
            let mut files = small_files();
            files.swap_remove(file.index(files.len()))
        };
        bytes.truncate(kept.index(bytes.len()));
        bytes.extend(noise);
        let _ = try_both(&format!("picture.{name}"), &bytes);
    }
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
fn a_reader_that_never_comes_to_an_end_is_left_at_the_deadline() {
    struct Drip;
    impl std::io::Read for Drip {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            std::thread::sleep(Duration::from_millis(2));
            buf[0] = 0xff;
            Ok(1)
        }
    }
    let limits = Limits::default().with_deadline(Some(Duration::from_millis(40)));
    let mut decoder = Decoder::new(DecodeOptions::default().with_limits(limits));
    let error = decoder.decode_reader("drip", Drip, &SPEC, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, MediaError::LimitExceeded { limit: Limit::Milliseconds, allowed: 40, .. }), "{error:?}");
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
