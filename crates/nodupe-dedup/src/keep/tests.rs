use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jpeg_encoder::{ColorType, Encoder};
use nodupe_media::{DecodeOptions, Decoder};

use super::*;
use crate::report::MediaInfo;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn png(&self, name: &str, side: u32) -> Member {
        let path = self.path(name);
        image::GrayImage::from_fn(side, side, |x, y| image::Luma([(x * y) as u8])).save(&path).unwrap();
        member(&path)
    }

    /// A JPEG of 32 × 32 pixels; `padding` bytes are behind it.
    fn jpeg(&self, name: &str, quality: u8, padding: usize) -> Member {
        let path = self.path(name);
        let mut bytes = Vec::new();
        let pixels: Vec<u8> = (0..32 * 32u32).map(|at| (at % 199) as u8).collect();
        Encoder::new(&mut bytes, quality).encode(&pixels, 32, 32, ColorType::Luma).unwrap();
        bytes.resize(bytes.len() + padding, 0);
        fs::write(&path, bytes).unwrap();
        member(&path)
    }
}

fn member(path: &Path) -> Member {
    let image = Decoder::new(DecodeOptions::default()).info(path).unwrap();
    Member { path: path.to_owned(), bytes: fs::metadata(path).unwrap().len(), media: MediaInfo::Image(image) }
}

fn modified(file: &Member, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(&file.path).unwrap().set_modified(time).unwrap();
}

fn rules(text: &str) -> KeepRules {
    text.parse().unwrap()
}

/// The place of what is kept, and for each other file the rule that decided.
fn decided(rules: &KeepRules, files: &[Member]) -> (usize, Vec<(usize, &'static str)>) {
    let keep = rules.choose(files);
    (keep.file, keep.over.iter().map(|lost| (lost.file, lost.rule.name())).collect())
}

#[test]
fn the_default_keeps_most_pixels_then_lossless_then_quality_then_bytes_then_the_original() {
    let folder = Folder::new();
    let files =
        [folder.jpeg("a.jpg", 80, 0), folder.png("b.png", 32), folder.png("c.png", 40), folder.jpeg("d.jpg", 90, 0)];
    let default = KeepRules::default();
    assert_eq!(decided(&default, &files), (2, vec![(0, "resolution"), (1, "resolution"), (3, "resolution")]));
    assert_eq!(decided(&default, &files[..2]), (1, vec![(0, "format")]));
    let jpegs = [files[0].clone(), files[3].clone(), folder.jpeg("e.jpg", 90, 9)];
    assert_eq!(decided(&default, &jpegs), (2, vec![(0, "quality"), (1, "size")]));
    let copies = [folder.png("photo (1).png", 32), folder.png("photo.png", 32), folder.png("a.png", 32)];
    for (file, time) in copies.iter().zip([1_000, 1_000, 2_000]) {
        modified(file, time);
    }
    assert_eq!(decided(&default, &copies), (1, vec![(0, "shortest-name"), (2, "oldest")]));
}

#[test]
fn each_loss_names_its_rule_and_both_values() {
    let folder = Folder::new();
    let files = [folder.jpeg("a.jpg", 80, 0), folder.jpeg("b.jpg", 95, 0)];
    let keep = rules("quality").choose(&files);
    let [lost] = &keep.over[..] else { panic!() };
    assert_eq!((keep.file, lost.file, lost.to), (1, 0, 1));
    assert_eq!((&lost.better, &lost.worse), (&KeepValue::Quality(95), &KeepValue::Quality(80)));
    modified(&files[0], 86_400);
    modified(&files[1], 86_401);
    let keep = rules("newest").choose(&files);
    assert_eq!((keep.file, keep.over[0].better.to_string()), (1, "1970-01-02T00:00:01Z".to_owned()));
    assert_eq!(rules("oldest").choose(&files).file, 0);
    assert_eq!(
        rules("resolution").choose(&[files[0].clone(), folder.png("c.png", 40)]).over[0].better.to_string(),
        "40x40"
    );
}

#[test]
fn what_is_not_known_of_one_file_is_left_to_the_next_rule() {
    let folder = Folder::new();
    let files = [folder.jpeg("a.jpg", 95, 0), folder.png("b.png", 32), folder.jpeg("c.jpg", 80, 5_000)];
    // `c` loses by a rule that knows nothing of the file that is kept in the end: it says to whom.
    let keep = rules("quality,not-in:/nowhere,size").choose(&files);
    let lost: Vec<(usize, usize, &str)> = keep.over.iter().map(|lost| (lost.file, lost.to, lost.rule.name())).collect();
    let [kept, other] = if files[1].bytes > files[0].bytes { [1, 0] } else { [0, 1] };
    assert_eq!((keep.file, lost.len()), (kept, 2));
    assert!(lost.contains(&(2, 0, "quality")) && lost.contains(&(other, kept, "size")), "{lost:?}");
    // A file that is gone has neither time nor tables.
    fs::remove_file(&files[0].path).unwrap();
    assert_eq!(
        decided(&rules("quality,oldest,newest,size"), &[files[0].clone(), files[2].clone()]),
        (1, vec![(0, "size")])
    );
}

#[test]
fn the_first_in_the_walk_is_kept_where_no_rule_tells_files_apart() {
    let folder = Folder::new();
    let files = [folder.png("b.png", 32), folder.png("a.png", 32), folder.png("c.png", 32)];
    assert_eq!(decided(&rules("resolution,size"), &files), (0, vec![(1, "first"), (2, "first")]));
    assert_eq!(decided(&KeepRules::new([]), &files).0, 0);
    assert_eq!(KeepRules::default().choose(&[]), Keep { file: 0, over: Vec::new() });
}

#[test]
fn paths_are_preferred_by_folder_depth_and_name() {
    let folder = Folder::new();
    let files =
        [folder.png("inbox/deep/a.png", 32), folder.png("kept, too/long name.png", 40), folder.png("kept/b.png", 32)];
    let path = |name: &str| folder.0.path().join(name).display().to_string();
    assert_eq!(decided(&rules(&format!("in:{},size", path("kept"))), &files), (2, vec![(0, "in"), (1, "in")]));
    // A path that begins with the same letters is another one, and a comma in a path is written twice.
    assert_eq!(rules(&format!("in:{}", path("kept,, too"))).choose(&files).file, 1);
    assert_eq!(rules(&format!("not-in:{},smallest", path("inbox"))).choose(&files).file, 2);
    assert_eq!(decided(&rules("shallowest,shortest-name"), &files), (2, vec![(0, "shallowest"), (1, "shortest-name")]));
}

#[cfg(unix)]
#[test]
fn a_folder_is_known_by_any_of_its_names() {
    let folder = Folder::new();
    let files = [folder.png("a.png", 40), folder.png("real/b.png", 32)];
    std::os::unix::fs::symlink(folder.path("real"), folder.path("link")).unwrap();
    assert_eq!(rules(&format!("in:{}", folder.path("link").display())).choose(&files).file, 1);
    assert_eq!(rules(&format!("in:{}", folder.path("real/../real").display())).choose(&files).file, 1);
}

#[test]
fn rules_are_read_as_they_are_written() {
    for (name, _) in KeepRule::ALL {
        let rule: KeepRule = name.parse().unwrap();
        assert_eq!(rule.to_string(), name);
    }
    let text = "in:a,,b,not-in:c d/ ,resolution";
    assert_eq!(rules(text).to_string(), text);
    assert_eq!(rules(text).rules()[0], KeepRule::In("a,b".into()));
    assert_eq!(rules("size, oldest").to_string(), "size,oldest");
    assert_eq!(rules("size,oldest").followed_by(rules("first,size")).to_string(), "size,oldest,first");
    for wrong in ["", "biggest", "size,", ",size", "in:", "Size", "resolution;size"] {
        assert!(wrong.parse::<KeepRules>().unwrap_err().to_string().contains("shortest-name"), "{wrong}");
    }
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf8_is_one_all_the_same() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let read = KeepRules::parse(OsStr::from_bytes(b"size,in:\xff,,x")).unwrap();
    assert_eq!(read.rules()[1], KeepRule::In(OsStr::from_bytes(b"\xff,x").into()));
}
