//! Many files at once.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nodupe_core::InputSpec;
use nodupe_media::{DecodePool, PoolOptions, decode};

use crate::pictures::{encoded, one_of_each, smooth};

const SPEC: InputSpec = InputSpec::rgb(16, 16);

/// A folder of good and bad files, and their paths.
fn folder() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for side in [5, 40, 333] {
        for (name, bytes) in one_of_each(&smooth(side, side / 2)) {
            let path = folder.path().join(format!("{side}.{name}"));
            fs::write(&path, &bytes[..]).unwrap();
            paths.push(path);
            let path = folder.path().join(format!("{side}-half.{name}"));
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            paths.push(path);
        }
    }
    paths.push(folder.path().join("gone.png"));
    paths.push(folder.path().to_path_buf());
    (folder, paths)
}

#[test]
fn every_path_has_exactly_one_outcome_and_the_one_it_has_alone() {
    let (_folder, paths) = folder();
    let many: Vec<PathBuf> = paths.iter().cycle().take(paths.len() * 4).cloned().collect();
    for (threads, budget) in [(1, 1 << 30), (4, 1 << 30), (4, 1), (3, 3 << 20), (0, 1 << 30), (usize::MAX, 1 << 30)] {
        let pool = DecodePool::new(PoolOptions::default().with_threads(threads).with_memory_budget(budget));
        let outcomes: Vec<_> = pool.decode(SPEC, many.clone()).collect();
        assert_eq!(outcomes.len(), many.len());
        let outcomes: HashMap<_, _> = outcomes.into_iter().collect();
        for (position, path) in many.iter().enumerate() {
            match (&outcomes[&position], decode(path, &SPEC)) {
                (Ok(image), Ok(alone)) => assert_eq!(*image, alone),
                (Err(error), Err(alone)) => {
                    assert_eq!(
                        (error.kind(), error.path(), error.to_string()),
                        (alone.kind(), &**path, alone.to_string())
                    );
                }
                (outcome, alone) => panic!("{outcome:?} in the pool, {alone:?} alone"),
            }
        }
    }
}

#[test]
fn no_paths_have_no_outcomes() {
    let mut outcomes = DecodePool::new(PoolOptions::default()).decode(SPEC, []);
    assert!(outcomes.next().is_none() && outcomes.next().is_none());
}

#[test]
fn paths_are_drawn_as_they_are_needed_and_dropping_ends_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, encoded(smooth(30, 30), image::ImageFormat::Png)).unwrap();
    let drawn = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&drawn);
    let endless = std::iter::repeat_with(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        path.clone()
    });
    let spec = InputSpec::rgb(512, 512);
    let mut outcomes = DecodePool::new(PoolOptions::default().with_threads(2)).decode(spec, endless);
    assert_eq!(outcomes.by_ref().take(10).filter(|(_, outcome)| outcome.is_ok()).count(), 10);
    // What waits to be taken is bounded, and the threads wait with it.
    let settled = settle(&drawn);
    assert!(settled < 10 + 21 + 2 * 2, "{settled} images in flight");
    drop(outcomes);
    let after = settle(&drawn);
    assert!(after <= settled + 2);
    // Each thread owned the iterator, and with it the counter.
    let deadline = Instant::now() + Duration::from_secs(20);
    while Arc::strong_count(&drawn) > 1 {
        assert!(Instant::now() < deadline, "the threads are still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn settle(counter: &AtomicUsize) -> usize {
    let mut last = counter.load(Ordering::SeqCst);
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = counter.load(Ordering::SeqCst);
        if now == last {
            return now;
        }
        last = now;
    }
}
