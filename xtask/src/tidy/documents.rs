//! What has to be written down, and found.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::command::Failure;
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut violations = readmes(workspace);
    violations.extend(decisions(&workspace.root.join("docs/decisions"))?);
    Ok(violations)
}

/// Every published package has a README.
fn readmes(workspace: &Workspace) -> Vec<String> {
    let published = workspace.packages.iter().filter(|package| package.is_published);
    let readmes = published.map(|package| package.folder.join("README.md"));
    let missing = readmes.filter(|readme| !workspace.root.join(readme).is_file());
    missing.map(|readme| format!("{} is missing", readme.display())).collect()
}

/// Every decision is linked from the list of decisions.
fn decisions(folder: &Path) -> Result<Vec<String>, Failure> {
    let failure = |why: std::io::Error| Failure::new(format!("{}: {why}", folder.display()));
    let list = match fs::read_to_string(folder.join("README.md")) {
        Ok(list) => list,
        Err(why) if why.kind() == ErrorKind::NotFound => String::new(),
        Err(why) => return Err(failure(why)),
    };
    let mut violations = Vec::new();
    for entry in fs::read_dir(folder).map_err(failure)? {
        let name = entry.map_err(failure)?.file_name().to_string_lossy().into_owned();
        if name != "README.md" && !list.contains(&format!("]({name})")) {
            violations.push(format!("docs/decisions/{name} is not linked from docs/decisions/README.md"));
        }
    }
    violations.sort();
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_published_package_without_a_readme_is_a_violation() {
        let root = tempfile::tempdir().unwrap();
        let package = |name: &str, publish: serde_json::Value| {
            let manifest = root.path().join(name).join("Cargo.toml");
            json!({
                "name": name, "manifest_path": manifest, "targets": [], "features": {}, "dependencies": [],
                "metadata": null, "publish": publish,
            })
        };
        let packages = [package("with", json!(null)), package("without", json!(null)), package("private", json!([]))];
        let workspace =
            Workspace::from_metadata(&json!({"workspace_root": root.path(), "packages": packages})).unwrap();
        fs::create_dir(root.path().join("with")).unwrap();
        fs::write(root.path().join("with/README.md"), "").unwrap();
        assert_eq!(readmes(&workspace), ["without/README.md is missing"]);
    }

    #[test]
    fn a_decision_that_nobody_finds_is_a_violation() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("README.md", "* [One](0001-one.md)"), ("0001-one.md", ""), ("0002-two.md", "")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        assert_eq!(
            decisions(folder.path()).unwrap(),
            ["docs/decisions/0002-two.md is not linked from docs/decisions/README.md"]
        );
        fs::remove_file(folder.path().join("README.md")).unwrap();
        assert_eq!(decisions(folder.path()).unwrap().len(), 2);
    }
}
