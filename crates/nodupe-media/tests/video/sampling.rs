//! Which frames are given, and when they say that they are shown.

use std::fs;
use std::time::Duration;

use nodupe_core::InputSpec;
use nodupe_media::{Sampling, VideoLimits};

use crate::clips::{Clips, H264, SCENE, are_near, decoder, limited, read, times};

#[test]
fn a_rate_gives_the_first_frame_of_each_stretch_with_its_time() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    assert!(are_near(&times(&decoder(Sampling::Rate(1.0)), &path), &[0.0, 1.0, 2.0, 3.0]));
    let half: Vec<f64> = (0..8).map(|i| (f64::from(i) * 12.5).ceil() / 25.0).collect();
    assert!(are_near(&times(&decoder(Sampling::Rate(2.0)), &path), &half));
    assert!(are_near(&times(&decoder(Sampling::Rate(0.3)), &path), &[0.0, 3.36]));
    assert_eq!(times(&decoder(Sampling::Rate(1000.0)), &path).len(), 100, "every frame, and none twice");
}

#[test]
fn times_are_those_of_frames_that_are_shown_for_different_times() {
    let Some(clips) = Clips::new() else { return };
    // Five frames: at 0, 0.04, 0.16, 0.36, 0.64 s, of which the container knows milliseconds.
    let scene = "testsrc2=s=160x120:r=25:d=0.2,setpts=N*N*0.04/TB";
    let path = clips.clip("uneven.mkv", scene, &[&["-fps_mode", "passthrough"], H264].concat()).unwrap();
    let found = times(&decoder(Sampling::Rate(1000.0)), &path);
    assert!(are_near(&found, &[0.0, 0.04, 0.16, 0.36, 0.64]), "{found:?}");
    assert!(are_near(&times(&decoder(Sampling::Rate(5.0)), &path), &[0.0, 0.36, 0.64]));
}

#[test]
fn key_frames_are_those_that_the_encoder_placed() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    assert!(are_near(&times(&decoder(Sampling::KeyFrames), &path), &[0.0, 1.0, 2.0, 3.0]));
}

#[test]
fn scenes_begin_where_the_picture_changes() {
    let Some(clips) = Clips::new() else { return };
    let cut = "color=red:s=160x120:d=1.6[a];color=blue:s=160x120:d=1[b];mandelbrot=s=160x120,trim=duration=1[c];\
               [a][b][c]concat=n=3";
    let path = clips.made("cut.mp4", &[&["-filter_complex", cut], H264].concat()).unwrap();
    let found = times(&decoder(Sampling::Scenes { threshold: 0.2 }), &path);
    assert!(are_near(&found, &[0.0, 1.6, 2.6]), "{found:?}");
}

#[test]
fn there_are_no_more_frames_than_are_allowed_and_they_are_spread_over_the_video() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let limits = VideoLimits::default().with_max_frames(2);
    for sampling in [Sampling::Rate(25.0), Sampling::KeyFrames] {
        let decoder = limited(sampling, limits.clone());
        let mut frames = decoder.frames(&path, &[InputSpec::luma(8, 8)]).unwrap();
        let found: Vec<f64> = frames.by_ref().map(|frame| frame.unwrap().time).collect();
        assert!(are_near(&found, &[0.0, 2.0]), "{sampling:?}: {found:?}");
        assert!(frames.is_cut() && frames.given() == 2);
    }
}

#[test]
fn of_a_long_video_only_key_frames_are_decoded() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.clip("long.mp4", SCENE, &[H264, &["-g", "40"]].concat()).unwrap();
    let limits = VideoLimits::default().with_whole_up_to(Duration::from_secs(2));
    let found = times(&limited(Sampling::Rate(5.0), limits), &path);
    assert!(are_near(&found, &[0.0, 1.6, 3.2]), "{found:?}");
}

#[test]
fn ten_hours_take_seconds_and_a_bounded_number_of_frames() {
    let Some(clips) = Clips::new() else { return };
    let scene = "testsrc2=s=64x48:r=1/20:d=36000";
    let path = clips.clip("ten-hours.mp4", scene, &[H264, &["-g", "5"]].concat()).unwrap();
    let found = times(&limited(Sampling::Rate(1.0), VideoLimits::default().with_max_frames(50)), &path);
    assert_eq!(found.len(), 50);
    assert!(found[49] > 35_000.0, "{found:?}");
}

/// Puts `to` where `from` is in the header, wherever that is.
fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn a_duration_that_is_not_true_does_not_matter() {
    let Some(clips) = Clips::new() else { return };
    let expected = [0.0, 1.0, 2.0, 3.0];
    let limits = VideoLimits::default().with_max_frames(50);
    let checked = |name: &str, bytes: &[u8], says: f64| {
        let path = clips.path(name);
        fs::write(&path, bytes).unwrap();
        for sampling in [Sampling::Rate(1.0), Sampling::KeyFrames] {
            let decoder = limited(sampling, limits.clone());
            let frames = decoder.frames(&path, &[InputSpec::luma(8, 8)]).unwrap();
            assert!((frames.info().duration.unwrap_or(0.0) - says).abs() < 1.0, "{name}: {:?}", frames.info());
            let found: Vec<f64> = frames.map(|frame| frame.unwrap().time).collect();
            assert!(are_near(&found, &expected), "{name}, {sampling:?}: {found:?}");
        }
    };
    // A millisecond scale and 4,000 of them, in `mvhd`.
    let mp4 = fs::read(clips.usual()).unwrap();
    let header = [&1000u32.to_be_bytes()[..], &4000u32.to_be_bytes()].concat();
    let says = |seconds: u32| [&1000u32.to_be_bytes()[..], &(seconds * 1000).to_be_bytes()].concat();
    checked("hours.mp4", &patched(&mp4, &header, &says(36_000)), 36_000.0);
    checked("blink.mp4", &patched(&mp4, &header, &says(1)), 1.0);
    // A double, in the element 0x4489.
    let mkv = fs::read(clips.clip("true.mkv", SCENE, H264).unwrap()).unwrap();
    let element = |milliseconds: f64| [&b"\x44\x89\x88"[..], &milliseconds.to_be_bytes()].concat();
    let duration = mkv.windows(3).position(|window| window == b"\x44\x89\x88").unwrap();
    let header = &mkv[duration..duration + 11];
    checked("hours.mkv", &patched(&mkv, header, &element(36_000_000.0)), 36_000.0);
    checked("blink.mkv", &patched(&mkv, header, &element(1_000.0)), 1.0);
    checked("none.mkv", &patched(&mkv, header, &[&b"\xec\x89"[..], &[0; 9]].concat()), 0.0);
    // The number of frames, in `avih` and `strh`.
    let avi = fs::read(clips.clip("true.avi", SCENE, H264).unwrap()).unwrap();
    let mut lies = avi.clone();
    let avih = avi.windows(4).position(|window| window == b"avih").unwrap();
    let strh = avi.windows(4).position(|window| window == b"strh").unwrap();
    for at in [avih + 8 + 16, strh + 8 + 32] {
        lies[at..at + 4].copy_from_slice(&900_000u32.to_le_bytes());
    }
    checked("hours.avi", &lies, 36_000.0);
}

#[test]
fn a_stream_without_a_duration_has_frames() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.clip("live.mkv", SCENE, &[H264, &["-f", "matroska", "-live", "1"]].concat()).unwrap();
    assert_eq!(decoder(Sampling::KeyFrames).info(&path).unwrap().duration, None);
    assert!(are_near(&times(&decoder(Sampling::Rate(1.0)), &path), &[0.0, 1.0, 2.0, 3.0]));
    let path = clips.clip("bare.h264", SCENE, H264).unwrap();
    let (frames, error) = read(&decoder(Sampling::Rate(1.0)), &path, &InputSpec::luma(8, 8));
    assert!(error.is_none() && frames.len() >= 4, "{error:?}");
}

#[test]
fn a_video_that_begins_late_or_changes_its_size_has_all_its_frames() {
    let Some(clips) = Clips::new() else { return };
    let late = clips.clip("late.ts", SCENE, &[H264, &["-output_ts_offset", "5000"]].concat()).unwrap();
    let found = times(&decoder(Sampling::Rate(1.0)), &late);
    assert!(are_near(&found, &[0.0, 1.0, 2.0, 3.0]), "{found:?}");
    let large = clips.clip("large.ts", "testsrc2=s=320x240:r=25:d=2", H264).unwrap();
    let both = [fs::read(&late).unwrap(), fs::read(&large).unwrap()].concat();
    let path = clips.path("both.ts");
    fs::write(&path, both).unwrap();
    let found = times(&decoder(Sampling::Rate(1.0)), &path);
    assert!(found.len() >= 4 && found.is_sorted() && found[found.len() - 1] > 4.5, "{found:?}");
}
