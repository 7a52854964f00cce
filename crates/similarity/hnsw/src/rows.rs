//! What the graph is made over.

/// Rows of one width, by slot, with two distances: one that is fast, for finding the way, and the one that is answered.
pub(crate) trait Rows: Sync + Send {
    /// What a row is a slice of.
    type Element: Sync + PartialEq;

    /// Number of rows.
    fn len(&self) -> usize;

    /// The row in a slot below [`len`](Self::len), as it is kept.
    fn row(&self, slot: u32) -> &[Self::Element];

    /// The distances of a row from those in `slots`, quickly: not negative and never NaN, the same for the same two rows.
    fn near(&self, row: &[Self::Element], slots: &[u32], distances: &mut Vec<f32>);

    /// The distance as the metric defines it.
    fn exact(&self, row: &[Self::Element], slot: u32) -> f32;

    /// Whether a row at this distance, as [`near`](Self::near) gives it, is farther than `reach` for certain.
    fn is_beyond(&self, near: f32, reach: f32) -> bool;

    /// A number that equal rows share.
    fn hash(&self, row: &[Self::Element]) -> u64;

    /// Moves the rows of these slots, which ascend, to slots 0, 1, 2, … and drops the others.
    fn compact(&mut self, kept: &[u32]);
}

/// Mixes one more word into a hash: the multiplication of `FxHash`, with the high bits brought back down.
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    product ^ (product >> 32)
}
