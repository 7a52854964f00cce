//! Vectors and their graph, kept in step.

use std::collections::HashSet;
use std::ops::ControlFlow;

use nodupe_core::{BuildPhase, IndexError, SlotMap};
use rayon::ThreadPool;

use crate::equal::Equal;
use crate::graph::Graph;
use crate::insert::insert_all;
use crate::rows::Rows;
use crate::search::Searcher;
use crate::walk::Scratches;

type Progress<'a> = &'a mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>;

/// Rows of one kind, by slot; the first ones of them are in the graph.
pub(crate) struct Index<R> {
    rows: R,
    equal: Equal,
    graph: Graph,
    scratches: Scratches,
}

impl<R: Rows> Index<R> {
    /// No rows.
    pub(crate) fn new(rows: R, graph: Graph) -> Self {
        Self { rows, equal: Equal::default(), graph, scratches: Scratches::default() }
    }

    pub(crate) fn rows(&self) -> &R {
        &self.rows
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Takes a graph of the first of the rows.
    pub(crate) fn set_graph(&mut self, graph: Graph) {
        self.graph = graph;
    }

    /// Adds rows by `add`, those of the last slots.
    pub(crate) fn extend(&mut self, slots: &SlotMap, add: impl FnOnce(&mut R)) {
        add(&mut self.rows);
        self.equal.extend(&self.rows, |slot| slots.id(slot).is_some());
    }

    /// Notes that a slot is empty now.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.equal.remove(&self.rows, slot);
    }

    pub(crate) fn searcher<'a>(&'a self, slots: &'a SlotMap, ef: usize) -> Searcher<'a, R> {
        let Self { rows, equal, graph, scratches } = self;
        Searcher { rows, slots, equal, graph, ef, scratches }
    }

    /// Inserts every row that is not in the graph, or makes a new graph without the empty slots where these are many.
    ///
    /// The work is done on a copy of the links: if it is stopped, the copy goes and all is as it was.
    pub(crate) fn build(
        &mut self,
        slots: &mut SlotMap,
        ef: usize,
        pool: Option<&ThreadPool>,
        progress: Progress<'_>,
    ) -> Result<(), IndexError> {
        if is_loose(slots) || self.graph.entry().is_none() {
            return self.rebuild(slots, ef, pool, progress);
        }
        let len = self.rows.len();
        if len == self.graph.len() {
            let told = progress(BuildPhase::Linking, 1.0);
            return if told.is_break() { Err(IndexError::Cancelled) } else { Ok(()) };
        }
        let nodes: Vec<u32> = (self.graph.len() as u32..len as u32).filter(|&slot| self.is_first(slot)).collect();
        self.graph = self.linked(&self.graph, len, &nodes, ef, pool, progress)?;
        Ok(())
    }

    /// Drops the empty slots where they are many.
    pub(crate) fn tidy(&mut self, slots: &mut SlotMap, ef: usize, pool: Option<&ThreadPool>) -> Result<(), IndexError> {
        if self.graph.len() == 0 {
            let graph = Graph::new(self.graph.m());
            self.compact(slots, |_| graph);
            Ok(())
        } else if is_loose(slots) {
            self.rebuild(slots, ef, pool, &mut |_, _| ControlFlow::Continue(()))
        } else {
            Ok(())
        }
    }

    /// Makes a new graph of what is in the slots that are not empty, and drops those that are.
    fn rebuild(
        &mut self,
        slots: &mut SlotMap,
        ef: usize,
        pool: Option<&ThreadPool>,
        progress: Progress<'_>,
    ) -> Result<(), IndexError> {
        if progress(BuildPhase::Compacting, 0.0).is_break() {
            return Err(IndexError::Cancelled);
        }
        // Of equal rows the first one that stays, which is the first one afterwards.
        let mut seen = HashSet::new();
        let is_new =
            |slot: &u32| self.equal.find(&self.rows, self.rows.row(*slot)).is_some_and(|first| seen.insert(first));
        let nodes: Vec<u32> = slots.iter().map(|(slot, _)| slot).filter(is_new).collect();
        let none = Graph::new(self.graph.m());
        let graph = self.linked(&none, self.rows.len(), &nodes, ef, pool, progress)?;
        self.compact(slots, |kept| graph.compacted(kept));
        Ok(())
    }

    /// Drops the empty slots.
    fn compact(&mut self, slots: &mut SlotMap, graph: impl FnOnce(&[u32]) -> Graph) {
        if slots.capacity() == slots.len() {
            let all: Vec<u32> = (0..slots.capacity() as u32).collect();
            self.graph = graph(&all);
            return;
        }
        let kept = slots.compact();
        self.graph = graph(&kept);
        self.rows.compact(&kept);
        self.equal = Equal::default();
        self.equal.extend(&self.rows, |_| true);
    }

    /// A copy of a graph with slots up to `len`, of which `nodes`, which ascend, are inserted.
    fn linked(
        &self,
        graph: &Graph,
        len: usize,
        nodes: &[u32],
        ef: usize,
        pool: Option<&ThreadPool>,
        progress: Progress<'_>,
    ) -> Result<Graph, IndexError> {
        let mut tell = |done| progress(BuildPhase::Linking, done);
        if tell(0.0).is_break() {
            return Err(IndexError::Cancelled);
        }
        let is_node = |slot: u32| nodes.binary_search(&slot).is_ok();
        let mut graph = graph.grown(len, is_node).ok_or(IndexError::Full { limit: SlotMap::MAX_SLOTS })?;
        match insert_all(&self.rows, &mut graph, nodes, ef, &self.scratches, pool, &mut tell) {
            ControlFlow::Continue(()) => Ok(graph),
            ControlFlow::Break(()) => Err(IndexError::Cancelled),
        }
    }

    fn is_first(&self, slot: u32) -> bool {
        self.equal.find(&self.rows, self.rows.row(slot)) == Some(slot)
    }
}

/// Whether a third of the slots are empty: ways over them are then half as long again as they need be.
fn is_loose(slots: &SlotMap) -> bool {
    (slots.capacity() - slots.len()) * 3 >= slots.capacity()
}
