//! The graph: who is linked to whom.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// No node: fills up a list of links.
pub(crate) const NONE: u32 = u32::MAX;
/// The highest level there is: of 2^32 nodes one in `m^31` would be higher.
pub(crate) const MAX_LEVEL: u8 = 31;
const SEED: u64 = 0x6e6f_6475_7065;

/// Links between the nodes of each level, in flat arrays.
///
/// Nodes are numbered by the slots of their vectors. Every node is at level 0, where it has room for `2 * m` links, and at
/// the levels up to its own, where it has room for `m`. A list that is not full ends with [`NONE`]. Links are atomic,
/// so that threads follow them while others change them: whatever a reader sees is a node, if perhaps one of a moment ago.
#[derive(Debug)]
pub(crate) struct Graph {
    m: usize,
    /// The level of each node. A slot without a node (see [`Equal`](crate::equal::Equal)) has level 0 and no links.
    levels: Vec<u8>,
    base: Vec<AtomicU32>,
    /// The lists of levels 1, 2, …, for each node one after the other.
    upper: Vec<AtomicU32>,
    /// Where in `upper` the lists of a node start, counted in lists.
    starts: Vec<u32>,
    /// A node of the highest level, where every walk starts.
    entry: Option<u32>,
}

/// What is wrong with links that were read from a file.
pub(crate) type Wrong = &'static str;

impl Graph {
    /// No nodes.
    pub(crate) fn new(m: usize) -> Self {
        Self { m, levels: Vec::new(), base: Vec::new(), upper: Vec::new(), starts: Vec::new(), entry: None }
    }

    /// A graph of these parts, where they go together.
    pub(crate) fn from_parts(
        m: usize,
        levels: Vec<u8>,
        base: Vec<u32>,
        upper: Vec<u32>,
        entry: Option<u32>,
    ) -> Result<Self, Wrong> {
        let lists: usize = levels.iter().map(|&level| usize::from(level)).sum();
        if levels.iter().any(|&level| level > MAX_LEVEL) {
            return Err("a node is higher than any can be");
        }
        if levels.len().checked_mul(2 * m) != Some(base.len()) || lists.checked_mul(m) != Some(upper.len()) {
            return Err("there are not as many links as nodes and levels ask for");
        }
        let highest = levels.iter().max().copied();
        if let Some(entry) = entry
            && levels.get(entry as usize).copied() != highest
        {
            return Err("the walk does not start at the highest level");
        }
        if entry.is_none() && base.iter().any(|&link| link != NONE) {
            return Err("there are links and no start");
        }
        let starts = starts(&levels).ok_or("there are too many levels")?;
        let atomic = |links: Vec<u32>| links.into_iter().map(AtomicU32::new).collect();
        let graph = Self { m, levels, base: atomic(base), upper: atomic(upper), starts, entry };
        graph.check_links()?;
        Ok(graph)
    }

    /// Every link leads to a node of its level, and every list ends where its first gap is.
    fn check_links(&self) -> Result<(), Wrong> {
        for node in 0..self.levels.len() as u32 {
            for level in 0..=self.level(node) {
                let mut ended = false;
                for link in self.links(level, node).iter().map(|link| link.load(Relaxed)) {
                    let is_node = self.levels.get(link as usize).is_some_and(|&own| own >= level);
                    if link == NONE {
                        ended = true;
                    } else if ended || !is_node {
                        return Err("a link leads nowhere");
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn m(&self) -> usize {
        self.m
    }

    /// Number of slots that have been linked or need not be.
    pub(crate) fn len(&self) -> usize {
        self.levels.len()
    }

    pub(crate) fn entry(&self) -> Option<u32> {
        self.entry
    }

    pub(crate) fn set_entry(&mut self, entry: u32) {
        self.entry = Some(entry);
    }

    pub(crate) fn level(&self, node: u32) -> u8 {
        self.levels[node as usize]
    }

    pub(crate) fn levels(&self) -> &[u8] {
        &self.levels
    }

    /// All links of level 0, and all of the levels above, as a file has them.
    pub(crate) fn all_links(&self) -> impl Iterator<Item = u32> {
        self.base.iter().chain(&self.upper).map(|link| link.load(Relaxed))
    }

    /// Whether a node has any link at the lowest level.
    pub(crate) fn is_linked(&self, node: u32) -> bool {
        self.links(0, node).first().is_some_and(|link| link.load(Relaxed) != NONE)
    }

    /// The list of a node at a level that it is at.
    #[inline]
    pub(crate) fn links(&self, level: u8, node: u32) -> &[AtomicU32] {
        if level == 0 {
            let width = 2 * self.m;
            &self.base[node as usize * width..][..width]
        } else {
            let list = self.starts[node as usize] as usize + usize::from(level) - 1;
            &self.upper[list * self.m..][..self.m]
        }
    }

    /// Puts these links, as many as there is room for, in place of those that are there.
    pub(crate) fn set_links(&self, level: u8, node: u32, links: impl Iterator<Item = u32>) {
        for (place, link) in self.links(level, node).iter().zip(links.chain(std::iter::repeat(NONE))) {
            place.store(link, Relaxed);
        }
    }

    /// A copy with slots up to `len`: those that `is_node` says are nodes, without links yet. `None` where there would be
    /// more lists than can be counted.
    pub(crate) fn grown(&self, len: usize, is_node: impl Fn(u32) -> bool) -> Option<Self> {
        let mut levels = self.levels.clone();
        levels
            .extend((levels.len() as u32..len as u32).map(|slot| if is_node(slot) { level(slot, self.m) } else { 0 }));
        let starts = starts(&levels)?;
        let lists: usize = levels.iter().map(|&level| usize::from(level)).sum();
        let copy = |links: &[AtomicU32], len: usize| {
            let old = links.iter().map(|link| AtomicU32::new(link.load(Relaxed)));
            let mut copy = Vec::with_capacity(len);
            copy.extend(old);
            copy.resize_with(len, || AtomicU32::new(NONE));
            copy
        };
        let (base, upper) = (copy(&self.base, levels.len() * 2 * self.m), copy(&self.upper, lists * self.m));
        Some(Self { m: self.m, levels, base, upper, starts, entry: self.entry })
    }

    /// The same graph where slot `kept[i]` is slot `i`. Slots that are not kept have no links from others.
    pub(crate) fn compacted(&self, kept: &[u32]) -> Self {
        let mut new = vec![NONE; self.levels.len()];
        for (place, &old) in (0..).zip(kept) {
            new[old as usize] = place;
        }
        let at = |old: u32| new.get(old as usize).copied().unwrap_or(NONE);
        let levels: Vec<u8> = kept.iter().map(|&old| self.level(old)).collect();
        let moved = |link: &AtomicU32| AtomicU32::new(at(link.load(Relaxed)));
        let base = kept.iter().flat_map(|&old| self.links(0, old)).map(moved).collect();
        let lists = kept.iter().flat_map(|&old| (1..=self.level(old)).map(move |level| (level, old)));
        let upper = lists.flat_map(|(level, old)| self.links(level, old)).map(moved).collect();
        // No more lists than before.
        let starts = starts(&levels).unwrap_or_default();
        Self { m: self.m, levels, base, upper, starts, entry: self.entry.map(at) }
    }
}

/// Where the lists of each node start above level 0.
fn starts(levels: &[u8]) -> Option<Vec<u32>> {
    let mut next = 0u32;
    let start = |level: &u8| {
        let start = next;
        next = next.checked_add(u32::from(*level))?;
        Some(start)
    };
    levels.iter().map(start).collect()
}

/// The level that a node in this slot has: it falls off exponentially, so that one node in `m` of each level is at the next
/// (§4 of the paper), and depends on the slot alone, not on threads or on when it is inserted.
fn level(slot: u32, m: usize) -> u8 {
    // SplitMix64 (Steele, Lea and Flood 2014).
    let mut state = (SEED ^ u64::from(slot)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let unit = (((state ^ (state >> 31)) >> 11) + 1) as f64 / (1u64 << 53) as f64;
    let level = -unit.ln() / (m.max(2) as f64).ln();
    level.min(f64::from(MAX_LEVEL)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_in_m_is_at_the_next_level() {
        for m in [2, 16, 48] {
            let count = |at_least: u8| (0..200_000).filter(|&slot| level(slot, m) >= at_least).count() as f64;
            assert!((count(1) / 200_000.0 * m as f64 - 1.0).abs() < 0.05, "{m}: {}", count(1));
            assert!((count(2) / count(1) * m as f64 - 1.0).abs() < 0.25, "{m}: {}", count(2));
        }
    }

    #[test]
    fn links_that_do_not_go_together_are_refused() {
        let parts = |levels: &[u8], base: &[u32], upper: &[u32], entry| {
            Graph::from_parts(2, levels.to_vec(), base.to_vec(), upper.to_vec(), entry).map(drop)
        };
        let base = [1, NONE, NONE, NONE, 0, NONE, NONE, NONE];
        assert_eq!(parts(&[0, 1], &base, &[NONE, NONE], Some(1)), Ok(()));
        assert!(parts(&[0, 1], &base, &[NONE, NONE], Some(0)).is_err());
        assert!(parts(&[0, 1], &base, &[NONE, NONE], Some(2)).is_err());
        assert!(parts(&[0, 1], &base, &[NONE, NONE], None).is_err());
        assert!(parts(&[0, 1], &base, &[NONE], Some(1)).is_err());
        assert!(parts(&[0, 40], &base, &[NONE; 80], Some(1)).is_err());
        // A node that is not there, one after the end, and one that is not at this level.
        assert!(parts(&[0, 0], &[2, NONE, NONE, NONE, 0, NONE, NONE, NONE], &[], Some(1)).is_err());
        assert!(parts(&[0, 0], &[NONE, 1, NONE, NONE, 0, NONE, NONE, NONE], &[], Some(1)).is_err());
        assert!(parts(&[0, 1], &base, &[0, NONE], Some(1)).is_err());
    }
}
