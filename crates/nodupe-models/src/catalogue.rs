//! The models that nodupe knows: where they come from, what they want, from which similarity on two images are copies.

use std::sync::OnceLock;

use crate::manifest::Manifest;

/// In the order in which an unnamed model is looked for.
const ENTRIES: &[&str] = &[
    include_str!("catalogue/sscd-distilled.toml"),
    include_str!("catalogue/sscd-int8.toml"),
    include_str!("catalogue/efficientnet-lite0.toml"),
    include_str!("catalogue/resnet50.toml"),
];

/// The models that nodupe knows, in the order in which an unnamed one is looked for.
pub fn catalogue() -> &'static [Manifest] {
    static CATALOGUE: OnceLock<Vec<Manifest>> = OnceLock::new();
    // That each entry parses is a test: none is left out here.
    CATALOGUE.get_or_init(|| ENTRIES.iter().filter_map(|entry| Manifest::parse(entry).ok()).collect())
}

/// The entry of a model.
pub fn entry(id: &str) -> Option<&'static Manifest> {
    catalogue().iter().find(|entry| entry.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_parses_and_states_its_digests() {
        for text in ENTRIES {
            let manifest = Manifest::parse(text).unwrap();
            assert!(
                manifest
                    .downloads
                    .iter()
                    .all(|download| download.digest.is_some() || matches!(download.from, crate::Source::File { .. }))
            );
        }
        assert_eq!(catalogue().len(), ENTRIES.len());
    }
}
