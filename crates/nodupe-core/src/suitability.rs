//! How well a similarity backend suits what an index will hold.

use std::borrow::Cow;

use crate::registration::IndexSpec;

/// How well a similarity backend suits what an index will hold, and why: automatic selection takes the best suited first,
/// and the strongest of those that suit alike.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suitability {
    /// It can, and another would be better; for a person, as [`Best`](Self::Best).
    Poor(Cow<'static, str>),
    /// Nothing speaks for or against it.
    Good,
    /// It is made for this: why, for a person, in lower case and without a full stop.
    Best(Cow<'static, str>),
}

impl Suitability {
    /// It is made for this: why.
    pub fn best(because: impl Into<Cow<'static, str>>) -> Self {
        Self::Best(because.into())
    }

    /// Another would be better: why.
    pub fn poor(because: impl Into<Cow<'static, str>>) -> Self {
        Self::Poor(because.into())
    }

    /// That of an index in memory which takes `overhead` bytes a vector beside the vector itself: poor where it is to live on
    /// disk, or would not fit into [`IndexSpec::memory`].
    ///
    /// ```
    /// use nodupe_core::{EmbeddingSpace, IndexSpec, Suitability};
    /// let space = EmbeddingSpace::cosine("toy", 512)?;
    /// let spec = IndexSpec::new(&space).with_expected_len(1_000_000).with_memory(1 << 30);
    /// let poor = Suitability::in_memory(&spec, 128);
    /// assert_eq!(poor.because(), Some("it would take 2.0 GiB of memory, and 1.0 GiB may be taken"));
    /// assert_eq!(Suitability::in_memory(&spec.with_expected_len(1_000), 128), Suitability::Good);
    /// # Ok::<(), nodupe_core::SpaceError>(())
    /// ```
    pub fn in_memory(spec: &IndexSpec<'_>, overhead: usize) -> Self {
        if spec.dir.is_some() {
            return Self::poor("it lives in memory, and the index is to live on disk");
        }
        let row = spec.space.row_bytes().saturating_add(overhead) as u64;
        let needed = spec.expected_len.map(|len| row.saturating_mul(len as u64));
        match (needed, spec.memory) {
            (Some(needed), Some(memory)) if needed > memory => Self::poor(format!(
                "it would take {} of memory, and {} may be taken",
                gibibytes(needed),
                gibibytes(memory)
            )),
            _ => Self::Good,
        }
    }

    /// Why, where there is anything to say.
    pub fn because(&self) -> Option<&str> {
        match self {
            Self::Poor(because) | Self::Best(because) => Some(because),
            Self::Good => None,
        }
    }

    /// The name in reports: `poor`, `good` or `best`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Poor(_) => "poor",
            Self::Good => "good",
            Self::Best(_) => "best",
        }
    }

    /// The higher the better.
    pub const fn level(&self) -> u8 {
        match self {
            Self::Poor(_) => 0,
            Self::Good => 1,
            Self::Best(_) => 2,
        }
    }
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::space::EmbeddingSpace;

    #[test]
    fn what_lives_in_memory_suits_no_disk_and_no_more_vectors_than_fit() {
        let space = EmbeddingSpace::hamming("toy", 64).unwrap();
        let spec = IndexSpec::new(&space).with_expected_len(10).with_memory(120);
        assert_eq!(Suitability::in_memory(&spec, 4), Suitability::Good);
        assert_eq!(Suitability::in_memory(&spec, 5).name(), "poor");
        assert_eq!(Suitability::in_memory(&spec, usize::MAX).name(), "poor");
        assert_eq!(Suitability::in_memory(&spec.with_dir(Path::new("x")), 0).name(), "poor");
        assert_eq!(Suitability::in_memory(&IndexSpec::new(&space).with_memory(0), 5), Suitability::Good);
    }
}
