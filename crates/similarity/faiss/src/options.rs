//! What the backend can be told.

use nodupe_core::{OptionSpec, Options, Reason, Unavailable};

use crate::plan::Choice;

/// What FAISS is asked to make.
pub(crate) const INDEX: OptionSpec = OptionSpec::text(
    "faiss.index",
    "a description for the factory of FAISS (Flat, HNSW32, `IVF1024,Flat`, `IVF4096,PQ64`; of bits BFlat, BHNSW32, BIVF1024), \
     or auto: by the number of vectors (default auto; an index that is opened keeps its own)",
);
/// Lists that a search of an inverted file visits.
pub(crate) const NPROBE: OptionSpec = OptionSpec::integer(
    "faiss.nprobe",
    1,
    1 << 20,
    "lists of an inverted file (IVF) that a search visits: more finds more and takes longer (default: a sixteenth of them, at \
     least 8)",
);
/// Candidates that a search of a graph keeps.
pub(crate) const EF_SEARCH: OptionSpec = OptionSpec::integer(
    "faiss.ef-search",
    1,
    100_000,
    "candidates that a search of a graph (HNSW) keeps, or `k` where that is more: higher finds more and takes longer (default \
     64)",
);
/// Candidates that are kept while a graph is built.
pub(crate) const EF_CONSTRUCTION: OptionSpec = OptionSpec::integer(
    "faiss.ef-construction",
    1,
    100_000,
    "candidates that are kept while a vector is linked into a graph (HNSW) of floats (default 100; of bits FAISS has 40)",
);
/// Vectors to train with.
pub(crate) const TRAIN_POINTS: OptionSpec = OptionSpec::integer(
    "faiss.train-points",
    39,
    1 << 20,
    "vectors for each centroid that training looks at, at most (default 256, which is also the most that FAISS uses)",
);
/// Candidates for each neighbour that is asked for.
pub(crate) const REFINE: OptionSpec = OptionSpec::integer(
    "faiss.refine",
    1,
    10_000,
    "candidates that a quantised index (PQ, SQ, …) gives for each neighbour that is asked for, the best of which by their exact \
     distances are the answer (default 8)",
);
/// Whether vectors stay beside a quantised index.
pub(crate) const KEEP_VECTORS: OptionSpec = OptionSpec::flag(
    "faiss.keep-vectors",
    "whether the vectors themselves are kept beside a quantised index; false saves their memory, and then distances are those \
     of the rounded vectors, which nobody gets back (default true)",
);

pub(crate) const ALL: [OptionSpec; 7] = [INDEX, NPROBE, EF_SEARCH, EF_CONSTRUCTION, TRAIN_POINTS, REFINE, KEEP_VECTORS];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// What to make; `None` where nothing was said.
    pub(crate) choice: Option<Choice>,
    pub(crate) nprobe: Option<usize>,
    pub(crate) ef_search: usize,
    pub(crate) ef_construction: usize,
    pub(crate) train_points: usize,
    pub(crate) refine: usize,
    pub(crate) keep_vectors: bool,
    /// The graphics processor to search on.
    #[cfg(feature = "gpu")]
    pub(crate) gpu: Option<u32>,
}

impl Parameters {
    pub(crate) fn new(options: &Options, space: &nodupe_core::EmbeddingSpace) -> Result<Self, Unavailable> {
        let wrong = |why: nodupe_core::OptionError| Unavailable::new(Reason::Options, why.to_string()).with_source(why);
        let choice = options.get::<String>(&INDEX).map_err(wrong)?;
        let choice = choice.map(|text| Choice::parse(&text, space)).transpose().map_err(|why| {
            Unavailable::new(Reason::Options, format!("{} cannot be made: {why}", INDEX.key))
                .with_help("see the descriptions in the FAISS wiki, \"The index factory\"; `auto` chooses")
        })?;
        Ok(Self {
            choice,
            nprobe: options.get(&NPROBE).map_err(wrong)?,
            ef_search: options.get(&EF_SEARCH).map_err(wrong)?.unwrap_or(64),
            ef_construction: options.get(&EF_CONSTRUCTION).map_err(wrong)?.unwrap_or(100),
            train_points: options.get(&TRAIN_POINTS).map_err(wrong)?.unwrap_or(256),
            refine: options.get(&REFINE).map_err(wrong)?.unwrap_or(8),
            keep_vectors: options.get(&KEEP_VECTORS).map_err(wrong)?.unwrap_or(true),
            #[cfg(feature = "gpu")]
            gpu: match options.device() {
                Some(nodupe_core::Device::Cuda(number)) => Some(number),
                _ => None,
            },
        })
    }
}
