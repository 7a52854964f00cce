//! Vectors to neighbours, every similarity backend that runs here: `cargo bench -p nodupe-benches --bench search`
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nodupe::{EmbeddingSpace, Embeddings, IndexSpec, ItemId, Options, Registry, SimilarityBackend};
use nodupe_benches::Random;

const ROWS: usize = 20_000;
const QUERIES: usize = 500;

fn rows(space: &EmbeddingSpace, count: usize, seed: u64) -> Embeddings {
    let mut random = Random(seed);
    if space.element_type() == nodupe::core::ElementType::Bit {
        let bytes = (0..count * space.row_bytes()).map(|_| random.bits() as u8).collect();
        return Embeddings::from_bits(space.clone(), bytes).unwrap();
    }
    let numbers = (0..count * space.dim()).map(|_| random.number()).collect();
    Embeddings::from_f32(space.clone(), numbers).unwrap().normalized().unwrap()
}

fn search(c: &mut Criterion) {
    let registry = Registry::linked();
    let spaces = [EmbeddingSpace::cosine("bench", 512).unwrap(), EmbeddingSpace::hamming("bench", 256).unwrap()];
    for registration in registry.similarities() {
        for space in spaces.iter().filter(|space| (registration.supports)(space)) {
            let Ok(mut index) = (registration.create)(&IndexSpec::new(space), &Options::new()) else { continue };
            let ids: Vec<ItemId> = (0..ROWS).map(|row| ItemId::from(row.to_string())).collect();
            index.add(&ids, rows(space, ROWS, 1).view()).unwrap();
            index.build(&mut |_, _| std::ops::ControlFlow::Continue(())).unwrap();
            bench(c, index.as_ref(), &rows(space, QUERIES, 2));
        }
    }
}

fn bench(c: &mut Criterion, index: &dyn SimilarityBackend, queries: &Embeddings) {
    let name = format!("search/{}/{}", index.info().name, index.space().metric().name());
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(QUERIES as u64)).sample_size(10);
    group.bench_function("k = 10", |bencher| bencher.iter(|| index.search(queries.view(), 10).unwrap()));
    let near = index.space().max_distance(0.85);
    group.bench_function("within 0.85", |bencher| {
        bencher.iter(|| index.search_within(queries.view(), near, 512).unwrap());
    });
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
