//! An index into one of another backend.

use std::path::Path;

use nodupe_core::IndexSpec;
use nodupe_dedup::build;
use nodupe_index::{Index, Manifest, WriteLock};
use nodupe_select::Report;

use super::{Indexer, IndexerError, refuse_existing};

/// An index that was converted.
#[derive(Debug)]
#[non_exhaustive]
pub struct Converted {
    /// The new bundle.
    pub manifest: Manifest,
    /// How its backend was chosen.
    pub similarity: Report,
    /// Whether building it was stopped: it finds everything all the same, and the next add goes on.
    pub interrupted: bool,
}

impl Indexer<'_> {
    /// Copies the vectors of one index into a new one, of the backend that is preferred or the strongest for the size. With
    /// [`Indexer::with_replace`] the two may be the same folder. No image is read.
    ///
    /// # Errors
    /// [`IndexerError`]; [`IndexError::Unsupported`](nodupe_core::IndexError::Unsupported) in it where the backend of the
    /// index does not keep its vectors exactly: such an index is built again from the images.
    pub fn convert(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Converted, IndexerError> {
        let to = to.as_ref();
        refuse_existing(to, self.replace)?;
        let registry = self.registry();
        self.checked(&registry)?;
        let source = Index::open(from, &registry, &self.options)?;
        let (space, len) = (source.backend().space(), source.backend().len()?);
        self.similarity(&registry).check_similarity(&IndexSpec::new(space).with_expected_len(len))?;
        let lock = WriteLock::acquire(to)?;
        let converted = refuse_existing(to, self.replace).and_then(|()| {
            let empty = self.empty(&registry, space, len, &lock)?;
            let mut index = source.convert(empty.backend)?;
            let interrupted = build(index.backend_mut(), self.progress)?.stopped;
            Ok(Converted { manifest: index.save_locked(&lock)?, similarity: empty.report, interrupted })
        });
        if converted.is_err() {
            lock.abandon();
        }
        converted
    }
}
