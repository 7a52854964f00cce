//! What a search answers.

use crate::item::ItemId;

/// A vector of the index that is near a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// Whose vector it is.
    pub id: ItemId,
    /// The distance, in the metric of the space.
    pub distance: f32,
}

/// Two vectors of an index that are near each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<'a> {
    /// The smaller of the two ids.
    pub a: &'a ItemId,
    /// The larger one.
    pub b: &'a ItemId,
    /// The distance, in the metric of the space.
    pub distance: f32,
}

/// The neighbours of each query of a batch, in one allocation.
///
/// ```
/// use nodupe_core::{ItemId, Neighbor, Neighbors};
/// let mut found = Neighbors::new();
/// found.push([Neighbor { id: ItemId::from("a"), distance: 0.1 }], false);
/// found.push([], false);
/// assert_eq!((found.len(), found.of(0).len(), found.of(1).len()), (2, 1, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Neighbors {
    items: Vec<Neighbor>,
    ends: Vec<usize>,
    truncated: Vec<bool>,
}

impl Neighbors {
    /// No query yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the answer to one more query: its neighbours, nearest first, and whether a limit cut them off.
    pub fn push(&mut self, neighbors: impl IntoIterator<Item = Neighbor>, truncated: bool) {
        self.items.extend(neighbors);
        self.ends.push(self.items.len());
        self.truncated.push(truncated);
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there was no query.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The neighbours of a query, nearest first; none where there is no query of that number.
    pub fn of(&self, query: usize) -> &[Neighbor] {
        let start = query.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(query).copied());
        range.and_then(|(start, end)| self.items.get(start..end)).unwrap_or_default()
    }

    /// Whether more vectors were within the distance than the limit let through.
    pub fn is_truncated(&self, query: usize) -> bool {
        self.truncated.get(query).copied().unwrap_or(false)
    }

    /// The neighbours of each query, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Neighbor]> {
        (0..self.len()).map(|query| self.of(query))
    }
}

/// The answers one after the other: what was asked in several batches reads as one.
impl Extend<Self> for Neighbors {
    fn extend<T: IntoIterator<Item = Self>>(&mut self, batches: T) {
        for batch in batches {
            let before = self.items.len();
            self.items.extend(batch.items);
            self.ends.extend(batch.ends.iter().map(|end| before + end));
            self.truncated.extend(batch.truncated);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbor(id: &str) -> Neighbor {
        Neighbor { id: id.into(), distance: 0.0 }
    }

    #[test]
    fn each_query_has_its_own_neighbors() {
        let mut found = Neighbors::new();
        found.push([neighbor("a"), neighbor("b")], true);
        found.push([], false);
        let mut more = Neighbors::new();
        more.push([neighbor("c")], false);
        found.extend([more.clone(), more]);
        assert_eq!(found.iter().map(<[_]>::len).collect::<Vec<_>>(), [2, 0, 1, 1]);
        assert_eq!(found.of(3), [neighbor("c")]);
        assert_eq!(found.of(0), [neighbor("a"), neighbor("b")]);
        assert!(found.is_truncated(0) && !found.is_truncated(2));
        assert!(found.of(4).is_empty() && found.of(usize::MAX).is_empty());
    }
}
