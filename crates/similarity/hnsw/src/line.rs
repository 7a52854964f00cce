//! Memory in whole cache lines.
#![allow(unsafe_code)]

use pulp::bytemuck::{self, Pod, Zeroable};

/// Floats of a [`Line`].
pub(crate) const FLOATS: usize = 16;

/// A cache line of floats. A row that starts on one is read without touching the line before it.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [f32; FLOATS]);

// SAFETY: sixteen floats of four bytes fill the 64 bytes without padding, and all zeros are floats.
unsafe impl Zeroable for Line {}
// SAFETY: likewise; every pattern of bits is a float, and there are no pointers.
unsafe impl Pod for Line {}

/// Lines as the floats that they hold.
pub(crate) fn floats(lines: &[Line]) -> &[f32] {
    bytemuck::cast_slice(lines)
}

/// Lines as the floats that they hold.
pub(crate) fn floats_mut(lines: &mut [Line]) -> &mut [f32] {
    bytemuck::cast_slice_mut(lines)
}

/// Asks for the first `lines` cache lines of a slice, so that they are there when they are read.
#[inline]
pub(crate) fn prefetch<T>(slice: &[T], lines: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = slice.as_ptr().cast::<i8>();
        for line in 0..size_of_val(slice).div_ceil(64).min(lines) {
            // SAFETY: a hint that reads nothing and never faults, and the address lies within the slice.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(line * 64)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, lines);
}
