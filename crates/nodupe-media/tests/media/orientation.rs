//! Files are shown as their EXIF data says, whatever they are resized to.

use std::num::NonZeroU32;

use image::{RgbImage, imageops};
use nodupe_core::{Filter, Fit, InputSpec, View};
use nodupe_media::Decoder;

use crate::pictures::{decoded, difference, exif, jpeg, oriented, smooth};

/// What has to be stored for `shown` to be shown, and what is then done to it.
fn stored(shown: &RgbImage, orientation: u16) -> (RgbImage, View) {
    let transposed = |image: &RgbImage| imageops::flip_horizontal(&imageops::rotate90(image));
    match orientation {
        2 => (imageops::flip_horizontal(shown), View::FlipHorizontal),
        3 => (imageops::rotate180(shown), View::Rotate180),
        4 => (imageops::flip_vertical(shown), View::FlipVertical),
        5 => (transposed(shown), View::Transpose),
        6 => (imageops::rotate270(shown), View::Rotate90),
        7 => (imageops::rotate180(&transposed(shown)), View::Transverse),
        8 => (imageops::rotate90(shown), View::Rotate270),
        _ => (shown.clone(), View::Identity),
    }
}

#[test]
fn all_eight_orientations_show_the_same_picture() {
    let picture = smooth(48, 36);
    let edge = NonZeroU32::new(24).unwrap();
    let fits = [Fit::Stretch, Fit::ShortestEdge { edge }, Fit::Letterbox { background: 9 }];
    let filters =
        [Filter::Nearest, Filter::Box, Filter::Triangle, Filter::Jarosz, Filter::CatmullRom, Filter::Lanczos3];
    for fit in fits {
        for filter in filters {
            for spec in [InputSpec::rgb(20, 12), InputSpec::luma(12, 24), InputSpec::rgb(64, 64)] {
                let spec = spec.with_fit(fit).with_filter(filter);
                let (_, upright) = decoded(&oriented(&picture, 1)[0].1, &spec).unwrap();
                for orientation in 1..=8 {
                    let (stored, view) = stored(&picture, orientation);
                    for (name, bytes) in oriented(&stored, orientation) {
                        let (info, pixels) = decoded(&bytes, &spec).unwrap();
                        let what = format!("{name} {orientation} {fit:?} {filter:?} {spec}");
                        assert_eq!((info.width, info.height, info.orientation), (48, 36, view), "{what}");
                        let tolerance = match (filter, name) {
                            // Between two pixels either may be the nearest, and boxes begin with one of them.
                            (Filter::Nearest | Filter::Box, _) => 14,
                            (_, "jpeg") => 8,
                            (Filter::Jarosz, _) => 0,
                            _ => 2,
                        };
                        assert!(
                            difference(&pixels, &upright) <= tolerance,
                            "{what}: {}",
                            difference(&pixels, &upright)
                        );
                    }
                }
            }
        }
    }
}

/// As libjpeg-turbo does it, where that is built in.
#[test]
fn a_picture_that_is_decoded_at_a_part_of_its_size_is_shown_the_same_way_up() {
    let picture = smooth(331, 247);
    for (width, height) in [(40, 30), (150, 60), (82, 61)] {
        for spec in [InputSpec::rgb(width, height), InputSpec::luma(width, height)] {
            let (_, upright) = decoded(&jpeg(&picture, |_| {}), &spec).unwrap();
            for orientation in 1..=8 {
                let (stored, view) = stored(&picture, orientation);
                let bytes = jpeg(&stored, |encoder| encoder.add_exif_metadata(&exif(orientation)).unwrap());
                let (info, pixels) = decoded(&bytes, &spec).unwrap();
                assert_eq!((info.width, info.height, info.orientation), (331, 247, view));
                let off = difference(&pixels, &upright);
                assert!(off <= 6, "{spec} {orientation}: {off}");
            }
        }
    }
}

#[test]
fn the_pixel_digest_does_not_depend_on_the_orientation() {
    let picture = smooth(21, 13);
    let folder = tempfile::tempdir().unwrap();
    let mut digests = Vec::new();
    for orientation in 1..=8 {
        for (name, bytes) in oriented(&stored(&picture, orientation).0, orientation) {
            if name != "jpeg" {
                let path = folder.path().join(format!("{orientation}.{name}"));
                std::fs::write(&path, bytes).unwrap();
                digests.push(Decoder::default().pixel_digest(&path).unwrap());
            }
        }
    }
    assert_eq!(digests.len(), 24);
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn an_orientation_that_does_not_exist_is_none() {
    let picture = smooth(8, 6);
    for orientation in [0, 9, 255, 65_535] {
        for (name, bytes) in oriented(&picture, orientation) {
            let (info, _) = decoded(&bytes, &InputSpec::rgb(4, 4)).unwrap();
            assert_eq!(info.orientation, View::Identity, "{name} {orientation}");
        }
    }
}
