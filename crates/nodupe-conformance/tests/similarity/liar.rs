//! An index that is the reference in all but what a lie changes.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;

use nodupe_conformance::reference::NaiveIndex;
use nodupe_conformance::similarity;
use nodupe_core::{
    BackendInfo, BuildPhase, EmbeddingSpace, Embeddings, EmbeddingsRef, IndexError, IndexSpec, ItemId, Neighbors,
    OptionSpec, Options, Pair, Reason, SimilarityBackend, SimilarityRegistration, Unavailable, package,
};

/// What a liar does otherwise: nothing, unless it says so.
pub(crate) trait Lie: Send + Sync + Sized + 'static {
    const EXACT: bool = true;
    /// Whether `search_within`, `pairs_within` and `upsert` are those that the trait provides.
    const PROVIDED: bool = false;
    const REGISTERED: &'static str = "liar";
    const OPTIONS: &'static [OptionSpec] = &[];

    fn supports(_: &EmbeddingSpace) -> bool {
        true
    }
    fn create(space: &EmbeddingSpace) -> Result<NaiveIndex, Unavailable> {
        Ok(NaiveIndex::new(space.clone()))
    }
    fn open(space: EmbeddingSpace, dir: &Path) -> Result<NaiveIndex, IndexError> {
        NaiveIndex::open(space, dir)
    }
    fn len(index: &NaiveIndex) -> usize {
        index.len().unwrap()
    }
    fn contains(index: &NaiveIndex, id: &ItemId) -> bool {
        index.contains(id).unwrap()
    }
    fn ids(index: &NaiveIndex, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) {
        index.for_each_id(each).unwrap();
    }
    fn add(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        index.add(ids, rows)
    }
    fn remove(index: &mut NaiveIndex, ids: &[ItemId]) -> Result<usize, IndexError> {
        index.remove(ids)
    }
    fn upsert(index: &mut NaiveIndex, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        index.upsert(ids, rows)
    }
    fn build(
        index: &mut NaiveIndex,
        progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        index.build(progress)
    }
    fn search(index: &NaiveIndex, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        index.search(queries, k)
    }
    fn within(index: &NaiveIndex, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
        index.search_within(queries, max, limit)
    }
    fn pairs(
        index: &NaiveIndex,
        max: f32,
        each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        index.pairs_within(max, each)
    }
    fn vectors(index: &NaiveIndex, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        index.vectors(ids)
    }
    fn save(index: &mut NaiveIndex, dir: &Path) -> Result<(), IndexError> {
        index.save(dir)
    }
}

/// Tells no lie.
pub(crate) struct Honest;
impl Lie for Honest {}

/// Tells no lie and leaves to the trait what the trait provides.
pub(crate) struct Provided;
impl Lie for Provided {
    const PROVIDED: bool = true;
}

const INFO: BackendInfo = BackendInfo::new("liar", package!());

struct Index<L>(NaiveIndex, PhantomData<fn() -> L>);

/// The registration of an index that tells the lie `L`.
pub(crate) fn registration<L: Lie>() -> SimilarityRegistration {
    SimilarityRegistration::new(L::REGISTERED, package!(), create::<L>, open::<L>)
        .with_supports(L::supports)
        .with_options(L::OPTIONS)
}

/// Sees that each of `checks` says what is wrong with the liar.
pub(crate) fn caught<L: Lie>(checks: &[&'static str]) {
    for &check in checks {
        match similarity(registration::<L>()).only([check]).run() {
            Ok(_) => panic!("`{check}` sees nothing wrong"),
            Err(why) => assert!(why.names(check), "{why}"),
        }
    }
}

fn create<L: Lie>(spec: &IndexSpec<'_>, _: &Options) -> Result<Box<dyn SimilarityBackend>, Unavailable> {
    if !L::supports(spec.space) && spec.space.dim() == 16 {
        return Err(Unavailable::new(Reason::UnsupportedSpace, "a test"));
    }
    Ok(Box::new(Index::<L>(L::create(spec.space)?, PhantomData)))
}

fn open<L: Lie>(spec: &IndexSpec<'_>, dir: &Path, _: &Options) -> Result<Box<dyn SimilarityBackend>, IndexError> {
    Ok(Box::new(Index::<L>(L::open(spec.space.clone(), dir)?, PhantomData)))
}

/// What the trait provides, over an honest index.
struct Plain<'a>(&'a NaiveIndex);

impl<L: Lie> SimilarityBackend for Index<L> {
    fn info(&self) -> &BackendInfo {
        &INFO
    }
    fn space(&self) -> &EmbeddingSpace {
        self.0.space()
    }
    fn is_exact(&self) -> bool {
        L::EXACT
    }
    fn len(&self) -> Result<usize, IndexError> {
        Ok(L::len(&self.0))
    }
    fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
        Ok(L::contains(&self.0, id))
    }
    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        L::ids(&self.0, each);
        Ok(())
    }
    fn add(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        L::add(&mut self.0, ids, rows)
    }
    fn remove(&mut self, ids: &[ItemId]) -> Result<usize, IndexError> {
        L::remove(&mut self.0, ids)
    }
    fn upsert(&mut self, ids: &[ItemId], rows: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        L::upsert(&mut self.0, ids, rows)
    }
    fn build(&mut self, progress: &mut dyn FnMut(BuildPhase, f32) -> ControlFlow<()>) -> Result<(), IndexError> {
        L::build(&mut self.0, progress)
    }
    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        L::search(&self.0, queries, k)
    }
    fn search_within(&self, queries: EmbeddingsRef<'_>, max: f32, limit: usize) -> Result<Neighbors, IndexError> {
        if L::PROVIDED {
            return Plain(&self.0).search_within(queries, max, limit);
        }
        L::within(&self.0, queries, max, limit)
    }
    fn pairs_within(&self, max: f32, each: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>) -> Result<(), IndexError> {
        if L::PROVIDED {
            return Plain(&self.0).pairs_within(max, each);
        }
        L::pairs(&self.0, max, each)
    }
    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        L::vectors(&self.0, ids)
    }
    fn save(&mut self, dir: &Path) -> Result<(), IndexError> {
        L::save(&mut self.0, dir)
    }
}

impl SimilarityBackend for Plain<'_> {
    fn info(&self) -> &BackendInfo {
        &INFO
    }
    fn space(&self) -> &EmbeddingSpace {
        self.0.space()
    }
    fn is_exact(&self) -> bool {
        true
    }
    fn len(&self) -> Result<usize, IndexError> {
        self.0.len()
    }
    fn contains(&self, id: &ItemId) -> Result<bool, IndexError> {
        self.0.contains(id)
    }
    fn for_each_id(&self, each: &mut dyn FnMut(&ItemId) -> ControlFlow<()>) -> Result<(), IndexError> {
        self.0.for_each_id(each)
    }
    fn add(&mut self, _: &[ItemId], _: EmbeddingsRef<'_>) -> Result<(), IndexError> {
        unreachable!("only searched")
    }
    fn remove(&mut self, _: &[ItemId]) -> Result<usize, IndexError> {
        unreachable!("only searched")
    }
    fn search(&self, queries: EmbeddingsRef<'_>, k: usize) -> Result<Neighbors, IndexError> {
        self.0.search(queries, k)
    }
    fn vectors(&self, ids: &[ItemId]) -> Result<Option<Embeddings>, IndexError> {
        self.0.vectors(ids)
    }
    fn save(&mut self, _: &Path) -> Result<(), IndexError> {
        unreachable!("only searched")
    }
}
