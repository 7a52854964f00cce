//! How the parts of the facade choose backends.

use std::borrow::Cow;

use nodupe_core::{Options, Registry};
use nodupe_select::{Preference, Selector};

/// The backends that were given, or all that are linked.
pub(crate) fn registry(given: Option<&Registry>) -> Cow<'_, Registry> {
    given.map_or_else(|| Cow::Owned(Registry::linked()), Cow::Borrowed)
}

/// A selector by what is wished; without a wish by the environment.
pub(crate) fn selector<'r>(registry: &'r Registry, options: &Options, preference: Option<&Preference>) -> Selector<'r> {
    let selector = Selector::new(registry).with_options(options.clone());
    match preference {
        Some(preference) => selector.with_preference(preference.clone()),
        None => selector,
    }
}
