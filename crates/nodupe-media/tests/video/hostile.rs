//! Files that are not what they seem, or not all of it: every one has a typed outcome, and soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nodupe_core::InputSpec;
use nodupe_media::{Limit, MediaError, Sampling, VideoLimits};
use proptest::prelude::*;

use crate::clips::{Clips, H264, SCENE, decoder, limited, read};

const SPEC: InputSpec = InputSpec::luma(8, 8);

/// The error of a file without a frame.
fn fails(path: &Path) -> MediaError {
    let started = Instant::now();
    let (frames, error) = read(&decoder(Sampling::Rate(1.0)), path, &SPEC);
    assert!(started.elapsed() < Duration::from_secs(20), "{} took {:?}", path.display(), started.elapsed());
    let error = error.unwrap();
    assert!(frames.is_empty() && error.path() == path, "{error:?}");
    assert!(!error.reason().contains('\n'), "{}", error.reason());
    error
}

#[test]
fn a_video_that_breaks_off_gives_the_frames_before_and_says_so() {
    let Some(clips) = Clips::new() else { return };
    let start = ["-movflags", "+faststart"];
    for (name, arguments) in [
        ("a.mp4", [H264, &start].concat()),
        ("a.mkv", H264.to_vec()),
        ("a.avi", vec!["-c:v", "mpeg4", "-g", "10"]),
        ("a.webm", vec!["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "500k"]),
        ("a.flv", vec!["-c:v", "flv"]),
    ] {
        let Some(path) = clips.clip(name, SCENE, &arguments) else { continue };
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 6 / 10 + 7]).unwrap();
        let (frames, error) = read(&decoder(Sampling::Rate(5.0)), &path, &SPEC);
        assert!((8..16).contains(&frames.len()), "{name}: {} frames, {error:?}", frames.len());
        let Some(MediaError::DecodeVideo { frames: before, said, .. }) = &error else { panic!("{name}: {error:?}") };
        assert_eq!(*before, frames.len() as u64, "{name}");
        assert!(!said.is_empty() && !said.contains("file:"), "{name}: {said}");
    }
}

#[test]
fn a_stream_that_breaks_off_gives_the_frames_before() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.clip("a.ts", SCENE, H264).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let (frames, error) = read(&decoder(Sampling::Rate(5.0)), &path, &SPEC);
    assert!(error.is_none() && (8..13).contains(&frames.len()), "{error:?}");
}

#[test]
fn a_video_without_its_index_is_damaged() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = fails(&path);
    assert_eq!(error.kind(), "decode-video");
    assert!(error.reason().contains("moov atom not found"), "{}", error.reason());
}

#[test]
fn noise_behind_good_first_bytes_is_damaged() {
    let Some(clips) = Clips::new() else { return };
    let mut seed = 1u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    for (name, magic) in [
        ("a.mp4", &b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41"[..]),
        ("a.mkv", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm"),
        ("a.avi", b"RIFF\0\0\0\0AVI LIST"),
        ("a.flv", b"FLV\x01\x05\0\0\0\x09"),
        ("a.wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c"),
        ("a.ogv", b"OggS\0\x02"),
        ("a.mpg", b"\0\0\x01\xba\x44"),
        ("a.m2v", b"\0\0\x01\xb3\x14"),
        ("a.h264", b"\0\0\0\x01\x67\x42"),
        ("a.rm", b".RMF\0\0\0\x12"),
        ("a.mxf", b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\0"),
        ("a.y4m", b"YUV4MPEG2 W160 H120 F25:1\nFRAME\n"),
        ("a.ivf", b"DKIF\0\0\x20\0VP80"),
    ] {
        let path = clips.path(name);
        fs::write(&path, [magic, &(0..20_000).map(|_| noise()).collect::<Vec<_>>()].concat()).unwrap();
        let started = Instant::now();
        let (_, error) = read(&decoder(Sampling::Rate(1.0)), &path, &SPEC);
        assert!(started.elapsed() < Duration::from_secs(20), "{name} took {:?}", started.elapsed());
        // Uncompressed video is whatever it is.
        if name != "a.y4m" {
            let kind = error.as_ref().unwrap().kind();
            assert!(matches!(kind, "decode-video" | "limit-exceeded" | "audio-only"), "{name}: {error:?}");
        }
    }
}

#[test]
fn playlists_open_no_other_file_whatever_they_are_called() {
    let Some(clips) = Clips::new() else { return };
    let usual = clips.usual();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap();
    let hls = |target: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n");
    let http = format!("http://{address}/a.ts");
    let sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n";
    for (name, text) in [
        ("hls.mp4", hls(usual.to_str().unwrap())),
        ("http.mp4", hls(&http)),
        ("concat.mp4", format!("ffconcat version 1.0\nfile '{}'\n", usual.display())),
        ("dash.mp4", format!("<?xml version=\"1.0\"?><MPD><BaseURL>{http}</BaseURL></MPD>")),
        ("sdp.mp4", sdp.to_owned()),
    ] {
        let path = clips.path(name);
        fs::write(&path, &text).unwrap();
        assert_eq!(fails(&path).kind(), "unsupported-format", "{name}: it has not even the first bytes of a video");
        // Behind bytes and names for which ffprobe is asked.
        for name in ["a.dv", "a.mpg", "a.m2v", "a.h264"] {
            let path = clips.path(name);
            fs::write(&path, format!("{text}\0")).unwrap();
            let error = fails(&path);
            assert!(matches!(error.kind(), "decode-video" | "unsupported-format"), "{error:?}");
        }
    }
    assert!(server.accept().is_err(), "nobody has come");
}

#[test]
fn a_file_that_links_to_another_shows_nothing_of_it() {
    let Some(clips) = Clips::new() else { return };
    let usual = clips.usual();
    let bytes = fs::read(&usual).unwrap();
    // The data is said to be in another file, not in this one: the flag of the entry `url ` is cleared, and its media data gone.
    let at = bytes.windows(8).position(|window| window == b"url \0\0\0\x01").unwrap();
    let mut linked = bytes.clone();
    linked[at + 7] = 0;
    let data = bytes.windows(4).position(|window| window == b"mdat").unwrap();
    let end = bytes.windows(4).rposition(|window| window == b"moov").unwrap() - 4;
    linked[data + 4..end].fill(0);
    let path = clips.path("linked.mp4");
    fs::write(&path, linked).unwrap();
    assert_eq!(fails(&path).kind(), "decode-video");
}

#[test]
fn names_are_only_names() {
    let Some(clips) = Clips::new() else { return };
    let usual = clips.usual();
    let mut names: Vec<std::ffi::OsString> =
        ["-x.mp4", "http:", "concat:a|b.mp4", "a b\tc.mp4", "new\nline.mp4", "%03d.mp4", "a'b\"c;$(d).mp4", "pipe:0"]
            .iter()
            .map(Into::into)
            .collect();
    #[cfg(target_os = "linux")]
    names.push(std::os::unix::ffi::OsStringExt::from_vec(b"\xff\xfe.mp4".to_vec()));
    for name in names {
        let path = clips.folder.path().join(&name);
        fs::copy(&usual, &path).unwrap();
        let (frames, error) = read(&decoder(Sampling::KeyFrames), &path, &SPEC);
        assert!(error.is_none() && frames.len() == 4, "{name:?}: {error:?}");
    }
}

#[test]
fn limits_are_checked_before_a_frame_is_decoded() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let limits = VideoLimits::default().with_max_pixels(160 * 120 - 1);
    let (_, error) = read(&limited(Sampling::Rate(1.0), limits), &path, &SPEC);
    let Some(MediaError::LimitExceeded { limit: Limit::Pixels, value: 19_200, allowed: 19_199, .. }) = error else {
        panic!("{error:?}")
    };
    let limits = VideoLimits::default().with_max_pixels(160 * 120);
    assert!(read(&limited(Sampling::Rate(1.0), limits), &path, &SPEC).1.is_none());
}

#[test]
fn frames_that_are_larger_than_the_header_says_are_within_the_limit() {
    let Some(clips) = Clips::new() else { return };
    let small = fs::read(clips.clip("small.ts", SCENE, H264).unwrap()).unwrap();
    let large = fs::read(clips.clip("large.ts", "testsrc2=s=1600x1200:r=5:d=1", H264).unwrap()).unwrap();
    let path = clips.path("both.ts");
    fs::write(&path, [small, large].concat()).unwrap();
    let limits = VideoLimits::default().with_max_pixels(200 * 200);
    let (frames, _) = read(&limited(Sampling::Rate(1000.0), limits), &path, &SPEC);
    assert!((90..=101).contains(&frames.len()), "{}", frames.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn flipped_bits_have_an_outcome(kind in 0..3usize, flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..20)) {
        let Some(clips) = Clips::new() else { return Ok(()) };
        let name = ["a.mp4", "a.mkv", "a.ts"][kind];
        let path = clips.clip(name, "testsrc2=s=64x48:r=10:d=1", H264).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        fs::write(&path, bytes).unwrap();
        let started = Instant::now();
        let _ = read(&decoder(Sampling::Rate(5.0)), &path, &SPEC);
        prop_assert!(started.elapsed() < Duration::from_secs(20));
    }
}
