//! A program that stands in for pip.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nodupe_models::FetchError;

use crate::installing::child;
use crate::toy::{Cache, Log, assert_whole, body, names, patience, write};
use crate::wheels::{MEMBER, good, toy, wheel};

/// Writes a program; `$folder` is where pip is told to download to, `$here` where the program is.
pub(crate) fn pip(cache: &Cache, body: &str) -> PathBuf {
    let script = format!(
        r#"#!/bin/sh
        here=$(dirname "$0")
        [ "$1" = --version ] && exit 0
        echo "$@" > "$here/arguments"
        while [ "$1" != --dest ]; do shift; done
        folder=$2
        {body}
    "#
    );
    let path = write(cache.path().join("fake-pip"), script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    write(cache.path().join("good.whl"), good());
    path
}

#[test]
fn a_wheel_is_fetched_by_pip() {
    let cache = Cache::new();
    let pip = pip(&cache, r#"cp "$here/good.whl" "$folder/toy_package-1.0-py3-none-any.whl""#);
    assert_whole(cache.fetcher().with_pip(pip).fetch(&toy()));
    let arguments = fs::read_to_string(cache.path().join("arguments")).unwrap();
    for argument in ["download", "--no-deps", "--only-binary=:all:", "--no-input", "toy-package==1.0"] {
        assert!(arguments.split_whitespace().any(|it| it == argument), "{argument}: {arguments}");
    }
    assert_eq!(names(&cache.path().join("models")), [".lock-toy", "toy"]);
}

#[test]
fn the_environment_says_which_pip() {
    let cache = Cache::new();
    let pip = pip(&cache, r#"cp "$here/good.whl" "$folder/toy_package-1.0-py3-none-any.whl""#);
    let manifest = write(cache.path().join("toy.toml"), toy().to_toml().unwrap());
    let fetched = child(cache.path(), &manifest).env("NODUPE_PIP", &pip).output().unwrap();
    assert!(fetched.status.success(), "{fetched:?}");
    let missing = child(&cache.path().join("other"), &manifest).env("NODUPE_PIP", "no-such-pip").output().unwrap();
    assert!(String::from_utf8_lossy(&missing.stdout).contains("PipMissing"), "{missing:?}");
}

#[test]
fn without_pip_it_says_what_was_tried_and_what_to_do() {
    let error = Cache::new().fetcher().with_pip("no-such-pip").fetch(&toy()).unwrap_err();
    assert!(matches!(&error, FetchError::PipMissing { tried } if tried == &["no-such-pip"]));
    assert!(error.help().unwrap().contains("NODUPE_PIP"));
}

#[test]
fn what_pip_said_last_is_told() {
    let cache = Cache::new();
    let pip = pip(&cache, "seq 1 5000; echo 'ERROR: No matching distribution found' >&2; exit 1");
    let fetched = cache.fetcher().with_pip(pip).fetch(&toy());
    let Err(FetchError::PipFailed { requirement, said }) = fetched else { panic!("{fetched:?}") };
    assert_eq!(requirement, "toy-package==1.0");
    assert!(said.ends_with("5000\nERROR: No matching distribution found"), "{said}");
    assert!(said.lines().count() < 10);
}

#[test]
fn a_pip_that_leaves_no_wheel_or_two_is_an_error() {
    for body in ["true", r#"cp "$here/good.whl" "$folder/a.whl"; cp "$here/good.whl" "$folder/b.whl""#] {
        let cache = Cache::new();
        let fetched = cache.fetcher().with_pip(pip(&cache, body)).fetch(&toy());
        assert!(matches!(fetched, Err(FetchError::PipFailed { .. })), "{fetched:?}");
    }
}

#[test]
fn a_pip_that_hangs_is_ended_and_so_is_one_that_nobody_waits_for() {
    let cache = Cache::new();
    let pip = pip(&cache, "exec sleep 60");
    let (mut patience, began) = (patience(), Instant::now());
    patience.pip = Duration::from_millis(300);
    let fetched = cache.fetcher().with_pip(&pip).with_patience(patience).fetch(&toy());
    assert!(matches!(fetched, Err(FetchError::Timeout { .. })), "{fetched:?}");
    let stop = Log { stop_after: Some(0), ..Log::default() };
    let fetched = cache.fetcher().with_pip(&pip).with_progress(&stop).fetch(&toy());
    assert!(matches!(fetched, Err(FetchError::Cancelled)), "{fetched:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(cache.names(), [".lock-toy"]);
}

#[test]
fn nothing_in_a_manifest_is_an_option_of_pip() {
    let cache = Cache::new();
    let pip = pip(&cache, "exit 1");
    for (package, version) in
        [("--index-url=http://evil", "1.0"), ("toy", "1.0 --pre"), ("toy @ http://evil", "1"), ("", "1")]
    {
        let source = format!("kind = \"pip\", package = \"{package}\", version = \"{version}\", member = \"a\"");
        let fetched = cache.fetcher().with_pip(&pip).fetch(&crate::toy::checked(&source));
        assert!(matches!(fetched, Err(FetchError::Source { .. })), "{source}: {fetched:?}");
    }
    assert!(!cache.path().join("arguments").exists());
}

/// The pip of this machine takes what it is told, and finds the wheel in the only place that it may look at.
#[test]
fn a_wheel_is_fetched_by_the_pip_of_this_machine() {
    let version = std::process::Command::new("python3").args(["-m", "pip", "--version"]).output();
    let there = version.is_ok_and(|output| output.status.success()).then_some(()).ok_or("there is no `python3 -m pip`");
    if nodupe_conformance::provided(there, "install Python with pip").is_none() {
        return;
    }
    let cache = Cache::new();
    let index = cache.path().join("index");
    fs::create_dir(&index).unwrap();
    let wheel = wheel(&[
        (MEMBER, body()),
        ("toy_package-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n"),
        ("toy_package-1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("toy_package-1.0.dist-info/RECORD", b""),
    ]);
    write(index.join("toy_package-1.0-py3-none-any.whl"), wheel);
    let manifest = write(cache.path().join("toy.toml"), toy().to_toml().unwrap());
    let mut child = child(cache.path(), &manifest);
    let fetched = child.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", &index).output().unwrap();
    assert!(fetched.status.success(), "{fetched:?}");
    // The child looks at what it has fetched; here that it has fetched it.
    assert_eq!(cache.names(), [".lock-toy", "toy"]);
}
