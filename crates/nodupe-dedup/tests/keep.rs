//! Which file of a group is the one to keep.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, Luma};
use nodupe_dedup::{Group, KeepRule, KeepRules, Report, Scan};

#[allow(dead_code, reason = "the other tests use all of it")]
mod pixels;

use pixels::{Pixels, naive};

fn picture(side: u32) -> GrayImage {
    let (side, waves) = (side as f32, |place: f32, side: f32| (place / side * 9.0).sin() + (place / side * 23.0).cos());
    GrayImage::from_fn(side as u32, side as u32, |x, y| {
        let (x, y) = (x as f32, y as f32);
        Luma([(128.0 + 30.0 * waves(x, side) + 25.0 * waves(y + 0.4 * x, side)) as u8])
    })
}

/// The same picture in many files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.at("b/deep")).unwrap();
        for (name, side) in [("b/large.png", 256), ("b/deep/other.bmp", 256), ("small.png", 128)] {
            picture(side).save(folder.at(name)).unwrap();
        }
        for (name, quality) in [("coarse.jpg", 40), ("fine.jpg", 90)] {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture(256)).unwrap();
            fs::write(folder.at(name), bytes).unwrap();
        }
        for (place, name) in
            ["fine.jpg", "small.png", "b/large.png", "coarse.jpg", "b/deep/other.bmp"].iter().enumerate()
        {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + place as u64);
            File::options().write(true).open(folder.at(name)).unwrap().set_modified(time).unwrap();
        }
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn scan(&self, rules: Vec<KeepRule>) -> Report {
        let backend = Pixels::new(Some(0.9));
        let report = Scan::new(&backend, &naive).with_keep(rules.into()).run(&[self.0.path().to_owned()]).unwrap();
        assert_eq!((report.groups.len(), report.groups[0].files.len()), (1, 5), "{report:?}");
        report
    }

    fn kept(&self, rules: Vec<KeepRule>) -> String {
        let report = self.scan(rules);
        name(&report.groups[0], report.groups[0].keep)
    }
}

fn name(group: &Group, place: usize) -> String {
    group.files[place].path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn each_rule_keeps_what_it_says() {
    let folder = Folder::new();
    // The walk meets `b/deep/other.bmp` first.
    for (rule, kept) in [
        (KeepRule::Size, "other.bmp"),
        (KeepRule::Oldest, "fine.jpg"),
        (KeepRule::Newest, "other.bmp"),
        (KeepRule::Shallowest, "coarse.jpg"),
        (KeepRule::In(folder.at("b/large.png")), "large.png"),
        (KeepRule::NotIn(folder.at("b")), "coarse.jpg"),
        (KeepRule::Format, "other.bmp"),
    ] {
        assert_eq!(folder.kept(vec![rule.clone()]), kept, "{rule}");
    }
    assert_eq!(folder.kept(vec![]), "other.bmp", "the first of the walk");
}

#[test]
fn rules_decide_one_after_the_other_and_say_so() {
    use KeepRule::{Format, Oldest, Quality, Resolution};
    let folder = Folder::new();
    let report = folder.scan(vec![Resolution, Format, Quality, Oldest]);
    let group = &report.groups[0];
    assert_eq!(name(group, group.keep), "large.png");
    let worse = |wanted: &str| {
        let place = (0..5).find(|&place| name(group, place) == wanted).unwrap();
        group.files[place].worse_by.clone()
    };
    assert_eq!(worse("small.png"), Some(Resolution));
    assert_eq!(worse("fine.jpg"), Some(Format));
    assert_eq!(worse("other.bmp"), Some(Oldest));
    assert_eq!(worse("large.png"), None);
    let others: u64 = group.files.iter().filter(|file| file.worse_by.is_some()).map(|file| file.bytes).sum();
    assert_eq!(report.stats.duplicate_bytes, others);

    // What is no JPEG has no quality to be worse by.
    let report = folder.scan(vec![Quality]);
    let group = &report.groups[0];
    let worse: Vec<String> =
        (0..5).filter(|&place| group.files[place].worse_by.is_some()).map(|place| name(group, place)).collect();
    assert_eq!(worse, ["coarse.jpg"]);
    let quality = |wanted: &str| group.files.iter().find(|file| file.path.ends_with(wanted)).unwrap().quality;
    assert_eq!((quality("coarse.jpg"), quality("fine.jpg"), quality("small.png")), (Some(40), Some(90), None));
    assert_eq!(group.files[0].modified, None, "no rule asked");
}

#[test]
fn rules_are_read_as_they_are_written() {
    let parse = |text: &str| KeepRules::parse(OsStr::new(text)).map(|rules| rules.rules().to_vec());
    for rule in KeepRule::SIMPLE {
        assert_eq!(parse(rule.name()), Ok(vec![rule.clone()]), "{rule}");
    }
    assert_eq!(parse("oldest, size"), Ok(vec![KeepRule::Oldest, KeepRule::Size]));
    assert_eq!(parse("in:a, b/c"), Ok(vec![KeepRule::In("a, b/c".into())]));
    assert_eq!(parse("not-in:/x"), Ok(vec![KeepRule::NotIn("/x".into())]));
    for text in ["", "in:", "best", "oldest,,size", "size;oldest"] {
        assert!(parse(text).unwrap_err().to_string().contains("resolution, format"), "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let rules = KeepRules::parse(OsStr::from_bytes(b"in:caf\xe9/x")).unwrap();
        assert_eq!(rules.rules(), [KeepRule::In(OsStr::from_bytes(b"caf\xe9/x").into())]);
    }
}
