//! The backend keeps every promise of its trait.

#[test]
fn bruteforce_keeps_its_promises() {
    nodupe_conformance::similarity(nodupe_bruteforce::REGISTRATION).run().unwrap();
}
