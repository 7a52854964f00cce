//! The nodupe command with one more backend: `cargo run -- backends` lists it.

use std::process::ExitCode;

// Nothing else names the backend, and a crate that nothing names is not linked.
use nodupe_thumbnail as _;

fn main() -> ExitCode {
    nodupe_cli::run()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_registry_of_the_program_has_the_backend() {
        let registry = nodupe::Registry::linked();
        let names: Vec<&str> = registry.embeddings().iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["perceptual", "thumbnail", "histogram", "keypoints"], "strongest first");
        assert_eq!(registry.conflicts(), []);
    }
}
