//! `nodupe calibrate` as a person runs it.
#![cfg(feature = "eval")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

#[allow(dead_code, reason = "the other tests of the command use all of it")]
mod pictures;

use pictures::{nodupe, picture};

fn photographs(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("photos")).unwrap();
    for seed in 1..=count {
        picture(seed).save(folder.path().join(format!("photos/{seed}.png"))).unwrap();
    }
    folder
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let output = nodupe(dir, &[&["calibrate", "--json", "-q"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_collection_says_which_threshold_a_precision_takes() {
    let folder = photographs(130);
    let args = ["--embedding", "histogram", "--photographs", "4", "photos"];
    let found = json(folder.path(), &args);
    assert_eq!((&found["version"], &found["backend"]), (&json!(1), &json!("histogram")));
    assert_eq!(found["images"], 130, "the copies are not of the collection");
    let scan = ["scan", "--json", "--effort", "fast", "--embedding", "histogram", "photos"];
    let scanned: Value = serde_json::from_slice(&nodupe(folder.path(), &scan).stdout).unwrap();
    assert_eq!(found["threshold"], scanned["threshold"], "it shows what a scan chooses");
    let calibration = &found["calibration"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(calibration["precision"], 0.999);
    let sum = number(&calibration["level"]) + number(&calibration["margin"]);
    assert!((number(&found["threshold"]) - sum).abs() < 1e-5, "{found}");
    assert_eq!(found["larger"].as_array().unwrap().len(), 4);
    assert!(number(&found["larger"][3]["threshold"]) >= number(&found["larger"][0]["threshold"]), "{found}");
    let looser = json(folder.path(), &[&["--precision", "0.5"], &args[..]].concat());
    assert!(number(&looser["threshold"]) <= number(&found["threshold"]), "{looser}");
    assert_eq!(json(folder.path(), &args), found, "the same every time");
}

#[test]
fn it_is_checked_on_copies_whose_originals_are_known() {
    let folder = photographs(8);
    let found = json(folder.path(), &["--embedding", "perceptual", "--photographs", "4", "photos"]);
    assert_eq!((&found["calibration"], &found["larger"]), (&json!(null), &json!([])));
    assert_eq!(found["copies"]["hflip"], json!({"found": 2, "of": 2}), "{found}");
    assert_eq!(found["copies"].as_object().unwrap().len(), 5 + 10);
    assert_eq!(found["reported"]["found"], found["reported"]["of"], "{found}");
    let text = nodupe(folder.path(), &["calibrate", "-q", "--embedding", "perceptual", "--photographs", "4", "photos"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with("0.867 is near by perceptual among"), "{text}");
    assert!(text.contains("   2 of 2    hflip"), "{text}");
}

#[test]
fn a_folder_without_photographs_is_an_error() {
    let folder = photographs(1);
    for path in ["photos", "nowhere"] {
        let output = nodupe(folder.path(), &["calibrate", "-q", path]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("error:"), "{output:?}");
    }
}
