//! The checks that every index makes before it changes or answers anything, written once.

use std::collections::HashSet;

use crate::embeddings::{EmbeddingsRef, Rows, UNIT_TOLERANCE, length};
use crate::error::IndexError;
use crate::item::ItemId;
use crate::space::{EmbeddingSpace, Metric};

/// Checks that `rows` may meet the vectors of an index of `space`: same space, finite, and of unit length (to
/// [`UNIT_TOLERANCE`]) where the metric is the cosine.
///
/// # Errors
/// [`IndexError::SpaceMismatch`], [`IndexError::NotFinite`] or [`IndexError::NotUnit`], for the first row that is wrong.
pub fn check_rows(space: &EmbeddingSpace, rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
    if rows.space() != space {
        return Err(IndexError::SpaceMismatch {
            expected: Box::new(space.clone()),
            given: Box::new(rows.space().clone()),
        });
    }
    let Rows::F32 { dim, data } = rows.rows() else {
        return Ok(());
    };
    for (row, vector) in data.chunks_exact(dim).enumerate() {
        if vector.iter().any(|component| !component.is_finite()) {
            return Err(IndexError::NotFinite { row });
        }
        if space.metric() == Metric::Cosine {
            let length = length(vector);
            if (length - 1.0).abs() > f64::from(UNIT_TOLERANCE) {
                return Err(IndexError::NotUnit { row, length: length as f32 });
            }
        }
    }
    Ok(())
}

/// Checks what `add` is given: everything of [`check_rows`], as many ids as rows, no id twice, and none that `present`
/// knows already.
///
/// # Errors
/// Those of [`check_rows`], [`IndexError::LengthMismatch`], [`IndexError::DuplicateId`] and
/// [`IndexError::AlreadyPresent`].
pub fn check_add(
    space: &EmbeddingSpace,
    ids: &[ItemId],
    rows: EmbeddingsRef<'_>,
    mut present: impl FnMut(&ItemId) -> bool,
) -> Result<(), IndexError> {
    if ids.len() != rows.len() {
        return Err(IndexError::LengthMismatch { ids: ids.len(), rows: rows.len() });
    }
    check_rows(space, rows)?;
    let mut seen = HashSet::with_capacity(ids.len());
    for id in ids {
        if !seen.insert(id) {
            return Err(IndexError::DuplicateId { id: id.clone() });
        }
        if present(id) {
            return Err(IndexError::AlreadyPresent { id: id.clone() });
        }
    }
    Ok(())
}

/// Checks that `max_distance` is something a distance can be within. Infinity is: everything is within it.
///
/// # Errors
/// [`IndexError::InvalidDistance`] for NaN and negative numbers.
pub fn check_distance(max_distance: f32) -> Result<(), IndexError> {
    if max_distance >= 0.0 { Ok(()) } else { Err(IndexError::InvalidDistance { distance: max_distance }) }
}
