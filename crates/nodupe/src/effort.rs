//! How much a scan does to find duplicates.

use std::fmt;
use std::str::FromStr;

/// How much a scan does to find duplicates: which tiers its cascade has, and in how many views it asks.
///
/// A cascade always has the embedding backend that was chosen. Around it, cheap backends find at once what changed little
/// ([`Tier::Hash`](nodupe_core::Tier::Hash)), and what images share ([`Tier::Keypoints`](nodupe_core::Tier::Keypoints)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Effort {
    /// The chosen backend alone.
    Fast,
    /// Hashes, then keypoints, then the chosen backend for what these left open.
    #[default]
    Balanced,
    /// The same, and the chosen backend is asked for every image in all eight rotations and flips, and by its middle and its four quarters
    /// ([`View::CROPS`](nodupe_core::View::CROPS)), unless it is a hash: thirteen embeddings instead of one.
    Thorough,
}

impl Effort {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Balanced, Self::Thorough];

    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Thorough => "thorough",
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no effort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no effort: write fast, balanced or thorough")]
pub struct UnknownEffort {
    /// The text.
    pub text: String,
}

impl FromStr for Effort {
    type Err = UnknownEffort;

    fn from_str(text: &str) -> Result<Self, UnknownEffort> {
        let known = Self::ALL.into_iter().find(|effort| effort.name() == text);
        known.ok_or_else(|| UnknownEffort { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_are_read_as_they_are_written() {
        for effort in Effort::ALL {
            assert_eq!(effort.to_string().parse(), Ok(effort));
        }
        assert!("lazy".parse::<Effort>().unwrap_err().to_string().contains("thorough"));
    }
}
