//! The command as a person runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

mod pictures;

use pictures::{command, nodupe, picture};

/// A folder with two pictures, copies of them and things that are none.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let one = picture(1);
        one.save(folder.at("one.png")).unwrap();
        fs::copy(folder.at("one.png"), folder.at("one copy.png")).unwrap();
        image::imageops::rotate90(&one).save(folder.at("one turned.jpg")).unwrap();
        // The same pixels in other bytes: no compression.
        one.save(folder.at("one.bmp")).unwrap();
        picture(2).save(folder.at("two.png")).unwrap();
        fs::write(folder.at("notes.txt"), "remember the milk").unwrap();
        fs::write(folder.at("empty.jpg"), "").unwrap();
        let whole = fs::read(folder.at("two.png")).unwrap();
        fs::write(folder.at("cut.png"), &whole[..whole.len() / 2]).unwrap();
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn scan(&self, args: &[&str]) -> Output {
        nodupe(self.0.path(), &[&["scan"], args, &["."]].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.scan(&[&["--json"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn paths(group: &Value) -> Vec<&str> {
    group["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().trim_start_matches("./")).collect()
}

#[test]
fn copies_are_grouped_with_the_evidence_of_each() {
    let folder = Folder::new();
    let found = folder.json(&["--effort", "fast"]);
    assert_eq!(found["version"], 1);
    let groups = found["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{found:#}");
    assert_eq!(paths(&groups[0]), ["one copy.png", "one turned.jpg", "one.bmp", "one.png"]);
    assert_eq!(groups[0]["kind"], "near");
    assert!(groups[0]["min_similarity"].as_f64().unwrap() > 0.85);
    let mut evidence: Vec<&str> =
        groups[0]["links"].as_array().unwrap().iter().map(|link| link["evidence"].as_str().unwrap()).collect();
    evidence.sort_unstable();
    assert_eq!(evidence, ["embedding", "exact-bytes", "exact-pixels"]);
    let link = groups[0]["links"].as_array().unwrap().iter().find(|link| link["evidence"] == "embedding").unwrap();
    assert_eq!(link["backend"], "perceptual");
    assert!(["rotate-90", "rotate-270"].contains(&link["view"].as_str().unwrap()), "{link}");
    assert_eq!(groups[0]["files"][1]["format"], "jpeg");
    assert_eq!(groups[0]["files"][1]["width"], 200);

    let skipped: Vec<(&str, &str)> = found["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skip| (skip["path"].as_str().unwrap().trim_start_matches("./"), skip["error"].as_str().unwrap()))
        .collect();
    let wanted = [("cut.png", "decode"), ("empty.jpg", "decode"), ("notes.txt", "unsupported-format")];
    assert_eq!(skipped.len(), wanted.len(), "{skipped:?}");
    for (path, error) in wanted {
        let known = skipped.iter().find(|(skipped, _)| *skipped == path).unwrap().1;
        assert!(known == error || (path == "empty.jpg" && known == "unsupported-format"), "{path}: {known}");
    }
    assert_eq!(found["selection"]["embedding"]["name"], "perceptual");
    assert_eq!(found["selection"]["embedding"]["attempts"][0]["outcome"], "selected");
    assert_eq!(found["selection"]["similarity"]["name"], "bruteforce");
    assert_eq!(found["stats"]["files"], 8);
    assert_eq!(found["stats"]["duplicates"], 3);
}

#[test]
fn a_cascade_asks_one_backend_after_the_other_and_finds_what_none_of_them_would() {
    let folder = Folder::new();
    // What is left when a fifth is cut off at each side is no copy by its hash.
    let whole = picture(5);
    whole.save(folder.at("whole.png")).unwrap();
    image::imageops::crop_imm(&whole, 45, 30, 210, 140).to_image().save(folder.at("cut out.png")).unwrap();
    let groups = |found: &Value| found["groups"].as_array().unwrap().len();
    let fast = folder.json(&["--effort", "fast"]);
    assert_eq!((groups(&fast), fast["tiers"].as_array().unwrap().len()), (1, 1));
    let found = folder.json(&[]);
    assert_eq!(groups(&found), 2, "{found:#}");
    assert_eq!(paths(&found["groups"][0]), ["cut out.png", "whole.png"]);
    let link = &found["groups"][0]["links"][0];
    assert_eq!((&link["evidence"], &link["backend"]), (&"keypoints".into(), &"keypoints".into()));
    assert!(link["keypoints"]["matched"].as_u64().unwrap() >= 7, "{link}");
    assert!(link["confidence"].as_f64().is_some_and(|sure| (0.0..1.0).contains(&sure)), "{link}");
    let tiers: Vec<(&str, u64)> = found["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tier| (tier["backend"].as_str().unwrap(), tier["images"].as_u64().unwrap()))
        .collect();
    assert_eq!((tiers[0].0, tiers[1].0), ("perceptual", "keypoints"));
    // One text, two broken files and a copy of the same bytes are none; copies of the same pixels are settled by then.
    assert_eq!(tiers[0].1, found["stats"]["decoded"].as_u64().unwrap());
    assert!(tiers[1].1 < tiers[0].1, "{tiers:?}");
    let again = folder.json(&[]);
    assert_eq!(again["groups"], found["groups"]);
    assert_ne!(found["groups"][0]["id"], found["groups"][1]["id"]);
    let text = String::from_utf8(folder.scan(&[]).stdout).unwrap();
    assert!(text.contains("keypoints shared with cut out.png"), "{text}");
}

#[test]
fn without_views_a_turned_copy_is_no_copy() {
    let folder = Folder::new();
    let found = folder.json(&["--no-views", "--effort", "fast"]);
    assert_eq!(paths(&found["groups"][0]), ["one copy.png", "one.bmp", "one.png"]);
    assert_eq!(found["groups"][0]["kind"], "exact");
    assert_eq!(found["groups"][0]["min_similarity"], 1.0);
}

#[test]
fn every_linkage_and_every_embedding_backend_runs() {
    let folder = Folder::new();
    for linkage in ["average", "components", "star", "complete"] {
        assert_eq!(folder.json(&["--group-by", linkage])["groups"].as_array().unwrap().len(), 1, "{linkage}");
    }
    let found = folder.json(&["--embedding", "histogram!", "--threshold", "0.9999", "--set", "histogram.bins=16"]);
    assert_eq!(found["selection"]["embedding"]["name"], "histogram");
    let group = paths(&found["groups"][0]);
    assert!(["one copy.png", "one.bmp", "one.png"].iter().all(|name| group.contains(name)), "{group:?}");
    assert!(!group.contains(&"two.png"), "{group:?}");
}

#[test]
fn text_names_groups_files_reasons_and_backends() {
    let output = Folder::new().scan(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "1. near duplicates",
        "one copy.png",
        "same bytes as",
        "300x200",
        "1 group, 3 files could go",
        "unsupported-format",
        "perceptual found ",
        "images (threshold 0.867), searched by bruteforce (exact, and fast enough for ",
        "keypoints found ",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let quiet = String::from_utf8(Folder::new().scan(&["--quiet"]).stdout).unwrap();
    assert!(quiet.contains("one.png") && !quiet.contains("perceptual found"));
}

#[test]
fn timings_say_where_the_time_went() {
    let folder = Folder::new();
    let text = String::from_utf8(folder.scan(&["--timings", "--quiet"]).stdout).unwrap();
    for stage in ["walk", "identical", "  read", "  decode", "  resize", "index", "search", "group", "total"] {
        assert!(text.contains(&format!("\n  {stage} ")), "no {stage} in:\n{text}");
    }
    let seconds = &folder.json(&[])["stats"]["seconds"];
    let of = |stage: &str| seconds[stage].as_f64().unwrap();
    assert!(of("decode") > 0.0 && of("total") >= of("embed") && of("search") >= of("index"), "{seconds}");
}

#[test]
fn an_approximate_search_is_audited_and_the_report_says_what_it_finds() {
    let folder = Folder::new();
    let exact = folder.json(&[]);
    assert!(exact["audit"].is_null(), "{}", exact["audit"]);
    let found = folder.json(&["--similarity", "hnsw!"]);
    assert_eq!(found["audit"]["recall"], 1.0, "{}", found["audit"]);
    assert!(found["audit"]["neighbors"].as_u64().is_some_and(|neighbors| neighbors > 0), "{}", found["audit"]);
    assert_eq!(found["audit"]["fell_back"], false);
    assert_eq!(found["groups"], exact["groups"]);
    let text = String::from_utf8(folder.scan(&["--similarity", "hnsw"]).stdout).unwrap();
    assert!(text.contains("The search finds 1.000 of "), "{text}");
}

#[test]
fn wrong_usage_is_2_and_failure_is_1() {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        let output = nodupe(folder.0.path(), args);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = run(&["scan", "--embedding", "preceptual", "."]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("perceptual"), "{error}");
    let (code, error) = run(&["scan", "--similarity", "fais", "."]);
    assert_eq!(code, 2, "{error}");
    let (code, error) = run(&["scan", "--set", "histogram.bin=8", "."]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("histogram.bins"), "{error}");
    let (code, error) = run(&["scan", "--set", "histogram.bins=many", "."]);
    assert_eq!(code, 2, "{error}");
    assert_eq!(run(&["scan"]).0, 2);
    let (code, error) = run(&["scan", "no such folder"]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("no such folder"), "{error}");
    assert_eq!(run(&["scan", "--help"]).0, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_changes_no_exit_code() {
    let full = fs::File::create("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodupe"));
    let status = command.args(["scan", "no such folder"]).stderr(full).output().unwrap().status;
    assert_eq!(status.code(), Some(1));
}

#[test]
fn what_is_broken_is_no_image_and_what_is_named_and_broken_is_a_failure() {
    let folder = Folder::new();
    fs::copy(folder.at("notes.txt"), folder.at("notes too.txt")).unwrap();
    let found = folder.json(&[]);
    assert_eq!(found["stats"]["images"], 5);
    assert!(found["skipped"].as_array().unwrap().iter().all(|skipped| {
        let message = skipped["message"].as_str().unwrap();
        !message.contains(".txt") && !message.contains('\n')
    }));
    let output = nodupe(folder.0.path(), &["scan", "cut.png", "notes.txt", "one.png"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cut.png") && error.contains("notes.txt"), "{error}");
}

#[test]
fn a_named_file_is_named_however_the_walk_came_to_it() {
    let folder = Folder::new();
    let run = |args: &[&str]| nodupe(folder.0.path(), &[&["scan"], args].concat()).status.code();
    assert_eq!(run(&[".", "notes.txt"]), Some(1));
    assert_eq!(run(&[".", "one.png"]), Some(0), "nobody named the text");
}

#[test]
fn as_many_threads_as_are_allowed_work() {
    let folder = Folder::new();
    assert_eq!(folder.json(&["--threads", "1024"])["stats"]["images"], 5);
    assert!(nodupe(folder.0.path(), &["embed", "--threads", "1024", "one.png"]).status.success());
}

#[test]
fn messages_hold_no_path_and_move_no_cursor() {
    let folder = Folder::new();
    let output = nodupe(folder.0.path(), &["embed", "--json", "cut.png", "gone.png"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for file in found["files"].as_array().unwrap() {
        assert!(!file["message"].as_str().unwrap().contains(".png"), "{file}");
    }
    let output = nodupe(folder.0.path(), &["embed", "gone\u{1b}[2J.png"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "error: gone\\u{1b}[2J.png: it does not exist\n");
}

#[test]
fn copies_that_share_a_name_are_told_apart_by_their_paths() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        fs::create_dir(folder.at(name)).unwrap();
        fs::copy(folder.at("two.png"), folder.at(&format!("{name}/same.png"))).unwrap();
    }
    let text = String::from_utf8(nodupe(folder.0.path(), &["scan", "a", "b"]).stdout).unwrap();
    let same = Path::new("a").join("same.png");
    assert!(text.contains(&format!("same bytes as {}", same.display())), "{text}");
}

#[test]
fn quiet_is_quiet_and_a_log_filter_that_makes_no_sense_is_said_once() {
    let folder = Folder::new();
    // An ignore file that is not heeded is a warning.
    fs::write(folder.at(".ignore"), "{a\n").unwrap();
    let error = |args: &[&str], filter: &str| {
        let output = command(folder.0.path(), args).env("RUST_LOG", filter).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error(&["scan", "."], "").contains("WARN"));
    assert_eq!(error(&["scan", "-q", "."], ""), "");
    assert!(error(&["scan", "-q", "."], "warn").contains("WARN"));
    let bad = error(&["scan", "-q", "."], "nodupe=loud");
    assert_eq!(bad.lines().count(), 1, "{bad}");
    assert!(bad.contains("RUST_LOG") && bad.contains("nodupe=loud"), "{bad}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_warning_that_nobody_can_read_stops_nothing() {
    let folder = Folder::new();
    fs::write(folder.at(".ignore"), "{a\n").unwrap();
    let full = fs::File::create("/dev/full").unwrap();
    assert_eq!(command(folder.0.path(), &["scan", "."]).stderr(full).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_folder_whose_name_is_a_dash_is_a_folder() {
    let folder = Folder::new();
    fs::create_dir(folder.at("-")).unwrap();
    fs::copy(folder.at("one.png"), folder.at("-/a.png")).unwrap();
    let output = nodupe(folder.0.path(), &["scan", "--json", "--", "-"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["stats"]["files"], 1);
}

#[test]
fn the_environment_prefers_and_the_command_line_overrules() {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodupe"));
        let output =
            command.current_dir(folder.0.path()).args(args).env("NODUPE_EMBEDDING", "histogram").output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["selection"]["embedding"].clone()
    };
    assert_eq!(run(&["scan", "--json", "."])["name"], "histogram");
    assert_eq!(run(&["scan", "--json", "--embedding", "perceptual", "."])["name"], "perceptual");
}

#[test]
fn embed_prints_vectors_and_fails_for_files_that_have_none() {
    let folder = Folder::new();
    let output = nodupe(folder.0.path(), &["embed", "--json", "one.png", "notes.txt", "one copy.png"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["space"]["dim"], 256);
    assert_eq!(found["files"][0]["embeddings"], found["files"][2]["embeddings"]);
    assert_eq!(found["files"][0]["embeddings"][0].as_str().unwrap().len(), 64);
    assert_eq!(found["files"][1]["error"], "unsupported-format");
    let output = nodupe(folder.0.path(), &["embed", "--embedding", "histogram", "one.png"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.trim().split('\t').nth(1).unwrap().split(' ').count(), 96);
}

#[test]
fn backends_lists_what_is_linked() {
    let output = nodupe(Path::new("."), &["backends", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let backend = |name: &str| {
        let mut all = found["backends"].as_array().unwrap().iter().enumerate();
        all.find(|(_, backend)| backend["name"] == name).unwrap_or_else(|| panic!("no {name} in {found}"))
    };
    // Others come with the features of the command. Exact search suits rows of bits best.
    let order = ["perceptual", "histogram", "bruteforce", "hnsw"].map(backend);
    assert!(order.is_sorted_by_key(|(place, _)| *place), "{found}");
    assert!(order.iter().all(|(_, backend)| backend["available"] == true), "{found}");
    assert_eq!(order.map(|(_, backend)| backend["suitability"].as_str().unwrap()), ["good", "good", "best", "good"]);
    assert_eq!(order[0].1["package"]["name"], "nodupe-perceptual");
    assert!(order[0].1["package"]["version"].is_string());
    let text = String::from_utf8(nodupe(Path::new("."), &["backends"]).stdout).unwrap();
    assert!(text.contains("histogram.bins"), "{text}");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_or_break_lines_are_shown_and_marked() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    let odd = folder.0.path().join(std::ffi::OsStr::from_bytes(b"a\xff\n.png"));
    fs::copy(folder.at("one.png"), odd).unwrap();
    let found = folder.json(&[]);
    let marked = &found["groups"][0]["paths"][0];
    assert!(marked["escaped"].as_str().unwrap().ends_with("a\\xff\n.png"), "{marked}");
    let text = String::from_utf8(folder.scan(&[]).stdout).unwrap();
    assert!(text.contains("a\\xff\\n.png"), "{text}");
}

#[cfg(unix)]
#[test]
fn links_are_passed_over_and_loops_end() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    fs::create_dir(folder.at("below")).unwrap();
    symlink(folder.0.path(), folder.at("below/loop")).unwrap();
    symlink(folder.at("two.png"), folder.at("below/two.png")).unwrap();
    symlink(folder.at("nowhere"), folder.at("below/dangling.png")).unwrap();
    let kinds = |found: &Value| -> Vec<String> {
        let all = found["skipped"].as_array().unwrap().iter();
        let below = all.filter(|skip| skip["path"].as_str().unwrap().contains("below"));
        below.map(|skip| skip["error"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&folder.json(&[])), ["symlink", "symlink", "symlink"]);
    let followed = folder.json(&["--follow-links"]);
    let mut followed_kinds = kinds(&followed);
    followed_kinds.sort();
    assert_eq!(followed_kinds, ["not-found", "symlink-loop"]);
    assert_eq!(followed["groups"].as_array().unwrap().len(), 1, "a link is no duplicate of what it points to");
}

#[test]
fn a_file_that_two_paths_reach_is_no_duplicate_of_itself() {
    let folder = Folder::new();
    fs::create_dir(folder.at("sub")).unwrap();
    fs::rename(folder.at("two.png"), folder.at("sub/two.png")).unwrap();
    let output = nodupe(folder.0.path(), &["scan", "--json", "sub", "sub/two.png", "./sub"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["stats"]["files"], 1);
    assert_eq!(found["groups"].as_array().unwrap().len(), 0);
}
