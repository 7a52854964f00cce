//! What a scan tells whoever waits for it.

/// A stage of a scan, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Finding the files; counts entries, and their number is not known before.
    Walk,
    /// Comparing files of the same size; counts those.
    Identical,
    /// Decoding and embedding; counts images.
    Embed,
    /// Comparing the pixels of images that look the same; counts those.
    Pixels,
    /// Building the index; counts thousandths of each phase.
    Build,
    /// Finding pairs; counts queries.
    Search,
    /// Decoding and embedding videos; counts those.
    Watch,
    /// Comparing videos frame by frame; counts pairs, twice.
    Align,
    /// Clustering; counts nothing.
    Group,
}

impl Stage {
    /// What is going on, for a person.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Walk => "finding files",
            Self::Identical => "comparing bytes",
            Self::Embed => "reading images",
            Self::Pixels => "comparing pixels",
            Self::Build => "building index",
            Self::Search => "finding pairs",
            Self::Watch => "reading videos",
            Self::Align => "comparing videos",
            Self::Group => "grouping",
        }
    }
}

/// Told what a scan does, from the threads that do it. Every method has a body that does nothing.
pub trait Progress: Sync {
    /// A stage begins, with this many steps where that is known.
    fn begin(&self, stage: Stage, steps: Option<usize>) {
        let _ = (stage, steps);
    }

    /// So many more steps of the stage are done.
    fn advance(&self, stage: Stage, steps: usize) {
        let _ = (stage, steps);
    }

    /// Asked often: whether to stop. The scan then groups what it has seen and returns it as interrupted.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
