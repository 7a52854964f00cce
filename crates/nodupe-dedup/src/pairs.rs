//! Embeddings to near pairs, through a similarity backend that is audited where it may miss some.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use nodupe_core::{IndexError, IndexSpec, ItemId, SimilarityBackend};
use rayon::prelude::*;

use crate::audit::{self, Audit, Sampled};
use crate::build::{STEPS, build};
use crate::collection::Collection;
use crate::linkage::NearPair;
use crate::progress::{Progress, Stage};
use crate::scan::{MakeIndex, ScanError};

/// The most neighbours that are asked for a query, so that a thousand pictures of nothing do not become a million pairs.
/// Average and complete link score what it cuts off when they compare clusters.
pub(crate) const LIMIT: usize = 512;
/// Bytes of the queries in one call: a thousand rows of 512 floats, or 65,536 of 256 bits, which an index may search faster
/// the more there are. Between calls it is asked whether to stop.
const BATCH: usize = 2 << 20;

/// The near pairs of a collection.
#[derive(Debug, Default)]
pub(crate) struct NearPairs {
    /// The smaller number first, each pair once, in ascending order.
    pub(crate) pairs: Vec<NearPair>,
    /// Queries whose neighbours the limit cut.
    pub(crate) truncated: usize,
    /// `None` where the index is exact.
    pub(crate) audit: Option<Audit>,
    /// The time that filling and building the index took.
    pub(crate) index: Duration,
}

/// How near, how many, how surely.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) max_distance: f32,
    /// By which recall is measured.
    pub(crate) audited_distance: f32,
    /// The most neighbours of a query.
    pub(crate) limit: usize,
    /// Of an approximate index.
    pub(crate) min_recall: f64,
}

/// Finds every pair of images within a distance in any view, through an index that `make_index` makes; where `progress`
/// cancels, those that it had found by then.
///
/// An index that is not exact is [audited](audit::sample) first. Where it finds too little, an exact one takes its place, if
/// one can be had.
pub(crate) fn find(
    collection: &Collection,
    make_index: &MakeIndex<'_>,
    wanted: Wanted,
    progress: &dyn Progress,
) -> Result<NearPairs, ScanError> {
    let rows = collection.rows(0);
    let images = collection.images_of_rows(0);
    // Ties at the limit go by id. So ids are of the numbers of images, and not of the order in which decoders finished.
    let ids = ids(&images);
    let spec = IndexSpec::new(rows.space()).with_expected_len(rows.len());
    let started = Instant::now();
    let mut index = make_index(&spec).map_err(|source| ScanError::MakeIndex { source })?;
    fill(&mut *index, &ids, collection, progress)?;
    let mut filling = started.elapsed();
    let mut audit = None;
    if !index.is_exact() && !progress.is_cancelled() {
        let Sampled { queries, neighbors, recall } =
            audit::sample(collection, &ids, &*index, wanted.audited_distance, wanted.limit)?;
        let mut fell_back = false;
        if recall < wanted.min_recall {
            match make_index(&spec.with_exact()) {
                Ok(exact) => {
                    tracing::warn!(recall, min_recall = wanted.min_recall, from = %index, to = %exact, "the index finds too little");
                    // The one that is there goes first: two at a time may be more than fits.
                    let started = Instant::now();
                    index = exact;
                    fill(&mut *index, &ids, collection, progress)?;
                    filling += started.elapsed();
                    fell_back = true;
                }
                Err(error) => {
                    tracing::warn!(recall, min_recall = wanted.min_recall, index = %index, error, "the index finds too little");
                }
            }
        }
        audit = Some(Audit { queries, neighbors, recall, min_recall: wanted.min_recall, fell_back });
    }
    drop(ids);
    let (candidates, truncated) = candidates(collection, &*index, wanted, progress)?;
    Ok(NearPairs { pairs: score(collection, candidates, wanted.max_distance), truncated, audit, index: filling })
}

fn flow(progress: &dyn Progress) -> ControlFlow<()> {
    if progress.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Puts the rows of the collection into an empty index and builds it.
pub(crate) fn fill(
    index: &mut dyn SimilarityBackend,
    ids: &[ItemId],
    collection: &Collection,
    progress: &dyn Progress,
) -> Result<(), IndexError> {
    progress.begin(Stage::Build, Some(STEPS));
    index.add(ids, collection.rows(0))?;
    // What is found without it is found; the search stops by itself.
    build(index, progress).map(|_| ())
}

/// The pairs of images that the index finds near each other, the smaller number first, and how many queries the limit cut.
pub(crate) fn candidates(
    collection: &Collection,
    index: &dyn SimilarityBackend,
    wanted: Wanted,
    progress: &dyn Progress,
) -> Result<(HashSet<(u32, u32)>, usize), IndexError> {
    let mut candidates = HashSet::new();
    let truncated = near(collection, index, wanted, progress, |a, b| {
        candidates.insert((a.min(b), a.max(b)));
    })?;
    Ok((candidates, truncated))
}

/// Tells `each` which images of an index are near which of a collection, these first; some more than once. How many queries the limit cut.
pub(crate) fn near(
    collection: &Collection,
    index: &dyn SimilarityBackend,
    Wanted { max_distance, limit, .. }: Wanted,
    progress: &dyn Progress,
    mut each: impl FnMut(u32, u32),
) -> Result<usize, IndexError> {
    let rows = collection.rows(0);
    let image_of = |id: &ItemId| id.as_str().split('.').next()?.parse().ok();
    let mut truncated = 0;
    let batch = (BATCH / rows.space().row_bytes()).max(1);
    progress.begin(Stage::Search, Some(rows.len() * collection.views().len()));
    for view in 0..collection.views().len() {
        let queries = collection.rows(view);
        let asking = collection.images_of_rows(view);
        for (asking, start) in asking.chunks(batch).zip((0..).step_by(batch)) {
            let Some(batch) = queries.slice(start..start + asking.len()).filter(|_| flow(progress).is_continue())
            else {
                break;
            };
            let found = index.search_within(batch, max_distance, limit)?;
            for (query, (&a, neighbors)) in asking.iter().zip(found.iter()).enumerate() {
                truncated += usize::from(found.is_truncated(query));
                let near = neighbors.iter().filter_map(|neighbor| image_of(&neighbor.id)).filter(|&b: &u32| b != a);
                near.for_each(|b| each(a, b));
            }
            progress.advance(Stage::Search, asking.len());
        }
    }
    Ok(truncated)
}

/// For each row the number of its image and its place among the rows of that image.
pub(crate) fn ids(images: &[u32]) -> Vec<ItemId> {
    let mut part = 0;
    let numbered = images.iter().enumerate().map(|(row, image)| {
        part = if row > 0 && images[row - 1] == *image { part + 1 } else { 0 };
        ItemId::from(format!("{image:010}.{part}"))
    });
    numbered.collect()
}

/// The candidates that are near by their exact vectors: what is reported is the same whichever index found them.
fn score(collection: &Collection, candidates: HashSet<(u32, u32)>, max_distance: f32) -> Vec<NearPair> {
    let metric = collection.rows(0).space().metric();
    let scored =
        candidates.into_par_iter().map(|(a, b)| NearPair { a, b, distance: collection.distance(metric, a, b) });
    let mut near: Vec<NearPair> = scored.filter(|pair| pair.distance <= max_distance).collect();
    near.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
    near
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use nodupe_conformance::reference::NaiveIndex;
    use nodupe_core::{
        BackendInfo, BoxError, EmbeddedBatch, EmbeddingSpace, Embeddings, EmbeddingsRef, Neighbor, Neighbors, View,
    };

    use super::*;
    use crate::progress::Silent;

    /// Finds of each query's neighbours only those whose number is below `knows`.
    struct Forgetful {
        all: NaiveIndex,
        knows: usize,
    }

    impl SimilarityBackend for Forgetful {
        fn info(&self) -> &BackendInfo {
            self.all.info()
        }
        fn space(&self) -> &EmbeddingSpace {
            self.all.space()
        }
        fn is_exact(&self) -> bool {
            false
        }
        fn len(&self) -> Result<usize, IndexError> {
            self.all.len()
        }
        fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
            self.all.contains(id)
        }
        fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
            self.all.for_each_id(each)
        }
        fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
            self.all.add(ids, rows)
        }
        fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
            self.all.remove(ids)
        }
        fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
            let mut known = Neighbors::new();
            for list in self.all.search(queries, usize::MAX)?.iter() {
                let is_known = |near: &&Neighbor| near.id.as_str()[..10].parse::<usize>().unwrap() < self.knows;
                known.push(list.iter().filter(is_known).take(k).cloned(), false);
            }
            Ok(known)
        }
        fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
            self.all.vectors(ids)
        }
        fn save(&mut self, dir: &Path) -> Result<(), IndexError> {
            self.all.save(dir)
        }
    }

    fn space() -> EmbeddingSpace {
        EmbeddingSpace::hamming("toy", 8).unwrap()
    }

    /// Twenty images whose bits differ by at most one from each other's, put in in this order.
    fn collection(order: &[usize]) -> Collection {
        let mut collection = Collection::new(&space(), &[View::Identity], 20);
        for &image in order {
            let row = Embeddings::from_bits(space(), vec![u8::from(image % 3 == 0)]).unwrap();
            collection.insert(&[image], vec![EmbeddedBatch::one_row_each(row)]).unwrap();
        }
        collection
    }

    fn exact(spec: &IndexSpec<'_>) -> Box<dyn SimilarityBackend> {
        Box::new(NaiveIndex::new(spec.space.clone()))
    }

    fn wanted(limit: usize) -> Wanted {
        Wanted { max_distance: 1.0, audited_distance: 1.0, limit, min_recall: 0.95 }
    }

    #[test]
    fn what_the_limit_cuts_does_not_depend_on_which_decoder_was_ready_first() {
        let ascending: Vec<usize> = (0..20).collect();
        let shuffled: Vec<usize> = (0..20).map(|number| number * 7 % 20).collect();
        let found =
            |order: &[usize], limit| find(&collection(order), &|spec| Ok(exact(spec)), wanted(limit), &Silent).unwrap();
        let (one, other) = (found(&ascending, 4), found(&shuffled, 4));
        assert_eq!(one.pairs, other.pairs);
        assert_eq!((one.truncated, other.truncated), (20, 20));
        assert!(one.pairs.len() < 190);
        let all = found(&shuffled, 20);
        assert_eq!((all.pairs.len(), all.truncated, all.audit), (190, 0, None));
    }

    /// Pairs and audit of an index that knows the first so many of twenty, and whether an exact one was asked for.
    fn forgetting(knows: usize, min_recall: f64, is_exact_there: bool) -> (usize, Audit, bool) {
        let asked = RefCell::new(false);
        let make_index = |spec: &IndexSpec<'_>| -> Result<Box<dyn SimilarityBackend>, BoxError> {
            if !spec.exact {
                return Ok(Box::new(Forgetful { all: NaiveIndex::new(spec.space.clone()), knows }));
            }
            asked.replace(true);
            if is_exact_there { Ok(exact(spec)) } else { Err("there is none".into()) }
        };
        let order: Vec<usize> = (0..20).collect();
        let found = find(&collection(&order), &make_index, Wanted { min_recall, ..wanted(512) }, &Silent).unwrap();
        (found.pairs.len(), found.audit.unwrap(), asked.into_inner())
    }

    #[test]
    fn an_index_that_finds_too_little_gives_way_to_an_exact_one() {
        let (pairs, audit, asked) = forgetting(10, 0.95, true);
        // Each of twenty has nineteen neighbours, of which ten are known, or nine where it is one of them itself.
        let recall = (10.0 * 9.0 + 10.0 * 10.0) / 380.0;
        let expected = Audit { queries: 20, neighbors: 380, recall, min_recall: 0.95, fell_back: true };
        assert_eq!((pairs, audit, asked), (190, expected, true));
        // Where there is no exact one, what was found is better than nothing, and the report says how much it is.
        let (pairs, audit, asked) = forgetting(10, 0.95, false);
        assert_eq!((pairs, audit, asked), (45 + 100, Audit { fell_back: false, ..expected }, true));
    }

    #[test]
    fn an_index_that_finds_enough_stays() {
        let (pairs, audit, asked) = forgetting(10, 0.5, true);
        assert_eq!((pairs, audit.recall, audit.fell_back, asked), (145, 0.5, false, false));
        let (pairs, audit, _) = forgetting(20, 1.0, true);
        assert_eq!((pairs, audit.recall, audit.fell_back), (190, 1.0, false));
    }

    #[test]
    fn the_audit_counts_no_more_than_the_limit_and_looks_at_a_sample() {
        let space = EmbeddingSpace::hamming("toy", 16).unwrap();
        let mut many = Collection::new(&space, &[View::Identity], 2_000);
        for image in 0..2_000 {
            // Ten of each.
            let row = Embeddings::from_bits(space.clone(), vec![(image % 200) as u8, 7]).unwrap();
            many.insert(&[image], vec![EmbeddedBatch::one_row_each(row)]).unwrap();
        }
        let mut index = NaiveIndex::new(space);
        let ids = ids(&many.images_of_rows(0));
        index.add(&ids, many.rows(0)).unwrap();
        let all = audit::sample(&many, &ids, &index, 0.0, 512).unwrap();
        assert_eq!(all.neighbors, 9 * all.queries);
        assert!(all.queries < 200 && all.neighbors >= 200, "{all:?}");
        let few = audit::sample(&many, &ids, &index, 0.0, 1).unwrap();
        assert_eq!((few.neighbors, few.recall), (few.queries, 1.0));
        assert!(few.queries > all.queries, "{few:?}");
    }
}
