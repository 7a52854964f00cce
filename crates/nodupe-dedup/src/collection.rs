//! The embeddings of all images, as every view shows them.

use std::ops::Range;

use crate::report::Seeing;
use nodupe_core::{EmbeddedBatch, Embeddings, EmbeddingsRef, IndexError, Metric, Row, Undescribable, View};

/// The embeddings of images under several views. Images are numbered by whoever puts them in; the rows of one follow each
/// other.
#[derive(Debug)]
pub(crate) struct Collection {
    views: Vec<(View, ViewRows)>,
}

#[derive(Debug)]
struct ViewRows {
    rows: Embeddings,
    /// The rows of each image, by its number; empty where it has none.
    of: Vec<Range<u32>>,
}

impl Collection {
    /// No embeddings yet, of `images` images; `views` begins with the identity.
    pub(crate) fn new(space: &nodupe_core::EmbeddingSpace, views: &[View], images: usize) -> Self {
        let empty = || ViewRows { rows: Embeddings::new(space.clone()), of: vec![0..0; images] };
        Self { views: views.iter().map(|&view| (view, empty())).collect() }
    }

    /// Puts in a batch: `images` are the numbers of its images, `batches` one for each view. Gives back why some images
    /// have no embedding as they are.
    pub(crate) fn insert(
        &mut self,
        images: &[usize],
        batches: Vec<EmbeddedBatch>,
    ) -> Result<Vec<(usize, Undescribable)>, IndexError> {
        let mut blank = Vec::new();
        for ((view, all), batch) in self.views.iter_mut().zip(batches) {
            let before = all.rows.len();
            all.rows.append(batch.embeddings().view())?;
            for (&image, outcome) in images.iter().zip(batch.outcomes()) {
                match outcome {
                    Ok(rows) => all.of[image] = (before + rows.start) as u32..(before + rows.end) as u32,
                    Err(why) if *view == View::Identity => blank.push((image, why.clone())),
                    Err(_) => {}
                }
            }
        }
        Ok(blank)
    }

    /// Puts in an image of which all rows are known: for each view as many.
    pub(crate) fn put(&mut self, image: u32, rows: &[Embeddings]) -> Result<(), IndexError> {
        for ((_, all), rows) in self.views.iter_mut().zip(rows) {
            let before = all.rows.len();
            all.rows.append(rows.view())?;
            all.of[image as usize] = before as u32..all.rows.len() as u32;
        }
        Ok(())
    }

    /// The rows of an image in a view.
    pub(crate) fn rows_of(&self, view: usize, image: u32) -> impl Iterator<Item = Row<'_>> {
        self.views[view].1.of_image(image)
    }

    /// The views, the identity first.
    pub(crate) fn views(&self) -> impl ExactSizeIterator<Item = View> {
        self.views.iter().map(|(view, _)| *view)
    }

    /// The rows of a view, in the order that they came in.
    pub(crate) fn rows(&self, view: usize) -> EmbeddingsRef<'_> {
        self.views[view].1.rows.view()
    }

    /// Which image each row of a view is of.
    pub(crate) fn images_of_rows(&self, view: usize) -> Vec<u32> {
        let mut images = vec![0; self.views[view].1.rows.len()];
        for (image, rows) in (0..).zip(&self.views[view].1.of) {
            images[rows.start as usize..rows.end as usize].fill(image);
        }
        images
    }

    /// Number of images that have an embedding.
    pub(crate) fn len(&self) -> usize {
        self.views[0].1.of.iter().filter(|rows| !rows.is_empty()).count()
    }

    /// The numbers of the images that have one, in ascending order.
    pub(crate) fn images(&self) -> Vec<u32> {
        let of = (0..).zip(&self.views[0].1.of);
        of.filter(|(_, rows)| !rows.is_empty()).map(|(image, _)| image).collect()
    }

    /// The smallest distance between two images, of any row of one as any view shows it to any row of the other as it is, and how one has
    /// to be seen to look like the other. Infinite where one has none. The distance is the same both ways round.
    pub(crate) fn closest(&self, metric: Metric, a: u32, b: u32) -> (f32, Seeing) {
        let one_way = |from: u32, to: u32| {
            let all = self.views.iter().flat_map(move |(view, rows)| rows.of_image(from).map(move |row| (*view, row)));
            all.flat_map(move |(view, row)| self.views[0].1.of_image(to).map(move |other| (view, row, other)))
                .filter_map(|(view, row, other)| Some((metric.distance(row, other)?, view)))
        };
        let there = one_way(a, b).map(|(distance, view)| (distance, Seeing::First(view)));
        let back = one_way(b, a).filter(|_| self.views.len() > 1);
        let back = back.map(|(distance, view)| (distance, view.inverse().map_or(Seeing::Second(view), Seeing::First)));
        let nearer = |best: (f32, Seeing), next: (f32, Seeing)| if next.0 < best.0 { next } else { best };
        there.chain(back).fold((f32::INFINITY, Seeing::First(View::Identity)), nearer)
    }

    /// The distance of [`closest`](Self::closest).
    pub(crate) fn distance(&self, metric: Metric, a: u32, b: u32) -> f32 {
        self.closest(metric, a, b).0
    }
}

impl ViewRows {
    fn of_image(&self, image: u32) -> impl Iterator<Item = Row<'_>> {
        let rows = self.of.get(image as usize).cloned().unwrap_or_default();
        rows.filter_map(|row| self.rows.get(row as usize))
    }
}
