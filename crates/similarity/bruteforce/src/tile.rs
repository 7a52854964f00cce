//! Inner products of queries and rows, compared with what the queries look for while they are still in registers.
//!
//! Queries lie in panels of as many as two vector registers have lanes, one component of all of them side by side. A tile of
//! rows is multiplied with a panel: each component of a row meets the two registers of the panel, and the sums of the tile
//! stay in registers to the end (Goto and van de Geijn, *Anatomy of High-Performance Matrix Multiplication*, 2008, without
//! its copy of the rows: panels are reused by all rows, so only queries are worth packing). No product is ever written.
#![expect(clippy::inline_always, reason = "a call would leave the features of the caller behind")]

use std::array;

use pulp::{Arch, Simd, WithSimd};

/// Registers of a panel.
const WIDE: usize = 2;
/// Up to so many queries are multiplied with each row by themselves: a panel of them would be mostly empty.
const FEW: usize = 4;

/// Queries, packed for the vector registers of this processor.
#[derive(Debug)]
pub(crate) struct Panels {
    count: usize,
    dim: usize,
    arch: Arch,
    /// Lanes of a panel.
    lanes: usize,
    /// Panel by panel, of these component by component, of these query by query; zeros fill the last panel up. The rows as
    /// they came where they are [`FEW`].
    data: Vec<f32>,
}

impl Panels {
    /// Packs rows of `dim` numbers, at least 1.
    pub(crate) fn new(queries: &[f32], dim: usize) -> Self {
        let arch = Arch::new();
        let (count, lanes) = (queries.len() / dim, arch.dispatch(Lanes));
        if count <= FEW {
            return Self { count, dim, arch, lanes, data: queries.to_vec() };
        }
        let mut data = vec![0.0; count.next_multiple_of(lanes) * dim];
        for (panel, queries) in data.chunks_exact_mut(lanes * dim).zip(queries.chunks(lanes * dim)) {
            for (lane, query) in queries.chunks_exact(dim).enumerate() {
                for (place, number) in panel.iter_mut().skip(lane).step_by(lanes).zip(query) {
                    *place = *number;
                }
            }
        }
        Self { count, dim, arch, lanes, data }
    }

    /// Room for a bar for every query, and for the lanes that have none.
    pub(crate) fn padded(&self) -> usize {
        self.count.next_multiple_of(self.lanes)
    }

    /// Calls `candidate(q, r, bars)` for every query `q` and row `r` whose inner product, less `shifts[r]`, is not below
    /// `bars[q]`; it may change the bars. The order is the same for the same queries and rows on one machine.
    ///
    /// Each product is off by at most `dim * f32::EPSILON` times the lengths of both. Where a shift or a bar is NaN, the
    /// row is a candidate.
    pub(crate) fn candidates(
        &self,
        rows: &[f32],
        shifts: &[f32],
        bars: &mut [f32],
        candidate: impl FnMut(usize, usize, &mut [f32]),
    ) {
        debug_assert!(bars.len() >= self.padded() && shifts.len() * self.dim == rows.len());
        self.arch.dispatch(Sweep { panels: self, rows, shifts, bars, candidate });
    }
}

/// Not the same as `value >= bar`: NaN passes.
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN passes")]
fn passes(value: f32, bar: f32) -> bool {
    !(value < bar)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        WIDE * S::F32_LANES
    }
}

struct Sweep<'a, F> {
    panels: &'a Panels,
    rows: &'a [f32],
    shifts: &'a [f32],
    bars: &'a mut [f32],
    candidate: F,
}

impl<F: FnMut(usize, usize, &mut [f32])> WithSimd for Sweep<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.panels.count <= FEW {
            self.one_by_one(simd);
        } else if S::REGISTER_COUNT >= 32 {
            // All but a few registers hold sums.
            self.tiles::<S, 12>(simd);
        } else {
            self.tiles::<S, 6>(simd);
        }
    }
}

impl<F: FnMut(usize, usize, &mut [f32])> Sweep<'_, F> {
    #[inline(always)]
    fn tiles<S: Simd, const R: usize>(mut self, simd: S) {
        let dim = self.panels.dim;
        let (tiles, rest) = self.rows.split_at(self.rows.len() / (R * dim) * (R * dim));
        for (tile, rows) in tiles.chunks_exact(R * dim).enumerate() {
            self.tile::<S, R>(simd, rows, tile * R);
        }
        let first = tiles.len() / dim;
        for (row, numbers) in rest.chunks_exact(dim).enumerate() {
            self.tile::<S, 1>(simd, numbers, first + row);
        }
    }

    /// `R` rows from row `first` on.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(&mut self, simd: S, rows: &[f32], first: usize) {
        let dim = self.panels.dim;
        let rows: [&[f32]; R] = array::from_fn(|r| &rows[r * dim..(r + 1) * dim]);
        let shifts: [f32; R] = array::from_fn(|r| self.shifts[first + r]);
        for (panel, queries) in self.panels.data.chunks_exact(self.panels.lanes * dim).enumerate() {
            let start = panel * self.panels.lanes;
            let sums = products(simd, S::as_simd_f32s(queries).0, rows);
            for (r, (sums, &shift)) in sums.iter().zip(&shifts).enumerate() {
                let shift_of_all = simd.splat_f32s(shift);
                let bars = S::as_simd_f32s(&self.bars[start..start + self.panels.lanes]).0;
                let any = sums.iter().zip(bars).any(|(sum, bar)| {
                    let below = simd.less_than_f32s(simd.sub_f32s(*sum, shift_of_all), *bar);
                    simd.first_true_m32s(simd.not_m32s(below)) < S::F32_LANES
                });
                // Few tiles have any candidate.
                if any {
                    self.offer(start, first + r, shift, numbers::<S>(sums));
                }
            }
        }
    }

    /// Looks at the inner products of a row with the queries from `start` on.
    #[inline(never)]
    fn offer(&mut self, start: usize, row: usize, shift: f32, products: &[f32]) {
        let count = self.panels.count;
        for (q, product) in (start..count).zip(products) {
            if passes(product - shift, self.bars[q]) {
                (self.candidate)(q, row, self.bars);
            }
        }
    }

    #[inline(always)]
    fn one_by_one<S: Simd>(mut self, simd: S) {
        let dim = self.panels.dim;
        let queries = &self.panels.data;
        for (row, (numbers, shift)) in self.rows.chunks_exact(dim).zip(self.shifts).enumerate() {
            for (q, query) in queries.chunks_exact(dim).enumerate() {
                if passes(product(simd, query, numbers) - shift, self.bars[q]) {
                    (self.candidate)(q, row, self.bars);
                }
            }
        }
    }
}

/// The inner products of `R` rows with the queries of a panel.
#[inline(always)]
fn products<S: Simd, const R: usize>(simd: S, panel: &[S::f32s], rows: [&[f32]; R]) -> [[S::f32s; WIDE]; R] {
    let mut sums = [[simd.splat_f32s(0.0); WIDE]; R];
    for (k, queries) in panel.as_chunks::<WIDE>().0.iter().enumerate().take(rows[0].len()) {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let number = simd.splat_f32s(row[k]);
            for (sum, query) in sums.iter_mut().zip(queries) {
                *sum = simd.mul_add_f32s(*query, number, *sum);
            }
        }
    }
    sums
}

/// The inner product of two rows, in as many partial sums as keep the multipliers busy.
#[inline(always)]
fn product<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    const SUMS: usize = 4;
    let ((a, a_rest), (b, b_rest)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let ((a, a_more), (b, b_more)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = simd.mul_add_f32s(*a, *b, *sum);
        }
    }
    for (a, b) in a_more.iter().zip(b_more) {
        sums[0] = simd.mul_add_f32s(*a, *b, sums[0]);
    }
    let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
    simd.reduce_sum_f32s(sum) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// The numbers of two registers.
#[inline(always)]
fn numbers<S: Simd>(registers: &[S::f32s; WIDE]) -> &[f32] {
    pulp::bytemuck::cast_slice(registers)
}

#[cfg(test)]
mod tests {
    use nodupe_core::dot;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_product_is_a_candidate_if_it_reaches_the_bar_within_the_error(
            dim in 1usize..70, m in 0usize..80, n in 0usize..40, seed in any::<u32>(), bar in -1.0f32..1.0,
        ) {
            let value = |i: usize| (((i as u32).wrapping_mul(2_654_435_761) ^ seed) >> 8) as f32 / 8_388_608.0 - 1.0;
            let queries: Vec<f32> = (0..m * dim).map(value).collect();
            let rows: Vec<f32> = (m * dim..(m + n) * dim).map(value).collect();
            let shifts: Vec<f32> = (0..n).map(|row| row as f32 / 64.0).collect();
            let panels = Panels::new(&queries, dim);
            let mut bars = vec![bar; panels.padded()];
            let mut found = vec![false; m * n];
            panels.candidates(&rows, &shifts, &mut bars, |q, r, _| {
                assert!(!std::mem::replace(&mut found[q * n + r], true), "offered twice");
            });
            for (q, query) in queries.chunks(dim).enumerate() {
                for (r, row) in rows.chunks(dim).enumerate() {
                    let error = (dim + 2) as f64 * f64::from(f32::EPSILON) * ((dot(query, query) * dot(row, row)).sqrt() + 1.0);
                    let over = dot(query, row) - f64::from(shifts[r]) - f64::from(bar);
                    prop_assert!(over.abs() <= error || found[q * n + r] == (over > 0.0), "{} {}", over, error);
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_a_candidate_and_what_is_no_query_is_none() {
        for count in [1, 5, 33] {
            let panels = Panels::new(&vec![1.0; count * 3], 3);
            let mut bars = vec![f32::INFINITY; panels.padded()];
            bars[count - 1] = f32::NAN;
            let mut found = Vec::new();
            let rows = [0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0];
            panels.candidates(&rows, &[0.0, 0.0], &mut bars, |q, r, _| found.push((r, q)));
            found.sort_unstable();
            let last: Vec<_> = [(0, count - 1)].into_iter().chain((0..count).map(|q| (1, q))).collect();
            assert_eq!(found, last);
        }
    }
}
