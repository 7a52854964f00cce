//! The backend keeps its promises.

#[test]
fn the_backend_keeps_its_promises() {
    nodupe_conformance::embedding(nodupe_thumbnail::REGISTRATION).run().unwrap();
}
