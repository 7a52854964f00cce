//! Which file of a group the command would keep.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

mod pictures;

use pictures::{nodupe, picture};

/// A picture, one of half of the size, and one in another folder.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.at("originals")).unwrap();
        let whole = picture(1);
        image::imageops::thumbnail(&whole, 150, 100).save(folder.at("a half.png")).unwrap();
        whole.save(folder.at("b whole.png")).unwrap();
        image::imageops::thumbnail(&whole, 240, 160).save(folder.at("originals/c.png")).unwrap();
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn scan(&self, args: &[&str]) -> Vec<u8> {
        let output = nodupe(self.0.path(), &[&["scan", "--effort", "fast"], args, &["."]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.scan(args)).unwrap()
    }
}

#[test]
fn the_file_to_keep_is_marked_and_the_reason_given() {
    let text = Folder::new().text(&[]);
    assert!(text.contains("\n * ./b whole.png"), "{text}");
    assert!(text.contains("keeps b whole.png: 300x200 against 150x100 (resolution, 2 files)\n"), "{text}");
    assert_eq!(text.matches(" * ").count(), 1, "{text}");
}

#[test]
fn what_is_wished_comes_before_the_default() {
    let folder = Folder::new();
    let text = folder.text(&["--keep", "in:originals"]);
    assert!(text.contains("keeps c.png: better (in:originals, 2 files)"), "{text}");
    let text = folder.text(&["--keep", "not-in:originals"]);
    assert!(
        text.contains("keeps b whole.png: 300x200 against 150x100 (resolution); better (not-in:originals)"),
        "{text}"
    );
}

#[test]
fn json_has_the_file_the_rules_and_the_values() {
    let found: Value = serde_json::from_slice(&Folder::new().scan(&["--json", "--keep", "in:originals"])).unwrap();
    assert_eq!(found["keep_rules"][0], serde_json::json!({"rule": "in", "path": "originals"}));
    assert_eq!(found["keep_rules"][1], serde_json::json!({"rule": "longest"}));
    assert_eq!(found["keep_rules"][2], serde_json::json!({"rule": "resolution"}));
    let keep = &found["groups"][0]["keep"];
    assert_eq!(keep["file"], 2);
    assert_eq!(
        keep["over"][1],
        serde_json::json!({"file": 1, "rule": "in", "path": "originals", "to": 2, "better": true, "worse": false})
    );
    let files = found["groups"][0]["files"].as_array().unwrap();
    let bytes = |place: usize| files[place]["bytes"].as_u64().unwrap();
    assert_eq!(found["stats"]["duplicate_bytes"], bytes(0) + bytes(1));
}

#[test]
fn paths_alone_are_printed_for_other_programs() {
    let folder = Folder::new();
    assert_eq!(folder.text(&["--print", "duplicates"]), "./a half.png\n./originals/c.png\n");
    assert_eq!(folder.text(&["--print", "kept", "-0", "--keep", "smallest"]), "./a half.png\0");
}

#[cfg(unix)]
#[test]
fn paths_alone_are_the_bytes_of_the_file_system_and_no_options() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    let odd = folder.at("originals").join(OsStr::from_bytes(b"n\n\xff.png"));
    fs::copy(folder.at("b whole.png"), odd).unwrap();
    let found = folder.scan(&["--print", "duplicates", "--null", "--keep", "not-in:originals"]);
    let paths: Vec<&[u8]> = found.split(|&byte| byte == 0).collect();
    assert_eq!(paths, [&b"./a half.png"[..], b"./originals/c.png", b"./originals/n\n\xff.png", b""]);
    fs::copy(folder.at("a half.png"), folder.at("-rf.png")).unwrap();
    let both = nodupe(folder.0.path(), &["scan", "--print", "kept", "--keep", "first", "--", "-rf.png", "a half.png"]);
    assert_eq!(both.stdout, b"./-rf.png\n");
}

#[test]
fn a_wrong_rule_is_answered_with_those_there_are() {
    let folder = Folder::new();
    let output = nodupe(folder.0.path(), &["scan", "--keep", "biggest", "."]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("`biggest` is no rule: write longest, resolution, format, quality, size"), "{said}");
    let output = nodupe(folder.0.path(), &["scan", "--keep", "in:gone", "."]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("there is no such path: in:gone"), "{said}");
    let help = String::from_utf8(nodupe(folder.0.path(), &["scan", "--help"]).stdout).unwrap();
    assert!(help.contains("\n  shortest-name  the one with the shorter file name\n"), "{help}");
}
