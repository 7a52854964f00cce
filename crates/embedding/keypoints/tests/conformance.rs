//! The suite that every embedding backend passes.

#[test]
fn the_backend_keeps_the_promises_of_the_trait() {
    nodupe_conformance::embedding(nodupe_keypoints::REGISTRATION).run().unwrap();
}
