//! The suite that every embedding backend passes.

use nodupe_core::Options;

#[test]
fn the_backend_keeps_the_promises_of_the_trait() {
    let needs = (nodupe_ort::REGISTRATION.probe)(&Options::new());
    if nodupe_conformance::provided(needs, "run `cargo xtask setup`").is_some() {
        nodupe_conformance::embedding(nodupe_ort::REGISTRATION).run().unwrap();
    }
}
