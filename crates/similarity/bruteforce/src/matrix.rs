//! Rows of f32 under the cosine and the squared Euclidean distance.
//!
//! A matrix product finds the candidates, and [`dot`] or [`squared_euclidean`] gives their distances. The product is rounded: inner products of
//! `dim` terms are off by up to `dim` units in the last place of the lengths, however they are summed. So whatever that
//! error could have hidden is a candidate as well, and the answer is the one that exact distances alone would give.

use std::borrow::Cow;
use std::ops::Range;

use nodupe_core::{dot, squared_euclidean};

use crate::sweep::{Rows, Sink};
use crate::tile::Panels;
use crate::top_k::Hit;

/// How far apart two rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// `1 - a·b` of rows of unit length, within [0, 2].
    Cosine,
    /// `Σ (aᵢ - bᵢ)²`.
    SquaredEuclidean,
}

/// Rows of one length, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Matrix {
    dim: usize,
    metric: Metric,
    data: Vec<f32>,
    /// The squared length of each row.
    norms: Vec<f64>,
    /// What is taken off an inner product with each row before it meets the [bar](Self::bar).
    shifts: Vec<f32>,
}

/// Queries and their squared lengths.
#[derive(Debug)]
pub(crate) struct Queries<'a> {
    data: &'a [f32],
    panels: Panels,
    norms: Cow<'a, [f64]>,
}

/// The [bar](Matrix::bar) of each query.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Vec<f32>);

impl Matrix {
    /// No rows yet; `dim` is at least 1.
    pub(crate) fn new(dim: usize, metric: Metric) -> Self {
        Self { dim: dim.max(1), metric, data: Vec::new(), norms: Vec::new(), shifts: Vec::new() }
    }

    /// Appends rows of finite numbers, one after the other, each in the next slot.
    pub(crate) fn extend(&mut self, rows: &[f32]) {
        self.data.extend_from_slice(rows);
        for row in rows.chunks_exact(self.dim) {
            let norm = dot(row, row);
            self.norms.push(norm);
            self.shifts.push(self.shift(norm));
        }
    }

    /// The row in a slot.
    pub(crate) fn row(&self, slot: u32) -> Option<&[f32]> {
        let start = (slot as usize).checked_mul(self.dim)?;
        self.data.get(start..start.checked_add(self.dim)?)
    }

    /// Moves the rows of these slots, which ascend, to slots 0, 1, 2, … and drops the others.
    pub(crate) fn compact(&mut self, kept: &[u32]) {
        for (new, old) in kept.iter().map(|&old| old as usize).enumerate() {
            self.data.copy_within(old * self.dim..(old + 1) * self.dim, new * self.dim);
            self.norms[new] = self.norms[old];
            self.shifts[new] = self.shifts[old];
        }
        self.data.truncate(kept.len() * self.dim);
        self.norms.truncate(kept.len());
        self.shifts.truncate(kept.len());
    }

    /// Offers a row at its exact distance, if it is wanted.
    fn offer(&self, q: usize, query: &[f32], slot: usize, sink: &mut impl Sink) {
        let slot = slot as u32;
        if let Some(row) = self.row(slot).filter(|_| sink.wants(q, slot)) {
            sink.offer(q, Hit { slot, distance: self.distance(query, row) });
        }
    }

    fn distance(&self, a: &[f32], b: &[f32]) -> f32 {
        let distance = match self.metric {
            Metric::Cosine if a == b => 0.0,
            Metric::Cosine => (1.0 - dot(a, b)).clamp(0.0, 2.0),
            Metric::SquaredEuclidean => squared_euclidean(a, b),
        };
        distance as f32
    }

    /// How much an inner product can be off, over the product of the lengths of the two rows.
    ///
    /// The bound for any order of summation, with or without fused operations, is `dim · u / (1 - dim · u)` with `u` half
    /// of `f32::EPSILON` (Higham, *Accuracy and Stability of Numerical Algorithms*, §3.1). This is over twice as much
    /// for any `dim` below 2²³, which leaves room for the few roundings between a product and its [bar](Self::bar).
    fn error(&self) -> f64 {
        (self.dim + 16) as f64 * f64::from(f32::EPSILON)
    }

    /// See [`bar`](Self::bar).
    fn shift(&self, norm: f64) -> f32 {
        let shift = match self.metric {
            Metric::Cosine => -self.error() * norm / 2.0,
            Metric::SquaredEuclidean => (1.0 - self.error()) * norm / 2.0,
        };
        if tame(norm) { shift as f32 } else { f32::NAN }
    }

    /// A row is no candidate if its inner product with the query, less its [shift](Self::shift), is below the bar.
    ///
    /// The distance is within reach if `a·b` is at least `1 - reach` (cosine) or `(|a|² + |b|² - reach) / 2`. The computed
    /// `a·b` may be too small by `error · |a||b|`, at most `error · (|a|² + |b|²) / 2`. Subtract that, and bring what
    /// belongs to the row to the other side.
    ///
    /// NaN, as bar or as shift, makes everything a candidate.
    fn bar(&self, norm: f64, reach: f32) -> f32 {
        // A distance that was rounded down to `reach` is within.
        let reach = f64::from(reach.next_up());
        let bar = match self.metric {
            // Rows that are a little too long can be farther than 2, which is then their distance.
            Metric::Cosine if reach > 2.0 => f64::NEG_INFINITY,
            // An equal row is at distance 0, also where rounding left both a little too short for their product to be 1.
            Metric::Cosine => (1.0 - reach).min(norm) - self.error() * norm / 2.0,
            Metric::SquaredEuclidean => ((1.0 - self.error()) * norm - reach) / 2.0,
        };
        if tame(norm) { (bar as f32).next_down() } else { f32::NAN }
    }
}

/// Whether f32 arithmetic on rows of this squared length neither overflows nor loses more than its rounding.
fn tame(norm: f64) -> bool {
    const SMALLEST: f64 = 1e-24;
    (SMALLEST..=SMALLEST.recip()).contains(&norm)
}

impl Rows for Matrix {
    type Element = f32;
    type Queries<'a> = Queries<'a>;
    type Scratch = Scratch;

    // Many rows for each packing of queries, whose panels fit into the second cache with a few hundred components; and whole
    // tiles of 12 or 6 rows.
    const BLOCK: usize = 384;
    // A panel of the widest registers.
    const TOGETHER: usize = 32;

    fn len(&self) -> usize {
        self.norms.len()
    }

    fn width(&self) -> usize {
        self.dim
    }

    fn queries<'a>(&'a self, rows: &'a [f32]) -> Queries<'a> {
        let norms = rows.chunks_exact(self.dim).map(|row| dot(row, row)).collect();
        Queries { data: rows, panels: Panels::new(rows, self.dim), norms }
    }

    fn stored(&self, slots: Range<usize>) -> Queries<'_> {
        let data = &self.data[slots.start * self.dim..slots.end * self.dim];
        Queries { data, panels: Panels::new(data, self.dim), norms: Cow::Borrowed(&self.norms[slots]) }
    }

    fn compare(&self, queries: &Queries<'_>, slots: Range<usize>, sink: &mut impl Sink, scratch: &mut Scratch) {
        let bars = &mut scratch.0;
        bars.clear();
        bars.extend(queries.norms.iter().enumerate().map(|(q, &norm)| self.bar(norm, sink.reach(q))));
        bars.resize(queries.panels.padded(), f32::INFINITY);
        let rows = &self.data[slots.start * self.dim..slots.end * self.dim];
        queries.panels.candidates(rows, &self.shifts[slots.clone()], bars, |q, r, bars| {
            let query = &queries.data[q * self.dim..(q + 1) * self.dim];
            self.offer(q, query, slots.start + r, sink);
            bars[q] = self.bar(queries.norms[q], sink.reach(q));
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sweep::nearest;
    use crate::{naive, top_k};

    fn numbers(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed | 1;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        }
    }

    fn matrix(dim: usize, metric: Metric, data: &[f32]) -> Matrix {
        let mut matrix = Matrix::new(dim, metric);
        matrix.extend(data);
        matrix
    }

    fn unit(row: &mut [f32]) {
        let length = dot(row, row).sqrt();
        for x in row {
            *x = (f64::from(*x) / length) as f32;
        }
    }

    /// Rows of few values, so that many are equal or equally far, with some that overflow, vanish or are zero.
    fn rows(dim: usize) -> impl Strategy<Value = Vec<f32>> {
        (0usize..600, any::<u64>(), any::<bool>()).prop_map(move |(count, seed, wild)| {
            let mut next = numbers(seed);
            let mut data: Vec<f32> = std::iter::repeat_with(|| (next() * 2.0).round()).take(count * dim).collect();
            for (i, row) in data.chunks_mut(dim).enumerate() {
                let scale = if wild { [1.0, 1.0, 1e30, 1e-22, 0.0, 3e38, 1e-3][i % 7] } else { 0.5 };
                for x in row {
                    *x *= scale / 2.0;
                }
            }
            data
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn sweeps_agree_with_naive_loops(
            (dim, data) in prop_oneof![1usize..8, Just(33)].prop_flat_map(|dim| (Just(dim), rows(dim))),
            metric in prop_oneof![Just(Metric::Cosine), Just(Metric::SquaredEuclidean)],
            queries in prop_oneof![0usize..9, Just(300)],
            limit in prop_oneof![0usize..30, Just(usize::MAX)],
            max_distance in prop_oneof![0.0f32..4.0, Just(0.0), Just(2.0), Just(f32::INFINITY)],
            threads in 1usize..4,
        ) {
            let matrix = matrix(dim, metric, &data);
            let row = |slot: usize| &data[slot * dim..][..dim];
            let queries = &data[..data.len().min(queries * dim)];
            let distance = |q: usize, slot: usize| matrix.distance(&queries[q * dim..][..dim], row(slot));
            let between = |a: usize, b: usize| matrix.distance(row(a), row(b));
            naive::check(&matrix, queries, (limit, max_distance, threads), distance, between)?;
        }

        #[test]
        fn what_the_product_cannot_tell_apart_is_told_apart(seed: u64, metric in prop_oneof![
            Just(Metric::Cosine), Just(Metric::SquaredEuclidean),
        ]) {
            // Rows at nearly one distance from each query: far less apart than the product is off.
            const DIM: usize = 512;
            let mut next = numbers(seed);
            let base: Vec<f32> = std::iter::repeat_with(&mut next).take(DIM).collect();
            let mut data: Vec<f32> = (0..40 * DIM).map(|i| base[i % DIM] + next() * 1e-6).collect();
            data.chunks_mut(DIM).for_each(unit);
            let matrix = matrix(DIM, metric, &data);
            let mut queries: Vec<f32> = std::iter::repeat_with(next).take(8 * DIM).collect();
            queries.chunks_mut(DIM).for_each(unit);
            let row = |slot: usize| &data[slot * DIM..][..DIM];
            let distance = |q: usize, slot: usize| matrix.distance(&queries[q * DIM..][..DIM], row(slot));
            let between = |a: usize, b: usize| matrix.distance(row(a), row(b));
            let max_distance = distance(0, 0);
            for (limit, max_distance) in [(3, f32::INFINITY), (usize::MAX, max_distance), (usize::MAX, 0.0)] {
                naive::check(&matrix, &queries, (limit, max_distance, 2), distance, between)?;
            }
        }

        #[test]
        fn rows_come_back_also_after_compaction((dim, data) in (1usize..8).prop_flat_map(|dim| (Just(dim), rows(dim)))) {
            let mut compacted = matrix(dim, Metric::SquaredEuclidean, &data);
            let kept: Vec<u32> = (0..compacted.len() as u32).filter(|slot| slot % 3 != 1).collect();
            let rest: Vec<f32> = kept.iter().flat_map(|&slot| &data[slot as usize * dim..][..dim]).copied().collect();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            compacted.compact(&kept);
            let fresh = matrix(dim, Metric::SquaredEuclidean, &rest);
            prop_assert_eq!(bits(&compacted.data), bits(&rest));
            prop_assert_eq!(bits(&compacted.shifts), bits(&fresh.shifts));
            prop_assert_eq!(&compacted.norms, &fresh.norms);
            prop_assert_eq!(compacted.row(0), rest.get(..dim));
            prop_assert_eq!(compacted.row(kept.len() as u32), None);
        }
    }

    #[test]
    fn answers_do_not_depend_on_the_batch() {
        const DIM: usize = 64;
        let data: Vec<f32> = std::iter::repeat_with(numbers(5)).take(700 * DIM).collect();
        let queries: Vec<f32> = std::iter::repeat_with(numbers(6)).take(300 * DIM).collect();
        for metric in [Metric::Cosine, Metric::SquaredEuclidean] {
            let matrix = matrix(DIM, metric, &data);
            let search = |queries: &[f32]| nearest(&matrix, queries, 9, f32::INFINITY, &|_| true, &naive::order);
            let whole: Vec<Vec<top_k::Hit>> = search(&queries);
            for batch in [1, 3, 4, 31] {
                let parts: Vec<_> = queries.chunks(batch * DIM).flat_map(search).collect();
                assert_eq!(parts, whole, "batches of {batch}");
            }
        }
    }

    #[test]
    fn numbers_that_overflow_or_vanish_when_multiplied_are_told_apart() {
        const DIM: usize = 64;
        for (metric, scale) in [(Metric::SquaredEuclidean, 1e-22), (Metric::Cosine, 1e19), (Metric::Cosine, 1e30)] {
            let data: Vec<f32> = std::iter::repeat_with(numbers(8)).map(|x| x * scale).take(300 * DIM).collect();
            let matrix = matrix(DIM, metric, &data);
            let row = |slot: usize| &data[slot * DIM..][..DIM];
            let between = |a: usize, b: usize| matrix.distance(row(a), row(b));
            naive::check(&matrix, &data[..20 * DIM], (5, 1.0, 1), between, between).unwrap();
        }
    }

    #[test]
    fn rows_that_are_a_little_too_long_stay_within_the_range() {
        let matrix = matrix(1, Metric::Cosine, &[1.00001, -1.00001]);
        let found = nearest(&matrix, &[1.00001], 2, 2.0, &|_| true, &naive::order);
        assert_eq!(found, [[top_k::Hit { slot: 0, distance: 0.0 }, top_k::Hit { slot: 1, distance: 2.0 }]]);
    }

    #[test]
    fn a_row_is_at_no_distance_from_itself() {
        let mut data: Vec<f32> = std::iter::repeat_with(numbers(7)).take(20 * 512).collect();
        data.chunks_mut(512).for_each(unit);
        for metric in [Metric::Cosine, Metric::SquaredEuclidean] {
            let matrix = matrix(512, metric, &data);
            for (q, found) in nearest(&matrix, &data, 1, 0.0, &|_| true, &naive::order).iter().enumerate() {
                assert_eq!(found.iter().map(|hit| hit.slot).collect::<Vec<_>>(), [q as u32]);
            }
        }
    }
}
