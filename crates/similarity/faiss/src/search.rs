//! Finding: what FAISS proposes is measured again, exactly, and merged.

use std::num::NonZeroUsize;
use std::ops::Range;

use nodupe_core::{Embeddings, EmbeddingsRef, IndexError, Metric, Row, SlotMap};
use rayon::prelude::*;

use crate::native::{Buffer, Failed, Found, Native, with_threads};
use crate::plan::Kind;
use crate::store::{Linked, Store, TAME, failed, squared_length};

/// Neighbours, of all queries together, that FAISS is asked for in one call: its answer takes 12 bytes for each. Below
/// 2³¹, since FAISS counts those of its binary graphs in an `int`.
const AT_ONCE: usize = 1 << 22;
/// Bytes that are compared in a few hundred microseconds.
const LITTLE: usize = 1 << 22;
/// Where a graph is asked for this part of its vectors or more, looking at each is less work than the walk, and finds all.
const SCAN: usize = 8;
/// Queries of one call.
const QUERIES: usize = 4_096;
/// More candidates of a flat index than are asked for, so that a last one beyond the others shows that none is missing.
const SLACK: usize = 6;
/// Where neighbours within a distance are looked for by number, so many are asked for first.
const FIRST: usize = 32;

/// A vector that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) slot: u32,
    pub(crate) distance: f32,
}

/// What is wanted of each query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) limit: usize,
    /// Inclusive; infinite where the number alone counts.
    pub(crate) max_distance: f32,
}

impl Store {
    /// The nearest vectors of each query, by distance and then by id.
    pub(crate) fn nearest(
        &self,
        slots: &SlotMap,
        queries: EmbeddingsRef<'_>,
        wanted: Wanted,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        if wanted.limit == 0 || slots.is_empty() {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let search = Search { store: self, slots, wanted };
        // Waking threads takes longer than little work.
        let work = queries.len().saturating_mul(self.len()).saturating_mul(self.space.row_bytes());
        let threads = if work < LITTLE { Some(NonZeroUsize::MIN) } else { self.threads };
        let mut all = Vec::with_capacity(queries.len());
        for start in (0..queries.len()).step_by(QUERIES) {
            let Some(block) = queries.slice(start..queries.len().min(start + QUERIES)) else { break };
            all.extend(with_threads(threads, || search.block(block))?);
        }
        Ok(all)
    }
}

struct Search<'a> {
    store: &'a Store,
    slots: &'a SlotMap,
    wanted: Wanted,
}

/// The rows of one index.
#[derive(Clone, Copy)]
struct Rows<'a> {
    native: &'a Native,
    /// The slot of the first.
    start: usize,
    /// From so many neighbours on each row is looked at.
    scan: usize,
}

/// What to do about a query after a look at its candidates.
enum Next {
    Done,
    /// Ask for more.
    More,
    /// Ask for all within a distance.
    Within(f32),
}

impl Search<'_> {
    fn block(&self, queries: EmbeddingsRef<'_>) -> Result<Vec<Vec<Hit>>, IndexError> {
        let mut linked = match &self.store.linked {
            Some(linked) => self.linked(linked, queries)?,
            None => vec![Vec::new(); queries.len()],
        };
        let tail = self.tail(queries)?;
        let merge = |(query, (hits, tail)): (usize, (&mut Vec<Hit>, Vec<Hit>))| {
            hits.extend(tail);
            if let (Some(linked), Some(row)) = (&self.store.linked, queries.get(query)) {
                self.add_equal(linked, row, hits)?;
            }
            self.put_in_order(hits);
            Ok::<(), IndexError>(())
        };
        self.store.on_pool(|| linked.par_iter_mut().zip(tail).enumerate().try_for_each(merge))?;
        Ok(linked)
    }

    /// Nearest first, equal distances by id, and no more than wanted.
    fn put_in_order(&self, hits: &mut Vec<Hit>) {
        hits.retain(|hit| hit.distance <= self.wanted.max_distance);
        hits.sort_unstable_by(|a, b| {
            a.distance.total_cmp(&b.distance).then_with(|| self.slots.id(a.slot).cmp(&self.slots.id(b.slot)))
        });
        hits.truncate(self.wanted.limit);
    }

    fn is_live(&self, slot: u32) -> bool {
        self.slots.id(slot).is_some()
    }

    fn hit(&self, query: Row<'_>, slot: u32, buffer: &mut Buffer) -> Result<Hit, IndexError> {
        let row = self.store.row(slot, buffer)?;
        let distance = self.store.space.metric().distance(query, row).unwrap_or(f32::INFINITY);
        Ok(Hit { slot, distance })
    }

    /// Adds the vectors that equal the query, as far as they are missing.
    fn add_equal(&self, linked: &Linked, query: Row<'_>, hits: &mut Vec<Hit>) -> Result<(), IndexError> {
        let mut buffer = Buffer::new(&self.store.space);
        let mut equal = 0;
        for slot in linked.equal.like(query).filter(|&slot| self.is_live(slot)) {
            if equal >= self.wanted.limit {
                break;
            }
            if self.store.row(slot, &mut buffer)? == query {
                equal += 1;
                if hits.iter().all(|hit| hit.slot != slot) {
                    hits.push(self.hit(query, slot, &mut buffer)?);
                }
            }
        }
        Ok(())
    }

    /// Looks at every row in a run of slots.
    fn scan(&self, query: Row<'_>, slots: Range<usize>) -> Result<Vec<Hit>, IndexError> {
        let mut buffer = Buffer::new(&self.store.space);
        let live = (slots.start as u32..slots.end as u32).filter(|&slot| self.is_live(slot));
        live.map(|slot| self.hit(query, slot, &mut buffer)).collect()
    }

    /// Whether f32 arithmetic on the query and the rows that there are could overflow.
    fn is_wild(&self, query: Row<'_>) -> bool {
        squared_length(query).max(self.store.longest) > TAME
    }

    fn scan_all(&self, queries: EmbeddingsRef<'_>, slots: Range<usize>) -> Result<Vec<Vec<Hit>>, IndexError> {
        let rows: Vec<Row<'_>> = queries.iter().collect();
        self.store.on_pool(|| {
            rows.into_par_iter()
                .map(|row| {
                    let mut hits = self.scan(row, slots.clone())?;
                    self.put_in_order(&mut hits);
                    Ok(hits)
                })
                .collect()
        })
    }

    /// What is near in the index that was built, as far as that finds it.
    fn linked(&self, linked: &Linked, queries: EmbeddingsRef<'_>) -> Result<Vec<Vec<Hit>>, IndexError> {
        let len = linked.native.len();
        if queries.iter().any(|query| self.is_wild(query)) {
            return self.scan_all(queries, 0..len);
        }
        if self.wanted.max_distance.is_finite() && linked.description.kind == Kind::Lists {
            return self.within(&linked.native, 0, queries, self.wanted.max_distance);
        }
        let refine = if linked.description.kind == Kind::Quantised { self.store.parameters.refine } else { 1 };
        let mut first =
            if self.wanted.max_distance.is_finite() { self.wanted.limit.min(FIRST) } else { self.wanted.limit };
        first = first.saturating_mul(refine);
        if self.store.space.metric() == Metric::Hamming && linked.description.kind == Kind::Graph {
            // There is no other way to widen the search of a binary graph than to ask for more.
            first = first.max(self.store.parameters.ef_search);
        }
        let removed = self.slots.capacity() - self.slots.len();
        let first = first.saturating_add(removed.min(first));
        let is_bounded = self.wanted.max_distance.is_finite();
        let judge = |_: Row<'_>, hits: &[Hit], _: f32| {
            let within = hits.iter().filter(|hit| hit.distance <= self.wanted.max_distance).count();
            let is_enough = within >= self.wanted.limit || (is_bounded && within.saturating_mul(refine) < hits.len());
            if is_enough { Next::Done } else { Next::More }
        };
        let scan = if linked.description.kind == Kind::Graph { len / SCAN } else { usize::MAX };
        let own = Rows { native: &linked.native, start: 0, scan };
        self.by_number(own, queries, first, |rows, k| linked.search(rows, k), judge)
    }

    /// What is near in the tail: all of it.
    fn tail(&self, queries: EmbeddingsRef<'_>) -> Result<Vec<Vec<Hit>>, IndexError> {
        let (start, tail) = (self.store.linked_len(), &self.store.tail);
        let all = start..start + tail.len();
        if tail.len() == 0 {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let first = self.wanted.limit.saturating_add(SLACK);
        let removed = self.slots.capacity() - self.slots.len();
        let first = first.saturating_add(removed.min(first));
        let is_bounded = self.wanted.max_distance.is_finite();
        if queries.iter().any(|query| self.is_wild(query)) || (!is_bounded && first >= tail.len()) {
            return self.scan_all(queries, all);
        }
        if is_bounded {
            return self.within(tail, start, queries, self.wanted.max_distance);
        }
        // Nothing that FAISS has left out can be as near as the last of the best, or else whatever is has to be fetched.
        let judge = |query: Row<'_>, hits: &[Hit], last: f32| match kth(hits, self.wanted.limit) {
            None => Next::More,
            Some(kth) if last > kth + self.margin(query) => Next::Done,
            Some(kth) => Next::Within(kth),
        };
        let own = Rows { native: tail, start, scan: usize::MAX };
        self.by_number(own, queries, first, |rows, k| tail.search(rows.rows(), k), judge)
    }

    /// The nearest rows of an index, measured exactly: `first` of them, and more where `judge` says so of the query, of
    /// those that are live and of the last distance that FAISS gave.
    fn by_number(
        &self,
        Rows { native, start, scan }: Rows<'_>,
        queries: EmbeddingsRef<'_>,
        first: usize,
        search: impl Fn(EmbeddingsRef<'_>, usize) -> Result<Found, Failed>,
        judge: impl Fn(Row<'_>, &[Hit], f32) -> Next + Sync,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        let mut answers = vec![Vec::new(); queries.len()];
        let mut pending: Vec<usize> = (0..queries.len()).collect();
        let mut k = first.clamp(1, native.len().max(1));
        while !pending.is_empty() {
            if k >= scan {
                let rows = gather(queries, &pending)?;
                let scanned = self.scan_all(rows.view(), start..start + native.len())?;
                pending.iter().zip(scanned).for_each(|(&query, hits)| answers[query] = hits);
                break;
            }
            let mut unfinished = Vec::new();
            for some in pending.chunks((AT_ONCE / k).clamp(1, QUERIES)) {
                let gathered;
                let rows = match (some, queries.slice(some[0]..some[0] + some.len())) {
                    // In one run, as all are at first.
                    ([first, .., last], Some(run)) if last - first + 1 == some.len() => run,
                    _ => {
                        gathered = gather(queries, some)?;
                        gathered.view()
                    }
                };
                let found = search(rows, k).map_err(failed)?;
                let look = |place: usize| {
                    let Some(query) = rows.get(place) else { return Ok((Vec::new(), Next::Done)) };
                    let (hits, given, last) = self.measure(query, found.of(place), start)?;
                    if given < k || k >= native.len() {
                        return Ok((hits, Next::Done));
                    }
                    match judge(query, &hits, last) {
                        Next::Within(distance) => {
                            let one = rows.slice(place..place + 1);
                            let alone = |one| {
                                with_threads(Some(NonZeroUsize::MIN), || self.within(native, start, one, distance))
                            };
                            let hits = one.map(alone).transpose()?.and_then(|mut all| all.pop());
                            Ok((hits.unwrap_or_default(), Next::Done))
                        }
                        next => Ok((hits, next)),
                    }
                };
                let looked: Result<Vec<(Vec<Hit>, Next)>, IndexError> =
                    self.store.on_pool(|| (0..some.len()).into_par_iter().map(look).collect());
                for (&query, (hits, next)) in some.iter().zip(looked?) {
                    match next {
                        Next::More => unfinished.push(query),
                        Next::Done | Next::Within(_) => answers[query] = hits,
                    }
                }
            }
            pending = unfinished;
            k = k.saturating_mul(2).min(native.len());
        }
        Ok(answers)
    }

    /// How far off a distance of FAISS may be: inner products of `dim` terms are off by `dim` units in the last place of the
    /// lengths at most, however they are summed (Higham, *Accuracy and Stability of Numerical Algorithms*, §3.1).
    fn margin(&self, query: Row<'_>) -> f32 {
        if self.store.space.metric() == Metric::Hamming {
            return 0.0;
        }
        let error = (self.store.space.dim() + 16) as f64 * f64::from(f32::EPSILON);
        (error * 2.0 * (squared_length(query) + self.store.longest)) as f32
    }

    /// All rows of an index within a distance of each query, measured exactly; `start` is the slot of its first row.
    fn within(
        &self,
        native: &Native,
        start: usize,
        queries: EmbeddingsRef<'_>,
        distance: f32,
    ) -> Result<Vec<Vec<Hit>>, IndexError> {
        let mut all = Vec::with_capacity(queries.len());
        // As many at a time as could find every row without more memory than a search takes.
        let together = (4 * AT_ONCE / native.len().max(1)).clamp(1, QUERIES);
        let is_bits = self.store.space.metric() == Metric::Hamming;
        for first in (0..queries.len()).step_by(together) {
            let Some(block) = queries.slice(first..queries.len().min(first + together)) else { break };
            let margin = block.iter().map(|row| self.margin(row)).fold(0.0, f32::max);
            // FAISS finds what is nearer, and not what is as far.
            let beyond = if is_bits { distance.floor() + 1.0 } else { (distance + margin).next_up() };
            let found = native.range(block.rows(), beyond).map_err(failed)?;
            let look = |place: usize| match block.get(place) {
                Some(query) => self.measure(query, found.of(place), start).map(|measured| measured.0),
                None => Ok(Vec::new()),
            };
            let looked: Result<Vec<Vec<Hit>>, IndexError> =
                self.store.on_pool(|| (0..block.len()).into_par_iter().map(look).collect());
            all.extend(looked?);
        }
        Ok(all)
    }

    /// Measures what FAISS found for a query: those that are live, how many it gave, and its last distance.
    fn measure(
        &self,
        query: Row<'_>,
        found: impl Iterator<Item = (i64, f32)>,
        start: usize,
    ) -> Result<(Vec<Hit>, usize, f32), IndexError> {
        let mut buffer = Buffer::new(&self.store.space);
        let (mut hits, mut given, mut last) = (Vec::new(), 0, f32::INFINITY);
        for (label, distance) in found {
            let Some(slot) = u32::try_from(label).ok().and_then(|row| row.checked_add(start as u32)) else { break };
            (given, last) = (given + 1, distance);
            if self.is_live(slot) {
                hits.push(self.hit(query, slot, &mut buffer)?);
            }
        }
        Ok((hits, given, last))
    }
}

/// Some of the queries, in their order.
fn gather(queries: EmbeddingsRef<'_>, some: &[usize]) -> Result<Embeddings, IndexError> {
    let mut rows = Embeddings::new(queries.space().clone());
    for row in some.iter().filter_map(|&query| queries.slice(query..query + 1)) {
        rows.append(row)?;
    }
    Ok(rows)
}

/// The distance of the last of the `limit` nearest.
fn kth(hits: &[Hit], limit: usize) -> Option<f32> {
    let mut distances: Vec<f32> = hits.iter().map(|hit| hit.distance).collect();
    let last = limit.checked_sub(1).filter(|&last| last < distances.len())?;
    Some(*distances.select_nth_unstable_by(last, f32::total_cmp).1)
}
