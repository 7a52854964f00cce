//! Images to what is like them in an index.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use nodupe_core::{EmbeddingBackend, Embeddings, IndexError, ItemId, View};
use nodupe_index::Index;
use nodupe_media::PoolOptions;
use nodupe_select::{Report, Selected};

use super::ids::{first_of, path_of};
use super::{Indexer, IndexerError};
use crate::compute::{ComputeError, compute_views};

/// How much of what is like an image is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    limit: usize,
    threshold: Option<f32>,
}

impl Wanted {
    /// The `k` images that are most alike, however little.
    pub const fn nearest(k: usize) -> Self {
        Self { limit: k, threshold: None }
    }

    /// All images from this similarity on: over 0, up to 1.
    pub const fn within(threshold: f32) -> Self {
        Self { limit: usize::MAX, threshold: Some(threshold) }
    }

    /// The same, but no more than `limit` images, the most alike.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// What was found for an image.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The image.
    pub path: PathBuf,
    /// The images of the index that are like it, most alike first, then by path; or why it could not be searched for. An image
    /// that is in the index itself is among them.
    pub matches: Result<Vec<Match>, ComputeError>,
}

/// An image of the index that is like another.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Match {
    /// Its real path; its id as it is shown where an application has put in something else.
    pub path: PathBuf,
    /// How alike they are, as [`EmbeddingSpace::similarity`](nodupe_core::EmbeddingSpace::similarity) says.
    pub similarity: f32,
    /// The distance in the metric of the space.
    pub distance: f32,
    /// How the image that was searched for has to be turned to look like it.
    pub view: View,
    /// The id of the row that is nearest.
    pub id: ItemId,
}

/// An open index with the backend that embeds what it is asked with. It answers from any thread, and what others save
/// meanwhile it does not see.
#[derive(Debug)]
pub struct Searcher {
    index: Index,
    embedding: Selected<dyn EmbeddingBackend>,
    views: Option<bool>,
    decoding: PoolOptions,
}

impl Indexer<'_> {
    /// Opens an index to search it with images.
    ///
    /// # Errors
    /// [`IndexerError`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Searcher, IndexerError> {
        let registry = self.registry();
        self.checked(&registry)?;
        let index = Index::open(path, &registry, &self.options)?;
        let embedding = self.producing(&registry, index.backend().space())?;
        Ok(Searcher { index, embedding, views: self.views, decoding: self.decoding.clone() })
    }
}

impl Searcher {
    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How the embedding backend was chosen.
    pub fn embedding(&self) -> &Report {
        &self.embedding.report
    }

    /// Searches for image files: one answer each, in their order.
    ///
    /// Distances are those of the vectors themselves, also where an approximate index found them.
    ///
    /// # Errors
    /// [`IndexError`] where the similarity backend fails or the threshold is none; never for the sake of a file.
    pub fn search(
        &self,
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
        wanted: Wanted,
    ) -> Result<Vec<Answer>, IndexError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(Into::into).collect();
        let backend = self.embedding.backend.as_ref();
        let views = backend.matching().orientation.views(self.views);
        let mut answers = Vec::with_capacity(paths.len());
        for (number, outcome) in compute_views(backend, views, paths.iter().cloned(), self.decoding.clone()) {
            let matches = match outcome {
                Ok(rows) => Ok(self.matches(views, &rows, wanted)?),
                Err(error) => Err(error),
            };
            answers.push((number, Answer { path: paths[number].clone(), matches }));
        }
        answers.sort_by_key(|(number, _)| *number);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// What is like an image, whose rows are here as each of `views` shows it.
    fn matches(&self, views: &[View], rows: &[Embeddings], wanted: Wanted) -> Result<Vec<Match>, IndexError> {
        let backend = self.index.backend();
        let (space, len) = (backend.space(), backend.len()?);
        let max_distance = wanted.threshold.map(|threshold| space.max_distance(threshold));
        let mut k = wanted.limit.min(len);
        loop {
            let mut nearest: HashMap<ItemId, Match> = HashMap::new();
            let mut is_short = false;
            for (&view, rows) in views.iter().zip(rows) {
                let found = match max_distance {
                    Some(distance) => backend.search_within(rows.view(), distance, k)?,
                    None => backend.search(rows.view(), k)?,
                };
                let exact = if backend.is_exact() { None } else { self.index.rescore(rows.view(), &found)? };
                for list in exact.as_ref().unwrap_or(&found).iter() {
                    let mut images = HashSet::new();
                    for neighbor in list {
                        let image = first_of(&neighbor.id);
                        images.insert(image.clone());
                        let matched = || Match {
                            path: path_of(&image),
                            similarity: space.similarity(neighbor.distance),
                            distance: neighbor.distance,
                            view,
                            id: neighbor.id.clone(),
                        };
                        match nearest.entry(image.clone()) {
                            Entry::Vacant(place) => {
                                place.insert(matched());
                            }
                            Entry::Occupied(mut place) if neighbor.distance < place.get().distance => {
                                place.insert(matched());
                            }
                            Entry::Occupied(_) => {}
                        }
                    }
                    // Several rows of one image have taken the places of others.
                    is_short |= list.len() >= k && images.len() < wanted.limit.min(len);
                }
            }
            if is_short && k < len {
                k = k.saturating_mul(2).min(len);
                continue;
            }
            let mut matches: Vec<Match> = nearest.into_values().collect();
            matches.retain(|found| max_distance.is_none_or(|most| found.distance <= most));
            matches.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.path.cmp(&b.path)));
            matches.truncate(wanted.limit);
            return Ok(matches);
        }
    }
}
