//! Vectors to neighbours, every similarity backend that runs here: `cargo bench -p nodupe-benches --bench search`
//!
//! `cargo xtask bench similarity` measures larger indexes, recall and memory, beside the peers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![allow(missing_docs)]

use std::ops::ControlFlow;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nodupe::core::{ElementType, SimilarityRegistration};
use nodupe::{EmbeddingSpace, Embeddings, IndexSpec, ItemId, Options, Registry, SimilarityBackend};
use nodupe_benches::Random;

const ROWS: usize = 10_000;
const QUERIES: usize = 64;
/// Vectors that are replaced at once.
const REPLACED: usize = 500;
/// Every so many vectors are near each other.
const FAMILY: usize = 4;

/// Families of near vectors: what a search finds in a collection with duplicates.
fn rows(space: &EmbeddingSpace, count: usize, seed: u64) -> Embeddings {
    let mut random = Random(seed);
    if space.element_type() == ElementType::Bit {
        let mut bytes = Vec::with_capacity(count * space.row_bytes());
        let mut parent = Vec::new();
        for row in 0..count {
            if row % FAMILY == 0 {
                parent = (0..space.row_bytes()).map(|_| random.bits() as u8).collect();
            }
            let place = random.below(parent.len());
            bytes.extend_from_slice(&parent);
            bytes[row * space.row_bytes() + place] ^= random.bits() as u8;
        }
        return Embeddings::from_bits(space.clone(), bytes).unwrap();
    }
    let mut numbers = Vec::with_capacity(count * space.dim());
    let mut parent = Vec::new();
    for row in 0..count {
        if row % FAMILY == 0 {
            parent = (0..space.dim()).map(|_| random.normal()).collect::<Vec<_>>();
        }
        numbers.extend(parent.iter().map(|number| number + 0.3 * random.normal()));
    }
    Embeddings::from_f32(space.clone(), numbers).unwrap().normalized().unwrap()
}

fn search(c: &mut Criterion) {
    let registry = Registry::linked();
    let spaces = [EmbeddingSpace::cosine("bench", 128).unwrap(), EmbeddingSpace::hamming("bench", 256).unwrap()];
    for registration in registry.similarities() {
        for space in spaces.iter().filter(|space| (registration.supports)(space)) {
            bench(c, registration, space);
        }
    }
}

fn create(registration: &SimilarityRegistration, space: &EmbeddingSpace) -> Option<Box<dyn SimilarityBackend>> {
    (registration.create)(&IndexSpec::new(space).with_expected_len(ROWS), &Options::new()).ok()
}

fn fill(index: &mut dyn SimilarityBackend, ids: &[ItemId], rows: &Embeddings) {
    index.add(ids, rows.view()).unwrap();
    index.build(&mut |_, _| ControlFlow::Continue(())).unwrap();
}

fn bench(c: &mut Criterion, registration: &SimilarityRegistration, space: &EmbeddingSpace) {
    // One that cannot run here is passed over.
    let Some(mut index) = create(registration, space) else { return };
    let ids: Vec<ItemId> = (0..ROWS).map(|row| ItemId::from(row.to_string())).collect();
    let rows = rows(space, ROWS, 1);
    fill(index.as_mut(), &ids, &rows);
    // Members of families that the index holds the others of.
    let queries = rows.view().slice(0..QUERIES).unwrap();
    let near = space.max_distance(0.85);

    let mut group = c.benchmark_group(format!("search/{}/{}", registration.name, space.metric().name()));
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("build", |bencher| {
        bencher.iter_batched(
            || create(registration, space).unwrap(),
            |mut index| {
                fill(index.as_mut(), &ids, &rows);
                index
            },
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(QUERIES as u64));
    group.bench_function("k = 10", |bencher| bencher.iter(|| index.search(queries, 10).unwrap()));
    group.bench_function("within 0.85", |bencher| bencher.iter(|| index.search_within(queries, near, 512).unwrap()));
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("pairs within 0.85", |bencher| {
        bencher.iter(|| {
            let mut pairs = 0;
            let mut count = |_: nodupe::core::Pair<'_>| {
                pairs += 1;
                ControlFlow::Continue(())
            };
            index.pairs_within(near, &mut count).unwrap();
            pairs
        });
    });
    // Others every time, or an index would take back the places that it knows.
    let replaced = &ids[..REPLACED];
    let mut seed = 1;
    group.throughput(Throughput::Elements(REPLACED as u64));
    group.bench_function("remove, add, build", |bencher| {
        let others = || {
            seed += 1;
            self::rows(space, REPLACED, seed)
        };
        let replace = |others: Embeddings| {
            index.remove(replaced).unwrap();
            fill(index.as_mut(), replaced, &others);
        };
        bencher.iter_batched(others, replace, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
