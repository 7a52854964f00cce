//! What the compiler does not check: the invariants of `docs/architecture.md` that a machine can see.

mod core_tree;
mod dependencies;
mod documents;
mod sources;

use crate::command::Failure;
use crate::workspace::Workspace;

/// Prints every violation; none is fine.
pub(crate) fn run() -> Result<(), Failure> {
    let workspace = Workspace::load()?;
    let mut violations = dependencies::check(&workspace);
    violations.extend(core_tree::check(&core_tree::load()?));
    violations.extend(sources::check(&workspace)?);
    violations.extend(documents::check(&workspace)?);
    for violation in &violations {
        println!("tidy: {violation}");
    }
    match violations.len() {
        0 => {
            println!("tidy: {} packages are as they should be", workspace.packages.len());
            Ok(())
        }
        count => Err(Failure::new(format!("tidy found {count} violations"))),
    }
}
