//! What the backend can be told.

use nodupe_core::{OptionError, OptionSpec, Options, Reason, Unavailable};

const TREES: OptionSpec = OptionSpec::integer(
    "annoy.trees",
    1,
    1_000,
    "trees of the forest (default 32): more find more and take more disk; holds from the next build on",
);
const SEARCH_K: OptionSpec = OptionSpec::integer(
    "annoy.search-k",
    1,
    1_000_000_000,
    "candidates that a search collects from the trees (default 10000): more find more and take longer; an index of no more \
     vectors is searched exactly",
);
const MEMORY: OptionSpec = OptionSpec::integer(
    "annoy.memory",
    1,
    1 << 30,
    "MiB of vectors that a build draws its samples from, where they do not all fit in memory (default: all of them)",
);
const MAP_SIZE: OptionSpec = OptionSpec::integer(
    "annoy.map-size",
    1,
    1 << 26,
    "MiB that the database may grow to, reserved as addresses and not as memory (default 1048576, or 1024 on 32 bits)",
);

pub(crate) const SPECS: &[OptionSpec] = &[TREES, SEARCH_K, MEMORY, MAP_SIZE];

/// The options with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) trees: usize,
    pub(crate) search_k: usize,
    /// Bytes.
    pub(crate) memory: Option<usize>,
    /// Bytes; whole MiB, so whole pages of any size.
    pub(crate) map_size: usize,
}

impl Settings {
    pub(crate) fn of(options: &Options) -> Result<Self, Unavailable> {
        const MIB: u64 = 1 << 20;
        let wrong = |why: OptionError| Unavailable::new(Reason::Options, why.to_string());
        let bytes = |mib: u64| -> Result<usize, Unavailable> {
            usize::try_from(mib.saturating_mul(MIB)).map_err(|_| {
                Unavailable::new(Reason::Options, format!("{mib} MiB are more than this processor can address"))
            })
        };
        let default_map: u64 = if cfg!(target_pointer_width = "64") { 1 << 20 } else { 1 << 10 };
        Ok(Self {
            trees: options.get(&TREES).map_err(wrong)?.unwrap_or(32),
            search_k: options.get(&SEARCH_K).map_err(wrong)?.unwrap_or(10_000),
            memory: options.get(&MEMORY).map_err(wrong)?.map(bytes).transpose()?,
            map_size: bytes(options.get(&MAP_SIZE).map_err(wrong)?.unwrap_or(default_map))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        for (key, value) in
            [("annoy.trees", "0"), ("annoy.search-k", "0"), ("annoy.memory", "-1"), ("annoy.map-size", "99999999999")]
        {
            let why = Settings::of(&Options::new().with(key, value)).unwrap_err();
            assert_eq!(why.reason, Reason::Options);
            assert!(why.to_string().contains(key) && why.to_string().contains("from 1 to"), "{why}");
        }
    }

    #[test]
    fn sizes_are_in_mebibytes() {
        let options = Options::new().with("annoy.map-size", "3").with("annoy.memory", "2").with("annoy.trees", "7");
        let settings = Settings::of(&options).unwrap();
        assert_eq!((settings.map_size, settings.memory, settings.trees), (3 << 20, Some(2 << 20), 7));
    }
}
