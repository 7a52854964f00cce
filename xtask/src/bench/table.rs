//! What is measured.

use super::arguments::Kind;

/// One index with the settings that it is searched with.
pub(super) struct Configuration {
    pub(super) engine: Engine,
    /// The index, as the page calls it after its library.
    pub(super) label: &'static str,
    /// What trades recall for speed, and its values: `hnsw.ef=16,32`.
    pub(super) sweep: Option<&'static str>,
}

pub(super) enum Engine {
    /// A backend of ours, by name, with its options, for one kind of vectors or all that it holds. One that is not built in is
    /// passed over.
    Ours { backend: &'static str, kind: Option<Kind>, set: &'static [&'static str] },
    /// An index of a package on `PyPI`, by the name that `benches/peers/similarity.py` gives it.
    Peer { library: &'static str, kind: Kind, pairs: Pairs },
}

/// Whether a peer finds pairs within a distance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairs {
    No,
    Too,
    /// That and nothing else.
    Alone,
}

/// Like stands beside like, so that they run one after the other. A backend that is built in and not named here is measured
/// with its usual options.
pub(super) const CONFIGURATIONS: &[Configuration] = &[
    ours("bruteforce", "bruteforce", None, &[], None),
    ours("faiss Flat", "faiss", Some(Kind::Floats), &["faiss.index=Flat"], None),
    peer("faiss-cpu", "Flat", Kind::Floats, Pairs::No, None),
    ours("faiss BFlat", "faiss", Some(Kind::Bits), &["faiss.index=BFlat"], None),
    peer("faiss-cpu", "BinaryFlat", Kind::Bits, Pairs::Too, None),
    peer("faiss-cpu", "BinaryMultiHash", Kind::Bits, Pairs::Alone, None),
    ours("hnsw", "hnsw", None, &["hnsw.m=16", "hnsw.ef-construction=200"], Some("hnsw.ef=16,32,48,64,96,128,256")),
    peer("hnswlib", "HNSW", Kind::Floats, Pairs::No, Some("ef=16,32,48,64,96,128,256")),
    ours(
        "faiss HNSW",
        "faiss",
        Some(Kind::Floats),
        &["faiss.index=HNSW16", "faiss.ef-construction=200"],
        Some("faiss.ef-search=16,32,48,64,96,128,256"),
    ),
    peer("faiss-cpu", "HNSW", Kind::Floats, Pairs::No, Some("efSearch=16,32,48,64,96,128,256")),
    peer("usearch", "HNSW", Kind::Floats, Pairs::No, Some("expansion_search=16,32,48,64,96,128,256")),
    peer("faiss-cpu", "BinaryHNSW", Kind::Bits, Pairs::No, Some("efSearch=16,32,48,64,96,128,256")),
    peer("usearch", "HNSW", Kind::Bits, Pairs::No, Some("expansion_search=16,32,48,64,96,128,256")),
    peer("faiss-cpu", "IVF,Flat", Kind::Floats, Pairs::No, Some("nprobe=1,2,4,8,16,32,64")),
    ours("annoy", "annoy", None, &[], Some("annoy.search-k=300,1000,3000,10000,30000")),
];

const fn ours(
    label: &'static str,
    backend: &'static str,
    kind: Option<Kind>,
    set: &'static [&'static str],
    sweep: Option<&'static str>,
) -> Configuration {
    Configuration { engine: Engine::Ours { backend, kind, set }, label, sweep }
}

const fn peer(
    library: &'static str,
    index: &'static str,
    kind: Kind,
    pairs: Pairs,
    sweep: Option<&'static str>,
) -> Configuration {
    Configuration { engine: Engine::Peer { library, kind, pairs }, label: index, sweep }
}

impl Configuration {
    /// `nodupe hnsw`
    pub(super) fn name(&self) -> String {
        match self.engine {
            Engine::Ours { .. } => format!("nodupe {}", self.label),
            Engine::Peer { library, .. } => format!("{library} {}", self.label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_configurations_of_one_kind_have_one_name() {
        for kind in [Kind::Floats, Kind::Bits] {
            let of_kind = CONFIGURATIONS.iter().filter(|configuration| match configuration.engine {
                Engine::Ours { kind: its, .. } => its.is_none_or(|its| its == kind),
                Engine::Peer { kind: its, .. } => its == kind,
            });
            let mut names: Vec<String> = of_kind.map(Configuration::name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
