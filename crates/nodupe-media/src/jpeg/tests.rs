use std::time::Duration;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use nodupe_core::{Filter, InputSpec};

use super::*;
use crate::deadline::Deadline;
use crate::jarosz;
use crate::limits::Limits;
use crate::resize::Filtered;

/// Slopes, waves and edges.
pub(super) fn picture(width: u16, height: u16) -> Vec<u8> {
    let pixel = |x: u16, y: u16| {
        let wave = (f32::from(x) * 0.3).sin() * (f32::from(y) * 0.11).cos() * 60.0;
        let edge = if (x / 19 + y / 23).is_multiple_of(3) { 70.0 } else { 0.0 };
        [wave + edge + 90.0, 200.0 - edge, f32::from(x % 200) + wave * 0.5].map(|value| value as u8)
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

pub(super) fn encoded(width: u16, height: u16, set: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    set(&mut encoder);
    encoder.encode(&picture(width, height), width, height, ColorType::Rgb).unwrap();
    bytes
}

const SPEC: InputSpec = InputSpec::luma(64, 64).with_filter(Filter::Jarosz);

/// What a decoder of `spec` asks for.
pub(super) fn request<'a>(bytes: &'a [u8], spec: InputSpec, limits: &'a Limits) -> Request<'a> {
    Request {
        format: ImageFormat::Jpeg,
        bytes,
        channels: spec.channels(),
        spec: Some(spec),
        background: [255; 3],
        limits,
        deadline: Deadline::start(Some(Duration::from_mins(1))),
    }
}

/// The filtered luminance as it is had without the pixels, and from the pixels.
fn filtered(bytes: &[u8], spec: InputSpec) -> (Option<Vec<u8>>, Result<Vec<u8>, Failure>) {
    let limits = Limits::default();
    let picture = match open(&request(bytes, spec, &limits)) {
        Ok(picture) => picture,
        Err(error) => return (None, Err(error)),
    };
    let Header { width, height, orientation, .. } = picture.header();
    let Filtered { across, down, .. } = Filtered::new((width, height), orientation, &spec).unwrap();
    let direct = picture.filtered(&across, &down);
    let mut pixels = Vec::new();
    let from_pixels = picture.read(&mut pixels).map(|given| {
        assert_eq!(given, Given::whole(Channels::Luma));
        jarosz::resize(&pixels, Channels::Luma, width as usize, &across, &down)
    });
    (direct, from_pixels)
}

fn worst(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn luminance_is_filtered_without_the_pixels_as_it_is_with_them() {
    let samplings = [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2];
    for (width, height) in [(500, 375), (375, 500), (161, 1203), (1000, 640)] {
        for sampling in samplings {
            for restarts in [0, 3] {
                let bytes = encoded(width, height, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    if restarts > 0 {
                        encoder.set_restart_interval(restarts);
                    }
                });
                let (direct, from_pixels) = filtered(&bytes, SPEC);
                let off = worst(&direct.unwrap(), &from_pixels.unwrap());
                assert!(off <= 1, "{width}x{height} {sampling:?} {restarts}: {off}");
            }
        }
    }
}

#[test]
fn a_grey_file_is_filtered_likewise() {
    let mut grey = Vec::new();
    let pixels: Vec<u8> = picture(400, 300).into_iter().step_by(3).collect();
    Encoder::new(&mut grey, 80).encode(&pixels, 400, 300, ColorType::Luma).unwrap();
    let (direct, from_pixels) = filtered(&grey, SPEC);
    assert!(worst(&direct.unwrap(), &from_pixels.unwrap()) <= 1);
}

#[test]
fn what_is_out_of_the_ordinary_is_left_to_the_decoder_of_pixels() {
    // Every block would have a part in many pixels of the result.
    assert_eq!(filtered(&encoded(90, 90, |_| {}), SPEC).0, None);
    assert_eq!(filtered(&encoded(500, 375, |encoder| encoder.set_progressive(true)), SPEC).0, None);
}

#[test]
fn a_file_that_ends_early_or_is_damaged_is_never_filtered_into_something_else() {
    let bytes = encoded(400, 300, |encoder| encoder.set_restart_interval(40));
    assert!(filtered(&bytes, SPEC).0.is_some());
    let data = bytes.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    for length in (data..bytes.len()).step_by(37) {
        assert_eq!(filtered(&bytes[..length], SPEC).0, None, "{length} bytes");
    }
    let mut noticed = 0;
    for at in (2..bytes.len()).step_by(41) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x5a;
        match filtered(&damaged, SPEC) {
            (None, _) => noticed += 1,
            // Other codes of the same length go unnoticed by every decoder.
            (Some(_), from_pixels) => assert!(from_pixels.is_ok(), "byte {at}"),
        }
    }
    assert!(noticed > 0);
}

#[test]
fn the_layout_is_read_from_the_first_segments_that_matter() {
    let frame = [0xff, 0xc2, 0, 17, 8, 0, 9, 0, 9, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0];
    let bytes = [&[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xc0, 7, 7, 0xff][..], &frame, &scan].concat();
    let layout = Layout::of(&bytes).unwrap();
    assert_eq!(layout, Layout { progressive: true, sampling: vec![[2, 2], [1, 1], [1, 1]], first_scan: 3 });
    assert_eq!(layout.kept_bytes(1000), 3000);
    for length in 0..bytes.len() - 9 {
        assert_eq!(Layout::of(&bytes[..length]), None);
    }
}

/// Where the segment with this marker begins.
fn segment(bytes: &[u8], marker: u8) -> usize {
    bytes.windows(2).position(|two| two == [0xff, marker]).unwrap()
}

/// The file without its first segment with this marker.
fn without(bytes: &[u8], marker: u8) -> Vec<u8> {
    let at = segment(bytes, marker);
    let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    [&bytes[..at], &bytes[at + 2 + length..]].concat()
}

#[test]
fn a_header_that_is_odd_is_left_alone_and_has_a_typed_outcome() {
    let bytes = encoded(400, 300, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    let frame = segment(&bytes, 0xc0);
    let with = |at: usize, value: u8| {
        let mut other = bytes.clone();
        other[at] = value;
        other
    };
    let mut odd = vec![
        // Other kinds of frame: extended with codes of 12 bits, lossless, hierarchical, arithmetic.
        ("12 bit", with(frame + 4, 12)),
        ("lossless", with(frame + 1, 0xc3)),
        ("hierarchical", with(frame + 1, 0xc5)),
        ("arithmetic", with(frame + 1, 0xc9)),
        ("arithmetic and progressive", with(frame + 1, 0xca)),
        ("no height", with(frame + 5, 0)),
        ("a quantisation table that is not there", with(frame + 12, 3)),
        ("one of chrominance that is not there", with(frame + 15, 3)),
        ("a fifth of four tables", with(frame + 12, 4)),
        ("no quantisation", without(&without(&bytes, 0xdb), 0xdb)),
        ("no frame", without(&bytes, 0xc0)),
    ];
    odd[5].1[frame + 6] = 0;
    odd.extend([0x00, 0x01, 0x10, 0x50, 0x05, 0xff].map(|sampling| ("sampling", with(frame + 11, sampling))));
    odd.extend([0x00, 0x33, 0xff].map(|sampling| ("sampling of chrominance", with(frame + 14, sampling))));
    for (what, bytes) in odd {
        let (direct, from_pixels) = filtered(&bytes, SPEC);
        assert_eq!(direct, None, "{what}");
        assert!(matches!(from_pixels, Err(Failure::Decode(..) | Failure::Unsupported(_))), "{what}");
    }
    // As in a film of JPEG images, where everybody knows the codes.
    let without_codes = (0..4).fold(bytes, |bytes, _| without(&bytes, 0xc4));
    assert_eq!(filtered(&without_codes, SPEC).0, None);
}

#[test]
fn no_more_memory_is_taken_for_restarts_than_the_image_may_have() {
    let bytes = encoded(400, 300, |encoder| encoder.set_restart_interval(40));
    let scan = segment(&bytes, 0xda);
    let data = scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]));
    // Each of these would be given its padding.
    let restarts: Vec<u8> = (0..100_000_u32).flat_map(|number| [0xff, 0xd0 | (number % 8) as u8]).collect();
    let hostile = [&bytes[..data], &restarts, &[0xff, 0xd9]].concat();
    assert_eq!(filtered(&hostile, SPEC).0, None);
    assert!(direct::unstuffed(&hostile[data..], 100_001).is_none());
    // 1900 blocks, 40 between two restarts.
    assert!(direct::unstuffed(&bytes[data..], 48).is_some());
    assert!(direct::unstuffed(&bytes[data..], 47).is_none() && direct::unstuffed(&bytes[data..], 49).is_none());
}
