//! What a machine needs. The default features are pure Rust: a toolchain is all.

use std::path::Path;

use crate::command::{Failure, Line, cargo};

/// Environment variables that add something, and what is missing without them.
const OPTIONAL: &[(&str, &str)] =
    &[("NODUPE_PHOTOS", "a folder of photographs: tests that look at real ones are skipped")];

pub(crate) fn run() -> Result<(), Failure> {
    let wanted = toolchain(include_str!("../../rust-toolchain.toml"))
        .ok_or_else(|| Failure::new("rust-toolchain.toml names no channel"))?;
    let found = Line::new("rustc").args(["--version"]).output()?;
    if found.split_whitespace().nth(1) != Some(wanted) {
        let found = found.trim();
        return Err(Failure::new(format!("this is {found}, and {wanted} is needed: run `rustup toolchain install`")));
    }
    for component in ["fmt", "clippy"] {
        let version = cargo([component, "--version"]).output();
        let install = |_| Failure::new(format!("`cargo {component}` is missing: run `rustup toolchain install`"));
        println!("found: {}", version.map_err(install)?.trim());
    }
    println!("found: {}", found.trim());
    for (variable, without) in OPTIONAL {
        match std::env::var_os(variable) {
            Some(value) if Path::new(&value).exists() => println!("found: {variable}"),
            Some(value) => println!("absent: {variable}={} does not exist ({without})", Path::new(&value).display()),
            None => println!("absent: {variable} ({without})"),
        }
    }
    println!("setup: nothing has to be installed; next: `cargo xtask ci`");
    Ok(())
}

/// The channel that `rust-toolchain.toml` pins.
fn toolchain(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.trim().strip_prefix("channel"))?;
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_toolchain_is_read() {
        assert_eq!(toolchain("[toolchain]\nchannel = \"1.95.0\"\ncomponents = []\n"), Some("1.95.0"));
        assert_eq!(toolchain("[toolchain]\n"), None);
    }
}
