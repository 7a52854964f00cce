//! `nodupe eval` as a person runs it.
#![cfg(feature = "eval")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

#[allow(dead_code, reason = "the other tests of the command use all of it")]
mod pictures;

use pictures::{command, nodupe, picture};

/// A folder with some photographs.
fn photographs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("photos")).unwrap();
    for seed in 1..=6 {
        picture(seed).save(folder.path().join(format!("photos/{seed}.png"))).unwrap();
    }
    folder
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let output = nodupe(dir, &[&["eval", "--json", "-q"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_folder_alone_is_measured_on_the_basic_and_the_heavy_set() {
    let folder = photographs();
    let found = json(folder.path(), &["photos"]);
    assert_eq!(found["version"], 1);
    let sets: Vec<_> =
        found["sets"].as_array().unwrap().iter().map(|set| (&set["name"], &set["files"], &set["pairs"])).collect();
    assert_eq!(sets, [(&json!("basic"), &json!(36), &json!(90)), (&json!("heavy"), &json!(33), &json!(165))]);
    assert_eq!((&found["made"][0]["photographs"], &found["made"][1]["backgrounds"]), (&json!(6), &json!(3)));
    let result = &found["results"][0];
    assert_eq!(result["run"]["embedding"], "perceptual");
    assert_eq!(result["groups"]["true_pairs"], 90);
    // A mirrored picture is the same picture to the eight views of the hash.
    assert_eq!(result["by_transform"]["hflip"]["grouped"], 1.0, "{result}");
    let ranking = &result["ranking"];
    assert!(ranking["micro_average_precision"].as_f64().unwrap() > 0.4, "{ranking}");
    assert!(ranking["recall_at_1"].as_f64().unwrap() > 0.5, "{ranking}");
    assert!(ranking["complete_from"].is_null(), "so few images are all compared: {ranking}");
    for speed in ["decode_speed", "embed_speed", "index_speed", "total_speed", "index_bytes"] {
        assert!(result["run"][speed].as_f64().unwrap() > 0.0, "{speed}");
    }
    assert_eq!(result["run"]["peak_memory"].is_u64(), cfg!(target_os = "linux"));
}

#[test]
fn sets_that_are_kept_are_the_same_for_the_same_seed_on_any_number_of_threads() {
    let folder = photographs();
    let make = |keep: &str, seed: &str, threads: &str| {
        let args =
            ["--no-runs", "--sets", "strong,heavy", "--seed", seed, "--threads", threads, "--keep", keep, "photos"];
        json(folder.path(), &args);
    };
    make("one", "1", "1");
    make("two", "1", "3");
    make("other", "2", "2");
    let bytes = |keep: &str, name: &str| fs::read(folder.path().join(keep).join(name)).unwrap();
    for set in ["heavy-1", "strong-1"] {
        let labels: Value = serde_json::from_slice(&bytes("one", &format!("{set}/labels.json"))).unwrap();
        assert_eq!(bytes("one", &format!("{set}/labels.json")), bytes("two", &format!("{set}/labels.json")));
        for path in labels["groups"].as_array().unwrap().iter().flat_map(|group| group.as_array().unwrap()) {
            let path = format!("{set}/{}", path.as_str().unwrap());
            assert_eq!(bytes("one", &path), bytes("two", &path), "{path}");
        }
    }
    assert_ne!(
        bytes("one", "heavy-1/images/heavy-1-00000-pad.jpg"),
        bytes("other", "heavy-2/images/heavy-2-00000-pad.jpg")
    );
    let again = nodupe(folder.path(), &["eval", "--no-runs", "--sets", "heavy", "--keep", "one", "photos"]);
    assert_eq!(again.status.code(), Some(2));
    let error = String::from_utf8(again.stderr).unwrap();
    assert!(error.contains("--labels") && error.contains("heavy-1"), "{error}");
}

#[test]
fn groups_of_another_tool_are_scored_on_the_set_that_they_name() {
    let folder = photographs();
    json(folder.path(), &["--no-runs", "--sets", "basic", "--keep", "sets", "photos"]);
    let name = |number: usize, transform: &str| format!("/elsewhere/basic-1-{number:05}-{transform}.jpg");
    let right = vec![name(0, "original"), name(0, "crop")];
    let wrong = vec![name(1, "original"), name(2, "original")];
    fs::write(folder.path().join("found.json"), json!({"near": [right, {"paths": wrong}]}).to_string()).unwrap();
    let labels = "sets/basic-1/labels.json";
    let args = [
        "--labels",
        labels,
        "--groups",
        "a tool=found.json",
        "--no-ranking",
        "--embedding",
        "histogram,perceptual",
        "--",
        "--effort",
        "fast",
        "--threshold",
        "0.99",
    ];
    let found = json(folder.path(), &args);
    let names: Vec<&str> =
        found["results"].as_array().unwrap().iter().map(|result| result["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a tool", "histogram, bruteforce"]);
    let theirs = &found["results"][0];
    assert_eq!((&theirs["groups"]["precision"], &theirs["groups"]["true_reported_pairs"]), (&json!(0.5), &json!(1)));
    assert!((theirs["by_transform"]["crop"]["grouped"].as_f64().unwrap() - 1.0 / 6.0).abs() < 1e-9);
    let ours = &found["results"][1];
    assert!((ours["run"]["threshold"].as_f64().unwrap() - 0.99).abs() < 1e-6 && ours["ranking"].is_null(), "{ours}");
}

#[test]
fn every_combination_runs_seeds_are_pooled_and_the_page_shows_them() {
    let folder = photographs();
    let args = [
        "eval",
        "--sets",
        "basic",
        "--seeds",
        "1,2",
        "--photographs",
        "2",
        "--embedding",
        "perceptual!",
        "--embedding",
        "histogram!",
        "--similarity",
        "bruteforce",
        "--similarity",
        "hnsw!",
        "--html",
        "report.html",
        "photos",
    ];
    let output = nodupe(folder.path(), &args);
    let (text, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{error}");
    assert!(text.contains("basic: 24 images, 4 groups, 60 pairs, seeds 1, 2 pooled"), "{text}");
    for name in [
        "perceptual pdq + keypoints, bruteforce",
        "perceptual pdq + keypoints, hnsw",
        "histogram + perceptual + keypoints, bruteforce",
        "histogram + perceptual + keypoints, hnsw",
    ] {
        assert!(text.contains(&format!("| {name} ")), "no {name} in:\n{text}");
    }
    assert!(text.contains("by the backend that is named first alone"), "{text}");
    assert!(text.contains("µAP") && text.contains("| rot25"), "{text}");
    assert!(error.contains("running perceptual! hnsw! on basic 2"), "{error}");
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(html.matches("<polyline").count(), 4);
}

#[test]
fn what_cannot_run_is_said_before_anything_is_made() {
    let folder = photographs();
    for (wrong, part) in [
        (&["photos", "--embedding", "preceptual"][..], "perceptual"),
        (&["photos", "--similarity", "brute"], "bruteforce"),
        (&["photos", "--sets", "light"], "basic, heavy and strong"),
        (&["photos", "--", "--thresh", "1"], "--thresh"),
        (&["photos", "--", "more-photos"], "no more paths"),
        (&["photos", "--groups", "found.json"], "NAME=FILE"),
        (&["photos", "--photographs", "1"], "1"),
        (&[], "PHOTOS"),
    ] {
        let output = nodupe(folder.path(), &[&["eval", "--keep", "sets"], wrong].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {error}");
        assert!(error.contains(part), "{wrong:?}: {error}");
        assert!(!folder.path().join("sets").exists(), "{wrong:?}");
    }
    let output = nodupe(folder.path(), &["eval", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    fs::create_dir(folder.path().join("empty")).unwrap();
    let output = nodupe(folder.path(), &["eval", "empty"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("needs at least 2"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_evaluation_leaves_nothing_behind() {
    let folder = photographs();
    let temp = folder.path().join("temp");
    fs::create_dir(&temp).unwrap();
    let many = (1..100).map(|seed| format!("--seed={seed}"));
    let many: Vec<String> = ["eval", "photos", "-q"].into_iter().map(str::to_owned).chain(many).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut child = command(folder.path(), &many).env("TMPDIR", &temp).spawn().unwrap();
    while fs::read_dir(&temp).unwrap().next().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let asked = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_evaluation_shows_the_seeds_that_all_runs_were_measured_on() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;

    let folder = photographs();
    let temp = folder.path().join("temp");
    fs::create_dir(&temp).unwrap();
    let seeds: Vec<String> = (1..=40).map(|seed| seed.to_string()).collect();
    let seeds = format!("--seeds={}", seeds.join(","));
    let runs = ["--embedding", "perceptual!", "--embedding", "histogram!", "--html", "report.html"];
    let args = [&["eval", "photos", "--sets", "basic", "--photographs", "2", &seeds][..], &runs].concat();
    let mut command = command(folder.path(), &args);
    let mut child = command.env("TMPDIR", &temp).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // One of its two runs is under way or done, and it is not pooled with seed 1 without the other.
    assert!(said.by_ref().any(|line| line.unwrap().contains("running histogram! on basic 2")));
    let asked = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let said: Vec<String> = said.map(Result::unwrap).collect();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(text.starts_with("basic: 12 images, 2 groups, 30 pairs, seed 1\n"), "{text}\n{said:?}");
    assert!(text.contains("| perceptual pdq") && text.contains("| histogram"), "{text}");
    assert!(text.contains("interrupted: 78 of the runs"), "{text}");
    assert!(!folder.path().join("report.html").exists());
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0);
}

#[test]
fn a_set_and_a_seed_that_are_named_twice_are_made_once() {
    let folder = photographs();
    let found = json(folder.path(), &["--no-runs", "--sets", "basic,heavy,basic", "--seeds", "2,1,2", "photos"]);
    let made: Vec<_> =
        found["made"].as_array().unwrap().iter().map(|made| (&made["set"], made["seed"].as_u64().unwrap())).collect();
    assert_eq!(
        made,
        ["basic", "basic", "heavy", "heavy"].map(|set| json!(set)).iter().zip([2, 1, 2, 1]).collect::<Vec<_>>()
    );
    assert_eq!(found["interrupted"], false);
}
