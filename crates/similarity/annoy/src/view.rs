//! One committed state of an index, searched.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use heed::{RoTxn, WithoutTls};
use nodupe_core::{IndexError, Neighbor, Row};
use roaring::RoaringBitmap;

use crate::environment::Environment;
use crate::failure::At as _;
use crate::forest::Trees;
use crate::nearest::{Hit, Nearest};
use crate::tables::Change;

/// How many neighbours a search within a distance begins with, and by how much it goes on.
const FIRST: usize = 64;
const GROWTH: usize = 4;

/// What is asked about each query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) limit: usize,
    /// Infinite where all are wanted.
    pub(crate) max_distance: f32,
    /// Candidates that are collected from the trees at least.
    pub(crate) search_k: usize,
}

/// A committed state: the trees, and what came and went since they were built.
pub(crate) struct View<'t> {
    environment: &'t Environment,
    rtxn: &'t RoTxn<'t, WithoutTls>,
    trees: Option<Trees<'t>>,
    added: Vec<u32>,
    removed: RoaringBitmap,
    /// What is left of the items in the trees, where not all are.
    left: Option<RoaringBitmap>,
    /// Vectors that can be found in the trees.
    planted: usize,
}

impl<'t> View<'t> {
    pub(crate) fn new(environment: &'t Environment, rtxn: &'t RoTxn<'t, WithoutTls>) -> Result<Self, IndexError> {
        let (tables, file) = (&environment.tables, environment.file());
        let trees = tables.forest.trees(rtxn).at(file)?;
        let (mut added, mut removed) = (Vec::new(), RoaringBitmap::new());
        let note = |item, change| match change {
            Change::Added => added.push(item),
            Change::Removed => drop(removed.insert(item)),
        };
        tables.for_each_change(rtxn, note).at(file)?;
        let items = trees.as_ref().map(Trees::items);
        let left = items.filter(|_| !removed.is_empty()).map(|items| items - &removed);
        let planted = left.as_ref().or(items).map_or(0, RoaringBitmap::len) as usize;
        Ok(Self { environment, rtxn, trees, added, removed, left, planted })
    }

    /// The neighbours of each query of `queries`, `dim` components each.
    pub(crate) fn answer(&self, queries: &[f32], dim: usize, ask: Ask) -> Result<Vec<Vec<Neighbor>>, IndexError> {
        let mut all = Vec::new();
        let mut scanned = Vec::new();
        let mut met = Vec::new();
        for query in queries.chunks_exact(dim) {
            let mut nearest = Nearest::new(ask.limit, ask.max_distance);
            let found = self.ask_trees(query, ask, &mut nearest)?;
            (if found { &mut met } else { &mut scanned }).push(all.len());
            all.push((query, nearest));
        }
        self.scan(&mut all, &scanned)?;
        for &item in self.added.iter().filter(|_| !met.is_empty()) {
            let vector = self.vector(item)?;
            for &query in &met {
                self.meet(&mut all, query, item, &vector);
            }
        }
        all.into_iter().map(|(_, nearest)| self.neighbors(nearest, ask.limit)).collect()
    }

    /// Collects what the trees find, and says whether that will do: where they would look at as many vectors as there
    /// are, all vectors are looked at instead.
    fn ask_trees(&self, query: &[f32], ask: Ask, nearest: &mut Nearest) -> Result<bool, IndexError> {
        let Some(trees) = &self.trees else { return Ok(false) };
        let file = self.environment.file();
        let all = ask.limit.min(self.planted);
        let equals = self.environment.tables.equals(self.rtxn, query, all).at(file)?;
        let mut count = if ask.max_distance == f32::INFINITY { all } else { all.min(FIRST) };
        loop {
            let search_k = ask.search_k.max(count.saturating_mul(trees.count()));
            let Some(search_k) = NonZeroUsize::new(search_k).filter(|search_k| search_k.get() < self.planted) else {
                return Ok(false);
            };
            let mut found = trees.nearest(self.rtxn, query, count, search_k, self.left.as_ref()).at(file)?;
            let met = found.len();
            let done = met < count || count >= all;
            found.extend(equals.iter().filter(|item| trees.items().contains(**item)));
            found.sort_unstable();
            found.dedup();
            let mut farthest = 0.0f32;
            let mut hits = Vec::with_capacity(found.len());
            for &item in &found {
                let hit = Hit { distance: self.distance(query, &self.vector(item)?), item };
                farthest = farthest.max(hit.distance);
                hits.push(hit);
            }
            if done || farthest > ask.max_distance {
                for hit in hits {
                    nearest.push(hit);
                }
                return Ok(true);
            }
            count = count.saturating_mul(GROWTH).min(all);
        }
    }

    /// Shows every vector to some of the queries.
    fn scan(&self, all: &mut [(&[f32], Nearest)], queries: &[usize]) -> Result<(), IndexError> {
        if queries.is_empty() {
            return Ok(());
        }
        let mut each = |item: u32, vector: &[f32]| {
            if !self.removed.contains(item) {
                for &query in queries {
                    self.meet(all, query, item, vector);
                }
            }
            ControlFlow::Continue(())
        };
        self.environment.tables.forest.for_each(self.rtxn, &mut each).at(self.environment.file())
    }

    fn meet(&self, all: &mut [(&[f32], Nearest)], query: usize, item: u32, vector: &[f32]) {
        if let Some((query, nearest)) = all.get_mut(query) {
            nearest.push(Hit { distance: self.distance(query, vector), item });
        }
    }

    /// Vectors of one index have one length; a database that says otherwise has none that is near.
    fn distance(&self, a: &[f32], b: &[f32]) -> f32 {
        let metric = self.environment.tables.forest.metric();
        metric.distance(Row::F32(a), Row::F32(b)).unwrap_or(f32::INFINITY)
    }

    fn vector(&self, item: u32) -> Result<Vec<f32>, IndexError> {
        let file = self.environment.file();
        let vector = self.environment.tables.forest.vector(self.rtxn, item).at(file)?;
        vector.ok_or_else(|| IndexError::corrupt(file, format!("the vector of item {item} is missing")))
    }

    fn neighbors(&self, nearest: Nearest, limit: usize) -> Result<Vec<Neighbor>, IndexError> {
        let file = self.environment.file();
        let named = nearest.into_hits().into_iter().map(|hit| {
            let id = self.environment.tables.id(self.rtxn, hit.item).at(file)?;
            let id = id.ok_or_else(|| IndexError::corrupt(file, format!("item {} has no id", hit.item)))?;
            Ok(Neighbor { id, distance: hit.distance })
        });
        let mut neighbors = named.collect::<Result<Vec<_>, IndexError>>()?;
        neighbors.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.id.cmp(&b.id)));
        neighbors.truncate(limit);
        Ok(neighbors)
    }
}
