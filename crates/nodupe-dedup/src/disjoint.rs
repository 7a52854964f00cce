//! Disjoint sets (union-find with path halving; Tarjan and van Leeuwen, *Worst-case analysis of set union algorithms*,
//! 1984).

/// The items `0..count` in sets, at first each in its own.
#[derive(Debug)]
pub(crate) struct DisjointSets(Vec<u32>);

impl DisjointSets {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    /// The smallest item of the set that `item` is in.
    pub(crate) fn find(&mut self, mut item: u32) -> u32 {
        let Self(parents) = self;
        while parents[item as usize] != item {
            parents[item as usize] = parents[parents[item as usize] as usize];
            item = parents[item as usize];
        }
        item
    }

    /// Makes one set of two; whether they were two.
    pub(crate) fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b) as usize] = a.min(b);
        a != b
    }
}
