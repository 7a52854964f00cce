//! Files into an index.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nodupe_core::{
    EmbeddingBackend, EmbeddingSpace, Embeddings, IndexError, IndexSpec, ItemId, SimilarityBackend, View,
};
use nodupe_dedup::{Skipped, Stage, build, walk};
use nodupe_index::{Index, Manifest, WriteLock, read_manifest};
use nodupe_select::Report;

use super::ids::{id_of, part_of, real_path};
use super::{Indexer, IndexerError, of_images, refuse_existing};
use crate::choice;
use crate::compute::compute_views;

/// How many rows wait until they are added to the index together.
const BATCH: usize = 1024;

/// What became of the files that were to be put into an index.
#[derive(Debug)]
#[non_exhaustive]
pub struct Indexed {
    /// The bundle as it was saved. `None` where nothing was: there was no image to put in, so that a new index was not
    /// made, and one that was there is as it was.
    pub manifest: Option<Manifest>,
    /// Images whose embeddings were put in.
    pub images: usize,
    /// Of them those that were in the index before.
    pub updated: usize,
    /// Files that are in the index already and were passed over.
    pub present: usize,
    /// Files that were passed over for another reason, by path.
    pub skipped: Vec<Skipped>,
    /// Whether it was stopped: what had been embedded by then was put in.
    pub interrupted: bool,
    /// The space of the embeddings.
    pub space: EmbeddingSpace,
    /// How the embedding backend was chosen; `None` where none was needed.
    pub embedding: Option<Report>,
    /// How the similarity backend was chosen; `None` for an index that was there.
    pub similarity: Option<Report>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A file that is to be put in.
struct Image {
    path: PathBuf,
    /// The id of its first row.
    id: ItemId,
}

impl Indexer<'_> {
    /// Embeds the files at and below `roots` into a new index, and saves it.
    ///
    /// Files have outcomes as in a scan: they are put in, or they are in [`Indexed::skipped`] with their reason. Decoding
    /// runs beside the embedding backend. Memory is that of the index and a bounded number of images.
    ///
    /// # Errors
    /// [`IndexerError`]; never for the sake of a file. Nothing is there then but what was there before.
    pub fn build(
        &self,
        path: impl AsRef<Path>,
        roots: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Result<Indexed, IndexerError> {
        let (path, started) = (path.as_ref(), Instant::now());
        refuse_existing(path, self.replace)?;
        let registry = self.registry();
        let selected = of_images(choice::selector(&registry, &self.options, self.embedding.as_ref()).embedding()?)?;
        let space = selected.backend.space();
        // A wish that cannot be met is said now and not after the walk.
        self.similarity(&registry).check_similarity(&IndexSpec::new(space))?;

        let mut indexed = Indexed::new(space);
        let mut images = self.images(path, roots, &mut indexed);
        images.retain(unique());
        let lock = WriteLock::acquire(path)?;
        let built = refuse_existing(path, self.replace).and_then(|()| {
            let empty = self.empty(&registry, space, images.len(), &lock)?;
            let mut index = Index::new(empty.backend);
            indexed.similarity = Some(empty.report);
            if !indexed.interrupted {
                self.put(selected.backend.as_ref(), index.backend_mut(), &images, &mut indexed)?;
            }
            if indexed.images > 0 {
                indexed.interrupted |= build(index.backend_mut(), self.progress)?.stopped;
                indexed.manifest = Some(index.save_locked(&lock)?);
            }
            Ok(())
        });
        if indexed.manifest.is_none() {
            lock.abandon();
        }
        built?;
        indexed.embedding = Some(selected.report);
        Ok(indexed.done(started))
    }

    /// Embeds the files at and below `roots` that are not in the index yet (with [`Indexer::with_update`] all of them) by a
    /// backend of the index's space, and saves it. An add that was stopped goes on where it is called again.
    ///
    /// # Errors
    /// [`IndexerError`]; never for the sake of a file. The index is then as it was.
    pub fn add(
        &self,
        path: impl AsRef<Path>,
        roots: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Result<Indexed, IndexerError> {
        let (path, started) = (path.as_ref(), Instant::now());
        let registry = self.registry();
        self.checked(&registry)?;
        let space = read_manifest(path)?.space;
        let mut indexed = Indexed::new(&space);
        let mut images = self.images(path, roots, &mut indexed);
        images.retain(unique());

        let lock = WriteLock::acquire(path)?;
        let mut index = Index::open_in_space(path, &space, &registry, &self.options)?;
        if !self.update {
            let all = images.len();
            let mut new = Vec::with_capacity(all);
            for image in images {
                if !index.backend().contains(&image.id)? {
                    new.push(image);
                }
            }
            images = new;
            indexed.present = all - images.len();
        }
        if !images.is_empty() && !indexed.interrupted {
            let selected = self.producing(&registry, &space)?;
            self.put(selected.backend.as_ref(), index.backend_mut(), &images, &mut indexed)?;
            indexed.embedding = Some(selected.report);
        }
        // Also where nothing was put in: what an earlier one that was stopped has left is linked now.
        let built = build(index.backend_mut(), self.progress)?;
        indexed.interrupted |= built.stopped;
        if indexed.images > 0 || built.worked {
            indexed.manifest = Some(index.save_locked(&lock)?);
        }
        Ok(indexed.done(started))
    }

    /// The files at and below `roots`, but for those of the index itself.
    fn images(
        &self,
        index: &Path,
        roots: impl IntoIterator<Item = impl Into<PathBuf>>,
        indexed: &mut Indexed,
    ) -> Vec<Image> {
        let roots: Vec<PathBuf> = roots.into_iter().map(Into::into).collect();
        self.progress.begin(Stage::Walk, None);
        let (files, skipped) = walk(&roots, self.walk, || {
            self.progress.advance(Stage::Walk, 1);
            !self.progress.is_cancelled()
        });
        indexed.skipped = skipped;
        indexed.interrupted = self.progress.is_cancelled();
        let index = real_path(index);
        let images = files.into_iter().filter_map(|file| {
            let real = real_path(&file.path);
            (!real.starts_with(&index)).then(|| Image { id: id_of(&real, 0), path: file.path })
        });
        images.collect()
    }

    /// Embeds the images and puts them into the index, until it is stopped.
    fn put(
        &self,
        backend: &dyn EmbeddingBackend,
        index: &mut dyn SimilarityBackend,
        images: &[Image],
        indexed: &mut Indexed,
    ) -> Result<(), IndexerError> {
        self.progress.begin(Stage::Embed, Some(images.len()));
        let mut batch = Batch { ids: Vec::new(), rows: Embeddings::new(backend.space().clone()), update: self.update };
        let paths: Vec<PathBuf> = images.iter().map(|image| image.path.clone()).collect();
        let mut outcomes = compute_views(backend, &[View::Identity], paths, self.decoding.clone());
        while let Some((number, outcome)) = outcomes.next() {
            let image = &images[number];
            match outcome {
                Ok(views) => {
                    for rows in &views {
                        batch.put(index, &image.id, rows, indexed)?;
                    }
                }
                Err(error) => {
                    indexed.skipped.push(Skipped::new(image.path.clone(), error.kind(), error.reason()));
                }
            }
            self.progress.advance(Stage::Embed, 1);
            if self.progress.is_cancelled() {
                indexed.interrupted = true;
                outcomes.stop();
            }
        }
        batch.flush(index)?;
        Ok(())
    }
}

/// What waits to be added.
struct Batch {
    ids: Vec<ItemId>,
    rows: Embeddings,
    update: bool,
}

impl Batch {
    /// Takes the rows of an image, in place of those that the index has of it.
    fn put(
        &mut self,
        index: &mut dyn SimilarityBackend,
        id: &ItemId,
        rows: &Embeddings,
        indexed: &mut Indexed,
    ) -> Result<(), IndexError> {
        indexed.images += 1;
        if self.update && index.contains(id)? {
            indexed.updated += 1;
            // It may have had more rows than it has now.
            let mut part = rows.len();
            while index.remove(&[part_of(id, part)])? > 0 {
                part += 1;
            }
        }
        self.ids.extend((0..rows.len()).map(|part| part_of(id, part)));
        self.rows.append(rows.view())?;
        if self.ids.len() >= BATCH { self.flush(index) } else { Ok(()) }
    }

    fn flush(&mut self, index: &mut dyn SimilarityBackend) -> Result<(), IndexError> {
        if self.update {
            index.upsert(&self.ids, self.rows.view())?;
        } else {
            index.add(&self.ids, self.rows.view())?;
        }
        self.ids.clear();
        self.rows = Embeddings::new(self.rows.space().clone());
        Ok(())
    }
}

impl Indexed {
    fn new(space: &EmbeddingSpace) -> Self {
        Self {
            manifest: None,
            images: 0,
            updated: 0,
            present: 0,
            skipped: Vec::new(),
            interrupted: false,
            space: space.clone(),
            embedding: None,
            similarity: None,
            elapsed: Duration::ZERO,
        }
    }

    fn done(mut self, started: Instant) -> Self {
        self.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        self.elapsed = started.elapsed();
        self
    }
}

/// Keeps the first of the images of one id.
fn unique() -> impl FnMut(&Image) -> bool {
    let mut seen = HashSet::new();
    move |image| seen.insert(image.id.clone())
}
