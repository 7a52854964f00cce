//! A frame has the pixels that a still image of it has.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use nodupe_core::{Filter, Fit, InputSpec};
use nodupe_media::{DecodeOptions, Decoder, Sampling, VideoDecoder, VideoOptions, decode};

use crate::clips::{Clips, H264, LOSSLESS, decoder, difference};

fn first(path: &Path, specs: &[InputSpec]) -> Vec<Vec<u8>> {
    let mut frames = decoder(Sampling::Rate(1.0)).frames(path, specs).unwrap();
    let frame = frames.next().unwrap().unwrap();
    assert!(frame.time.abs() < 0.001);
    for (pixels, spec) in frame.pixels.iter().zip(specs) {
        assert_eq!(pixels.len(), spec.bytes());
    }
    frame.pixels
}

fn specs() -> Vec<InputSpec> {
    let edge = |edge| Fit::ShortestEdge { edge: NonZeroU32::new(edge).unwrap() };
    vec![
        InputSpec::luma(64, 64).with_filter(Filter::Jarosz),
        InputSpec::rgb(160, 160),
        InputSpec::rgb(96, 96).with_filter(Filter::Box).with_fit(edge(110)),
        InputSpec::luma(40, 30).with_filter(Filter::Lanczos3),
        InputSpec::rgb(100, 80).with_filter(Filter::CatmullRom).with_fit(Fit::Letterbox { background: 90 }),
        InputSpec::rgb(48, 48).with_filter(Filter::Nearest),
    ]
}

/// The still image of a scene.
fn still(clips: &Clips, scene: &str) -> PathBuf {
    clips.clip("still.png", scene, &["-frames:v", "1", "-pix_fmt", "rgb24"]).unwrap()
}

/// Compares a video of a scene with the still image of it, of all specs at once. The answer is the video.
fn compare(clips: &Clips, still: &Path, name: &str, scene: &str, arguments: &[&str], most: f64) -> Option<PathBuf> {
    let video = clips.clip(name, scene, arguments)?;
    near(&video, still, &specs(), most);
    Some(video)
}

fn near(video: &Path, still: &Path, specs: &[InputSpec], most: f64) {
    for (spec, pixels) in specs.iter().zip(first(video, specs)) {
        let found = difference(&pixels, &decode(still, spec).unwrap().pixels);
        assert!(found <= most, "{}, {spec} {:?} {:?}: {found}", video.display(), spec.fit(), spec.filter());
    }
}

#[test]
fn a_frame_without_loss_is_nearly_the_still_image() {
    let Some(clips) = Clips::new() else { return };
    for scene in ["mandelbrot=s=640x360:r=2,trim=duration=0.5", "testsrc2=s=50x38:r=2:d=0.5"] {
        compare(&clips, &still(&clips, scene), "a.mp4", scene, LOSSLESS, 2.0).unwrap();
    }
    let scene = "testsrc2=s=1280x720:r=2:d=0.5";
    let still = still(&clips, scene);
    let video = compare(&clips, &still, "large.mp4", scene, LOSSLESS, 2.0).unwrap();
    for spec in specs() {
        near(&video, &still, &[spec], 2.0);
    }
}

/// A smooth scene that does not move, of a second.
fn gradient(size: &str, rate: u32) -> String {
    // Colours that are not named are drawn by lot.
    let colours = "nb_colors=3:c0=0xE02030:c1=0x20C0E0:c2=0x208020";
    format!("gradients=s={size}:r={rate}:d=1:x0=0:y0=0:x1=160:y1=90:speed=0.00001:{colours}")
}

#[test]
fn kinds_of_pixels_are_shown_as_they_are_meant() {
    let Some(clips) = Clips::new() else { return };
    // Smooth, since half the chroma is not in most of these.
    let scene = &gradient("322x182", 2);
    let image = still(&clips, scene);
    let ffv1: [&str; 3] = ["-c:v", "ffv1", "-pix_fmt"];
    for pixels in ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuv420p10le", "yuv444p12le", "gbrp", "rgb24", "bgr0"] {
        compare(&clips, &image, &format!("{pixels}.mkv"), scene, &[&ffv1[..], &[pixels]].concat(), 2.0);
    }
    // A matrix that is not the usual one.
    let hd = ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv444p", "-colorspace", "bt709"];
    compare(&clips, &image, "hd.mkv", scene, &[&hd[..], &["-c:v", "libx264", "-qp", "0"]].concat(), 2.0);
    let grey = format!("{scene},format=gray");
    let image = still(&clips, &grey);
    compare(&clips, &image, "gray.mkv", &grey, &[&ffv1[..], &["gray"]].concat(), 2.0);
    compare(&clips, &image, "gray16.mkv", &grey, &[&ffv1[..], &["gray16le"]].concat(), 2.0);
    let odd = &gradient("161x99", 2);
    compare(&clips, &still(&clips, odd), "odd.mkv", odd, &[&ffv1[..], &["yuv420p"]].concat(), 2.0);
    let woven = ["-vf", "interlace", "-flags", "+ilme+ildct", "-c:v", "mpeg2video", "-q:v", "2"];
    let fast = &gradient("320x176", 50);
    compare(&clips, &still(&clips, fast), "woven.mpg", fast, &woven, 3.0);
}

#[test]
fn sides_of_one_pixel_are_resized() {
    let Some(clips) = Clips::new() else { return };
    for size in ["1x1", "1x90", "300x1", "2x2"] {
        let scene = format!("color=0x10C85A:s=600x600:r=2:d=1,format=bgr0,crop={}", size.replace('x', ":"));
        let arguments = ["-c:v", "ffv1", "-pix_fmt", "bgr0"];
        let Some(path) = clips.clip(&format!("{size}.mkv"), &scene, &arguments) else { continue };
        let pixels = first(&path, &[InputSpec::rgb(8, 6)]);
        assert!(difference(&pixels[0], &[0x10, 0xc8, 0x5a].repeat(48)) <= 2.0, "{size}: {:?}", &pixels[0][..3]);
    }
}

#[test]
fn turned_videos_are_upright() {
    let Some(clips) = Clips::new() else { return };
    let scene = "testsrc2=s=160x120:r=2:d=1";
    let flat = clips.clip("flat.mp4", scene, LOSSLESS).unwrap();
    for degrees in ["90", "180", "270"] {
        let rotate = format!("rotate={degrees}");
        let arguments = ["-i", flat.to_str().unwrap(), "-c", "copy", "-metadata:s:v", &rotate];
        let path = clips.made("turned.mp4", &arguments).unwrap();
        // ffmpeg itself shows it upright.
        let still = clips.made("still.png", &["-i", path.to_str().unwrap(), "-frames:v", "1"]).unwrap();
        for spec in [InputSpec::rgb(60, 60), InputSpec::luma(30, 30).with_fit(Fit::Letterbox { background: 0 })] {
            let expected = decode(&still, &spec).unwrap().pixels;
            let found = difference(&first(&path, &[spec])[0], &expected);
            assert!(found <= 2.0, "{degrees}: {found}");
        }
    }
}

#[test]
fn pixels_that_are_not_square_become_so() {
    let Some(clips) = Clips::new() else { return };
    let scene = "mandelbrot=s=320x240:r=2,trim=duration=1";
    let still = clips.clip("still.png", scene, &["-frames:v", "1"]).unwrap();
    let squeezed = format!("{scene},scale=240x240:flags=lanczos,setsar=4/3");
    let path = clips.clip("squeezed.mp4", &squeezed, LOSSLESS).unwrap();
    let spec = InputSpec::rgb(80, 80).with_fit(Fit::Letterbox { background: 0 });
    let found = difference(&first(&path, &[spec])[0], &decode(&still, &spec).unwrap().pixels);
    assert!(found <= 3.0, "{found}");
}

#[test]
fn transparent_pixels_show_the_background() {
    let Some(clips) = Clips::new() else { return };
    let scene = "testsrc2=s=64x48:r=2:d=1,format=rgba,colorchannelmixer=aa=0.4";
    let still = clips.clip("still.png", scene, &["-frames:v", "1", "-pix_fmt", "rgba"]).unwrap();
    for (name, arguments) in
        [("a.mkv", ["-c:v", "ffv1", "-pix_fmt", "bgra"]), ("a.mov", ["-c:v", "qtrle", "-pix_fmt", "argb"])]
    {
        let path = clips.clip(name, scene, &arguments).unwrap();
        for background in [[255; 3], [10, 200, 30]] {
            let spec = InputSpec::rgb(64, 48);
            let mut expected = Vec::new();
            let options = DecodeOptions::default().with_background(background);
            Decoder::new(options).decode_path(&still, &spec, &mut expected).unwrap();
            let videos = VideoDecoder::new(VideoOptions::default().with_background(background));
            let frame = videos.frames(&path, &[spec]).unwrap().next().unwrap().unwrap();
            let found = difference(&frame.pixels[0], &expected);
            assert!(found <= 1.0, "{name}: {found}");
        }
    }
}

#[test]
fn frames_go_right_behind_what_is_in_a_batch() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.clip("a.mp4", "testsrc2=s=160x120:r=25:d=3", H264).unwrap();
    let specs = [InputSpec::luma(64, 64), InputSpec::rgb(20, 10)];
    let mut frames = decoder(Sampling::Rate(1.0)).frames(&path, &specs).unwrap();
    let mut batches = [vec![1, 2, 3], Vec::new()];
    let mut times = Vec::new();
    while let Some(time) = frames.next_into(&mut batches).unwrap() {
        times.push(time);
        assert_eq!(batches[0].len(), 3 + times.len() * specs[0].bytes());
        assert_eq!(batches[1].len(), times.len() * specs[1].bytes());
    }
    assert_eq!((times.len(), &batches[0][..3]), (3, &[1, 2, 3][..]));
    assert_eq!(frames.next_into(&mut batches).unwrap(), None, "and nothing comes after the end");
    let again: Vec<_> = decoder(Sampling::Rate(1.0)).frames(&path, &specs).unwrap().map(Result::unwrap).collect();
    assert_eq!(again.iter().flat_map(|frame| frame.pixels[1].clone()).collect::<Vec<_>>(), batches[1]);
}
