//! Pairs to groups: clustering of a sparse graph of near pairs.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use crate::disjoint::DisjointSets;

/// When two clusters become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Linkage {
    /// When the mean distance over all pairs between them is within the threshold (UPGMA: Sokal and Michener, *A
    /// statistical method for evaluating systematic relationships*, 1958). Two clusters that one bridge connects stay
    /// apart.
    #[default]
    Average,
    /// When every pair between them is within the threshold: nothing in a group is unlike anything else in it.
    Complete,
    /// An item and everything near it, the item with the most near ones first; no chains.
    Star,
    /// When any pair between them is within the threshold: the connected components, chains and all.
    Components,
}

impl Linkage {
    /// All of them, the default first.
    pub const ALL: [Self; 4] = [Self::Average, Self::Components, Self::Star, Self::Complete];

    /// The name in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Complete => "complete",
            Self::Star => "star",
            Self::Components => "components",
        }
    }
}

impl std::str::FromStr for Linkage {
    type Err = UnknownLinkage;

    fn from_str(text: &str) -> Result<Self, UnknownLinkage> {
        let known = Self::ALL.into_iter().find(|linkage| linkage.name() == text);
        known.ok_or_else(|| UnknownLinkage { text: text.to_owned() })
    }
}

/// A text that names no linkage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no way to group: write average, components, star or complete")]
pub struct UnknownLinkage {
    /// The text.
    pub text: String,
}

/// Two items that a search found near each other, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearPair {
    /// One item.
    pub a: u32,
    /// The other one.
    pub b: u32,
    /// Their distance.
    pub distance: f32,
}

/// Groups the items `0..count`: every cluster of at least two, each in ascending order, ordered by their first item.
///
/// `pairs` are the pairs within `max_distance`, each once; those beyond it, of an item with itself, or of an item that is not
/// there do not count. `distance` gives the distance of any two items: average and
/// complete link ask it for the pairs that no search returned before two clusters are joined, each at most once.
/// The result depends on the set of pairs alone, not on their order.
///
/// Time is near linear in the pairs, plus the product of the sizes of clusters that are compared for joining.
pub fn cluster(
    count: usize,
    pairs: &[NearPair],
    max_distance: f32,
    linkage: Linkage,
    distance: impl Fn(u32, u32) -> f32,
) -> Vec<Vec<u32>> {
    let counts = |pair: &&NearPair| {
        let inside = (pair.a.max(pair.b) as usize) < count;
        pair.a != pair.b && inside && pair.distance <= max_distance
    };
    let pairs: Vec<NearPair> = pairs.iter().filter(counts).copied().collect();
    let mut groups = match linkage {
        Linkage::Average => Agglomeration::new(count, &pairs, Spread::Mean).run(max_distance, distance),
        Linkage::Complete => Agglomeration::new(count, &pairs, Spread::Largest).run(max_distance, distance),
        Linkage::Star => stars(count, &pairs),
        Linkage::Components => components(count, &pairs),
    };
    groups.retain(|group| group.len() > 1);
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    groups
}

fn components(count: usize, pairs: &[NearPair]) -> Vec<Vec<u32>> {
    let mut sets = DisjointSets::new(count);
    for pair in pairs {
        sets.join(pair.a, pair.b);
    }
    let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
    for item in 0..count as u32 {
        groups.entry(sets.find(item)).or_default().push(item);
    }
    groups.into_values().collect()
}

fn stars(count: usize, pairs: &[NearPair]) -> Vec<Vec<u32>> {
    let mut near: Vec<Vec<u32>> = vec![Vec::new(); count];
    for pair in pairs {
        near[pair.a as usize].push(pair.b);
        near[pair.b as usize].push(pair.a);
    }
    let mut centres: Vec<u32> = (0..count as u32).collect();
    centres.sort_by_key(|&item| (Reverse(near[item as usize].len()), item));
    let mut taken = vec![false; count];
    let mut groups = Vec::new();
    for centre in centres {
        if std::mem::replace(&mut taken[centre as usize], true) {
            continue;
        }
        let mut group = vec![centre];
        group.extend(near[centre as usize].iter().filter(|&&item| !std::mem::replace(&mut taken[item as usize], true)));
        groups.push(group);
    }
    groups
}

/// What stands for all distances between two clusters.
#[derive(Clone, Copy, PartialEq)]
enum Spread {
    /// Their sum, to be divided by their number.
    Mean,
    /// The largest.
    Largest,
}

struct Cluster {
    members: Vec<u32>,
    /// The sum, or the largest, of all distances to each cluster that at least one pair connects this one to.
    near: HashMap<u32, f64>,
}

/// Agglomerative clustering that joins the closest two clusters again and again.
struct Agglomeration {
    spread: Spread,
    /// By number; a cluster that was joined into another is gone.
    clusters: Vec<Option<Cluster>>,
    queue: BinaryHeap<Reverse<Join>>,
}

/// A join that may be made: as long as both clusters are there, what it says is true.
#[derive(PartialEq)]
struct Join {
    distance: f64,
    a: u32,
    b: u32,
}

impl Eq for Join {}

impl Ord for Join {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then((self.a, self.b).cmp(&(other.a, other.b)))
    }
}

impl PartialOrd for Join {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Agglomeration {
    fn new(count: usize, pairs: &[NearPair], spread: Spread) -> Self {
        let single = |item| Some(Cluster { members: vec![item], near: HashMap::new() });
        let mut clusters: Vec<_> = (0..count as u32).map(single).collect();
        for pair in pairs {
            for (from, to) in [(pair.a, pair.b), (pair.b, pair.a)] {
                if let Some(cluster) = &mut clusters[from as usize] {
                    cluster.near.insert(to, f64::from(pair.distance));
                }
            }
        }
        let join = |pair: &NearPair| {
            Reverse(Join { distance: f64::from(pair.distance), a: pair.a.min(pair.b), b: pair.a.max(pair.b) })
        };
        Self { spread, clusters, queue: pairs.iter().map(join).collect() }
    }

    fn run(mut self, max_distance: f32, distance: impl Fn(u32, u32) -> f32) -> Vec<Vec<u32>> {
        while let Some(Reverse(Join { distance: apart, a, b })) = self.queue.pop() {
            if apart > f64::from(max_distance) {
                break;
            }
            if self.clusters[a as usize].is_some() && self.clusters[b as usize].is_some() {
                self.join(a, b, &distance);
            }
        }
        self.clusters.into_iter().flatten().map(|cluster| cluster.members).collect()
    }

    fn join(&mut self, a: u32, b: u32, distance: &impl Fn(u32, u32) -> f32) {
        let (Some(mut a), Some(mut b)) = (self.clusters[a as usize].take(), self.clusters[b as usize].take()) else {
            return;
        };
        let joined = self.clusters.len() as u32;
        let mut near = HashMap::with_capacity(a.near.len().max(b.near.len()));
        let neighbors: Vec<u32> =
            a.near.keys().chain(b.near.keys().filter(|id| !a.near.contains_key(id))).copied().collect();
        for id in neighbors {
            // Not there any more: one of the two themselves.
            let Some(other) = &mut self.clusters[id as usize] else {
                continue;
            };
            let [from_a, from_b] = [&mut a, &mut b].map(|side| {
                let known = side.near.remove(&id);
                known.unwrap_or_else(|| self.spread.between(&side.members, &other.members, distance))
            });
            let all = match self.spread {
                Spread::Mean => from_a + from_b,
                Spread::Largest => from_a.max(from_b),
            };
            near.insert(id, all);
            other.near.insert(joined, all);
            let pairs = (a.members.len() + b.members.len()) * other.members.len();
            let apart = if self.spread == Spread::Mean { all / pairs as f64 } else { all };
            self.queue.push(Reverse(Join { distance: apart, a: id, b: joined }));
        }
        a.members.append(&mut b.members);
        self.clusters.push(Some(Cluster { members: a.members, near }));
    }
}

impl Spread {
    fn between(self, a: &[u32], b: &[u32], distance: &impl Fn(u32, u32) -> f32) -> f64 {
        let all = a.iter().flat_map(|&a| b.iter().map(move |&b| f64::from(distance(a, b))));
        match self {
            Self::Mean => all.sum(),
            Self::Largest => all.fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Items on a line: their distance is the difference of their places.
    fn on_a_line(places: &[f32], max_distance: f32, linkage: Linkage) -> Vec<Vec<u32>> {
        cluster(places.len(), &near(places, max_distance), max_distance, linkage, |a, b| apart(places, a, b))
    }

    fn apart(places: &[f32], a: u32, b: u32) -> f32 {
        (places[a as usize] - places[b as usize]).abs()
    }

    fn near(places: &[f32], max_distance: f32) -> Vec<NearPair> {
        let count = places.len() as u32;
        let all = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let all = all.map(|(a, b)| NearPair { a, b, distance: apart(places, a, b) });
        all.filter(|pair| pair.distance <= max_distance).collect()
    }

    #[test]
    fn a_bridge_joins_two_clusters_by_components_alone() {
        // Two clusters, and one item between them that is near the edge of each.
        let places = [0.0, 0.1, 0.2, 1.1, 2.0, 2.1, 2.2];
        assert_eq!(on_a_line(&places, 1.0, Linkage::Components), [[0, 1, 2, 3, 4, 5, 6]]);
        let average = on_a_line(&places, 1.0, Linkage::Average);
        assert_eq!(average.len(), 2);
        assert!(average.iter().any(|group| *group == [0, 1, 2]) || average.iter().any(|group| *group == [4, 5, 6]));
    }

    #[test]
    fn a_chain_is_cut_by_star_and_complete_link() {
        let places = [0.0, 0.9, 1.8, 2.7];
        assert_eq!(on_a_line(&places, 1.0, Linkage::Components), [[0, 1, 2, 3]]);
        assert_eq!(on_a_line(&places, 1.0, Linkage::Star), [[0, 1, 2]]);
        assert_eq!(on_a_line(&places, 1.0, Linkage::Complete), [[0, 1], [2, 3]]);
    }

    #[test]
    fn pairs_that_no_search_returned_are_scored_before_joining() {
        // 0-1 and 2-3 are near; 1-2 is near as well, and the other three pairs are far though no search says so.
        let pairs = [(0, 1, 0.1), (2, 3, 0.1), (1, 2, 0.5)].map(|(a, b, distance)| NearPair { a, b, distance });
        assert_eq!(cluster(4, &pairs, 0.5, Linkage::Average, |_, _| 9.0), [[0, 1], [2, 3]]);
        assert_eq!(cluster(4, &pairs, 0.5, Linkage::Average, |_, _| 0.5), [[0, 1, 2, 3]]);
        assert_eq!(cluster(4, &pairs, 0.5, Linkage::Complete, |_, _| 0.6), [[0, 1], [2, 3]]);
    }

    #[test]
    fn pairs_that_are_none_do_not_count() {
        let pairs = [(0, 0, 0.0), (0, 1, 0.1), (1, 2, f32::NAN), (2, 9, 0.1), (2, 3, 5.0)];
        let pairs = pairs.map(|(a, b, distance)| NearPair { a, b, distance });
        for linkage in Linkage::ALL {
            assert_eq!(cluster(4, &pairs, 1.0, linkage, |_, _| 9.0), [[0, 1]], "{linkage:?}");
        }
    }

    /// Average link by its definition: join the two closest clusters until none are close enough.
    fn naive_average(places: &[f32], max_distance: f32) -> Vec<Vec<u32>> {
        let mut clusters: Vec<Vec<u32>> = (0..places.len() as u32).map(|item| vec![item]).collect();
        loop {
            let mut best: Option<(f64, usize, usize)> = None;
            for i in 0..clusters.len() {
                for j in i + 1..clusters.len() {
                    let pairs = clusters[i].len() * clusters[j].len();
                    let mean =
                        Spread::Mean.between(&clusters[i], &clusters[j], &|a, b| apart(places, a, b)) / pairs as f64;
                    if best.is_none_or(|(distance, ..)| mean < distance) {
                        best = Some((mean, i, j));
                    }
                }
            }
            match best {
                Some((mean, i, j)) if mean <= f64::from(max_distance) => {
                    let joined = clusters.remove(j);
                    clusters[i].extend(joined);
                }
                _ => break,
            }
        }
        clusters.retain(|cluster| cluster.len() > 1);
        for cluster in &mut clusters {
            cluster.sort_unstable();
        }
        clusters.sort();
        clusters
    }

    proptest! {
        #[test]
        fn average_link_is_what_its_definition_gives(places in prop::collection::vec(0.0f32..20.0, 0..24)) {
            prop_assert_eq!(on_a_line(&places, 1.0, Linkage::Average), naive_average(&places, 1.0));
        }

        #[test]
        fn groups_are_disjoint_and_do_not_depend_on_the_order_of_pairs(
            places in prop::collection::vec(0.0f32..9.0, 0..40),
            seed in any::<u64>(),
        ) {
            let mut shuffled = near(&places, 1.0);
            shuffled.sort_by_key(|pair| (u64::from(pair.a * 41 + pair.b) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            for linkage in Linkage::ALL {
                let groups = on_a_line(&places, 1.0, linkage);
                let again = cluster(places.len(), &shuffled, 1.0, linkage, |a, b| apart(&places, a, b));
                prop_assert_eq!(&groups, &again);
                let mut members = groups.concat();
                members.sort_unstable();
                let count = members.len();
                members.dedup();
                prop_assert_eq!(members.len(), count);
                if linkage == Linkage::Complete {
                    prop_assert!(groups.iter().all(|group| group.iter().all(|&a| group.iter().all(|&b| apart(&places, a, b) <= 1.0))));
                }
            }
        }
    }
}
