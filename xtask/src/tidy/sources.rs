//! What may stand in our source files, what they may be called, and how long they may be.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Failure;
use crate::workspace::Workspace;

const FOLDERS: &[&str] = &["crates", "examples", "benches", "xtask"];
const MOST_LINES: usize = 500;
/// Names that say nothing of what a module is about.
const NO_NOUNS: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];
/// What writes to the terminal.
const PRINTING: &[&str] = &["println!", "eprintln!", "print!", "eprint!", "dbg!"];
/// The one library that may print.
const PRINTS: &str = "crates/nodupe-cli/";
/// What a library says that is never unsafe.
const SAFE: &str = "#![forbid(unsafe_code)]";
/// What one says that has argued exceptions; which they are and why follows in the same line.
const ARGUED: &str = "#![deny(unsafe_code)] // ";

/// A source file: its path from the root of the workspace, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

pub(super) fn check(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut sources = Vec::new();
    for folder in FOLDERS {
        collect(&workspace.root, Path::new(folder), &mut sources)?;
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    let checks = [too_long, badly_named, printing];
    let mut violations: Vec<String> =
        sources.iter().flat_map(|source| checks.iter().flat_map(move |check| check(source))).collect();
    let libraries = workspace.packages.iter().filter_map(|package| package.library.as_deref());
    for library in libraries {
        let source = sources.iter().find(|source| Path::new(&source.path) == library);
        violations.extend(source.and_then(may_be_unsafe));
    }
    Ok(violations)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let failure = |path: &Path, why: std::io::Error| Failure::new(format!("{}: {why}", path.display()));
    let entries = match fs::read_dir(root.join(folder)) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|why| failure(folder, why))?,
    };
    for entry in entries {
        let entry = entry.map_err(|why| failure(folder, why))?;
        let (name, path): (String, PathBuf) =
            (entry.file_name().to_string_lossy().into_owned(), folder.join(entry.file_name()));
        let kind = entry.file_type().map_err(|why| failure(&path, why))?;
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            collect(root, &path, sources)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path)).map_err(|why| failure(&path, why))?;
            sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(())
}

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let violation = || format!("{} has {lines} lines, at most {MOST_LINES} are allowed: split it", source.path);
    (lines > MOST_LINES).then(violation).into_iter().collect()
}

fn badly_named(source: &Source) -> Vec<String> {
    let folders = source.path.trim_end_matches(".rs").split('/');
    let declared = source.text.lines().filter_map(|line| {
        let (before, after) = line.trim().split_once("mod ")?;
        let is_declaration = before.is_empty() || (before.starts_with("pub") && before.ends_with(' '));
        is_declaration.then(|| after.trim_end_matches([' ', '{', ';', '}']))
    });
    let mut names: Vec<&str> = folders.chain(declared).filter(|name| NO_NOUNS.contains(name)).collect();
    names.sort_unstable();
    names.dedup();
    let violation = |name| format!("{}: `{name}` says nothing of what the module is about", source.path);
    names.into_iter().map(violation).collect()
}

/// Lines of a library that print, its unit tests (which stand last) and comments aside.
fn printing(source: &Source) -> Vec<String> {
    let is_library = source.path.starts_with("crates/") && source.path.contains("/src/");
    if !is_library || source.path.starts_with(PRINTS) {
        return Vec::new();
    }
    let lines = source.text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    let prints = code.filter(|(_, line)| PRINTING.iter().any(|name| calls(line, name)));
    prints.map(|(line, _)| format!("{}:{}: libraries do not print, they log", source.path, line + 1)).collect()
}

/// Whether a line calls the macro, not one whose name ends like its.
fn calls(line: &str, name: &str) -> bool {
    let mut places = line.match_indices(name);
    places.any(|(place, _)| !line[..place].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

fn may_be_unsafe(library: &Source) -> Option<String> {
    let is_said = library.text.lines().any(|line| line.starts_with(SAFE) || line.starts_with(ARGUED));
    (!is_said).then(|| format!("{} lacks {SAFE}, or {ARGUED}and the argument", library.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The violations of a workspace whose one library `one` has these files.
    fn violations(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let folder = root.path().join("crates/one");
        let package = json!({
            "name": "one", "manifest_path": folder.join("Cargo.toml"), "features": {}, "dependencies": [],
            "targets": [{"kind": ["lib"], "src_path": folder.join("src/lib.rs")}], "metadata": null,
        });
        let metadata = json!({"workspace_root": root.path(), "packages": [package]});
        check(&Workspace::from_metadata(&metadata).unwrap()).unwrap()
    }

    const FINE: (&str, &str) = ("crates/one/src/lib.rs", "//! It never calls println!\n#![forbid(unsafe_code)]\n");

    #[test]
    fn what_is_fine_is_not_a_violation() {
        let files = [
            FINE,
            (
                "crates/one/src/index.rs",
                "/// println!(\"\")\nfn f() {}\n#[cfg(test)]\nmod tests { fn t() { println!(); } }\n",
            ),
            ("crates/nodupe-cli/src/lib.rs", "fn f() { println!(); }\n"),
            ("crates/one/target/utils.rs", ""),
            ("examples/quickstart.rs", "fn main() { println!(); }\n"),
        ];
        assert_eq!(violations(&files), Vec::<String>::new());
    }

    #[test]
    fn a_library_that_prints_is_a_violation() {
        for line in ["println!(\"\");", "    std::eprintln!(\"\");", "let x = dbg!(1);", "eprint!(\"\")"] {
            let found = violations(&[FINE, ("crates/one/src/index.rs", &format!("fn f() {{\n{line}\n}}\n"))]);
            assert_eq!(found, ["crates/one/src/index.rs:2: libraries do not print, they log"], "{line}");
        }
        assert!(!calls("my_println!()", "println!"));
    }

    #[test]
    fn a_module_whose_name_says_nothing_is_a_violation() {
        for (path, text) in [
            ("crates/one/src/utils.rs", ""),
            ("crates/one/tests/common/mod.rs", ""),
            ("xtask/src/one.rs", "pub(crate) mod helpers {\n"),
            ("benches/one.rs", "mod misc;\n"),
        ] {
            assert_eq!(violations(&[FINE, (path, text)]).len(), 1, "{path}");
        }
    }

    #[test]
    fn a_long_file_is_a_violation() {
        assert_eq!(violations(&[FINE, ("crates/one/src/long.rs", &"\n".repeat(500))]), Vec::<String>::new());
        assert_eq!(
            violations(&[FINE, ("crates/one/src/long.rs", &"\n".repeat(501))]),
            ["crates/one/src/long.rs has 501 lines, at most 500 are allowed: split it"]
        );
    }

    #[test]
    fn a_library_that_may_be_unsafe_is_a_violation() {
        let library = |text| violations(&[("crates/one/src/lib.rs", text)]);
        assert_eq!(library("#![deny(unsafe_code)] // `simd` picks instructions\n"), Vec::<String>::new());
        for text in ["", "// #![forbid(unsafe_code)]\n", "#![deny(unsafe_code)]\n", "#![allow(unsafe_code)] // fast\n"]
        {
            assert_eq!(library(text).len(), 1, "{text}");
        }
    }
}
