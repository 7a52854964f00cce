//! What is registered is exactly what the features say. `cargo xtask features` runs this with each feature alone.

use nodupe::Registry;

#[test]
fn the_registered_backends_are_those_of_the_features() {
    let wanted_embeddings = [
        (cfg!(feature = "cuda"), "ort-cuda"),
        (cfg!(feature = "candle-cuda"), "candle-cuda"),
        (cfg!(feature = "candle-metal"), "candle-metal"),
        (cfg!(feature = "ort"), "ort-cpu"),
        (cfg!(feature = "tract"), "tract-cpu"),
        (cfg!(feature = "candle"), "candle"),
        (cfg!(feature = "perceptual"), "perceptual"),
        (cfg!(feature = "histogram"), "histogram"),
        // Only by name, and as a tier.
        (cfg!(feature = "keypoints"), "keypoints"),
    ];
    let wanted_similarities = [
        (cfg!(any(feature = "faiss", feature = "faiss-system")), "faiss"),
        (cfg!(feature = "hnsw"), "hnsw"),
        (cfg!(feature = "annoy"), "annoy"),
        (cfg!(feature = "bruteforce"), "bruteforce"),
    ];
    let registry = Registry::linked();
    let embeddings: Vec<&str> = registry.embeddings().iter().map(|entry| entry.name).collect();
    let similarities: Vec<&str> = registry.similarities().iter().map(|entry| entry.name).collect();
    let enabled = |wanted: &[(bool, &'static str)]| -> Vec<&str> {
        wanted.iter().filter(|(enabled, _)| *enabled).map(|(_, name)| *name).collect()
    };
    assert_eq!(embeddings, enabled(&wanted_embeddings), "strongest first");
    assert_eq!(similarities, enabled(&wanted_similarities), "strongest first");
    assert_eq!(registry.conflicts(), []);
}

#[test]
fn every_option_key_begins_with_the_name_of_its_backend() {
    let registry = Registry::linked();
    for entry in registry.embeddings() {
        assert!(
            entry.options.iter().all(|option| option.key.starts_with(&format!("{}.", entry.name))),
            "{}",
            entry.name
        );
    }
    for entry in registry.similarities() {
        assert!(
            entry.options.iter().all(|option| option.key.starts_with(&format!("{}.", entry.name))),
            "{}",
            entry.name
        );
    }
}
