//! `nodupe-core` is what every backend compiles: it stays small and knows no runtime.

use std::collections::BTreeSet;

use crate::command::{Failure, cargo};

const MOST: usize = 25;
/// Runtimes and image libraries; a name stands for the packages that begin with it and a dash, too.
const FOREIGN: &[&str] = &["ort", "tract", "candle", "faiss", "ndarray", "image"];

/// The tree of the core without features, one package a line.
pub(super) fn load() -> Result<String, Failure> {
    cargo(["tree", "--package", "nodupe-core", "--edges", "normal", "--no-default-features", "--prefix", "none"])
        .output()
}

pub(super) fn check(tree: &str) -> Vec<String> {
    let packages: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let is_foreign = |package: &&str| {
        FOREIGN
            .iter()
            .any(|name| package.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    };
    let foreign = packages.iter().copied().filter(is_foreign);
    let mut violations: Vec<String> = foreign.map(|name| format!("nodupe-core must not know {name}")).collect();
    if packages.len() > MOST {
        violations.push(format!("nodupe-core's tree has {} packages, at most {MOST} are allowed", packages.len()));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_tree_is_fine() {
        let tree =
            "nodupe-core v0.1.0 (/w/crates/nodupe-core)\nthiserror v2.0.1\nimagesize v0.1.0\nthiserror v2.0.1 (*)\n";
        assert_eq!(check(tree), Vec::<String>::new());
    }

    #[test]
    fn a_runtime_in_the_core_is_a_violation() {
        assert_eq!(
            check("nodupe-core v0.1.0\ntract-core v0.22.0\nndarray v0.17.0\n"),
            ["nodupe-core must not know ndarray", "nodupe-core must not know tract-core"]
        );
    }

    #[test]
    fn a_large_tree_is_a_violation() {
        let tree: Vec<String> = (0..26).map(|number| format!("package{number} v1.0.0")).collect();
        assert_eq!(check(&tree.join("\n")), ["nodupe-core's tree has 26 packages, at most 25 are allowed"]);
    }
}
