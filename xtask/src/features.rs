//! The feature matrix: with each feature of the facade alone, the backends that are registered are those of the feature.

use crate::command::{Failure, Line, cargo};
use crate::workspace::Workspace;

const FACADE: &str = "nodupe";
/// The test of the facade that compares what is registered with what its features say.
const TEST: &str = "registered";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Dev,
    /// What a linker may throw away is thrown away: registrations have to survive it.
    ReleaseLto,
}

pub(crate) fn run(build: Build) -> Result<(), Failure> {
    let workspace = Workspace::load()?;
    let sets = feature_sets(&workspace)?;
    for skipped in &sets.skipped {
        println!("skipped: the feature {skipped} needs more than Rust");
    }
    let (count, mut failed) = (sets.tested.len(), Vec::new());
    for set in sets.tested {
        if let Err(failure) = test(&set, build).run() {
            failed.push(failure.to_string());
        }
    }
    if failed.is_empty() {
        println!("features: {count} sets of features register what they say");
        return Ok(());
    }
    Err(Failure::new(format!("{} of {count} sets of features failed:\n  {}", failed.len(), failed.join("\n  "))))
}

/// What is passed to Cargo for each set of features, and the features that are left out.
#[derive(Debug, PartialEq, Eq)]
struct FeatureSets {
    tested: Vec<Vec<String>>,
    skipped: Vec<String>,
}

fn feature_sets(workspace: &Workspace) -> Result<FeatureSets, Failure> {
    let facade = workspace.package(FACADE).ok_or_else(|| Failure::new(format!("there is no package `{FACADE}`")))?;
    let features = facade.features.keys().filter(|feature| *feature != "default");
    let (skipped, alone): (Vec<_>, Vec<_>) = features.partition(|feature| workspace.is_native(facade, feature));
    let none = "--no-default-features".to_owned();
    let alone = alone.into_iter().map(|feature| vec![none.clone(), "--features".to_owned(), feature.clone()]);
    let tested = [vec![], vec![none.clone()]].into_iter().chain(alone).collect();
    Ok(FeatureSets { tested, skipped: skipped.into_iter().cloned().collect() })
}

fn test(set: &[String], build: Build) -> Line {
    let line = cargo(["test", "--quiet", "--package", FACADE, "--test", TEST]).args(set);
    match build {
        Build::Dev => line,
        Build::ReleaseLto => line.args(["--release"]).env("CARGO_PROFILE_RELEASE_LTO", "fat"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workspace() -> Workspace {
        let package = |name: &str, native: bool, features: serde_json::Value| {
            json!({
                "name": name, "manifest_path": format!("/w/crates/{name}/Cargo.toml"), "targets": [],
                "features": features, "dependencies": [],
                "metadata": {"nodupe": {"native": native, "native-features": ["gpu"]}},
            })
        };
        let features = json!({
            "default": ["exact"], "exact": ["dep:nodupe-exact"], "faiss": ["dep:nodupe-faiss"], "fast": ["faiss"],
            "exact-gpu": ["exact", "nodupe-exact/gpu"],
        });
        let packages = [
            package("nodupe", false, features),
            package("nodupe-exact", false, json!({"gpu": []})),
            package("nodupe-faiss", true, json!({"gpu": []})),
        ];
        Workspace::from_metadata(&json!({"workspace_root": "/w", "packages": packages})).unwrap()
    }

    #[test]
    fn each_feature_is_tested_alone_and_those_that_need_more_than_rust_are_named() {
        let sets = feature_sets(&workspace()).unwrap();
        let tested: Vec<String> = sets.tested.iter().map(|set| set.join(" ")).collect();
        assert_eq!(tested, ["", "--no-default-features", "--no-default-features --features exact"]);
        assert_eq!(sets.skipped, ["exact-gpu", "faiss", "fast"]);
    }

    #[test]
    fn all_that_is_pure_rust_leaves_out_what_is_not() {
        let arguments = workspace().pure_rust().join(" ");
        assert_eq!(arguments, "--exclude nodupe-faiss --features nodupe/default,nodupe/exact");
    }

    #[test]
    fn the_command_is_shown_as_it_would_be_typed() {
        let set = vec!["--no-default-features".to_owned()];
        assert_eq!(
            test(&set, Build::ReleaseLto).to_string(),
            "CARGO_PROFILE_RELEASE_LTO=fat cargo test --quiet --package nodupe --test registered \
             --no-default-features --release"
        );
    }
}
