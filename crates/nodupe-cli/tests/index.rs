//! `nodupe index` as a person runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use nodupe::index::WriteLock;
use serde_json::Value;

mod pictures;

use pictures::{command, nodupe, picture};

/// A folder with three pictures below `photos`, one of them twice, and things that are none.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.at("photos/two words")).unwrap();
        let one = picture(1);
        one.save(folder.at("photos/one.png")).unwrap();
        image::imageops::rotate90(&one).save(folder.at("photos/two words/one turned.png")).unwrap();
        picture(2).save(folder.at("photos/two.png")).unwrap();
        fs::write(folder.at("photos/notes.txt"), "remember the milk").unwrap();
        folder
    }

    /// With an index of the photos.
    fn indexed() -> Self {
        let folder = Self::new();
        folder.ok(&["build", "an index", "photos"]);
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path that an image has in the index.
    fn id(&self, name: &str) -> String {
        self.0.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        nodupe(self.0.path(), &[&["index"], args].concat())
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// The exit code and what was said.
    fn error(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn count(&self, index: &str) -> u64 {
        self.json(&["info", index])["manifest"]["count"].as_u64().unwrap()
    }
}

fn found(file: &Value) -> Vec<&str> {
    file["matches"].as_array().unwrap().iter().map(|found| found["path"].as_str().unwrap()).collect()
}

#[test]
fn what_is_built_is_found_from_another_folder_under_every_view() {
    let folder = Folder::new();
    let built = folder.json(&["build", "an index", "photos"]);
    assert_eq!((&built["version"], &built["images"], &built["vectors"]), (&1.into(), &3.into(), &3.into()));
    assert_eq!(built["skipped"][0]["error"], "unsupported-format");
    assert_eq!(built["selection"]["similarity"]["name"], "bruteforce");
    assert_eq!(built["space"]["model"], "pdq");

    let query = ["index", "query", "../an index", "one.png", "--threshold", "0.85", "--json"];
    let output = nodupe(&folder.at("photos"), &query);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (one, turned) = (folder.id("photos/one.png"), folder.id("photos/two words/one turned.png"));
    assert_eq!(found(&answer["files"][0]), [one.as_str(), turned.as_str()], "{answer:#}");
    let matches = &answer["files"][0]["matches"];
    assert_eq!((&matches[0]["similarity"], &matches[0]["view"]), (&1.0.into(), &"identity".into()));
    assert_eq!(matches[1]["view"], "rotate-90");

    let all = folder.json(&["query", "an index", "photos/one.png", "photos/two.png"]);
    assert_eq!(found(&all["files"][0]).len(), 3);
    assert_eq!(found(&all["files"][1])[0], folder.id("photos/two.png"));
    let flat = folder.json(&["query", "an index", "photos/one.png", "--threshold", "0.85", "--no-views"]);
    assert_eq!(found(&flat["files"][0]), [one.as_str()]);
    let text = folder.ok(&["query", "an index", "-k", "2", "photos/one.png"]);
    assert!(text.contains(&format!("   1.000  {one}\n")) && text.contains("after rotate-90"), "{text}");
}

#[test]
fn a_file_that_cannot_be_searched_for_costs_its_own_answer() {
    let folder = Folder::indexed();
    let output = folder.run(&["query", "an index", "gone.png", "photos/two.png", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["files"][0]["error"], "not-found");
    assert_eq!(found(&answer["files"][1])[0], folder.id("photos/two.png"));
}

#[test]
fn an_index_is_replaced_only_by_force_and_another_folder_never() {
    let folder = Folder::indexed();
    let (code, error) = folder.error(&["build", "an index", "photos"]);
    assert_eq!(code, 1);
    assert!(error.contains("is an index already") && error.contains("--force"), "{error}");
    folder.ok(&["build", "--force", "an index", "photos/two.png"]);
    assert_eq!(folder.count("an index"), 1);
    for force in [&[][..], &["--force"]] {
        let (code, error) = folder.error(&[&["build", "photos", "photos"], force].concat());
        assert_eq!(code, 1);
        assert!(error.contains("is no index"), "{error}");
    }
    assert!(!folder.at("photos/lock").exists());
}

#[test]
fn where_there_is_no_image_there_is_no_index() {
    let folder = Folder::new();
    let (code, error) = folder.error(&["build", "new", "photos/notes.txt"]);
    assert_eq!(code, 1);
    assert!(error.contains("photos/notes.txt") && error.contains("no index was made"), "{error}");
    assert!(!folder.at("new").exists());
    assert_eq!(folder.error(&["build", "new", "no such folder"]).0, 1);
    let (code, _) = folder.error(&["build", "new", "photos", "no such folder"]);
    assert_eq!((code, folder.count("new")), (1, 3), "a path that cannot be read is a failure, and the rest goes on");
}

#[test]
fn add_puts_in_what_is_missing_and_update_all_of_it() {
    let folder = Folder::indexed();
    picture(3).save(folder.at("photos/three.png")).unwrap();
    let added = folder.json(&["add", "an index", "photos"]);
    assert_eq!((&added["images"], &added["present"], &added["vectors"]), (&1.into(), &3.into(), &4.into()));
    let generation = |folder: &Folder| folder.json(&["info", "an index"])["manifest"]["generation"].clone();
    let before = generation(&folder);
    let again = folder.json(&["add", "an index", "photos"]);
    assert_eq!((&again["images"], &again["present"], &again["saved"]), (&0.into(), &4.into(), &false.into()));
    assert_eq!(generation(&folder), before, "nothing was saved");

    picture(4).save(folder.at("photos/two.png")).unwrap();
    folder.ok(&["add", "--update", "an index", "photos/two.png"]);
    assert_eq!(folder.count("an index"), 4);
    let nearest = folder.json(&["query", "an index", "photos/two.png", "-k", "1"]);
    assert_eq!(nearest["files"][0]["matches"][0]["similarity"], 1.0);
}

#[test]
fn files_and_folders_are_taken_out_whether_they_are_there_or_not() {
    let folder = Folder::indexed();
    let removed = folder.json(&["remove", "an index", "photos/two words"]);
    assert_eq!(removed["removed"], serde_json::json!([folder.id("photos/two words/one turned.png")]));
    fs::remove_file(folder.at("photos/one.png")).unwrap();
    let (code, error) = folder.error(&["remove", "an index", "photos/tw", "photos/two.png"]);
    assert_eq!((code, folder.count("an index")), (1, 1));
    assert!(error.contains("photos/tw: it is not in the index"), "{error}");
    let text = folder.ok(&["remove", "--missing", "an index"]);
    assert_eq!(text, "an index: 1 image taken out; 0 vectors are left\n");
    assert!(folder.ok(&["query", "an index", "photos/two.png"]).contains("nothing is like it"));
    assert_eq!(folder.json(&["remove", "--missing", "an index"])["saved"], false);
}

#[test]
fn an_index_is_asked_by_the_backend_that_it_was_built_with() {
    let folder = Folder::new();
    folder.ok(&["build", "colours", "photos", "--embedding", "histogram", "--set", "histogram.bins=16"]);
    let (code, error) = folder.error(&["query", "colours", "photos/one.png"]);
    assert_eq!(code, 1);
    assert!(error.contains("histogram@1 cosine f32x48") && error.contains("options"), "{error}");
    assert!(error.contains("other-space"), "every attempt is shown: {error}");
    // The environment of these tests prefers another backend, which may not answer.
    let answer = folder.json(&["query", "colours", "photos/one.png", "--set", "histogram.bins=16"]);
    assert_eq!(answer["selection"]["embedding"]["name"], "histogram");
    let (code, error) = folder.error(&["add", "colours", "photos", "--update", "--embedding", "perceptual!"]);
    assert_eq!(code, 1);
    assert!(error.contains("other-space"), "{error}");
}

#[test]
fn an_index_of_a_model_says_which_one_it_needs() {
    let folder = Folder::new();
    let model = nodupe::models::entry("sscd-distilled").unwrap();
    let space = model.space().unwrap();
    let registry = nodupe::Registry::linked();
    let empty = nodupe::Selector::new(&registry).similarity(&nodupe::IndexSpec::new(&space)).unwrap();
    nodupe::index::Index::new(empty.backend).save(folder.at("neural")).unwrap();
    let query = ["index", "query", "neural", "photos/one.png"];
    let mut query = command(folder.0.path(), &query);
    query.env("NODUPE_MODELS", folder.at("none")).env("XDG_CACHE_HOME", folder.at("none"));
    let output = query.env_remove("NODUPE_EMBEDDING").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("`nodupe models fetch sscd-distilled`"), "{error}");
}

#[test]
fn what_is_no_index_or_a_damaged_one_is_refused_by_every_command() {
    let folder = Folder::indexed();
    fs::write(folder.at("a file"), "").unwrap();
    // The command and what stands after the index.
    let commands = [
        ("query", Some("photos/one.png")),
        ("add", Some("photos")),
        ("remove", Some("x")),
        ("info", None),
        ("verify", None),
        ("convert", Some("out")),
    ];
    let refused = |index: &str, what: &str| {
        // What an index says of itself is not in the files that are damaged.
        for (command, rest) in commands.into_iter().filter(|(command, _)| (index, *command) != ("damaged", "info")) {
            let args: Vec<&str> = [command, index].into_iter().chain(rest).collect();
            let (code, error) = folder.error(&args);
            assert_eq!(code, 1, "{command} {error}");
            assert!(error.contains(what), "{command} {error}");
        }
    };
    refused("nowhere", "nowhere is no index: there is no such folder");
    refused("a file", "a file is no index: it is a file");
    refused("photos", "photos is no index: it has no manifest.json");
    assert!(!folder.at("photos/lock").exists() && !folder.at("nowhere").exists() && !folder.at("out").exists());

    fs::rename(folder.at("an index"), folder.at("damaged")).unwrap();
    let rows = folder.at("damaged/gen-1/rows");
    let whole = fs::read(&rows).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() - 1] ^= 1;
    fs::write(&rows, changed).unwrap();
    refused("damaged", "digest");
    fs::write(&rows, &whole[1..]).unwrap();
    refused("damaged", "build it again");
    let manifest = fs::read_to_string(folder.at("damaged/manifest.json")).unwrap();
    fs::write(folder.at("damaged/manifest.json"), manifest.replace("\"format\": 1", "\"format\": 99")).unwrap();
    refused("damaged", "format version 99");
}

#[test]
fn while_one_writes_others_are_refused_and_readers_are_not() {
    let folder = Folder::indexed();
    let lock = WriteLock::acquire(folder.at("an index")).unwrap();
    for args in [
        &["add", "an index", "photos"][..],
        &["remove", "an index", "photos"],
        &["build", "--force", "an index", "photos"],
    ] {
        let (code, error) = folder.error(args);
        assert_eq!(code, 1);
        assert!(error.contains("is being written by another process"), "{error}");
    }
    assert_eq!(
        folder.json(&["query", "an index", "photos/one.png"])["files"][0]["matches"].as_array().unwrap().len(),
        3
    );
    drop(lock);
    folder.ok(&["remove", "an index", "photos"]);
}

#[test]
fn an_index_is_verified_audited_and_converted() {
    let folder = Folder::indexed();
    folder.ok(&["convert", "an index", "a graph", "--similarity", "hnsw"]);
    let verified = folder.json(&["verify", "--audit", "a graph"]);
    assert_eq!(
        (&verified["backend"], &verified["exact"], &verified["vectors"]),
        (&"hnsw".into(), &false.into(), &3.into())
    );
    assert_eq!(verified["audit"], serde_json::json!({"queries": 3, "k": 2, "recall": 1.0}));
    let (one, other) = (["query", "an index", "photos/one.png"], ["query", "a graph", "photos/one.png"]);
    assert_eq!(folder.json(&one)["files"], folder.json(&other)["files"]);
    assert!(folder.ok(&["verify", "an index"]).contains("every file is as it was saved"));
    assert!(folder.ok(&["info", "a graph"]).contains("hnsw (nodupe-hnsw"));

    let (code, error) = folder.error(&["convert", "a graph", "a graph", "--similarity", "bruteforce"]);
    assert_eq!(code, 1, "{error}");
    folder.ok(&["convert", "a graph", "a graph", "--similarity", "bruteforce", "--force"]);
    assert_eq!(folder.json(&["info", "a graph"])["manifest"]["backend"], "bruteforce");
    assert_eq!(folder.error(&["convert", "an index", "x", "--similarity", "hnws"]).0, 2);
    assert_eq!(folder.error(&["convert", "an index", "x", "--set", "hnsw.emm=3"]).0, 2);
    assert_eq!(folder.error(&["query", "an index", "photos/one.png", "--set", "hnsw.emm=3"]).0, 2);
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf8_is_found_and_taken_out() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    let odd = folder.at("photos").join(std::ffi::OsStr::from_bytes(b"a\xff.png"));
    fs::rename(folder.at("photos/two.png"), &odd).unwrap();
    folder.ok(&["build", "an index", "photos"]);
    let answer = folder.json(&["query", "an index", "photos/one.png"]);
    let paths = answer["files"][0]["matches"].as_array().unwrap();
    let escaped = paths.iter().find_map(|found| found["path"]["escaped"].as_str()).unwrap();
    assert!(escaped.ends_with("photos/a\\xff.png"), "{escaped}");
    assert!(folder.ok(&["query", "an index", "photos/one.png"]).contains("photos/a\\xff.png"));
    let removed = command(folder.0.path(), &["index", "remove", "an index"]).arg(&odd).output().unwrap();
    assert!(removed.status.success());
    assert_eq!(folder.count("an index"), 2);
}

#[test]
fn an_index_among_the_photos_is_no_photo() {
    let folder = Folder::new();
    folder.ok(&["build", "photos/index", "photos"]);
    let added = folder.json(&["add", "photos/index", "photos"]);
    assert_eq!(added["skipped"].as_array().unwrap().len(), 1, "{added:#}");
}

/// Interrupts the command once it is at work, whenever that is on this machine.
#[cfg(unix)]
fn interrupted(dir: &Path, args: &[&str]) -> Output {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    for delay in [250, 500, 1000, 2000] {
        let mut running = command(dir, args);
        let running = running.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
        let output = running.wait_with_output().unwrap();
        // Killed before it listened, or before it had anything.
        if output.status.code().is_some() && dir.join("an index/manifest.json").exists() {
            return output;
        }
    }
    panic!("it never had anything");
}

#[cfg(unix)]
#[test]
fn ctrl_c_loses_nothing_and_add_goes_on() {
    const FILES: u64 = 150;
    let folder = Folder::new();
    fs::create_dir(folder.at("many")).unwrap();
    image::imageops::resize(&picture(5), 1800, 1200, image::imageops::FilterType::Triangle)
        .save(folder.at("many/0.png"))
        .unwrap();
    for number in 1..FILES {
        fs::hard_link(folder.at("many/0.png"), folder.at(&format!("many/{number}.png"))).unwrap();
    }
    let output = interrupted(folder.0.path(), &["index", "build", "--threads", "1", "an index", "many"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("Interrupted: what was embedded so far is saved."), "{text}");
    let before = folder.count("an index");
    assert!((1..FILES).contains(&before), "{before}");
    let added = folder.json(&["add", "an index", "many"]);
    assert_eq!((&added["present"], &added["vectors"]), (&before.into(), &FILES.into()));
}
