//! Seeded vectors and ids.

use nodupe_core::{ElementType, EmbeddingSpace, Embeddings, IndexError, ItemId, Metric};

use super::Random;

/// `count` vectors in clusters of about ten: near ones and far ones, no two alike (unless the space is too small for
/// that). Of unit length where the metric is the cosine.
///
/// # Errors
/// [`IndexError::NotUnit`] where a vector of zeros came out, which no seed of the suite does.
///
/// ```
/// use nodupe_core::EmbeddingSpace;
/// let space = EmbeddingSpace::cosine("toy", 8)?;
/// let rows = nodupe_conformance::data::clusters(&space, 100, 1)?;
/// assert_eq!((rows.len(), rows.space()), (100, &space));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clusters(space: &EmbeddingSpace, count: usize, seed: u64) -> Result<Embeddings, IndexError> {
    let mut random = Random::new(seed);
    let centers = count.div_ceil(10).max(1);
    let dim = space.dim();
    if space.element_type() == ElementType::Bit {
        let bytes = dim / 8;
        let center: Vec<u8> = (0..centers * bytes).map(|_| random.next() as u8).collect();
        let mut data = Vec::with_capacity(count * bytes);
        for _ in 0..count {
            let from = random.below(centers) * bytes;
            let start = data.len();
            data.extend_from_slice(&center[from..from + bytes]);
            for _ in 0..random.below(dim / 8 + 1) {
                let bit = random.below(dim);
                data[start + bit / 8] ^= 1 << (bit % 8);
            }
        }
        return Embeddings::from_bits(space.clone(), data);
    }
    let center: Vec<f32> = (0..centers * dim).map(|_| random.normal()).collect();
    let mut data = Vec::with_capacity(count * dim);
    for _ in 0..count {
        let from = random.below(centers) * dim;
        data.extend(center[from..from + dim].iter().map(|x| x + 0.3 * random.normal()));
    }
    let rows = Embeddings::from_f32(space.clone(), data)?;
    if space.metric() == Metric::Cosine { rows.normalized() } else { Ok(rows) }
}

/// `count` vectors, many of them alike, whose distances are whole numbers that any arithmetic gets exactly right, so that
/// ties are ties: signed axes for the cosine, small integers for squared Euclidean distances, few set bits for Hamming.
///
/// # Errors
/// None that the suite has met: those of [`Embeddings::from_f32`].
pub fn exact_ties(space: &EmbeddingSpace, count: usize, seed: u64) -> Result<Embeddings, IndexError> {
    let mut random = Random::new(seed);
    let dim = space.dim();
    let used = dim.min(6);
    if space.element_type() == ElementType::Bit {
        let mut data = vec![0; count * (dim / 8)];
        for row in data.chunks_exact_mut(dim / 8) {
            // The first and the last byte: a width that is cut short loses the last.
            row[0] = (random.next() & 3) as u8;
            row[dim / 8 - 1] ^= ((random.next() & 1) as u8) << 7;
        }
        return Embeddings::from_bits(space.clone(), data);
    }
    let mut data = vec![0.0; count * dim];
    for row in data.chunks_exact_mut(dim) {
        if space.metric() == Metric::Cosine {
            // Likewise the last axes.
            row[dim - 1 - random.below(used)] = if random.next() & 1 == 0 { 1.0 } else { -1.0 };
        } else {
            for component in &mut row[dim - used.min(3)..] {
                *component = random.below(3) as f32;
            }
        }
    }
    Embeddings::from_f32(space.clone(), data)
}

/// `count` different ids whose order is not that of their numbers, so that "by id" is not "by insertion".
pub fn ids(count: usize) -> Vec<ItemId> {
    let shuffled = |number: u64| Random::new(number).next() >> 40;
    (0..count as u64).map(|number| ItemId::from(format!("{:06x}-{number}", shuffled(number)))).collect()
}
