//! Pixels to vectors, every embedding backend that runs here: `cargo bench -p nodupe-benches --bench embed`
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nodupe::core::Channels;
use nodupe::{EmbeddingBackend, ImageBatch, Options, Registry, View};
use nodupe_benches::photograph;

const IMAGES: u64 = 64;

fn embed(c: &mut Criterion) {
    let registry = Registry::linked();
    for registration in registry.embeddings() {
        let Ok(backend) = (registration.create)(&Options::new()) else { continue };
        bench(c, backend.as_ref());
    }
}

fn bench(c: &mut Criterion, backend: &dyn EmbeddingBackend) {
    let spec = *backend.input_spec();
    let rgb = (0..IMAGES).flat_map(|seed| photograph(seed, spec.width(), spec.height()));
    let pixels: Vec<u8> = match spec.channels() {
        Channels::Luma => rgb.step_by(3).collect(),
        _ => rgb.collect(),
    };
    let batch = ImageBatch::for_spec(&spec, &pixels).unwrap();
    let mut group = c.benchmark_group(format!("embed/{}", backend.info().name));
    group.throughput(Throughput::Elements(IMAGES)).sample_size(20);
    group.bench_function("one view", |bencher| bencher.iter(|| backend.embed(&batch).unwrap()));
    group.bench_function("eight views", |bencher| {
        bencher.iter(|| backend.embed_views(&batch, &View::ORIENTATIONS).unwrap());
    });
    group.finish();
}

criterion_group!(benches, embed);
criterion_main!(benches);
