//! The suite that every embedding backend passes, where there is a GPU.

use nodupe_core::Options;

#[test]
fn the_backend_keeps_the_promises_of_the_trait() {
    // No machine that tests is asked to have a GPU, so that this skips is no failure anywhere.
    match (nodupe_ort_cuda::REGISTRATION.probe)(&Options::new()) {
        Ok(()) => drop(nodupe_conformance::embedding(nodupe_ort_cuda::REGISTRATION).run().unwrap()),
        Err(why) => eprintln!("skipped: {why}"),
    }
}
