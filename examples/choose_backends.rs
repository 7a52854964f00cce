//! What there is, what was chosen and why: `cargo run -p nodupe-examples --bin choose_backends -- A.jpg B.jpg`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;

use nodupe::media::PoolOptions;
use nodupe::select::StatusTable;
use nodupe::{IndexSpec, ItemId, Options, Preference, Registry, Selector, compute_embeddings};

fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::linked();
    println!("{}\n", StatusTable(&nodupe::backends()));

    // A list is a wish: if nothing on it runs, something else does, and the report says why.
    let selector = Selector::new(&registry)
        .with_preference(Preference::prefer(["histogram"]))
        .with_options(Options::new().with("histogram.bins", "16"));
    let embedding = selector.embedding()?;
    println!("{}\n", embedding.report);

    // `!` is a demand: that one, or an error that lists what was tried.
    let spec = IndexSpec::new(embedding.backend.space());
    let mut similarity = Selector::new(&registry).with_preference("bruteforce!".parse()?).similarity(&spec)?;
    println!("{}\n", similarity.report);

    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    for (number, rows) in compute_embeddings(embedding.backend.as_ref(), paths.clone(), PoolOptions::default()) {
        match rows {
            Ok(rows) => similarity.backend.add(&[ItemId::from_path(&paths[number])], rows.view())?,
            Err(error) => println!("{}: {error}", paths[number].display()),
        }
    }
    similarity.backend.pairs_within(f32::INFINITY, &mut |pair| {
        println!("{:.4}  {}  {}", embedding.backend.space().similarity(pair.distance), pair.a, pair.b);
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(())
}
