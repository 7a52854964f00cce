//! The first of the two traits: images to vectors.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;

use crate::embeddings::{Embeddings, Row};
use crate::error::EmbedError;
use crate::image::{ImageBatch, InputSpec};
use crate::info::BackendInfo;
use crate::space::EmbeddingSpace;
use crate::view::View;

/// Turns images into vectors: an embedding backend.
///
/// # What an implementation promises
///
/// * **Thread safety.** All methods may be called from several threads at once. An implementation whose runtime wants
///   `&mut self` keeps a pool or a lock of its own.
/// * **Unit length.** Float embeddings of a cosine space are finite and of unit length to
///   [`UNIT_TOLERANCE`](crate::UNIT_TOLERANCE).
/// * **Failure is never a vector.** An image that cannot be described (blank, too few details) is an
///   [`Undescribable`] outcome. No zero, random or neutral vector stands in for it. `Err` of [`embed`](Self::embed)
///   means that the backend itself failed, and says nothing of the images.
/// * **Repeatable.** The same image in a batch of the same shape on the same machine gives the same bits; in a batch of
///   another shape a cosine of at least `1 - 1e-6` (for packed bits: the same bits).
/// * **One space.** Every embedding is of [`space`](Self::space), which never changes while the backend lives. Two
///   backends name the same space only where they have been measured to agree to a cosine of at least 0.9999.
/// * **No panic**, whatever the pixels are.
pub trait EmbeddingBackend: Send + Sync {
    /// Who this is and where it runs.
    fn info(&self) -> &BackendInfo;

    /// The space of every embedding that this backend makes.
    fn space(&self) -> &EmbeddingSpace;

    /// What images it wants: whoever decodes makes them so.
    fn input_spec(&self) -> &InputSpec;

    /// Embeds the images of a batch: one outcome an image, in their order. A batch of none gives none.
    ///
    /// # Errors
    /// [`EmbedError::Shape`] where the images are not what [`input_spec`](Self::input_spec) asks for (checked by
    /// [`ImageBatch::check`]); [`EmbedError::Backend`] where the runtime failed.
    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError>;

    /// Embeds the images of a batch as each of `views` shows them: one [`EmbeddedBatch`] a view, in their order.
    ///
    /// The provided method turns the pixels and embeds every view. A backend that can tell the embedding of a view from
    /// that of the image itself (a perceptual hash gets its eight orientations from one transform) does so here and says
    /// so with [`Orientation::CheapViews`]; its results agree with turning the pixels, up to rounding.
    ///
    /// # Errors
    /// Those of [`embed`](Self::embed), and [`EmbedError::UnsupportedView`] where a view swaps the axes and
    /// [`input_spec`](Self::input_spec) is not square.
    fn embed_views(&self, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
        batch.check(self.input_spec())?;
        let turned = |&view| {
            let pixels = View::apply(view, batch)?;
            self.embed(&ImageBatch::new(batch.width(), batch.height(), batch.channels(), &pixels)?)
        };
        views.iter().map(turned).collect()
    }

    /// What comparing these embeddings needs to know. The provided method knows nothing: no threshold, and an embedding
    /// that changes with the orientation of the image.
    fn matching(&self) -> Matching {
        Matching::default()
    }

    /// The most images that one call takes to advantage; `None` where any number will do.
    fn max_batch(&self) -> Option<NonZeroUsize> {
        None
    }

    /// Components of an embedding: floats, or bits.
    fn dim(&self) -> usize {
        self.space().dim()
    }
}

/// `tract-cpu(dim=512)`
impl fmt::Display for dyn EmbeddingBackend + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(dim={})", self.info().name, self.dim())
    }
}

impl fmt::Debug for dyn EmbeddingBackend + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What comparing embeddings of a backend needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Matching {
    /// The similarity from which on two images are called near duplicates when the user names none: calibrated by whoever
    /// publishes the model, for groups by average link. `None` where nobody has.
    pub default_threshold: Option<f32>,
    /// What turning an image does to its embedding.
    pub orientation: Orientation,
    /// What a row describes.
    pub describes: Describes,
}

impl Matching {
    /// A calibrated threshold, as a similarity.
    pub const fn new(default_threshold: f32, orientation: Orientation) -> Self {
        Self { default_threshold: Some(default_threshold), orientation, describes: Describes::Image }
    }

    /// Rows describe keypoints, which turning and mirroring an image only move; `row_threshold` is the similarity from which
    /// on two rows may show the same part.
    pub const fn keypoints(row_threshold: f32) -> Self {
        Self {
            default_threshold: Some(row_threshold),
            orientation: Orientation::Invariant,
            describes: Describes::Keypoints,
        }
    }
}

/// What a row of an embedding describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Describes {
    /// An image: two images are as alike as their nearest rows.
    #[default]
    Image,
    /// A part of an image, its [`Keypoint`]: two images are alike where many of their parts are, and moved as one.
    Keypoints,
}

/// What turning or mirroring an image does to its embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Orientation {
    /// It changes, and asking for another view costs as much as another image.
    #[default]
    Dependent,
    /// It changes, and [`EmbeddingBackend::embed_views`] gives all eight for about the price of one.
    CheapViews,
    /// It stays the same: views are of no use.
    Invariant,
}

impl Orientation {
    /// The views that an image is asked for under, the identity first: all eight where `wish` says so, and where it is
    /// `None` those that are cheap. Never more than the identity where orientation makes no difference.
    pub const fn views(self, wish: Option<bool>) -> &'static [View] {
        let all = match (self, wish) {
            (Self::Invariant, _) | (Self::Dependent, None) => false,
            (Self::CheapViews, None) => true,
            (_, Some(wish)) => wish,
        };
        if all { &View::ORIENTATIONS } else { &[View::Identity] }
    }
}

/// Why an image has no embedding: there is too little in it to tell it from others.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the image cannot be described: {detail}")]
#[non_exhaustive]
pub struct Undescribable {
    /// What is missing, for a person: `quality 12 of 100, at least 50 is needed`.
    pub detail: String,
}

impl Undescribable {
    /// What is missing, in lower case and without a full stop.
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into() }
    }
}

/// What part of an image a row describes: a place with its size and orientation (Lowe, *Distinctive image features from
/// scale-invariant keypoints*, 2004). Two copies of an image have the same keypoints, moved as one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Keypoint {
    /// From the left edge, as a fraction of the width, 0 to 1.
    pub x: f32,
    /// From the upper edge, as a fraction of the height, 0 to 1.
    pub y: f32,
    /// Its scale, as a fraction of the side of the square that the image was made to fit: over 0.
    pub size: f32,
    /// Its orientation in radians, from the right towards below.
    pub angle: f32,
    /// Whether the row describes the mirror image of the part, so that it is the same for an image and its mirror image.
    pub mirrored: bool,
}

/// What became of a batch of images: for each the rows that it became, or why it has none.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddedBatch {
    embeddings: Embeddings,
    outcomes: Vec<Result<Range<usize>, Undescribable>>,
    keypoints: Vec<Keypoint>,
}

impl EmbeddedBatch {
    /// Rows and outcomes: one an image, in the order of the images. The ranges of the images that have rows follow each
    /// other without a gap from the first row to the last, and none is empty.
    ///
    /// # Errors
    /// [`EmbedError::Shape`] where they do not.
    pub fn new(embeddings: Embeddings, outcomes: Vec<Result<Range<usize>, Undescribable>>) -> Result<Self, EmbedError> {
        let mut next = 0;
        for rows in outcomes.iter().flatten() {
            if rows.start != next || rows.end <= rows.start {
                return Err(EmbedError::Shape {
                    detail: format!("an image has rows {rows:?}, and row {next} is next"),
                });
            }
            next = rows.end;
        }
        if next != embeddings.len() {
            return Err(EmbedError::Shape {
                detail: format!("the images have {next} rows together, and there are {}", embeddings.len()),
            });
        }
        Ok(Self { embeddings, outcomes, keypoints: Vec::new() })
    }

    /// Every image became one row.
    pub fn one_row_each(embeddings: Embeddings) -> Self {
        let outcomes = (0..embeddings.len()).map(|row| Ok(row..row + 1)).collect();
        Self { embeddings, outcomes, keypoints: Vec::new() }
    }

    /// The same with the part of its image that each row describes.
    ///
    /// # Errors
    /// [`EmbedError::Shape`] where there are not as many keypoints as rows.
    pub fn with_keypoints(mut self, keypoints: Vec<Keypoint>) -> Result<Self, EmbedError> {
        if keypoints.len() != self.embeddings.len() {
            return Err(EmbedError::Shape {
                detail: format!("{} keypoints for {} rows", keypoints.len(), self.embeddings.len()),
            });
        }
        self.keypoints = keypoints;
        Ok(self)
    }

    /// All rows.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// All rows, without the outcomes.
    pub fn into_embeddings(self) -> Embeddings {
        self.embeddings
    }

    /// One outcome an image, in their order.
    pub fn outcomes(&self) -> &[Result<Range<usize>, Undescribable>] {
        &self.outcomes
    }

    /// The part of its image that each row describes, as many as there are rows; none where rows describe images as a whole.
    pub fn keypoints(&self) -> &[Keypoint] {
        &self.keypoints
    }

    /// The first row of an image; `None` where it has none.
    pub fn first_row(&self, image: usize) -> Option<Row<'_>> {
        let rows = self.outcomes.get(image)?.as_ref().ok()?;
        self.embeddings.get(rows.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_asked_for_where_they_are_cheap_or_wished_and_of_use() {
        let all = |orientation: Orientation| [None, Some(false), Some(true)].map(|wish| orientation.views(wish).len());
        assert_eq!(all(Orientation::Dependent), [1, 1, 8]);
        assert_eq!(all(Orientation::CheapViews), [8, 1, 8]);
        assert_eq!(all(Orientation::Invariant), [1, 1, 1]);
        assert_eq!(Orientation::CheapViews.views(None)[0], View::Identity);
    }

    #[test]
    fn outcomes_that_do_not_cover_the_rows_are_refused() {
        let rows = || Embeddings::from_f32(EmbeddingSpace::cosine("toy", 1).unwrap(), vec![1.0; 3]).unwrap();
        let blank = || Err(Undescribable::new("blank"));
        let batch = EmbeddedBatch::new(rows(), vec![Ok(0..2), blank(), Ok(2..3)]).unwrap();
        assert_eq!(batch.first_row(2), batch.embeddings().get(2));
        assert_eq!(batch.first_row(1), None);
        for wrong in [
            vec![Ok(0..2)],
            vec![Ok(0..1), Ok(0..3)],
            vec![Ok(1..3)],
            vec![Ok(0..0), Ok(0..3)],
            vec![Ok(0..4)],
            vec![blank()],
        ] {
            assert!(EmbeddedBatch::new(rows(), wrong.clone()).is_err(), "{wrong:?}");
        }
        let keypoint = Keypoint { x: 0.5, y: 0.5, size: 0.1, angle: 0.0, mirrored: false };
        assert!(EmbeddedBatch::one_row_each(rows()).with_keypoints(vec![keypoint]).is_err());
    }
}
