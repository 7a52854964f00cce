//! What the user would like, as a value and as text.

use std::fmt;
use std::str::FromStr;

/// Which backends to try, in order, before what automatic selection would take, or instead of it.
///
/// As text, names are separated by commas; `gpu` stands for every backend that computes on a graphics processor, in
/// automatic order; `!` at the end means these and no other; `auto` alone prefers nothing.
///
/// ```
/// use nodupe_select::Preference;
/// assert_eq!("auto".parse(), Ok(Preference::auto()));
/// assert_eq!("ort-cuda, candle".parse(), Ok(Preference::prefer(["ort-cuda", "candle"])));
/// assert_eq!("faiss!".parse(), Ok(Preference::require("faiss")));
/// assert_eq!("gpu".parse(), Ok(Preference::gpu()));
/// assert_eq!(Preference::prefer(["gpu", "tract-cpu"]).only().to_string(), "gpu,tract-cpu!");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Preference {
    choices: Vec<Choice>,
    only: bool,
}

/// One thing to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// The backend of this name.
    Name(String),
    /// Every backend that computes on a graphics processor and takes part in automatic selection, strongest first.
    Gpu,
}

impl Preference {
    /// The strongest backend that works.
    pub fn auto() -> Self {
        Self::default()
    }

    /// These first, in this order; where none of them works, the strongest that does.
    pub fn prefer<C: Into<Choice>>(choices: impl IntoIterator<Item = C>) -> Self {
        Self { choices: choices.into_iter().map(Into::into).collect(), only: false }
    }

    /// This one or an error.
    pub fn require(choice: impl Into<Choice>) -> Self {
        Self::prefer([choice]).only()
    }

    /// Graphics processors first; where none works, the strongest backend that does.
    pub fn gpu() -> Self {
        Self::prefer([Choice::Gpu])
    }

    /// The same without falling back to anything that it does not name. To prefer nothing stays automatic.
    #[must_use]
    pub fn only(mut self) -> Self {
        self.only = !self.choices.is_empty();
        self
    }

    /// What to try first, in order; nothing for automatic selection.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Whether nothing but the [`choices`](Self::choices) may be taken.
    pub fn is_only(&self) -> bool {
        self.only
    }
}

/// `gpu` is the word for any graphics processor, every other text a name.
impl From<&str> for Choice {
    fn from(text: &str) -> Self {
        match text {
            "gpu" => Self::Gpu,
            name => Self::Name(name.to_owned()),
        }
    }
}

impl From<String> for Choice {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name(name) => name,
            Self::Gpu => "gpu",
        })
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.choices.is_empty() {
            return f.write_str("auto");
        }
        for (place, choice) in self.choices.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{choice}")?;
        }
        f.write_str(if self.only { "!" } else { "" })
    }
}

/// A text that is no preference. Whether its names are those of backends is seen when one is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreferenceError {
    /// Nothing between two commas, or nothing at all.
    #[error("a name is missing: write names separated by commas, `gpu` or `auto`")]
    MissingName,
    /// `auto` prefers nothing, so it cannot stand in a list or be required.
    #[error(
        "`auto` stands alone: what follows a list is automatic anyway, and `!` at its end says that nothing follows"
    )]
    AutoNotAlone,
    /// `!` holds for the whole list.
    #[error("`!` stands once, at the end, and holds for the whole list")]
    MisplacedMark,
}

impl FromStr for Preference {
    type Err = PreferenceError;

    fn from_str(text: &str) -> Result<Self, PreferenceError> {
        let text = text.trim();
        if text == "auto" {
            return Ok(Self::auto());
        }
        let (list, only) = text.strip_suffix('!').map_or((text, false), |list| (list, true));
        let choice = |name: &str| match name.trim() {
            "" => Err(PreferenceError::MissingName),
            "auto" => Err(PreferenceError::AutoNotAlone),
            name if name.contains('!') => Err(PreferenceError::MisplacedMark),
            name => Ok(Choice::from(name)),
        };
        let choices = list.split(',').map(choice).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { choices, only })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Preference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Preference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_preference_is_told_apart() {
        let parse = str::parse::<Preference>;
        for text in ["", " ", ",", "a,", ",a", "a,,b", "!", "a,!"] {
            assert_eq!(parse(text), Err(PreferenceError::MissingName), "{text:?}");
        }
        for text in ["auto!", "a,auto", "auto,a", "auto,auto"] {
            assert_eq!(parse(text), Err(PreferenceError::AutoNotAlone), "{text:?}");
        }
        for text in ["a!,b", "a!!", "!a"] {
            assert_eq!(parse(text), Err(PreferenceError::MisplacedMark), "{text:?}");
        }
    }

    #[test]
    fn spaces_around_names_do_not_matter() {
        assert_eq!(" a , gpu ! ".parse(), Ok(Preference::prefer(["a", "gpu"]).only()));
        assert_eq!(" auto ".parse(), Ok(Preference::auto()));
    }

    #[test]
    fn nothing_preferred_cannot_be_required() {
        assert_eq!(Preference::auto().only(), Preference::auto());
    }

    proptest! {
        #[test]
        fn a_preference_is_read_as_it_is_written(
            names in prop::collection::vec("[a-z][a-z0-9-]{0,9}".prop_filter("a word", |name| name != "auto"), 0..5),
            only: bool,
        ) {
            let preference = Preference::prefer(names);
            let preference = if only { preference.only() } else { preference };
            prop_assert_eq!(preference.to_string().parse(), Ok(preference));
        }
    }
}
