//! Files to embeddings: decoders on threads of their own feed the embedding backend with batches.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nodupe_core::{Describes, EmbedError, EmbeddingBackend, ImageBatch, IndexError, Undescribable, View};
use nodupe_media::{Costs, DecodePool, Decoded, ImageInfo, MediaError, PoolOptions};

use crate::collection::Collection;
use crate::keypoints::KeypointRows;
use crate::progress::{Progress, Stage};

/// What became of the images.
pub(crate) struct Embedded {
    pub(crate) seen: Seen,
    /// One outcome an image; `None` where it was not asked for, or the scan was stopped before.
    pub(crate) images: Vec<Option<Result<Image, MediaError>>>,
    pub(crate) blank: Vec<(usize, Undescribable)>,
    /// The time that the embedding backend took.
    pub(crate) busy: Duration,
    /// Where the time of the decoders went.
    pub(crate) decoders: Costs,
}

/// What an embedding backend saw in images.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Embeddings of images.
    Images(Collection),
    /// Keypoints of images.
    Keypoints(KeypointRows),
}

impl Seen {
    /// Nothing yet, of `images` images. Rows of keypoints as alike as `threshold` may show the same.
    fn new(backend: &dyn EmbeddingBackend, views: &[View], images: usize, threshold: Option<f32>) -> Self {
        match backend.matching().describes {
            Describes::Keypoints => {
                let max_distance = backend.space().max_distance(threshold.unwrap_or(1.0));
                Self::Keypoints(KeypointRows::new(backend.space(), backend.input_spec(), max_distance, images))
            }
            _ => Self::Images(Collection::new(backend.space(), views, images)),
        }
    }

    /// Number of images that could be described.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Images(collection) => collection.len(),
            Self::Keypoints(rows) => rows.len(),
        }
    }
}

/// An image that was decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image {
    pub(crate) info: ImageInfo,
    /// A digest of the pixels that the backend was given: where these differ, the images do.
    pub(crate) input: u64,
}

/// Why images could not be embedded at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbedFailure {
    #[error(transparent)]
    Embed(#[from] EmbedError),
    #[error(transparent)]
    Rows(#[from] IndexError),
}

/// Which images are looked at.
pub(crate) struct Asked<'a> {
    /// Of how many.
    pub(crate) of: usize,
    /// Their numbers.
    pub(crate) numbers: &'a [usize],
    /// Where they are.
    pub(crate) paths: Vec<PathBuf>,
}

/// Decodes and embeds images as each of `views` shows them, `batch` at a time. Memory in flight is bounded by the
/// decode pool's budget and one batch.
pub(crate) fn embed(
    backend: &dyn EmbeddingBackend,
    views: &[View],
    batch: usize,
    pool: PoolOptions,
    asked: Asked<'_>,
    threshold: Option<f32>,
    progress: &dyn Progress,
) -> Result<Embedded, EmbedFailure> {
    let Asked { of: count, numbers, paths } = asked;
    let mut all = Embedded {
        seen: Seen::new(backend, views, count, threshold),
        images: std::iter::repeat_with(|| None).take(count).collect(),
        blank: Vec::new(),
        busy: Duration::ZERO,
        decoders: Costs::default(),
    };
    let mut waiting = Vec::with_capacity(batch);
    let mut pixels = Vec::with_capacity(batch * backend.input_spec().bytes());
    let mut decoding = DecodePool::new(pool).decode(*backend.input_spec(), paths);
    for (place, decoded) in decoding.by_ref() {
        let number = numbers[place];
        all.images[number] = Some(decoded.map(|Decoded { info, pixels: decoded, .. }| {
            let input = blake3::hash(&decoded);
            let input = input.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            pixels.extend_from_slice(&decoded);
            waiting.push(number);
            Image { info, input }
        }));
        if waiting.len() == batch {
            all.embed_batch(backend, views, &mut waiting, &mut pixels)?;
        }
        progress.advance(Stage::Embed, 1);
        if progress.is_cancelled() {
            break;
        }
    }
    all.embed_batch(backend, views, &mut waiting, &mut pixels)?;
    all.decoders = decoding.costs();
    all.blank.sort_unstable_by_key(|(number, _)| *number);
    Ok(all)
}

impl Embedded {
    fn embed_batch(
        &mut self,
        backend: &dyn EmbeddingBackend,
        views: &[View],
        images: &mut Vec<usize>,
        pixels: &mut Vec<u8>,
    ) -> Result<(), EmbedFailure> {
        if images.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let batch = ImageBatch::for_spec(backend.input_spec(), pixels)?;
        let batches = match views {
            [View::Identity] => vec![backend.embed(&batch)?],
            views => backend.embed_views(&batch, views)?,
        };
        self.busy += started.elapsed();
        check(backend, views, images.len(), &batches)?;
        self.blank.extend(match &mut self.seen {
            Seen::Images(collection) => collection.insert(images, batches)?,
            // They are the same in any view: there is one batch.
            Seen::Keypoints(rows) => batches.iter().try_fold(Vec::new(), |mut blank, batch| {
                blank.extend(rows.insert(images, batch)?);
                Ok::<_, IndexError>(blank)
            })?,
        });
        images.clear();
        pixels.clear();
        Ok(())
    }
}

/// A backend from elsewhere may not keep its promises; what it breaks is not taken into an index.
pub(crate) fn check(
    backend: &dyn EmbeddingBackend,
    views: &[View],
    images: usize,
    batches: &[nodupe_core::EmbeddedBatch],
) -> Result<(), EmbedError> {
    let broken = |detail: String| Err(EmbedError::Contract { backend: backend.info().name, detail });
    if batches.len() != views.len() {
        return broken(format!("{} views were asked for, {} were given", views.len(), batches.len()));
    }
    match batches.iter().find(|batch| batch.outcomes().len() != images) {
        Some(batch) => broken(format!("{images} images have {} outcomes", batch.outcomes().len())),
        None => Ok(()),
    }
}
