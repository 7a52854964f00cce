//! What is at a path may be anything.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use nodupe_core::InputSpec;
use nodupe_media::{Decoder, MediaError, decode};

use crate::pictures::{encoded, smooth};

const SPEC: InputSpec = InputSpec::luma(8, 8);

fn fails(path: &Path) -> MediaError {
    let started = Instant::now();
    let error = decode(path, &SPEC).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{error} took {:?}", started.elapsed());
    assert_eq!(error.path(), path);
    assert_eq!(Decoder::default().pixel_digest(path).unwrap_err().kind(), error.kind());
    assert_eq!(Decoder::default().info(path).unwrap_err().kind(), error.kind());
    error
}

#[test]
fn a_file_that_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(&folder.path().join("gone.jpg"));
    assert_eq!(error.kind(), "not-found");
    assert!(error.to_string().ends_with("gone.jpg does not exist"), "{error}");
}

#[test]
fn a_folder_that_is_called_like_an_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("folder.jpg");
    fs::create_dir(&path).unwrap();
    let MediaError::Io { source, .. } = fails(&path) else { panic!() };
    assert_eq!(source.kind(), ErrorKind::IsADirectory);
}

#[test]
fn an_empty_file_and_a_text_are_no_images() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, why) in [
        ("empty.png", "", "is empty"),
        ("text.jpg", "#!/bin/sh", "no known format"),
        ("video.mp4", "\0\0\0\x20ftypisom", "a video"),
        ("photo.heic", "\0\0\0\x20ftypheic", "HEIC"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let error = fails(&path);
        assert_eq!(error.kind(), "unsupported-format");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_sockets_and_devices_are_refused_and_do_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(fails(&pipe).kind(), "io");
    }
    let socket = folder.path().join("socket.png");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(fails(&socket).kind(), "io");
    assert_eq!(fails(Path::new("/dev/zero")).kind(), "io");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_those_in_circles_are_not() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (image, link, dangling, circle) =
        (folder.path().join("a.png"), folder.path().join("b"), folder.path().join("c"), folder.path().join("d"));
    fs::write(&image, encoded(smooth(9, 9), image::ImageFormat::Png)).unwrap();
    symlink(&image, &link).unwrap();
    symlink(folder.path().join("gone"), &dangling).unwrap();
    symlink(&circle, &circle).unwrap();
    assert_eq!(decode(&link, &SPEC).unwrap(), decode(&image, &SPEC).unwrap());
    assert_eq!(fails(&dangling).kind(), "not-found");
    assert_eq!(fails(&circle).kind(), "io");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_an_error_of_the_system() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.png");
    fs::write(&path, encoded(smooth(9, 9), image::ImageFormat::Png)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let MediaError::Io { source, .. } = fails(&path) else { panic!() };
    assert_eq!(source.kind(), ErrorKind::PermissionDenied);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_text_are_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n.png"));
    fs::write(&path, encoded(smooth(9, 9), image::ImageFormat::Png)).unwrap();
    assert!(decode(&path, &SPEC).is_ok());
    fs::remove_file(&path).unwrap();
    assert_eq!(fails(&path).kind(), "not-found");
}
