//! libjpeg-turbo beside `zune-jpeg`, by which every other build decodes.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use nodupe_core::{Channels, Filter, InputSpec};

use crate::error::Failure;
use crate::jpeg::Jpeg;
use crate::jpeg::tests::{encoded, picture, request};
use crate::limits::Limits;
use crate::picture::{Given, Picture as _};

type Read = Result<(Given, Vec<u8>), Failure>;

fn read(mut jpeg: Jpeg<'_>, by_turbo: bool) -> Read {
    if !by_turbo {
        jpeg.turbo = None;
    }
    let mut pixels = Vec::new();
    let given = Box::new(jpeg).read(&mut pixels)?;
    Ok((given, pixels))
}

/// What a file is in a build with libjpeg-turbo, and in one without.
fn both(bytes: &[u8], spec: InputSpec) -> [Read; 2] {
    let limits = Limits::default();
    [true, false].map(|by_turbo| read(Jpeg::open(&request(bytes, spec, &limits))?, by_turbo))
}

/// The means of squares of so many pixels a side.
fn means(pixels: &[u8], (width, height): (usize, usize), channels: usize, side: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for top in (0..height).step_by(side) {
        for left in (0..width).step_by(side) {
            let (rows, columns) = (top..height.min(top + side), left..width.min(left + side));
            let count = (rows.len() * columns.len()) as u32;
            for channel in 0..channels {
                let at = |y: usize, x: usize| u32::from(pixels[(y * width + x) * channels + channel]);
                let sum: u32 =
                    rows.clone().flat_map(|y| columns.clone().map(move |x| (y, x))).map(|(y, x)| at(y, x)).sum();
                out.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    out
}

#[test]
fn pixels_at_a_part_of_the_size_are_near_the_means_of_those_they_stand_for() {
    let samplings = [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2];
    for (width, height) in [(331u16, 247u16)] {
        for (sampling, progressive) in samplings.into_iter().flat_map(|sampling| [(sampling, false), (sampling, true)])
        {
            let bytes = encoded(width, height, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(progressive);
            });
            let size = (usize::from(width), usize::from(height));
            for reduction in [1u16, 2, 4, 8] {
                let (across, down) = (u32::from(width / reduction), u32::from(height / reduction));
                for spec in [InputSpec::luma(across, down), InputSpec::rgb(across, down)] {
                    let what = format!("{width}x{height} {sampling:?} {progressive} {reduction} {spec}");
                    let [ours, whole] = both(&bytes, spec.with_filter(Filter::Triangle)).map(Result::unwrap);
                    assert_eq!(whole.0, Given::whole(ours.0.channels), "{what}");
                    let is_uneven = matches!(sampling, SamplingFactor::F_2_1 | SamplingFactor::F_1_2);
                    // Of some files the other decoder has no luminance but by colour.
                    let by_colour = progressive && matches!(sampling, SamplingFactor::F_1_2);
                    let colour = by_colour || ours.0.channels == Channels::Rgb;
                    let expected = if is_uneven && colour { (reduction / 2).max(1) } else { reduction };
                    assert_eq!(ours.0.reduction, u32::from(expected), "{what}");
                    let channels = ours.0.channels.count();
                    let wanted = means(&whole.1, size, channels, usize::from(reduction));
                    let smaller = (size.0.div_ceil(usize::from(expected)), size.1.div_ceil(usize::from(expected)));
                    assert_eq!(ours.1.len(), smaller.0 * smaller.1 * channels, "{what}");
                    let ours = means(&ours.1, smaller, channels, usize::from(reduction / expected));
                    assert_eq!(ours.len(), wanted.len(), "{what}");
                    let off: u32 = ours.iter().zip(&wanted).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
                    let off = f64::from(off) / wanted.len() as f64;
                    // The two make colour that is sampled sparsely as large as the rest each in its own way.
                    assert!(off < if colour { 5.0 } else { 0.5 }, "{what}: {off}");
                }
            }
        }
    }
}

#[test]
fn a_file_that_ends_early_is_what_it_is_in_every_build() {
    for progressive in [false, true] {
        let bytes = encoded(331, 247, |encoder| encoder.set_progressive(progressive));
        let scan = bytes.windows(2).position(|two| two == [0xff, 0xda]).unwrap();
        let mut failed = 0;
        for length in (scan..bytes.len()).step_by(97).chain(bytes.len() - 3..bytes.len()) {
            for spec in [InputSpec::luma(331, 247), InputSpec::rgb(41, 30)] {
                let [ours, others] = both(&bytes[..length], spec);
                failed += u32::from(ours.is_err());
                assert_eq!(format!("{ours:?}"), format!("{others:?}"), "{progressive} {length} bytes {spec}");
            }
        }
        assert!(failed > 0);
    }
}

#[test]
fn what_the_other_decoder_refuses_is_not_taken_from_damaged_files_without_a_warning() {
    let bytes = encoded(331, 247, |encoder| encoder.set_restart_interval(7));
    for at in (2..bytes.len()).step_by(53) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x5a;
        let [ours, others] = both(&damaged, InputSpec::rgb(41, 30));
        if let (Ok(_), Err(error)) = (&ours, &others) {
            panic!("byte {at}: {error:?}");
        }
    }
}

#[test]
fn four_colours_are_left_to_the_other_decoder() {
    let pixels: Vec<u8> = picture(200, 160).chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 30]).collect();
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 90).encode(&pixels, 200, 160, kind).unwrap();
        for spec in [InputSpec::rgb(20, 16), InputSpec::luma(20, 16)] {
            let limits = Limits::default();
            assert!(Jpeg::open(&request(&bytes, spec, &limits)).unwrap().turbo.is_none());
            let [ours, others] = both(&bytes, spec).map(Result::unwrap);
            assert_eq!((ours.0, &ours.1), (Given::whole(spec.channels()), &others.1));
        }
    }
}

#[test]
fn grey_is_grey_also_where_colour_is_wanted() {
    let pixels: Vec<u8> = picture(331, 247).into_iter().step_by(3).collect();
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 90).encode(&pixels, 331, 247, ColorType::Luma).unwrap();
    let [ours, others] = both(&bytes, InputSpec::rgb(331, 247)).map(Result::unwrap);
    assert_eq!((ours.0, others.0), (Given::whole(Channels::Luma), Given::whole(Channels::Luma)));
    assert!(ours.1.iter().zip(&others.1).all(|(a, b)| a.abs_diff(*b) <= 2));
}
