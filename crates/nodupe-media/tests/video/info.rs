//! What is known of a video without decoding it.

use std::fs;
use std::path::Path;

use nodupe_core::View;
use nodupe_media::{MediaError, Sampling, VideoFormat, VideoInfo};

use crate::clips::{Clips, H264, SCENE, decoder, times};

fn info(path: &Path) -> VideoInfo {
    decoder(Sampling::default()).info(path).unwrap()
}

fn fails(path: &Path) -> MediaError {
    decoder(Sampling::default()).info(path).unwrap_err()
}

#[test]
fn a_video_says_what_it_is() {
    let Some(clips) = Clips::new() else { return };
    let sound = ["-f", "lavfi", "-i", SCENE, "-f", "lavfi", "-i", "sine=d=4", "-c:a", "aac"];
    let path = clips.made("a.mp4", &[&sound[..], H264].concat()).unwrap();
    let found = info(&path);
    assert_eq!((found.format, found.codec.as_str()), (VideoFormat::Mp4, "h264"));
    assert_eq!((found.width, found.height, found.orientation), (160, 120, View::Identity));
    assert!((found.duration.unwrap() - 4.0).abs() < 0.1 && found.frame_rate == Some(25.0), "{found:?}");
    assert!(found.has_sound && !info(&clips.usual()).has_sound);
    assert_eq!(decoder(Sampling::default()).frames(&path, &[]).unwrap().info(), &found);
}

#[test]
fn sizes_are_as_shown() {
    let Some(clips) = Clips::new() else { return };
    let wide = clips.clip("wide.mp4", "testsrc2=s=72x58:d=1,setsar=64/45", H264).unwrap();
    assert_eq!((info(&wide).width, info(&wide).height), (102, 58));
    let flat = clips.usual().to_str().unwrap().to_owned();
    let turned = ["-i", &flat, "-c", "copy", "-metadata:s:v", "rotate=90"];
    let path = clips.made("turned.mp4", &turned).unwrap();
    let found = info(&path);
    if found.orientation == View::Identity {
        // Newer versions of ffmpeg have another option for it.
        nodupe_conformance::provided::<(), _>(Err("this ffmpeg writes no rotation so"), "take version 5 or 6");
        return;
    }
    assert_eq!((found.width, found.height), (120, 160));
}

#[test]
fn every_container_is_known_by_its_content_and_read() {
    let Some(clips) = Clips::new() else { return };
    let mpeg2: &[&str] = &["-c:v", "mpeg2video", "-b:v", "2M", "-g", "25"];
    let vp8: &[&str] = &["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "500k"];
    let vp9: &[&str] = &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"];
    let hevc: &[&str] = &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"];
    for (name, arguments, format) in [
        ("a.mp4", hevc, VideoFormat::Mp4),
        ("a.mov", H264, VideoFormat::QuickTime),
        ("a.3gp", H264, VideoFormat::Mp4),
        ("a.mkv", H264, VideoFormat::Matroska),
        ("a.webm", vp9, VideoFormat::WebM),
        ("a.ivf", vp8, VideoFormat::Ivf),
        ("a.avi", &["-c:v", "mpeg4"], VideoFormat::Avi),
        ("a.flv", &["-c:v", "flv"], VideoFormat::Flv),
        ("a.wmv", &["-c:v", "wmv2"], VideoFormat::Asf),
        ("a.ogv", &["-c:v", "libtheora"], VideoFormat::Ogg),
        ("a.mpg", mpeg2, VideoFormat::MpegPs),
        ("a.vob", mpeg2, VideoFormat::MpegPs),
        ("a.ts", H264, VideoFormat::MpegTs),
        ("a.m2ts", H264, VideoFormat::MpegTs),
        ("a.m2v", mpeg2, VideoFormat::MpegVideo),
        ("a.m4v", &["-c:v", "mpeg4", "-f", "m4v"], VideoFormat::MpegVideo),
        ("a.h264", H264, VideoFormat::H264),
        ("a.hevc", hevc, VideoFormat::Hevc),
        ("a.rm", &["-c:v", "rv20"], VideoFormat::Real),
        ("a.y4m", &["-pix_fmt", "yuv420p"], VideoFormat::Y4m),
        ("a.mxf", mpeg2, VideoFormat::Mxf),
        ("a.nut", &["-c:v", "mpeg4"], VideoFormat::Nut),
        ("a.dv", &["-c:v", "dvvideo", "-pix_fmt", "yuv420p", "-s", "720x576"], VideoFormat::Dv),
    ] {
        let Some(path) = clips.clip(name, "testsrc2=s=176x144:r=25:d=1", arguments) else { continue };
        assert_eq!(VideoFormat::of_path(&path).unwrap(), Some(format), "{name}");
        let found = times(&decoder(Sampling::Rate(2.0)), &path);
        assert!((2..4).contains(&found.len()), "{name}: {found:?}");
        // Another name changes nothing, but where the name is all there is.
        if format != VideoFormat::Dv {
            let renamed = clips.path("renamed.jpg");
            fs::rename(&path, &renamed).unwrap();
            assert_eq!(VideoFormat::of_path(&renamed).unwrap(), Some(format), "{name}");
        }
    }
}

#[test]
fn sound_alone_is_an_outcome_of_its_own() {
    let Some(clips) = Clips::new() else { return };
    let cover = clips.clip("cover.png", "testsrc2=s=64x64:d=1", &["-frames:v", "1"]).unwrap();
    for (name, arguments) in [
        ("a.mp3", &["-c:a", "libmp3lame"][..]),
        ("a.m4a", &["-c:a", "aac"]),
        ("a.ogg", &["-c:a", "libvorbis"]),
        ("a.opus", &["-c:a", "libopus"]),
        ("a.flac", &[]),
        ("a.wav", &[]),
        ("a.mka", &["-c:a", "aac"]),
        ("a.wma", &["-c:a", "wmav2"]),
        (
            "cover.m4a",
            &[
                &["-i", cover.to_str().unwrap(), "-map", "0", "-map", "1", "-c:a", "aac"][..],
                &["-c:v", "png", "-disposition:v", "attached_pic"],
            ]
            .concat(),
        ),
    ] {
        let Some(path) = clips.clip(name, "sine=d=1", arguments) else { continue };
        let error = fails(&path);
        assert_eq!((error.kind(), error.path()), ("audio-only", path.as_path()), "{error:?}");
    }
}

#[test]
fn what_is_no_video_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("empty.mp4", ""), ("text.mkv", "#!/bin/sh\n"), ("still.gif", "GIF89a")] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        assert_eq!(VideoFormat::of_path(&path).unwrap(), None);
        let error = decoder(Sampling::default()).info(&path).unwrap_err();
        assert_eq!(error.kind(), "unsupported-format", "{name}: {error:?}");
    }
    assert_eq!(fails(&folder.path().join("gone.mp4")).kind(), "not-found");
    assert_eq!(fails(folder.path()).kind(), "io");
    assert_eq!(VideoFormat::of_path(folder.path()).unwrap_err().kind(), "io");
}
