//! The command finds and uses a backend that nodupe has never heard of.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What the command prints as JSON. The preferences of whoever runs the tests do not reach it.
fn json(args: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
    command.args(args).env_remove("NODUPE_EMBEDDING").env_remove("NODUPE_SIMILARITY");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(values: &Value) -> Vec<&str> {
    values.as_array().unwrap().iter().map(|value| value["name"].as_str().unwrap()).collect()
}

/// Writes a picture as text: a grey map of `side` × `side` pixels, `brightness` (0 to 255) at places from 0 to 1.
fn write_picture(path: &Path, side: u32, brightness: impl Fn(f32, f32) -> f32) {
    let mut text = format!("P2\n{side} {side}\n255\n");
    let place = |pixel: u32| (pixel as f32 + 0.5) / side as f32;
    for y in 0..side {
        for x in 0..side {
            writeln!(text, "{}", brightness(place(x), place(y)).round()).unwrap();
        }
    }
    std::fs::write(path, text).unwrap();
}

/// A folder with one picture in two sizes and another picture.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let slope = |x: f32, y: f32| 200.0 * x + 50.0 * y;
    write_picture(&folder.path().join("large.pgm"), 96, slope);
    write_picture(&folder.path().join("small.pgm"), 64, slope);
    write_picture(&folder.path().join("other.pgm"), 64, |x, y| 255.0 * (x - 0.5).abs() + 100.0 * y);
    folder
}

#[test]
fn it_is_listed_between_the_backends_of_nodupe() {
    let listed = json(&["backends", "--json"]);
    assert_eq!(names(&listed["backends"])[..3], ["perceptual", "thumbnail", "histogram"]);
    let entry = &listed["backends"][1];
    assert_eq!(entry["priority"], 15);
    assert_eq!(entry["available"], true);
    assert_eq!(entry["package"]["name"], "nodupe-thumbnail");
}

#[test]
fn automatic_selection_would_take_it_after_perceptual_and_before_histogram() {
    let folder = pictures();
    let scanned = json(&["scan", "--json", folder.path().to_str().unwrap()]);
    let selection = &scanned["selection"]["embedding"];
    assert_eq!(selection["name"], "perceptual");
    assert_eq!(names(&selection["attempts"]), ["perceptual", "thumbnail", "histogram"]);
}

#[test]
fn who_asks_for_it_gets_it_and_it_finds_the_pair() {
    let folder = pictures();
    let scanned = json(&["scan", "--embedding", "thumbnail!", "--json", folder.path().to_str().unwrap()]);
    let selection = &scanned["selection"]["embedding"];
    assert_eq!((&selection["name"], &selection["fallback"]), (&"thumbnail".into(), &false.into()));
    let groups = scanned["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{scanned}");
    let mut paths: Vec<&Path> =
        groups[0]["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().as_ref()).collect();
    paths.sort();
    assert_eq!(paths, [folder.path().join("large.pgm"), folder.path().join("small.pgm")]);
    assert_eq!(groups[0]["links"][0]["backend"], "thumbnail");
}
