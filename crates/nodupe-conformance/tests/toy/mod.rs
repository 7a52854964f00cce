//! A small honest embedding backend, and what a lie changes of it.

use std::marker::PhantomData;

use nodupe_conformance::embedding;
use nodupe_core::{
    BackendInfo, Channels, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingRegistration, EmbeddingSpace,
    Embeddings, ImageBatch, InputSpec, Matching, OptionSpec, Options, Orientation, Unavailable, Undescribable, View,
    package,
};

/// The embedding of a picture: the mean of each channel in each of 4×4 fields, less the mean of all, at unit length; as
/// bits, which of them are over that mean. A picture of one colour cannot be described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Floats,
    Bits,
}

const FIELDS: usize = 4;

/// What a liar does otherwise: nothing, unless it says so.
pub(crate) trait Lie: Send + Sync + Sized + 'static {
    const KIND: Kind = Kind::Floats;
    const SPEC: InputSpec = InputSpec::rgb(32, 32);
    const REGISTERED: &'static str = "toy";
    const OPTIONS: &'static [OptionSpec] = &[];
    /// Whether the views are those that the trait provides.
    const PROVIDED: bool = false;

    fn create() -> Result<(), Unavailable> {
        Ok(())
    }
    fn probe() -> Result<(), Unavailable> {
        Ok(())
    }
    fn told_space() -> EmbeddingSpace {
        space::<Self>()
    }
    fn space() -> EmbeddingSpace {
        space::<Self>()
    }
    fn matching() -> Matching {
        Matching::new(0.9, if Self::PROVIDED { Orientation::Dependent } else { Orientation::CheapViews })
    }
    fn embed(toy: &Toy<Self>, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        toy.honest(batch)
    }
    fn views(toy: &Toy<Self>, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
        toy.turned(batch, views)
    }
}

pub(crate) struct Floats;
impl Lie for Floats {}

/// With what the trait provides, and images that are not square.
pub(crate) struct Wide;
impl Lie for Wide {
    const SPEC: InputSpec = InputSpec::luma(64, 32);
    const PROVIDED: bool = true;
}

pub(crate) struct Bits;
impl Lie for Bits {
    const KIND: Kind = Kind::Bits;
}

fn space<L: Lie>() -> EmbeddingSpace {
    let dim = FIELDS * FIELDS * L::SPEC.channels().count();
    match L::KIND {
        Kind::Floats => EmbeddingSpace::cosine("toy", dim).unwrap(),
        Kind::Bits => EmbeddingSpace::hamming("toy", dim).unwrap(),
    }
}

const INFO: BackendInfo = BackendInfo::new("toy", package!());

pub(crate) struct Toy<L> {
    space: EmbeddingSpace,
    spec: InputSpec,
    lie: PhantomData<fn() -> L>,
}

impl<L: Lie> Toy<L> {
    pub(crate) fn new() -> Self {
        Self { space: L::space(), spec: L::SPEC, lie: PhantomData }
    }

    pub(crate) fn honest(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.spec)?;
        Ok(self.embedded(batch.images().map(|image| means(batch, image)).collect()))
    }

    /// Turns the fields in place of the pixels.
    fn turned(&self, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
        batch.check(&self.spec)?;
        let (channels, count) = (batch.channels(), batch.channels().count());
        let turn = |view: &View| {
            if View::CROPS.contains(view) {
                // What is half a field of the whole is a field of the part.
                let seen = view.apply(batch)?;
                return self.honest(&ImageBatch::for_spec(&self.spec, &seen)?);
            }
            // The places of the fields are what is turned: as pixels of an image of 4×4.
            let places: Vec<u8> = (0..FIELDS * FIELDS).flat_map(|place| vec![place as u8; count]).collect();
            let places = view.apply(&ImageBatch::new(FIELDS as u32, FIELDS as u32, channels, &places)?)?;
            let fields = batch.images().map(|image| {
                let means = means(batch, image);
                let moved = places.iter().step_by(count).flat_map(|&place| {
                    let from = usize::from(place) * count;
                    means[from..from + count].to_vec()
                });
                moved.collect()
            });
            Ok(self.embedded(fields.collect()))
        };
        views.iter().map(turn).collect()
    }

    fn embedded(&self, images: Vec<Vec<f32>>) -> EmbeddedBatch {
        let mut embeddings = Embeddings::new(self.space.clone());
        let mut outcomes = Vec::new();
        for means in images {
            let mean = means.iter().sum::<f32>() / means.len() as f32;
            let centred: Vec<f32> = means.iter().map(|x| x - mean).collect();
            if centred.iter().all(|x| x.abs() < 1e-3) {
                outcomes.push(Err(Undescribable::new("one colour")));
                continue;
            }
            let row = match L::KIND {
                Kind::Floats => Embeddings::from_f32(self.space.clone(), centred).and_then(Embeddings::normalized),
                Kind::Bits => {
                    let (eights, _) = centred.as_chunks::<8>();
                    let byte = |eight: &[f32; 8]| (0..8).fold(0, |byte, bit| byte | u8::from(eight[bit] > 0.0) << bit);
                    Embeddings::from_bits(self.space.clone(), eights.iter().map(byte).collect())
                }
            };
            outcomes.push(Ok(embeddings.len()..embeddings.len() + 1));
            embeddings.append(row.unwrap().view()).unwrap();
        }
        EmbeddedBatch::new(embeddings, outcomes).unwrap()
    }
}

/// The mean of each channel in each field.
fn means(batch: &ImageBatch<'_>, image: &[u8]) -> Vec<f32> {
    let (width, height, channels) = (batch.width() as usize, batch.height() as usize, batch.channels().count());
    let mut sums = vec![0u32; FIELDS * FIELDS * channels];
    for (place, value) in image.iter().enumerate() {
        let (x, y, channel) = (place / channels % width, place / channels / width, place % channels);
        let field = (y * FIELDS / height) * FIELDS + x * FIELDS / width;
        sums[field * channels + channel] += u32::from(*value);
    }
    let pixels = (width * height / (FIELDS * FIELDS)) as f32;
    sums.iter().map(|&sum| sum as f32 / pixels).collect()
}

impl<L: Lie> EmbeddingBackend for Toy<L> {
    fn info(&self) -> &BackendInfo {
        &INFO
    }
    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }
    fn input_spec(&self) -> &InputSpec {
        &self.spec
    }
    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        L::embed(self, batch)
    }
    fn embed_views(&self, batch: &ImageBatch<'_>, views: &[View]) -> Result<Vec<EmbeddedBatch>, EmbedError> {
        if L::PROVIDED {
            return Plain(self).embed_views(batch, views);
        }
        L::views(self, batch, views)
    }
    fn matching(&self) -> Matching {
        L::matching()
    }
}

/// What the trait provides.
struct Plain<'a, L>(&'a Toy<L>);

impl<L: Lie> EmbeddingBackend for Plain<'_, L> {
    fn info(&self) -> &BackendInfo {
        &INFO
    }
    fn space(&self) -> &EmbeddingSpace {
        &self.0.space
    }
    fn input_spec(&self) -> &InputSpec {
        &self.0.spec
    }
    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        L::embed(self.0, batch)
    }
}

/// The registration of a backend that tells the lie `L`.
pub(crate) fn registration<L: Lie>() -> EmbeddingRegistration {
    EmbeddingRegistration::new(L::REGISTERED, package!(), |_| Ok(L::told_space()), create::<L>)
        .with_options(L::OPTIONS)
        .with_probe(|_| L::probe())
}

fn create<L: Lie>(_: &Options) -> Result<Box<dyn EmbeddingBackend>, Unavailable> {
    L::create()?;
    Ok(Box::new(Toy::<L>::new()))
}

/// Sees that each of `checks` says what is wrong with the liar.
pub(crate) fn caught<L: Lie>(checks: &[&'static str]) {
    for &check in checks {
        match embedding(registration::<L>()).only([check]).run() {
            Ok(_) => panic!("`{check}` sees nothing wrong"),
            Err(why) => assert!(why.names(check), "{why}"),
        }
    }
}

/// The channel that the spec does not have.
pub(crate) fn is_luma(batch: &ImageBatch<'_>) -> bool {
    batch.channels() == Channels::Luma
}
