//! Files to pixels: `cargo bench -p nodupe-benches --bench decode`
//!
//! `NODUPE_PHOTOS` names a folder of photographs to decode instead of generated ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]
#![allow(missing_docs)]

use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nodupe::InputSpec;
use nodupe::core::Filter;
use nodupe::media::{DecodeOptions, Decoder};
use nodupe_benches::photograph;

/// JPEG files of 500 × 375 pixels in memory.
fn files() -> Vec<Vec<u8>> {
    if let Some(folder) = std::env::var_os("NODUPE_PHOTOS") {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        return paths.iter().take(64).map(|path| std::fs::read(path).unwrap()).collect();
    }
    let encode = |seed| {
        let mut file = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 90);
        let image = image::RgbImage::from_raw(500, 375, photograph(seed, 500, 375)).unwrap();
        image.write_with_encoder(encoder).unwrap();
        file
    };
    (0..16).map(encode).collect()
}

fn decode(c: &mut Criterion) {
    let files = files();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(files.len() as u64)).sample_size(20);
    let specs = [
        ("luma-64-jarosz", InputSpec::luma(64, 64).with_filter(Filter::Jarosz)),
        ("rgb-256-box", InputSpec::rgb(256, 256).with_filter(Filter::Box)),
        ("rgb-160-triangle", InputSpec::rgb(160, 160)),
    ];
    for (name, spec) in specs {
        let mut decoder = Decoder::new(DecodeOptions::default());
        let mut pixels = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for file in &files {
                    pixels.clear();
                    // A photograph that does not decode is measured as well.
                    let _ = decoder.decode_bytes("photograph", file, &spec, &mut pixels);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
