//! Embeddings of a labelled set to its ranking, by exact search.

use std::collections::HashMap;

use nodupe_core::{EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, ItemId, Row, SimilarityBackend};
use rayon::prelude::*;

use crate::error::EvalError;
use crate::groups::Share;
use crate::labels::Labels;
use crate::random::Random;
use crate::ranking::Ranking;

/// The nearest other images of each image that a ranking looks at. Farther ones are in it only where they are copies, or where it
/// is among their nearest.
pub const NEIGHBORS: usize = 100;
/// The untrue pairs that a ranking keeps, the most alike.
pub const STRANGERS: usize = 1_000_000;
/// The untrue pairs that are drawn for the distribution of their similarities.
pub const SAMPLE: usize = 50_000;
/// Images whose neighbours are asked for in one call.
const BATCH: usize = 512;

/// The embeddings of the files of a set, in their order, as one or more views show them.
#[derive(Debug)]
pub struct Vectors {
    space: EmbeddingSpace,
    views: Vec<ViewRows>,
}

#[derive(Debug)]
struct ViewRows {
    rows: Embeddings,
    /// Where the rows of each image begin, and behind the last one.
    starts: Vec<usize>,
}

impl Vectors {
    /// No images yet, in `views` views. The first one is the images as they are.
    pub fn new(space: &EmbeddingSpace, views: usize) -> Self {
        let empty = || ViewRows { rows: Embeddings::new(space.clone()), starts: vec![0] };
        Self { space: space.clone(), views: (0..views.max(1)).map(|_| empty()).collect() }
    }

    /// Appends the next image: its rows in each view, one, several or none. A view that is missing has none.
    ///
    /// # Errors
    /// [`IndexError::SpaceMismatch`] for rows of another space.
    pub fn push(&mut self, views: &[Embeddings]) -> Result<(), IndexError> {
        for (place, view) in self.views.iter_mut().enumerate() {
            if let Some(rows) = views.get(place) {
                view.rows.append(rows.view())?;
            }
            view.starts.push(view.rows.len());
        }
        Ok(())
    }

    /// Number of images, those without embeddings included.
    pub fn len(&self) -> usize {
        self.views[0].starts.len() - 1
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every row of the images as they are.
    pub fn rows(&self) -> EmbeddingsRef<'_> {
        self.views[0].rows.view()
    }

    /// An id for each of [`rows`](Self::rows).
    pub fn ids(&self) -> Vec<ItemId> {
        (0..self.rows().len()).map(|row| ItemId::from(format!("{row:010}"))).collect()
    }

    fn has(&self, image: usize) -> bool {
        !self.views[0].range(image..image + 1).is_empty()
    }

    /// The largest similarity of any row of one image as any view shows it to any row of the other as it is, either way round.
    fn similarity(&self, a: usize, b: usize) -> Option<f32> {
        let metric = self.space.metric();
        let one_way = |from: usize, to: usize, views: &[ViewRows]| {
            let pairs = views.iter().flat_map(|view| view.of(from));
            let distances =
                pairs.flat_map(|row| self.views[0].of(to).filter_map(move |other| metric.distance(row, other)));
            distances.reduce(f32::min)
        };
        let back = one_way(b, a, self.views.get(1..).unwrap_or_default());
        let nearest = one_way(a, b, &self.views).into_iter().chain(back).reduce(f32::min)?;
        Some(self.space.similarity(nearest))
    }
}

impl ViewRows {
    fn range(&self, images: std::ops::Range<usize>) -> std::ops::Range<usize> {
        self.starts[images.start]..self.starts[images.end]
    }

    fn of(&self, image: usize) -> impl Iterator<Item = Row<'_>> {
        self.range(image..image + 1).filter_map(|row| self.rows.get(row))
    }
}

/// An untrue pair, the smaller number first.
type Stranger = (u32, u32, f32);

/// Ranks the pairs of a set: all true ones, and of the untrue ones those among the [`NEIGHBORS`] nearest of either image, at most
/// [`STRANGERS`]. [`Ranking::complete_from`] says down to where that is all of them.
///
/// `index` is empty and exact, and holds the vectors afterwards. `stop` is asked between batches.
///
/// # Errors
/// [`EvalError::Index`], and [`EvalError::Interrupted`] where `stop` says so.
pub fn rank(
    labels: &Labels,
    vectors: &Vectors,
    index: &mut dyn SimilarityBackend,
    stop: &dyn Fn() -> bool,
) -> Result<Ranking, EvalError> {
    let group_of = |image: usize| labels.files().get(image).map(|file| file.group);
    let mut ranking = Ranking { positives: labels.positives(), ..Ranking::default() };
    let mut best_copy = vec![f32::NEG_INFINITY; vectors.len()];
    copies(labels, vectors, &mut ranking, &mut best_copy);

    index.add(&vectors.ids(), vectors.rows())?;
    let (mut strangers, cut) = strangers(labels, vectors, index, stop)?;
    let mut best_stranger = vec![f32::NEG_INFINITY; vectors.len()];
    for &(a, b, similarity) in &strangers {
        for image in [a, b] {
            let best = &mut best_stranger[image as usize];
            *best = best.max(similarity);
        }
    }
    let mut complete_from = cut;
    strangers.sort_unstable_by(|a, b| b.2.total_cmp(&a.2));
    if strangers.len() > STRANGERS {
        strangers.truncate(STRANGERS);
        complete_from = complete_from.into_iter().chain(strangers.last().map(|pair| pair.2)).reduce(f32::max);
    }
    ranking.complete_from = complete_from;
    ranking.strangers = strangers.into_iter().map(|(_, _, similarity)| similarity).collect();

    for group in 0..labels.groups() {
        let files = labels.range_of(group);
        let with_copies = files.len().saturating_sub(1).min(1) * files.len();
        let hits = files.filter(|&image| {
            let (copy, stranger) = (best_copy.get(image), best_stranger.get(image));
            copy.zip(stranger).is_some_and(|(copy, stranger)| copy.is_finite() && copy > stranger)
        });
        ranking.nearest += Share::new(hits.count() as u64, with_copies as u64);
    }
    let mut random = Random::of(&[0x7374_7261]);
    let images = vectors.len() as u64;
    let drawn: Vec<(usize, usize)> = (0..SAMPLE)
        .map(|_| (random.below(images) as usize, random.below(images) as usize))
        .filter(|&(a, b)| group_of(a) != group_of(b))
        .collect();
    ranking.sample = drawn.par_iter().filter_map(|&(a, b)| vectors.similarity(a, b)).collect();
    Ok(ranking)
}

/// Every true pair.
fn copies(labels: &Labels, vectors: &Vectors, ranking: &mut Ranking, best: &mut [f32]) {
    let pairs: Vec<(usize, usize)> = (0..labels.groups())
        .flat_map(|group| {
            let files = labels.range_of(group);
            files.clone().flat_map(move |a| (a + 1..files.end).map(move |b| (a, b)))
        })
        .filter(|&(_, b)| b < vectors.len())
        .collect();
    let similarities: Vec<Option<f32>> = pairs.par_iter().map(|&(a, b)| vectors.similarity(a, b)).collect();
    for file in labels.files() {
        if let Some(transform) = &file.transform {
            ranking.by_transform.entry(transform.clone()).or_default().of += 1;
        }
    }
    for (&(a, b), similarity) in pairs.iter().zip(similarities) {
        let Some(similarity) = similarity else { continue };
        ranking.copies.push(similarity);
        best[a] = best[a].max(similarity);
        best[b] = best[b].max(similarity);
        let file = &labels.files()[b];
        let is_of_original = labels.range_of(file.group).start == a;
        if let Some(transform) = file.transform.as_ref().filter(|_| is_of_original) {
            ranking.by_transform.entry(transform.clone()).or_default().known.push(similarity);
        }
    }
}

/// The untrue pairs among the nearest, each once, and from which similarity on they are all of them.
fn strangers(
    labels: &Labels,
    vectors: &Vectors,
    index: &dyn SimilarityBackend,
    stop: &dyn Fn() -> bool,
) -> Result<(Vec<Stranger>, Option<f32>), EvalError> {
    let starts = &vectors.views[0].starts;
    let image_of = |id: &ItemId| {
        let row: usize = id.as_str().parse().ok()?;
        Some(starts.partition_point(|&start| start <= row) - 1)
    };
    let rows_of_one = (0..vectors.len()).map(|image| starts[image + 1] - starts[image]).max().unwrap_or_default();
    let k = (NEIGHBORS + 1).saturating_mul(rows_of_one.max(1));
    let (mut pairs, mut cut): (Vec<Stranger>, Option<f32>) = (Vec::new(), None);
    for first in (0..vectors.len()).step_by(BATCH) {
        if stop() {
            return Err(EvalError::Interrupted);
        }
        let images = first..(first + BATCH).min(vectors.len());
        let mut nearest: Vec<HashMap<usize, f32>> = vec![HashMap::new(); images.len()];
        for view in &vectors.views {
            let Some(queries) = view.rows.view().slice(view.range(images.clone())) else { continue };
            let found = index.search(queries, k)?;
            let mut query = 0;
            for image in images.clone() {
                for _ in view.range(image..image + 1) {
                    let neighbors = found.of(query);
                    query += 1;
                    for neighbor in neighbors {
                        let Some(other) = image_of(&neighbor.id).filter(|&other| other != image) else { continue };
                        let similarity = vectors.space.similarity(neighbor.distance);
                        let best = nearest[image - first].entry(other).or_insert(similarity);
                        *best = best.max(similarity);
                    }
                    let is_cut = neighbors.len() == k && k < vectors.rows().len();
                    let last = neighbors.last().filter(|_| is_cut);
                    let last = last.map(|last| vectors.space.similarity(last.distance));
                    cut = cut.into_iter().chain(last).reduce(f32::max);
                }
            }
        }
        for (image, nearest) in images.zip(nearest) {
            let mut nearest: Vec<(usize, f32)> = nearest.into_iter().collect();
            nearest.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let first_left_out = nearest.get(NEIGHBORS).map(|left| left.1);
            cut = cut.into_iter().chain(first_left_out).reduce(f32::max);
            nearest.truncate(NEIGHBORS);
            let is_stranger = |other: usize| labels.files()[other].group != labels.files()[image].group;
            let strangers = nearest.into_iter().filter(|&(other, _)| is_stranger(other) && vectors.has(other));
            pairs.extend(
                strangers.map(|(other, similarity)| (image.min(other) as u32, image.max(other) as u32, similarity)),
            );
        }
    }
    pairs.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
    pairs.dedup_by_key(|pair| (pair.0, pair.1));
    Ok((pairs, cut))
}
