//! What is started is ended, in time and without a trace.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nodupe_core::InputSpec;
use nodupe_media::{Limit, MediaError, Sampling, VideoDecoder, VideoLimits, VideoOptions, VideoTools};

use crate::clips::{Clips, H264, decoder};

const SPEC: InputSpec = InputSpec::luma(8, 8);

/// Processes, and what has ended and was not waited for, whose command line has `word`.
fn processes(word: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    commands.map(|command| String::from_utf8_lossy(&command).into_owned()).filter(|line| line.contains(word)).collect()
}

/// Children of this process that have ended and were not waited for.
fn zombies() -> usize {
    let parent = std::process::id().to_string();
    let is_ours = |stat: &String| {
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let mut words = after.split_whitespace();
        words.next() == Some("Z") && words.next() == Some(&parent)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok()).filter(is_ours).count()
}

/// Waits until nothing is left of what reads `path`. Other tests have children of their own, which come and go.
fn is_gone(path: &Path) {
    let started = Instant::now();
    while !processes(path.to_str().unwrap()).is_empty() || zombies() > 0 {
        let left = processes(path.to_str().unwrap());
        assert!(started.elapsed() < Duration::from_secs(5), "{left:?}, {} zombies", zombies());
        thread::sleep(Duration::from_millis(5));
    }
}

/// A video that takes long.
fn long(clips: &Clips) -> PathBuf {
    clips.clip("long.mp4", "testsrc2=s=640x480:r=25:d=12", H264).unwrap()
}

#[test]
fn dropping_in_the_middle_ends_ffmpeg_at_once() {
    let Some(clips) = Clips::new() else { return };
    let path = long(&clips);
    let mut frames = decoder(Sampling::Rate(1000.0)).frames(&path, &[SPEC]).unwrap();
    assert!(frames.next().unwrap().is_ok());
    assert_eq!(processes(path.to_str().unwrap()).len(), 1);
    let started = Instant::now();
    drop(frames);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    is_gone(&path);
}

#[test]
fn nothing_is_left_after_the_end_and_after_an_error() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let mut frames = decoder(Sampling::KeyFrames).frames(&path, &[SPEC]).unwrap();
    assert_eq!(frames.by_ref().count(), 4);
    is_gone(&path);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(decoder(Sampling::KeyFrames).frames(&path, &[SPEC]).is_err());
    is_gone(&path);
    drop(frames);
}

#[test]
fn no_file_is_written() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let frames = decoder(Sampling::Rate(5.0)).frames(&path, &[SPEC]).unwrap();
    assert_eq!(frames.count(), 20);
    let names: Vec<_> = fs::read_dir(clips.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["usual.mp4"]);
}

#[test]
fn a_deadline_ends_it_with_the_frames_before() {
    let Some(clips) = Clips::new() else { return };
    let path = long(&clips);
    let limits = VideoLimits::default().with_deadline(Some(Duration::from_millis(700)));
    let options = VideoOptions::default().with_sampling(Sampling::Scenes { threshold: 1.0 }).with_limits(limits);
    let stalling = stalling(&clips, "slow", "exec sleep 100");
    let started = Instant::now();
    let mut frames = VideoDecoder::with_tools(Ok(stalling), options).frames(&path, &[SPEC]).unwrap();
    let error = frames.next().unwrap().unwrap_err();
    assert!(matches!(error, MediaError::LimitExceeded { limit: Limit::Milliseconds, allowed: 700, .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    is_gone(&path);
}

#[test]
fn who_says_nothing_is_ended() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let limits = VideoLimits::default().with_silence(Some(Duration::from_millis(600)));
    for (name, script) in
        [("silent", "exec sleep 100"), ("parent", "sleep 100; true"), ("closed", "exec >&-; sleep 100")]
    {
        let tools = stalling(&clips, name, script);
        let decoder = VideoDecoder::with_tools(Ok(tools), VideoOptions::default().with_limits(limits.clone()));
        let started = Instant::now();
        let error = decoder.frames(&path, &[SPEC]).unwrap().next().unwrap().unwrap_err();
        assert!(matches!(error.kind(), "limit-exceeded" | "decode-video"), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(8), "{name} took {:?}", started.elapsed());
        is_gone(&path);
    }
    assert_eq!(processes("sleep\u{0}100"), Vec::<String>::new(), "nor what a script has started");
}

#[test]
fn who_talks_without_end_is_ended_at_the_deadline() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let limits = VideoLimits::default().with_deadline(Some(Duration::from_millis(900)));
    let tools = stalling(&clips, "talker", "yes '[x @ 0x1] [error] no luck' >&2");
    let decoder = VideoDecoder::with_tools(Ok(tools), VideoOptions::default().with_limits(limits));
    let error = decoder.frames(&path, &[SPEC]).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, MediaError::LimitExceeded { limit: Limit::Milliseconds, .. }), "{error:?}");
    is_gone(&path);
}

#[test]
fn time_that_the_caller_takes_does_not_count() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let limits = VideoLimits::default()
        .with_deadline(Some(Duration::from_secs(10)))
        .with_silence(Some(Duration::from_millis(1500)));
    let options = VideoOptions::default().with_sampling(Sampling::Rate(1000.0)).with_limits(limits);
    let mut frames = VideoDecoder::new(options).frames(&path, &[SPEC]).unwrap();
    for _ in 0..20 {
        frames.next().unwrap().unwrap();
    }
    thread::sleep(Duration::from_secs(2));
    assert_eq!(frames.map(Result::unwrap).count(), 80);
}

#[test]
fn a_flag_of_the_caller_ends_it() {
    let Some(clips) = Clips::new() else { return };
    let path = clips.usual();
    let cancelled = Arc::new(AtomicBool::new(false));
    let tools = stalling(&clips, "slow", "exec sleep 100");
    let options = VideoOptions::default().with_cancelled(Arc::clone(&cancelled));
    let mut frames = VideoDecoder::with_tools(Ok(tools), options).frames(&path, &[SPEC]).unwrap();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        cancelled.store(true, Ordering::Relaxed);
    });
    let started = Instant::now();
    assert_eq!(frames.next().unwrap().unwrap_err().kind(), "cancelled");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    other.join().unwrap();
    is_gone(&path);
}

/// Tools whose ffmpeg is a script that says its version, and runs `script` for every file.
fn stalling(clips: &Clips, name: &str, script: &str) -> VideoTools {
    let program = clips.path(name);
    let text = format!("#!/bin/sh\ncase \"$*\" in *-version*) echo ffmpeg version 5.1; exit;; esac\n{script}\n");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let ffprobe = std::env::var_os("NODUPE_FFPROBE").unwrap_or_else(|| "ffprobe".into());
    // A program that was just written is busy where another test has forked at that moment.
    let started = Instant::now();
    loop {
        match VideoTools::new(&program, &ffprobe) {
            Ok(tools) => return tools,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(5), "{error}"),
        }
    }
}
