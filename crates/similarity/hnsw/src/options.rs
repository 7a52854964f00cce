//! What the backend can be told.

use nodupe_core::{OptionError, OptionSpec, Options};

/// Neighbours that a node is linked to when it is inserted: §4.1 of the paper finds 5 to 48 of use.
pub(crate) const M: OptionSpec = OptionSpec::integer(
    "hnsw.m",
    MIN_M as u64,
    MAX_M as u64,
    "links that a vector is inserted with; twice as many are kept at the lowest level (default 16); an index that is opened \
     keeps its own",
);
/// Candidates that are kept while a node is inserted.
pub(crate) const EF_CONSTRUCTION: OptionSpec = OptionSpec::integer(
    "hnsw.ef-construction",
    1,
    MAX_EF as u64,
    "candidates that are kept while a vector is inserted (default 200)",
);
/// Candidates that are kept during a search.
pub(crate) const EF: OptionSpec = OptionSpec::integer(
    "hnsw.ef",
    1,
    MAX_EF as u64,
    "candidates that are kept during a search, or `k` where that is more: higher finds more and takes longer (default 64)",
);

pub(crate) const ALL: [OptionSpec; 3] = [M, EF_CONSTRUCTION, EF];

pub(crate) const DEFAULT_M: usize = 16;
pub(crate) const MIN_M: usize = 2;
pub(crate) const MAX_M: usize = 128;
const MAX_EF: usize = 100_000;

/// The three numbers of the algorithm, by the names that they have in the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) m: usize,
    pub(crate) ef_construction: usize,
    pub(crate) ef: usize,
}

impl Parameters {
    pub(crate) fn new(options: &Options) -> Result<Self, OptionError> {
        Ok(Self {
            m: options.get(&M)?.unwrap_or(DEFAULT_M),
            ef_construction: options.get(&EF_CONSTRUCTION)?.unwrap_or(200),
            ef: options.get(&EF)?.unwrap_or(64),
        })
    }
}
