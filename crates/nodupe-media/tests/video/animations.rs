//! GIF, WebP and PNG of several frames, for which no ffmpeg is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, Rgba, RgbaImage};
use nodupe_core::InputSpec;
use nodupe_media::{
    Limit, MediaError, Sampling, VideoDecoder, VideoFormat, VideoLimits, VideoOptions, VideoToolsError, decode,
};

use crate::clips::{Clips, are_near, read, times};

/// A decoder that has no ffmpeg.
fn alone(sampling: Sampling, limits: VideoLimits) -> VideoDecoder {
    let missing = VideoToolsError::NotFound { program: "ffmpeg".into(), variable: "NODUPE_FFMPEG" };
    VideoDecoder::with_tools(Err(missing), VideoOptions::default().with_sampling(sampling).with_limits(limits))
}

fn plain(sampling: Sampling) -> VideoDecoder {
    alone(sampling, VideoLimits::default())
}

/// A picture that is told from the others, of 48 colours.
fn picture(number: u32) -> RgbaImage {
    RgbaImage::from_fn(24, 16, |x, y| {
        Rgba([(x / 4 * 37 + number * 40) as u8, (y / 2 * 30) as u8, (number * 3) as u8, 255])
    })
}

fn gif(path: &Path, frames: u32, milliseconds: u32) {
    let mut encoder = GifEncoder::new_with_speed(fs::File::create(path).unwrap(), 30);
    for number in 0..frames {
        let delay = Delay::from_numer_denom_ms(milliseconds, 1);
        encoder.encode_frame(Frame::from_parts(picture(number), 0, 0, delay)).unwrap();
    }
}

fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [name, data].concat();
    let mut crc = !0u32;
    for byte in &body {
        crc = (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)));
    }
    [&(data.len() as u32).to_be_bytes()[..], &body, &(!crc).to_be_bytes()].concat()
}

/// The chunks of a still PNG that have `name`.
fn png_data(bytes: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut found) = (&bytes[8..], Vec::new());
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if &rest[4..8] == name {
            found.push(rest[8..8 + length].to_vec());
        }
        rest = &rest[12 + length..];
    }
    found
}

fn png_of(picture: &RgbaImage) -> Vec<u8> {
    let mut still = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut still, image::ImageFormat::Png).unwrap();
    still.into_inner()
}

fn apng(path: &Path, frames: u32, milliseconds: u16) {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut sequence = 0u32;
    let mut next = || {
        sequence += 1;
        (sequence - 1).to_be_bytes()
    };
    for number in 0..frames {
        let still = png_of(&picture(number));
        if number == 0 {
            bytes.extend(chunk(b"IHDR", &png_data(&still, b"IHDR")[0]));
            bytes.extend(chunk(b"acTL", &[frames.to_be_bytes(), [0; 4]].concat()));
        }
        let size = [24u32.to_be_bytes(), 16u32.to_be_bytes(), [0; 4], [0; 4]].concat();
        let delay = [milliseconds.to_be_bytes(), 1000u16.to_be_bytes()].concat();
        bytes.extend(chunk(b"fcTL", &[&next()[..], &size, &delay, &[0, 0]].concat()));
        for data in png_data(&still, b"IDAT") {
            match number {
                0 => bytes.extend(chunk(b"IDAT", &data)),
                _ => bytes.extend(chunk(b"fdAT", &[&next()[..], &data].concat())),
            }
        }
    }
    bytes.extend(chunk(b"IEND", &[]));
    fs::write(path, bytes).unwrap();
}

fn webp(path: &Path, frames: u32, milliseconds: u32) {
    let part = |name: &[u8], data: &[u8]| {
        let padding = vec![0; data.len() & 1];
        [name, &(data.len() as u32).to_le_bytes(), data, &padding].concat()
    };
    let mut body = b"WEBP".to_vec();
    // The flag of animations; width and height less 1.
    body.extend(part(b"VP8X", &[2, 0, 0, 0, 23, 0, 0, 15, 0, 0]));
    body.extend(part(b"ANIM", &[0; 6]));
    for number in 0..frames {
        let mut still = Vec::new();
        let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut still);
        encoder.encode(&picture(number), 24, 16, image::ExtendedColorType::Rgba8).unwrap();
        let time = milliseconds.to_le_bytes();
        let header = [0, 0, 0, 0, 0, 0, 23, 0, 0, 15, 0, 0, time[0], time[1], time[2], 2];
        body.extend(part(b"ANMF", &[&header[..], &still[12..]].concat()));
    }
    fs::write(path, part(b"RIFF", &body)).unwrap();
}

/// One file of each kind, of as many frames as long as that.
fn one_of_each(folder: &Path, frames: u32, milliseconds: u16) -> Vec<(PathBuf, VideoFormat)> {
    let path = |name: &str| folder.join(name);
    gif(&path("a.gif"), frames, milliseconds.into());
    apng(&path("a.png"), frames, milliseconds);
    webp(&path("a.webp"), frames, milliseconds.into());
    vec![
        (path("a.gif"), VideoFormat::AnimatedGif),
        (path("a.png"), VideoFormat::Apng),
        (path("a.webp"), VideoFormat::AnimatedWebP),
    ]
}

#[test]
fn animations_are_known_and_still_images_are_none() {
    let folder = tempfile::tempdir().unwrap();
    for (path, format) in one_of_each(folder.path(), 2, 500) {
        assert_eq!(VideoFormat::of_path(&path).unwrap(), Some(format));
        assert_eq!(VideoFormat::of_bytes(&fs::read(&path).unwrap(), "a"), Some(format));
    }
    for (path, _) in one_of_each(folder.path(), 1, 500) {
        assert_eq!(VideoFormat::of_path(&path).unwrap(), None, "{}", path.display());
        assert!(decode(&path, &InputSpec::rgb(8, 8)).is_ok());
    }
    let still = folder.path().join("still.png");
    fs::write(&still, png_of(&picture(1))).unwrap();
    assert_eq!(VideoFormat::of_path(&still).unwrap(), None);
}

#[test]
fn an_animation_has_its_frames_at_their_times() {
    let folder = tempfile::tempdir().unwrap();
    for (path, format) in one_of_each(folder.path(), 6, 400) {
        let info = plain(Sampling::default()).info(&path).unwrap();
        assert_eq!((info.format, info.width, info.height, info.has_sound), (format, 24, 16, false));
        assert!((info.duration.unwrap() - 2.4).abs() < 1e-6 && info.frame_rate.is_some_and(|rate| rate < 2.6));
        let (frames, error) = read(&plain(Sampling::KeyFrames), &path, &InputSpec::rgb(24, 16));
        assert!(error.is_none(), "{error:?}");
        for (number, frame) in frames.iter().enumerate() {
            assert!((frame.time - 0.4 * number as f64).abs() < 1e-6, "{format}: {}", frame.time);
            let expected = image::DynamicImage::from(picture(number as u32)).to_rgb8().into_raw();
            let found = crate::clips::difference(&frame.pixels[0], &expected);
            assert!(found <= 0.5, "{format}, frame {number}: {found}");
        }
        assert_eq!(frames.len(), 6);
        assert!(are_near(&times(&plain(Sampling::Rate(1.0)), &path), &[0.0, 1.2, 2.0]), "{format}");
    }
}

#[test]
fn hundreds_of_frames_obey_the_sampling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fast.gif");
    // 10 ms are shown as 100 ms, as everywhere.
    gif(&path, 500, 10);
    let found = times(&plain(Sampling::Rate(1.0)), &path);
    assert_eq!(found.len(), 50);
    assert!(are_near(&found[..3], &[0.0, 1.0, 2.0]), "{found:?}");
    let few = alone(Sampling::KeyFrames, VideoLimits::default().with_max_frames(7));
    let found = times(&few, &path);
    assert!(found.len() == 7 && found[6] > 40.0, "{found:?}");
}

#[test]
fn what_is_cut_off_gives_the_frames_before_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (path, format) in one_of_each(folder.path(), 6, 400) {
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 7 / 10]).unwrap();
        let (frames, error) = read(&plain(Sampling::KeyFrames), &path, &InputSpec::rgb(24, 16));
        // A WebP is read as a whole before its first frame.
        assert!(frames.len() >= 3 && frames.len() < 6 || format == VideoFormat::AnimatedWebP, "{format}");
        let Some(MediaError::DecodeVideo { frames: before, .. }) = error else { panic!("{format}: {error:?}") };
        assert_eq!(before, frames.len() as u64);
    }
}

#[test]
fn limits_hold_for_animations() {
    let folder = tempfile::tempdir().unwrap();
    for (path, format) in one_of_each(folder.path(), 3, 100) {
        let fails = |limits: VideoLimits| {
            let (_, error) = read(&alone(Sampling::KeyFrames, limits), &path, &InputSpec::rgb(8, 8));
            match error {
                Some(MediaError::LimitExceeded { limit, .. }) => limit,
                other => panic!("{format}: {other:?}"),
            }
        };
        assert_eq!(fails(VideoLimits::default().with_max_pixels(24 * 16 - 1)), Limit::Pixels);
        assert_eq!(fails(VideoLimits::default().with_max_animation_bytes(99)), Limit::FileBytes);
        assert_eq!(fails(VideoLimits::default().with_deadline(Some(Duration::ZERO))), Limit::Milliseconds);
        // A canvas of four thousand million pixels.
        let mut bytes = fs::read(&path).unwrap();
        let at = match format {
            VideoFormat::AnimatedGif => 6..10,
            VideoFormat::AnimatedWebP => 24..30,
            _ => 16..24,
        };
        bytes[at].fill(0x7f);
        fs::write(&path, bytes).unwrap();
        assert_eq!(fails(VideoLimits::default()), Limit::Pixels);
    }
}

#[test]
fn an_animation_shows_what_the_same_video_shows() {
    let Some(clips) = Clips::new() else { return };
    let scene = "testsrc2=s=160x120:r=5:d=2,format=rgb24";
    let video = clips.clip("a.mkv", scene, &["-c:v", "ffv1", "-pix_fmt", "bgr0"]).unwrap();
    let spec = InputSpec::rgb(40, 40);
    let (expected, _) = read(&crate::clips::decoder(Sampling::Rate(1.0)), &video, &spec);
    for (name, arguments, most) in [
        ("a.apng", &["-f", "apng"][..], 1.0),
        ("a.webp", &["-c:v", "libwebp_anim", "-lossless", "1"], 1.0),
        ("a.gif", &[], 12.0),
    ] {
        let Some(path) = clips.clip(name, scene, arguments) else { continue };
        let (frames, error) = read(&plain(Sampling::Rate(1.0)), &path, &spec);
        assert!(error.is_none() && frames.len() == 2, "{name}: {error:?}");
        for (frame, expected) in frames.iter().zip(&expected) {
            let found = crate::clips::difference(&frame.pixels[0], &expected.pixels[0]);
            assert!(found <= most, "{name}: {found}");
        }
    }
}
