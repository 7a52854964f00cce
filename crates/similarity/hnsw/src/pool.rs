//! The candidates of a walk, and the nodes that it has seen.

/// Found nodes, nearest first: the `limit` nearest live ones, and every dead one that is nearer than the last of those.
///
/// A node is dead where all of its vectors were removed: the way may lead over it, and it is no answer. The array is sorted
/// at all times: an insertion moves a few cache lines, which is less work than the two heaps of the paper.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// From the highest bit: the distance (31 bits, since the sign of a float that is not negative is 0, and the bits of
    /// such floats are in the order of their values), the node (32), and whether its links were followed (1).
    keys: Vec<u64>,
    limit: usize,
    live: usize,
    /// Every node before this place was followed.
    next: usize,
}

const FOLLOWED: u64 = 1;
/// Dead nodes for each live one that is wanted, with which a pool is crowded. Where dead nodes are spread evenly, and no more
/// than a third of all, there is one for every two live ones.
const DEAD: usize = 4;

impl Pool {
    /// Forgets all, and takes up to `limit` live nodes.
    pub(crate) fn reset(&mut self, limit: usize) {
        self.keys.clear();
        (self.limit, self.live, self.next) = (limit, 0, 0);
    }

    /// Takes a node that is not there yet, if it is near enough.
    pub(crate) fn offer(&mut self, node: u32, distance: f32, is_live: impl Fn(u32) -> bool) {
        let key = u64::from(distance.to_bits()) << 33 | u64::from(node) << 1;
        let is_full = self.live >= self.limit;
        if is_full && self.keys.last().is_none_or(|last| key >= *last) {
            return;
        }
        let place = self.keys.partition_point(|other| *other < key);
        self.keys.insert(place, key);
        self.next = self.next.min(place);
        if is_live(node) {
            self.live += 1;
            if self.live > self.limit {
                // The last one is live where the pool was full.
                self.keys.pop();
                self.live -= 1;
            }
            if self.live == self.limit {
                // What is dead behind the last live one is of no use.
                while self.keys.last().is_some_and(|last| !is_live(node_of(*last))) {
                    self.keys.pop();
                }
            }
        }
    }

    /// The nearest node whose links were not followed, which they are from now on, and the one after it.
    pub(crate) fn follow(&mut self) -> Option<(u32, Option<u32>)> {
        let ahead = self.keys.get(self.next..)?.iter().position(|key| key & FOLLOWED == 0)?;
        self.next += ahead;
        let key = self.keys.get_mut(self.next)?;
        *key |= FOLLOWED;
        let node = node_of(*key);
        self.next += 1;
        Some((node, self.keys.get(self.next).map(|key| node_of(*key))))
    }

    /// Whether there are as many live nodes as it takes.
    pub(crate) fn is_full(&self) -> bool {
        self.live >= self.limit
    }

    /// Whether there are so many dead nodes that the way leads through little else: each that is met moves all behind it.
    pub(crate) fn is_crowded(&self) -> bool {
        self.keys.len() - self.live > DEAD * self.limit
    }

    /// Every node with its distance, nearest first, the dead ones included.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, f32)> {
        self.keys.iter().map(|key| (node_of(*key), f32::from_bits((key >> 33) as u32)))
    }
}

fn node_of(key: u64) -> u32 {
    (key >> 1) as u32
}

/// A set of nodes that is emptied at no cost: a node is in it where its stamp is that of the present walk.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    stamps: Vec<u8>,
    now: u8,
}

impl Visited {
    /// Forgets all, and makes room for nodes below `count`.
    pub(crate) fn reset(&mut self, count: usize) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 || self.stamps.len() < count {
            self.stamps.clear();
            self.stamps.resize(count, 0);
            self.now = 1;
        }
    }

    /// Adds a node, and says whether it is new.
    pub(crate) fn insert(&mut self, node: u32) -> bool {
        let stamp = &mut self.stamps[node as usize];
        let new = *stamp != self.now;
        *stamp = self.now;
        new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pool_keeps_the_nearest_live_nodes_and_the_dead_ones_among_them(
            distances in prop::collection::vec(0u8..30, 0..80), limit in 1usize..20, dead in 1u32..5,
        ) {
            let is_live = |node: u32| node % dead != 1;
            let mut pool = Pool::default();
            pool.reset(limit);
            let mut all: Vec<(u32, f32)> = (0..).zip(distances.iter().map(|&d| f32::from(d))).collect();
            for (step, (node, distance)) in all.iter().enumerate() {
                pool.offer(*node, *distance, is_live);
                if step % 3 == 0 {
                    pool.follow();
                }
            }
            all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            let last = all.iter().enumerate().filter(|(_, found)| is_live(found.0)).nth(limit - 1);
            let expected = &all[..last.map_or(all.len(), |(place, _)| place + 1)];
            prop_assert_eq!(pool.iter().collect::<Vec<_>>(), expected);
            prop_assert_eq!(pool.is_full(), last.is_some());
            // What was not followed is, once and nearest first.
            let mut followed = Vec::new();
            while let Some((node, _)) = pool.follow() {
                followed.push(expected.iter().position(|found| found.0 == node).unwrap());
            }
            prop_assert!(followed.is_sorted() && followed.len() <= expected.len());
        }
    }

    #[test]
    fn a_set_is_empty_after_every_reset() {
        let mut visited = Visited::default();
        for walk in 0..600 {
            visited.reset(4 + walk / 100);
            assert!(visited.insert(3) && !visited.insert(3) && visited.insert(0));
        }
    }
}
