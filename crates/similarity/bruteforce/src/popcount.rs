//! Hamming distances of one query to many rows, with the widest instructions that the processor has.
#![allow(unsafe_code)]

/// Rows of a group. More than a vector register holds, so that the compiler finds a loop to make vectors of.
pub(crate) const LANES: usize = 64;

/// A row and its distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Near {
    /// Place of the row, counted from the first group.
    pub(crate) row: usize,
    /// The number of bits that differ.
    pub(crate) distance: u64,
}

/// Appends the rows that differ from `query` in at most `max_distance` bits, in order.
///
/// Rows come in groups of [`LANES`], words of one place side by side: word `w` of row `r` in a group is at
/// `w * LANES + r`.
pub(crate) fn within(groups: &[u64], query: &[u64], max_distance: u64, near: &mut Vec<Near>) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vpopcntdq") {
            // SAFETY: a safe function but for its features, which the processor was just found to have.
            return unsafe { within_avx512(groups, query, max_distance, near) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
            // SAFETY: likewise.
            return unsafe { within_avx2(groups, query, max_distance, near) };
        }
    }
    portable(groups, query, max_distance, near);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn within_avx512(groups: &[u64], query: &[u64], max_distance: u64, near: &mut Vec<Near>) {
    portable(groups, query, max_distance, near);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn within_avx2(groups: &[u64], query: &[u64], max_distance: u64, near: &mut Vec<Near>) {
    portable(groups, query, max_distance, near);
}

/// The one source of all of them; inlined, so that it is compiled for the features of its caller.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call would leave the features of the caller behind")]
fn portable(groups: &[u64], query: &[u64], max_distance: u64, near: &mut Vec<Near>) {
    for (g, group) in groups.chunks_exact(query.len() * LANES).enumerate() {
        let mut distances = [0; LANES];
        for (column, &word) in group.as_chunks::<LANES>().0.iter().zip(query) {
            for (distance, &other) in distances.iter_mut().zip(column) {
                *distance += u64::from((word ^ other).count_ones());
            }
        }
        // Without a branch a row: few groups have any that is near.
        if distances.iter().map(|&distance| distance <= max_distance).fold(false, |any, near| any | near) {
            for (row, &distance) in (g * LANES..).zip(&distances) {
                if distance <= max_distance {
                    near.push(Near { row, distance });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Within = fn(&[u64], &[u64], u64, &mut Vec<Near>);

    /// The variants that this processor can run.
    fn variants() -> Vec<Within> {
        let mut variants: Vec<Within> = vec![within, portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
            // SAFETY: the features were just detected.
            variants.push(|groups, query, max, near| unsafe { within_avx2(groups, query, max, near) });
        }
        variants
    }

    proptest! {
        #[test]
        fn every_variant_agrees_with_counting_bits(
            words in 1usize..7,
            rows in 0usize..5,
            seed in prop::collection::vec(any::<u64>(), 7),
            max_distance in prop_oneof![0u64..400, Just(u64::MAX)],
        ) {
            let (query, rows) = (&seed[..words], rows * LANES);
            let bit = |w: usize, r: usize| seed[(w + r) % 7].rotate_left(r as u32) & query[r % words] ^ seed[w];
            let mut groups = vec![0; rows * words];
            let mut expected = Vec::new();
            for row in 0..rows {
                for word in 0..words {
                    groups[row / LANES * LANES * words + word * LANES + row % LANES] = bit(word, row);
                }
                let distance = (0..words).map(|w| u64::from((bit(w, row) ^ query[w]).count_ones())).sum();
                if distance <= max_distance {
                    expected.push(Near { row, distance });
                }
            }
            for within in variants() {
                let mut near = Vec::new();
                within(&groups, query, max_distance, &mut near);
                prop_assert_eq!(&near, &expected);
            }
        }
    }
}
