//! Inserting nodes into the graph, on several threads at once.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::graph::{Graph, NONE};
use crate::rows::Rows;
use crate::threads;
use crate::walk::{Scratch, Scratches, descend, walk};

/// Nodes that are in a graph, or inserted one by one, before others are inserted together: threads that insert at the same time do not see each other's
/// nodes, and in a small graph that would be most of them.
const ALONE: usize = 256;
/// Locks for the lists of all nodes: far more than threads, so that two seldom want the same.
const LOCKS: usize = 4_096;
/// Parts that the work is told of in, at least.
const PARTS: usize = 100;
/// Nodes that are inserted between two calls of the progress, at most.
const MOST: usize = 4_096;

/// Inserts `nodes`, which are in the graph without links. `progress` is told how much is done.
///
/// # Errors
/// What `progress` breaks with; the graph is then of no more use.
pub(crate) fn insert_all<R: Rows>(
    rows: &R,
    graph: &mut Graph,
    nodes: &[u32],
    ef: usize,
    scratches: &Scratches,
    pool: Option<&ThreadPool>,
    progress: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(&highest) = nodes.iter().max_by_key(|&&node| graph.level(node)) else {
        return ControlFlow::Continue(());
    };
    // The entry is one from the beginning, so that it does not change while others walk from it.
    let is_higher = graph.entry().is_none_or(|entry| graph.level(highest) > graph.level(entry));
    if is_higher {
        if graph.entry().is_some() {
            let mut choice = Choice::default();
            scratches.with(|scratch| Insertion::new(rows, graph, ef).insert(highest, scratch, &mut choice));
        }
        graph.set_entry(highest);
    }
    let start = usize::from(is_higher);
    let rest: Vec<u32> = nodes.iter().copied().filter(|&node| !is_higher || node != highest).collect();
    let insertion = Insertion::new(rows, graph, ef);
    let linked = (0..graph.len() as u32).filter(|&node| graph.is_linked(node)).take(ALONE).count();
    let alone = (ALONE - linked).min(rest.len());
    let (one_by_one, together) = rest.split_at(alone);
    insertion.insert_each(one_by_one, scratches);
    let mut done = start + alone;
    progress(done as f32 / nodes.len() as f32)?;
    for part in together.chunks(together.len().div_ceil(PARTS).clamp(64, MOST)) {
        threads::on(pool, || part.par_chunks(8).for_each(|some| insertion.insert_each(some, scratches)));
        done += part.len();
        progress(done as f32 / nodes.len() as f32)?;
    }
    ControlFlow::Continue(())
}

struct Insertion<'a, R> {
    rows: &'a R,
    graph: &'a Graph,
    ef: usize,
    locks: Vec<Mutex<()>>,
}

/// What choosing neighbours needs: candidates, those that were chosen, and distances between them.
#[derive(Default)]
struct Choice {
    candidates: Vec<(u32, f32)>,
    chosen: Vec<(u32, f32)>,
    nodes: Vec<u32>,
    near: Vec<f32>,
}

impl<'a, R: Rows> Insertion<'a, R> {
    fn new(rows: &'a R, graph: &'a Graph, ef: usize) -> Self {
        let locks = std::iter::repeat_with(Mutex::default).take(LOCKS).collect();
        // With fewer candidates than links, lists would stay short.
        Self { rows, graph, ef: ef.max(graph.m()), locks }
    }

    fn insert_each(&self, nodes: &[u32], scratches: &Scratches) {
        let mut choice = Choice::default();
        scratches.with(|scratch| nodes.iter().for_each(|&node| self.insert(node, scratch, &mut choice)));
    }

    /// Links a node at each of its levels (Algorithm 1).
    ///
    /// No list leads to the node before its own lists are there at all levels: who finds it, finds a way on.
    fn insert(&self, node: u32, scratch: &mut Scratch, choice: &mut Choice) {
        let row = self.rows.row(node);
        let Some(entry) = self.graph.entry() else {
            return;
        };
        let top = self.graph.level(node).min(self.graph.level(entry));
        let Some(mut nearest) = descend(self.rows, self.graph, row, top, scratch) else {
            return;
        };
        let mut lists = Vec::with_capacity(usize::from(top) + 1);
        for level in (0..=top).rev() {
            walk((self.rows, self.graph, level), row, [nearest], self.ef, |_| true, scratch);
            nearest = scratch.pool.iter().next().unwrap_or(nearest);
            choice.candidates.clear();
            choice.candidates.extend(scratch.pool.iter());
            self.choose(choice, self.graph.m());
            self.graph.set_links(level, node, choice.chosen.iter().map(|to| to.0));
            lists.push((level, choice.chosen.clone()));
        }
        for (level, list) in lists {
            for (to, distance) in list {
                self.link_back(level, to, node, distance, choice);
            }
        }
    }

    /// Links `from` to `to`, in place of another where there is no room.
    fn link_back(&self, level: u8, from: u32, to: u32, distance: f32, choice: &mut Choice) {
        let _lock = self.lock(from);
        let links = self.graph.links(level, from);
        choice.nodes.clear();
        for link in links {
            match link.load(Relaxed) {
                NONE => {
                    link.store(to, Relaxed);
                    return;
                }
                other if other == to => return,
                other => choice.nodes.push(other),
            }
        }
        self.rows.near(self.rows.row(from), &choice.nodes, &mut choice.near);
        choice.candidates.clear();
        choice.candidates.extend(choice.nodes.iter().copied().zip(choice.near.iter().copied()));
        choice.candidates.push((to, distance));
        choice.candidates.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        self.choose(choice, links.len());
        self.graph.set_links(level, from, choice.chosen.iter().map(|to| to.0));
    }

    /// Chooses up to `most` of the candidates, nearest first: those that are nearer to the node than to any that was chosen
    /// before (Algorithm 4). So links lead in all directions, out of a cluster too.
    fn choose(&self, choice: &mut Choice, most: usize) {
        let Choice { candidates, chosen, nodes, near } = choice;
        chosen.clear();
        nodes.clear();
        if candidates.len() <= most {
            chosen.extend_from_slice(candidates);
            return;
        }
        for &(node, distance) in candidates.iter() {
            let row = self.rows.row(node);
            // A few at a time: most are turned down by one of the first.
            let is_apart = nodes.chunks(4).all(|some| {
                self.rows.near(row, some, near);
                near.iter().all(|&between| between >= distance)
            });
            if is_apart {
                chosen.push((node, distance));
                nodes.push(node);
                if chosen.len() == most {
                    break;
                }
            }
        }
    }

    fn lock(&self, node: u32) -> std::sync::MutexGuard<'_, ()> {
        // Lists are whole whatever a thread died of.
        self.locks[node as usize % LOCKS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
