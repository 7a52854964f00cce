//! The backends that there are.

use crate::info::Package;
use crate::options::{OptionError, OptionSpec, Options};
use crate::registration::{EmbeddingRegistration, Registration, SimilarityRegistration};

/// The backends that a program has, in an order that does not depend on how it was linked: by priority, strongest first,
/// then by name.
///
/// Two backends of one name are both kept and reported ([`Registry::conflicts`]); neither shadows the other.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    embeddings: Vec<EmbeddingRegistration>,
    similarities: Vec<SimilarityRegistration>,
}

/// A name that two packages have registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "two packages have registered a backend named `{name}`: {} {} and {} {}",
    first.name, first.version, second.name, second.version
)]
pub struct Conflict {
    /// The name.
    pub name: &'static str,
    /// The package that had it first (in the registry's order).
    pub first: Package,
    /// The package that has it as well.
    pub second: Package,
}

impl Registry {
    /// No backend: for programs that register theirs by hand.
    pub fn empty() -> Self {
        Self::default()
    }

    /// All backends that were linked into this program and submitted themselves with [`submit!`](crate::submit).
    pub fn linked() -> Self {
        let mut registry = Self::empty();
        for &registration in inventory::iter::<Registration> {
            registry.insert(registration);
        }
        registry
    }

    /// Adds a backend. One that is there already, of the same name and from the same package, stays as it is, so that
    /// registering by hand what was linked as well does no harm.
    ///
    /// # Errors
    /// [`Conflict`] where another package has registered the name; the registry stays as it was.
    pub fn register(&mut self, registration: impl Into<Registration>) -> Result<(), Conflict> {
        let registration = registration.into();
        let (name, package, taken) = match &registration {
            Registration::Embedding(new) => {
                (new.name, new.package, self.embeddings.iter().find(|old| old.name == new.name).map(|old| old.package))
            }
            Registration::Similarity(new) => (
                new.name,
                new.package,
                self.similarities.iter().find(|old| old.name == new.name).map(|old| old.package),
            ),
        };
        match taken {
            None => self.insert(registration),
            Some(first) if first == package => {}
            Some(first) => {
                return Err(Conflict { name, first, second: package });
            }
        }
        Ok(())
    }

    fn insert(&mut self, registration: Registration) {
        match registration {
            Registration::Embedding(new) => {
                self.embeddings.push(new);
                self.embeddings.sort_by_key(|entry| order(entry.priority, entry.name, entry.package));
            }
            Registration::Similarity(new) => {
                self.similarities.push(new);
                self.similarities.sort_by_key(|entry| order(entry.priority, entry.name, entry.package));
            }
        }
    }

    /// The embedding backends, strongest first.
    pub fn embeddings(&self) -> &[EmbeddingRegistration] {
        &self.embeddings
    }

    /// The similarity backends, strongest first.
    pub fn similarities(&self) -> &[SimilarityRegistration] {
        &self.similarities
    }

    /// The names that two packages have registered: neither of them can be chosen until one goes.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let embeddings = self.embeddings.iter().map(|entry| (entry.name, entry.package)).collect();
        let similarities = self.similarities.iter().map(|entry| (entry.name, entry.package)).collect();
        [conflicts(embeddings), conflicts(similarities)].concat()
    }

    /// Every option that a registered backend declares.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionSpec> {
        let embeddings = self.embeddings.iter().flat_map(|entry| entry.options);
        embeddings.chain(self.similarities.iter().flat_map(|entry| entry.options))
    }

    /// Checks that every key of `options` is declared by a registered backend, and every value what it may be.
    ///
    /// # Errors
    /// [`OptionError::UnknownKey`], with the key of the same name elsewhere or of the same backend as a suggestion where
    /// there is one; [`OptionError::Value`].
    pub fn check(&self, options: &Options) -> Result<(), OptionError> {
        for (key, value) in options.values() {
            match self.options().find(|spec| spec.key == key) {
                Some(spec) => spec.check(value)?,
                None => {
                    return Err(OptionError::UnknownKey { key: key.to_owned(), suggestion: self.closest_key(key) });
                }
            }
        }
        Ok(())
    }

    fn closest_key(&self, key: &str) -> Option<String> {
        let keys = || self.options().map(|spec| spec.key);
        closest(key, keys())
            .or_else(|| {
                let suffix = key.rsplit('.').next()?;
                keys().find(|known| known.rsplit('.').next() == Some(suffix))
            })
            .map(str::to_owned)
    }
}

type Order = (std::cmp::Reverse<Option<i32>>, &'static str, Package);

fn order(priority: Option<i32>, name: &'static str, package: Package) -> Order {
    (std::cmp::Reverse(priority), name, package)
}

fn conflicts(mut entries: Vec<(&'static str, Package)>) -> Vec<Conflict> {
    entries.sort_unstable();
    let same = entries.windows(2).filter(|two| two[0].0 == two[1].0);
    same.map(|two| Conflict { name: two[0].0, first: two[0].1, second: two[1].1 }).collect()
}

/// The name that `text` was most likely meant to be: at most a third of it, and at least one character, mistyped.
///
/// ```
/// assert_eq!(nodupe_core::closest("preceptual", ["perceptual", "histogram"]), Some("perceptual"));
/// assert_eq!(nodupe_core::closest("faiss", ["perceptual", "histogram"]), None);
/// ```
pub fn closest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = names.into_iter().map(|name| (edit_distance(text, name), name));
    let (distance, name) = distances.min()?;
    (distance <= (text.chars().count() / 3).max(1)).then_some(name)
}

/// Levenshtein's distance, in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unavailable::{Reason, Unavailable};

    const OPTIONS: &[OptionSpec] = &[OptionSpec::integer("one.size", 1, 9, "")];

    fn entry(name: &'static str, package: &'static str, priority: Option<i32>) -> EmbeddingRegistration {
        let refuse = || Unavailable::new(Reason::Other, "a test");
        let mut entry = EmbeddingRegistration::new(
            name,
            Package::new(package, "1.0.0"),
            |_| Err(Unavailable::new(Reason::Other, "a test")),
            |_| Err(Unavailable::new(Reason::Other, "a test")),
        )
        .with_options(OPTIONS);
        assert!((entry.create)(&Options::new()).is_err_and(|why| why.detail == refuse().detail));
        entry.priority = priority;
        entry
    }

    #[test]
    fn the_order_is_by_priority_then_name_whatever_came_first() {
        let entries =
            [entry("d", "p", None), entry("b", "p", Some(5)), entry("a", "p", Some(5)), entry("c", "p", Some(9))];
        let mut registry = Registry::empty();
        for entry in entries {
            registry.register(entry).unwrap();
        }
        assert_eq!(registry.embeddings().iter().map(|entry| entry.name).collect::<Vec<_>>(), ["c", "a", "b", "d"]);
    }

    #[test]
    fn one_name_from_two_packages_is_reported_and_from_one_it_is_one() {
        let mut registry = Registry::empty();
        registry.register(entry("a", "p", None)).unwrap();
        registry.register(entry("a", "p", None)).unwrap();
        assert_eq!(registry.embeddings().len(), 1);
        let conflict = registry.register(entry("a", "q", None)).unwrap_err();
        assert_eq!((conflict.first.name, conflict.second.name), ("p", "q"));
        registry.insert(entry("a", "q", None).entry());
        assert_eq!(registry.conflicts(), [conflict]);
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_errors_with_a_suggestion() {
        let mut registry = Registry::empty();
        registry.register(entry("one", "p", None)).unwrap();
        let check = |key: &str, value: &str| registry.check(&Options::new().with(key, value));
        assert_eq!(check("one.size", "3"), Ok(()));
        assert!(matches!(check("one.size", "10"), Err(OptionError::Value { .. })));
        for key in ["one.sise", "two.size"] {
            let error = check(key, "3").unwrap_err();
            assert!(error.to_string().ends_with("did you mean `one.size`?"), "{error}");
        }
        assert!(matches!(check("zzz", "3"), Err(OptionError::UnknownKey { suggestion: None, .. })));
    }

    #[test]
    fn edit_distances_are_levenshteins() {
        for (a, b, distance) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)] {
            assert_eq!((edit_distance(a, b), edit_distance(b, a)), (distance, distance), "{a} {b}");
        }
    }
}
