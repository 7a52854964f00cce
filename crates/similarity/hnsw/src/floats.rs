//! Rows of f32 under the cosine and the squared Euclidean distance.
#![expect(clippy::inline_always, reason = "a call would leave the processor features of the caller behind")]

use nodupe_core::{dot, squared_euclidean};
use pulp::{Arch, Simd, WithSimd};

use crate::line::{FLOATS, Line, floats, floats_mut, prefetch};
use crate::rows::{Rows, mix};

/// How far apart two rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// `1 - a·b` of rows of unit length, within [0, 2].
    Cosine,
    /// `Σ (aᵢ - bᵢ)²`.
    SquaredEuclidean,
}

/// Rows of floats, each filled up with zeros to whole cache lines.
#[derive(Debug, Clone)]
pub(crate) struct Floats {
    dim: usize,
    metric: Metric,
    /// Lines of a row.
    width: usize,
    lines: Vec<Line>,
    arch: Arch,
}

impl Floats {
    /// No rows yet; `dim` is at least 1.
    pub(crate) fn new(dim: usize, metric: Metric) -> Self {
        let dim = dim.max(1);
        Self { dim, metric, width: dim.div_ceil(FLOATS), lines: Vec::new(), arch: Arch::new() }
    }

    /// Other rows of the same width and metric.
    pub(crate) fn with_rows(&self, rows: &[f32]) -> Self {
        let mut other = Self { lines: Vec::new(), ..*self };
        other.extend(rows);
        other
    }

    /// Appends rows of finite numbers, one after the other, each in the next slot.
    pub(crate) fn extend(&mut self, rows: &[f32]) {
        let start = self.lines.len();
        self.lines.resize(start + rows.len() / self.dim * self.width, Line([0.0; FLOATS]));
        let places = self.lines[start..].chunks_exact_mut(self.width);
        for (place, row) in places.zip(rows.chunks_exact(self.dim)) {
            floats_mut(place)[..self.dim].copy_from_slice(row);
        }
    }

    /// The row in a slot without what fills it up.
    pub(crate) fn numbers(&self, slot: u32) -> &[f32] {
        &self.row(slot)[..self.dim]
    }

    /// How much a distance that [`Rows::near`] gives can be off: a bound on the sum of `dim` rounded terms in any order
    /// (Higham, *Accuracy and Stability of Numerical Algorithms*, §3.1), doubled.
    fn error(&self) -> f32 {
        (self.dim + 16) as f32 * f32::EPSILON
    }
}

impl Rows for Floats {
    type Element = f32;

    fn len(&self) -> usize {
        self.lines.len() / self.width
    }

    fn row(&self, slot: u32) -> &[f32] {
        let start = slot as usize * self.width;
        floats(&self.lines[start..start + self.width])
    }

    fn near(&self, row: &[f32], slots: &[u32], distances: &mut Vec<f32>) {
        self.arch.dispatch(Near { rows: self, row, slots, distances });
    }

    fn exact(&self, row: &[f32], slot: u32) -> f32 {
        let (row, other) = (&row[..self.dim], self.numbers(slot));
        let distance = match self.metric {
            Metric::Cosine if row == other => 0.0,
            Metric::Cosine => (1.0 - dot(row, other)).clamp(0.0, 2.0),
            Metric::SquaredEuclidean => squared_euclidean(row, other),
        };
        distance as f32
    }

    fn is_beyond(&self, near: f32, reach: f32) -> bool {
        match self.metric {
            Metric::Cosine => near - reach > self.error(),
            // What overflows in single precision need not in double, and what vanishes need not either.
            Metric::SquaredEuclidean => near.is_finite() && near * (1.0 - self.error()) - 1e-30 > reach,
        }
    }

    fn hash(&self, row: &[f32]) -> u64 {
        // Zero has two signs, which are equal; adding zero takes the sign away.
        let bits = |x: f32| u64::from((x + 0.0).to_bits());
        let word = |two: &[f32; 2]| (bits(two[0]) << 32) | bits(two[1]);
        row.as_chunks().0.iter().map(word).fold(0, mix)
    }

    fn compact(&mut self, kept: &[u32]) {
        for (new, old) in kept.iter().map(|&old| old as usize).enumerate() {
            self.lines.copy_within(old * self.width..(old + 1) * self.width, new * self.width);
        }
        self.lines.truncate(kept.len() * self.width);
        self.lines.shrink_to_fit();
    }
}

/// Rows that are compared side by side: as many as keep the memory busy while a register of the query is loaded once.
const ABREAST: usize = 4;
/// Cache lines of the rows after those that are fetched early; the processor sees where it goes from there.
const AHEAD: usize = 8;

struct Near<'a> {
    rows: &'a Floats,
    row: &'a [f32],
    slots: &'a [u32],
    distances: &'a mut Vec<f32>,
}

impl WithSimd for Near<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.rows.metric {
            Metric::Cosine => {
                self.run(simd, |sum, a, b| simd.mul_add_f32s(a, b, sum), |sum| (1.0 - sum).clamp(0.0, 2.0));
            }
            Metric::SquaredEuclidean => {
                let term = |sum, a, b| {
                    let difference = simd.sub_f32s(a, b);
                    simd.mul_add_f32s(difference, difference, sum)
                };
                self.run(simd, term, |sum| sum);
            }
        }
    }
}

impl Near<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S, term: impl Fn(S::f32s, S::f32s, S::f32s) -> S::f32s, distance: impl Fn(f32) -> f32) {
        self.distances.clear();
        let row = S::as_simd_f32s(self.row).0;
        let (groups, rest) = self.slots.as_chunks::<ABREAST>();
        for slot in self.slots.iter().take(ABREAST) {
            prefetch(self.rows.row(*slot), AHEAD);
        }
        for (number, group) in groups.iter().enumerate() {
            for slot in self.slots.iter().skip((number + 1) * ABREAST).take(ABREAST) {
                prefetch(self.rows.row(*slot), AHEAD);
            }
            let others = group.map(|slot| S::as_simd_f32s(self.rows.row(slot)).0);
            let sums = sums::<S, ABREAST, 2>(simd, row, others, &term);
            self.distances.extend(sums.map(&distance));
        }
        for &slot in rest {
            let [sum] = sums::<S, 1, 4>(simd, row, [S::as_simd_f32s(self.rows.row(slot)).0], &term);
            self.distances.push(distance(sum));
        }
    }
}

/// The sums of the terms of `row` with `R` others, each in `P` parts, so that no addition waits for the one before.
#[inline(always)]
fn sums<S: Simd, const R: usize, const P: usize>(
    simd: S,
    row: &[S::f32s],
    others: [&[S::f32s]; R],
    term: impl Fn(S::f32s, S::f32s, S::f32s) -> S::f32s,
) -> [f32; R] {
    let mut sums = [[simd.splat_f32s(0.0); P]; R];
    let (blocks, rest) = row.as_chunks::<P>();
    let others = others.map(|other| other[..row.len()].as_chunks::<P>());
    for (i, block) in blocks.iter().enumerate() {
        for (sums, other) in sums.iter_mut().zip(&others) {
            for (p, sum) in sums.iter_mut().enumerate() {
                *sum = term(*sum, block[p], other.0[i][p]);
            }
        }
    }
    for (i, register) in rest.iter().enumerate() {
        for (sums, other) in sums.iter_mut().zip(&others) {
            sums[0] = term(sums[0], *register, other.1[i]);
        }
    }
    sums.map(|parts| {
        let all = parts[1..].iter().fold(parts[0], |all, part| simd.add_f32s(all, *part));
        simd.reduce_sum_f32s(all)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quick_distances_are_off_by_no_more_than_the_bound(
            dim in 1usize..140, count in 1usize..12, seed in any::<u32>(), cosine in any::<bool>(),
        ) {
            let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) ^ seed) as f32 / 2_147_483_648.0 - 1.0;
            let mut data: Vec<f32> = (0..count * dim).map(value).collect();
            if cosine {
                for row in data.chunks_mut(dim) {
                    let length = dot(row, row).sqrt().max(1e-9);
                    for x in row {
                        *x = (f64::from(*x) / length) as f32;
                    }
                }
            }
            let mut rows = Floats::new(dim, if cosine { Metric::Cosine } else { Metric::SquaredEuclidean });
            rows.extend(&data);
            prop_assert_eq!(rows.len(), count);
            prop_assert_eq!(rows.numbers(count as u32 - 1), &data[(count - 1) * dim..]);
            let slots: Vec<u32> = (0..count as u32).rev().collect();
            let mut near = Vec::new();
            for &slot in &slots {
                rows.near(rows.row(slot), &slots, &mut near);
                for (&other, &near) in slots.iter().zip(&near) {
                    let exact = rows.exact(rows.row(slot), other);
                    prop_assert!(near >= 0.0 && (near - exact).abs() <= rows.error() * (1.0 + exact), "{} {}", near, exact);
                    prop_assert!(!rows.is_beyond(near, exact) && rows.is_beyond(near, exact * 0.99 - 0.01));
                }
            }
        }
    }
}
