//! Real photographs, from the folder that `NODUPE_PHOTOS` names.

use std::path::PathBuf;
use std::time::Instant;

use nodupe_core::{Filter, InputSpec};
use nodupe_media::{DecodePool, Decoder, PoolOptions};

fn photographs() -> Option<Vec<PathBuf>> {
    let Some(folder) = std::env::var_os("NODUPE_PHOTOS") else {
        println!("skipped: NODUPE_PHOTOS names no folder of photographs");
        return None;
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        ["jpg", "jpeg"].iter().any(|jpeg| extension.eq_ignore_ascii_case(jpeg))
    });
    paths.sort();
    Some(paths)
}

#[test]
fn every_photograph_is_decoded_and_the_same_alone_and_in_a_pool() {
    let Some(paths) = photographs() else { return };
    let spec = InputSpec::luma(64, 64).with_filter(Filter::Jarosz);
    let pool = DecodePool::new(PoolOptions::default().with_threads(3));
    let mut decoder = Decoder::default();
    let mut seen = 0;
    for (position, outcome) in pool.decode(spec, paths.clone()) {
        let mut alone = Vec::new();
        decoder.decode_path(&paths[position], &spec, &mut alone).unwrap();
        assert_eq!(outcome.unwrap().pixels, alone);
        seen += 1;
    }
    assert_eq!(seen, paths.len());
}

/// `NODUPE_PHOTOS=folder cargo test --release -p nodupe-media -- --ignored --nocapture milliseconds`
#[test]
#[ignore = "a measurement"]
fn milliseconds_an_image() {
    let Some(mut paths) = photographs() else { return };
    paths.truncate(500);
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    let mut measure = |name: &str, work: &mut dyn FnMut(&PathBuf, &mut Vec<u8>)| {
        let best = (0..5)
            .map(|_| {
                let started = Instant::now();
                for path in &paths {
                    out.clear();
                    work(path, &mut out);
                }
                started.elapsed().as_secs_f64()
            })
            .fold(f64::MAX, f64::min);
        println!("{name:28} {:.3}", best * 1e3 / paths.len() as f64);
    };
    measure("read", &mut |path, out| *out = std::fs::read(path).unwrap());
    for spec in [
        InputSpec::luma(64, 64).with_filter(Filter::Jarosz),
        InputSpec::luma(64, 64),
        InputSpec::rgb(256, 256).with_filter(Filter::Box),
        InputSpec::rgb(256, 256),
    ] {
        measure(&format!("{spec} {:?}", spec.filter()), &mut |path, out| {
            decoder.decode_path(path, &spec, out).unwrap();
        });
    }
    let mut digester = Decoder::default();
    measure("pixel digest", &mut |path, _| {
        digester.pixel_digest(path).unwrap();
    });
    let spec = InputSpec::luma(64, 64).with_filter(Filter::Jarosz);
    for threads in [1, 2] {
        let pool = DecodePool::new(PoolOptions::default().with_threads(threads));
        let started = Instant::now();
        let images = (0..5).map(|_| pool.decode(spec, paths.clone()).count()).sum::<usize>();
        println!("{:28} {:.3}", format!("pool of {threads}"), started.elapsed().as_secs_f64() * 1e3 / images as f64);
    }
}
