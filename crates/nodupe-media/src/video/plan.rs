//! The one size that ffmpeg scales frames to, of which all that is wanted is made here.
//!
//! Our own filters see frames that are as many times smaller than the video as leaves more pixels than they need: what ffmpeg
//! averages before is far below what they let through.

use nodupe_core::{Filter, InputSpec, View};

use crate::orientation::turned;
use crate::resize;

/// Width and height, as stored and with square pixels, that frames of `stored` pixels are scaled to for all of `specs`.
/// `aspect` is the width of a pixel over its height.
pub(crate) fn scaled(stored: (u32, u32), aspect: f64, orientation: View, specs: &[InputSpec]) -> (u32, u32) {
    let (width, height) = squared(stored, aspect);
    let shown = turned(orientation, width, height);
    let reduction =
        specs.iter().map(|spec| resize::ratio(shown, spec) / margin(spec.filter())).fold(f64::MAX, f64::min);
    let reduction = reduction.floor().clamp(1.0, f64::from(u16::MAX));
    let reduced = |side: u32| ((f64::from(side) / reduction).round() as u32).max(1);
    (reduced(width), reduced(height))
}

/// The size with square pixels: the height stays.
pub(crate) fn squared((width, height): (u32, u32), aspect: f64) -> (u32, u32) {
    let wide = (f64::from(width) * aspect).round();
    // More than that is no camera's doing.
    let is_sane = (0.1..=10.0).contains(&aspect) && wide >= 1.0 && wide <= f64::from(u32::MAX);
    (if is_sane { wide as u32 } else { width }, height)
}

/// The least pixels of what a filter is given for one that it makes.
fn margin(filter: Filter) -> f64 {
    match filter {
        // It has to have the very pixels.
        Filter::Nearest => f64::INFINITY,
        // It is off centre by up to 1½ pixels of what it is given.
        Filter::Jarosz => 8.0,
        _ => 2.0,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use nodupe_core::Fit;

    use super::*;

    fn of(stored: (u32, u32), specs: &[InputSpec]) -> (u32, u32) {
        scaled(stored, 1.0, View::Identity, specs)
    }

    #[test]
    fn frames_stay_larger_than_everything_that_is_made_of_them() {
        let small = InputSpec::luma(64, 64).with_filter(Filter::Jarosz);
        assert_eq!(of((1920, 1080), &[InputSpec::rgb(160, 160)]), (640, 360));
        assert_eq!(of((1920, 1080), &[small]), (960, 540));
        assert_eq!(of((3840, 2160), &[small, InputSpec::rgb(160, 160)]), (960, 540));
        assert_eq!(of((1920, 1080), &[InputSpec::rgb(160, 160).with_filter(Filter::Nearest)]), (1920, 1080));
        assert_eq!(of((100, 50), &[InputSpec::rgb(160, 160)]), (100, 50), "it is never enlarged");
    }

    #[test]
    fn a_crop_counts_as_what_is_left() {
        let crop = Fit::ShortestEdge { edge: NonZeroU32::new(100).unwrap() };
        assert_eq!(of((4000, 400), &[InputSpec::rgb(100, 100).with_fit(crop)]), (2000, 200));
    }

    #[test]
    fn pixels_become_square() {
        let spec = [InputSpec::rgb(400, 400)];
        assert_eq!(scaled((720, 576), 64.0 / 45.0, View::Identity, &spec), (1024, 576));
        assert_eq!(scaled((720, 480), 8.0 / 9.0, View::Rotate90, &spec), (640, 480));
        for silly in [0.0, f64::NAN, f64::INFINITY, 1e-9, 1e9, -1.0] {
            assert_eq!(scaled((720, 480), silly, View::Identity, &spec), (720, 480));
        }
    }
}
