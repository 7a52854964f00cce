//! Rules in their order.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use super::rule::{KeepRule, UnknownKeepRule};

/// Rules in their order: the first one that tells two files apart decides. Where none does, the first file in the walk is kept.
///
/// As text a list is its rules with commas between them: `in:originals,resolution,size`. A comma that belongs to a path is written
/// twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeepRules {
    rules: Vec<KeepRule>,
}

impl Default for KeepRules {
    /// `longest,resolution,format,quality,size,oldest,shortest-name`: first what shows most, and has lost least on the way. Among files that are the
    /// same in that, the original: copies are made later, and programs that copy put something behind its name.
    ///
    /// What no rule can see: an image that was enlarged has more pixels than its original, and a PNG that was made from a JPEG is no better.
    fn default() -> Self {
        use KeepRule::{Format, Longest, Oldest, Quality, Resolution, ShortestName, Size};
        Self::new([Longest, Resolution, Format, Quality, Size, Oldest, ShortestName])
    }
}

impl KeepRules {
    /// These rules, the first one first. Without any, the first file in the walk is kept.
    pub fn new(rules: impl IntoIterator<Item = KeepRule>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[KeepRule] {
        &self.rules
    }

    /// These rules, and behind them those of `others` that are not among them.
    #[must_use]
    pub fn followed_by(mut self, others: Self) -> Self {
        for rule in others.rules {
            if !self.rules.contains(&rule) {
                self.rules.push(rule);
            }
        }
        self
    }

    /// Reads a list whose paths need not be UTF-8 (which on Windows and elsewhere off Unix they must be). Blanks before a rule are passed over.
    ///
    /// # Errors
    /// [`UnknownKeepRule`] with the first text that is no rule.
    pub fn parse(text: &OsStr) -> Result<Self, UnknownKeepRule> {
        let items = split(text.as_encoded_bytes());
        items
            .iter()
            .map(|item| KeepRule::from_bytes(item.trim_ascii_start()))
            .collect::<Result<Vec<_>, _>>()
            .map(Self::new)
    }
}

/// What is between single commas; two are one that is meant.
fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut items, mut item) = (Vec::new(), Vec::new());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b',' || bytes.next_if_eq(&b',').is_some() {
            item.push(byte);
        } else {
            items.push(std::mem::take(&mut item));
        }
    }
    items.push(item);
    items
}

impl FromStr for KeepRules {
    type Err = UnknownKeepRule;

    fn from_str(text: &str) -> Result<Self, UnknownKeepRule> {
        Self::parse(text.as_ref())
    }
}

impl fmt::Display for KeepRules {
    /// As it is read, but for paths that are not UTF-8.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rule) in self.rules.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}", rule.to_string().replace(',', ",,"))?;
        }
        Ok(())
    }
}
