//! The programs that decode videos are there, or it is said what to do.

use std::error::Error as _;
use std::fs;

use nodupe_core::InputSpec;
use nodupe_media::{VideoDecoder, VideoOptions, VideoTools, VideoToolsError};

use crate::clips::Clips;

#[test]
fn a_program_that_is_not_there_is_named_with_what_to_do() {
    let error = VideoTools::new("/nowhere/ffmpeg", "ffprobe").unwrap_err();
    assert!(matches!(error, VideoToolsError::NotFound { variable: "NODUPE_FFMPEG", .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("/nowhere/ffmpeg") && said.contains("install ffmpeg"), "{said}");
}

#[test]
fn a_program_that_is_something_else_is_refused() {
    let Some(clips) = Clips::new() else { return };
    let error = VideoTools::new("ffmpeg", "true").unwrap_err();
    assert!(matches!(error, VideoToolsError::Unusable { variable: "NODUPE_FFPROBE", .. }), "{error:?}");
    let text = clips.path("text");
    fs::write(&text, "no program").unwrap();
    assert!(matches!(VideoTools::new(&text, "ffprobe").unwrap_err(), VideoToolsError::Unusable { .. }));
}

#[test]
fn a_version_is_told() {
    let Some(_clips) = Clips::new() else { return };
    assert!(!VideoTools::get().unwrap().version().is_empty());
}

#[test]
fn without_programs_a_video_says_why_it_is_not_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    fs::write(&path, b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41").unwrap();
    let missing = VideoTools::new("/nowhere/ffmpeg", "/nowhere/ffprobe").unwrap_err();
    let decoder = VideoDecoder::with_tools(Err(missing), VideoOptions::default());
    let error = decoder.frames(&path, &[InputSpec::luma(8, 8)]).unwrap_err();
    assert_eq!(error.kind(), "no-video-tools");
    assert!(error.reason().contains("install ffmpeg"), "{}", error.reason());
    assert!(error.source().is_some());
}
