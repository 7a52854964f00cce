//! A folder to groups: `cargo run -p nodupe-examples --bin quickstart -- FOLDER`
#![allow(clippy::print_stdout)]

fn main() -> Result<(), nodupe::ScannerError> {
    let found = nodupe::scan(std::env::args_os().skip(1))?;
    for group in &found.report.groups {
        println!("{} files, at least {:.3} alike:", group.files.len(), group.min_similarity);
        for file in &group.files {
            println!("  {}", file.path.display());
        }
    }
    Ok(())
}
