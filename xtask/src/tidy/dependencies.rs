//! Which of our packages may depend on which.

use crate::workspace::{Package, Workspace};

/// What a package is in the workspace, told by its folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Core,
    Select,
    Media,
    Models,
    Conformance,
    Index,
    Dedup,
    Eval,
    Facade,
    Cli,
    EmbeddingBackend,
    SimilarityBackend,
    /// Programs in the workspace that use the facade like everybody else.
    Program,
}

/// Every dependency between our packages that the architecture does not allow. Development dependencies may go the same
/// ways, to the conformance suite, and from a similarity backend to the bundles that it is saved in.
pub(super) fn check(workspace: &Workspace) -> Vec<String> {
    let mut violations = Vec::new();
    for from in &workspace.packages {
        let Some(role) = role(from) else {
            violations.push(format!(
                "{} ({}) has no place in the architecture: give it one in xtask/src/tidy/dependencies.rs",
                from.name,
                from.folder.display()
            ));
            continue;
        };
        for dependency in &from.dependencies {
            let Some(to) = workspace.package(&dependency.package) else { continue };
            let Some(to_role) = self::role(to) else { continue };
            let is_bundle = role == Role::SimilarityBackend && to_role == Role::Index;
            let is_for_tests = dependency.is_dev && (to_role == Role::Conformance || is_bundle);
            if !is_for_tests && !is_variant(from, to) && !may_depend(role, to_role) {
                violations.push(format!("{} must not depend on {}", from.name, to.name));
            }
            if role == Role::Facade && is_choice(to_role) && !dependency.is_optional && !dependency.is_dev {
                violations.push(format!("{} must depend on {} only behind a feature", from.name, to.name));
            }
        }
    }
    violations
}

fn role(package: &Package) -> Option<Role> {
    let folder = package.folder.to_str()?.replace('\\', "/");
    Some(match folder.as_str() {
        "crates/nodupe-core" => Role::Core,
        "crates/nodupe-select" => Role::Select,
        "crates/nodupe-media" => Role::Media,
        "crates/nodupe-models" => Role::Models,
        "crates/nodupe-conformance" => Role::Conformance,
        "crates/nodupe-index" => Role::Index,
        "crates/nodupe-dedup" => Role::Dedup,
        "crates/nodupe-eval" => Role::Eval,
        "crates/nodupe" => Role::Facade,
        "crates/nodupe-cli" => Role::Cli,
        "examples" | "benches" | "xtask" => Role::Program,
        backend if backend.starts_with("crates/embedding/") => Role::EmbeddingBackend,
        backend if backend.starts_with("crates/similarity/") => Role::SimilarityBackend,
        _ => return None,
    })
}

fn may_depend(from: Role, to: Role) -> bool {
    match from {
        Role::Core => false,
        Role::Select | Role::Media | Role::Models | Role::Conformance | Role::Index | Role::SimilarityBackend => {
            to == Role::Core
        }
        Role::EmbeddingBackend => matches!(to, Role::Core | Role::Models),
        Role::Dedup => matches!(to, Role::Core | Role::Index | Role::Media),
        Role::Eval => matches!(to, Role::Core | Role::Media | Role::Dedup),
        Role::Facade => !matches!(to, Role::Facade | Role::Cli | Role::Program | Role::Conformance),
        Role::Cli | Role::Program => to == Role::Facade,
    }
}

/// Whether a backend is another one on another device, which its name and its folder say: `nodupe-ort-cuda` of
/// `nodupe-ort`.
fn is_variant(from: &Package, to: &Package) -> bool {
    let is_backend = matches!(role(to), Some(Role::EmbeddingBackend | Role::SimilarityBackend));
    let is_named_after = from.name.strip_prefix(&to.name).is_some_and(|rest| rest.starts_with('-'));
    is_backend && is_named_after && from.folder.parent() == to.folder.parent()
}

/// What an application takes or leaves.
fn is_choice(role: Role) -> bool {
    matches!(role, Role::EmbeddingBackend | Role::SimilarityBackend | Role::Media | Role::Dedup | Role::Eval)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn package(folder: &str, dependencies: &[Value]) -> Value {
        let name = folder.rsplit('/').next().unwrap();
        let name = if name.starts_with("nodupe") { name.to_owned() } else { format!("nodupe-{name}") };
        json!({
            "name": name, "manifest_path": format!("/w/{folder}/Cargo.toml"), "targets": [], "features": {},
            "dependencies": dependencies, "metadata": null,
        })
    }

    fn on(name: &str) -> Value {
        json!({"name": name, "kind": null, "optional": false})
    }

    fn optionally_on(name: &str) -> Value {
        json!({"name": name, "kind": null, "optional": true})
    }

    fn dev_on(name: &str) -> Value {
        json!({"name": name, "kind": "dev", "optional": false})
    }

    fn violations(packages: Vec<Value>) -> Vec<String> {
        let others = ["crates/nodupe-core", "crates/nodupe-conformance", "crates/similarity/hnsw"];
        let others = others.iter().map(|folder| package(folder, &[]));
        let packages: Vec<Value> = packages.into_iter().chain(others).collect();
        check(&Workspace::from_metadata(&json!({"workspace_root": "/w", "packages": packages})).unwrap())
    }

    #[test]
    fn what_the_architecture_draws_is_allowed() {
        let packages = vec![
            package("crates/nodupe", &[on("nodupe-core"), on("nodupe-index"), optionally_on("nodupe-hnsw")]),
            package("crates/nodupe-index", &[on("nodupe-core"), on("serde")]),
            package("crates/embedding/ort", &[on("nodupe-core"), dev_on("nodupe-conformance")]),
            package("crates/embedding/ort-cuda", &[on("nodupe-core"), on("nodupe-ort")]),
            package("crates/similarity/annoy", &[on("nodupe-core"), dev_on("nodupe-index")]),
            package("crates/nodupe-cli", &[on("nodupe")]),
            package("benches", &[on("nodupe"), dev_on("criterion")]),
        ];
        assert_eq!(violations(packages), Vec::<String>::new());
    }

    #[test]
    fn every_other_way_is_a_violation() {
        let cases = [
            ("crates/nodupe-index", on("nodupe-hnsw")),
            ("crates/nodupe-dedup", dev_on("nodupe-hnsw")),
            ("crates/nodupe-eval", on("nodupe-hnsw")),
            ("crates/nodupe-select", on("nodupe-conformance")),
            ("crates/embedding/ort", on("nodupe-hnsw")),
            ("crates/embedding/hnsw-cuda", on("nodupe-hnsw")),
            ("crates/nodupe-cli", on("nodupe-core")),
            ("xtask", on("nodupe-hnsw")),
        ];
        for (folder, dependency) in cases {
            let found = violations(vec![package(folder, std::slice::from_ref(&dependency))]);
            assert_eq!(found.len(), 1, "{folder} -> {dependency}: {found:?}");
        }
    }

    #[test]
    fn the_facade_takes_backends_only_behind_features() {
        let found = violations(vec![package("crates/nodupe", &[on("nodupe-hnsw")])]);
        assert_eq!(found, ["nodupe must depend on nodupe-hnsw only behind a feature"]);
    }

    #[test]
    fn a_package_without_a_place_is_a_violation() {
        assert_eq!(violations(vec![package("crates/nodupe-things", &[])]).len(), 1);
    }
}
