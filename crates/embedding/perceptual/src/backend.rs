//! The backend itself.

use std::fmt;
use std::ops::Range;

use nodupe_core::{
    BackendInfo, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, Embeddings, Filter, ImageBatch,
    InputSpec, Matching, Options, Orientation, Reason, SpaceError, Unavailable, Undescribable, View, package,
};

use crate::hash::{self, BITS, BYTES, MIN_QUALITY};
use crate::orientation::Turn;
use crate::transform::{Pixels, SIDE, Transform};

pub(crate) const NAME: &str = "perceptual";

/// The similarity from which on two images are near duplicates: 34 of the 256 bits may differ. The specification gives 31
/// for pairs; groups by average link keep a precision over 0.999 a little beyond it (see the README), and a mirrored copy
/// needs the room, since the filter of the reference is not symmetric.
const THRESHOLD: f32 = 1.0 - 34.0 / BITS as f32;

type Outcomes = Vec<Result<Range<usize>, Undescribable>>;

/// PDQ perceptual hashes: 256 bits an image, compared by how many differ.
///
/// ```
/// use nodupe_core::{EmbeddingBackend, ImageBatch, View};
/// use nodupe_perceptual::Perceptual;
///
/// let backend = Perceptual::new()?;
/// // A disc on a slope; whoever decodes files makes 64×64 pixels of luminance, as `input_spec` asks.
/// let pixel = |i: i32| if (i % 64 - 20).pow(2) + (i / 64 - 30).pow(2) < 200 { 250 } else { 2 * (i / 64) as u8 };
/// let pixels: Vec<u8> = (0..64 * 64).map(pixel).collect();
/// let image = ImageBatch::for_spec(backend.input_spec(), &pixels)?;
/// let views = backend.embed_views(&image, &View::ORIENTATIONS)?;
/// assert_eq!(views[0], backend.embed(&image)?);
/// assert_ne!(views[0], views[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Perceptual {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    transform: Transform,
}

impl Perceptual {
    /// The backend. It has no options.
    ///
    /// # Errors
    /// None in practice: that of [`EmbeddingSpace::hamming`].
    pub fn new() -> Result<Self, SpaceError> {
        Ok(Self {
            info: BackendInfo::new(NAME, package!()),
            space: pdq()?,
            input: InputSpec::luma(SIDE as u32, SIDE as u32).with_filter(Filter::Jarosz),
            transform: Transform::new(),
        })
    }

    /// Appends the hash of an image under each turn to that turn's rows.
    fn hash(&self, pixels: &Pixels, turns: &[Turn], rows: &mut [Vec<u8>]) -> Result<(), Undescribable> {
        let quality = hash::quality(pixels);
        if quality < MIN_QUALITY {
            return Err(Undescribable::new(format!("quality {quality} of 100, at least {MIN_QUALITY} is needed")));
        }
        let coefficients = self.transform.coefficients(pixels);
        // Changing signs moves the median, exchanging the axes does not.
        let mut medians = [None; 4];
        for (turn, rows) in turns.iter().zip(rows) {
            let turned = turn.apply(&coefficients);
            let median = *medians[turn.signs()].get_or_insert_with(|| hash::median(&turned));
            rows.extend(hash::bits(&turned, median));
        }
        Ok(())
    }

    fn hash_all(&self, batch: &ImageBatch<'_>, turns: &[Turn]) -> Result<(Vec<Vec<u8>>, Outcomes), EmbedError> {
        batch.check(&self.input)?;
        let (images, _) = batch.data().as_chunks();
        let mut rows = vec![Vec::with_capacity(images.len() * BYTES); turns.len()];
        let mut outcomes = Outcomes::with_capacity(images.len());
        let mut next = 0;
        for pixels in images {
            outcomes.push(self.hash(pixels, turns, &mut rows).map(|()| {
                next += 1;
                next - 1..next
            }));
        }
        Ok((rows, outcomes))
    }

    fn batch(&self, rows: Vec<u8>, outcomes: Outcomes) -> Result<EmbeddedBatch, EmbedError> {
        let embeddings = Embeddings::from_bits(self.space.clone(), rows)
            .map_err(|source| EmbedError::Backend { backend: NAME, source: source.into() })?;
        EmbeddedBatch::new(embeddings, outcomes)
    }
}

impl EmbeddingBackend for Perceptual {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        let (rows, outcomes) = self.hash_all(batch, &[Turn::IDENTITY])?;
        self.batch(rows.into_iter().flatten().collect(), outcomes)
    }

    fn embed_views(&self, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
        let Some(turns) = views.iter().map(|&view| Turn::of(view)).collect::<Option<Vec<_>>>() else {
            // A crop is another image.
            let seen = |&view: &View| {
                let pixels = view.apply(batch)?;
                self.embed(&ImageBatch::for_spec(&self.input, &pixels)?)
            };
            return views.iter().map(seen).collect();
        };
        let (rows, outcomes) = self.hash_all(batch, &turns)?;
        rows.into_iter().map(|rows| self.batch(rows, outcomes.clone())).collect()
    }

    fn matching(&self) -> Matching {
        Matching::new(THRESHOLD, Orientation::CheapViews)
    }
}

impl fmt::Debug for Perceptual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perceptual").field("space", &self.space).finish_non_exhaustive()
    }
}

pub(crate) fn create(_: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    Ok(Box::new(Perceptual::new().map_err(impossible)?))
}

pub(crate) fn space(_: &Options) -> Result<EmbeddingSpace, Unavailable> {
    pdq().map_err(impossible)
}

fn pdq() -> Result<EmbeddingSpace, SpaceError> {
    EmbeddingSpace::hamming("pdq", BITS)
}

fn impossible(source: SpaceError) -> Unavailable {
    Unavailable::new(Reason::Other, "the space of the hashes was refused").with_source(source)
}
