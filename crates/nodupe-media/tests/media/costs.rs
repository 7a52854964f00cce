//! Where the time of decoding goes.

use std::time::Duration;

use nodupe_core::InputSpec;
use nodupe_media::{Costs, DecodePool, Decoder, PoolOptions};

use crate::pictures::{encoded, smooth};

const SPEC: InputSpec = InputSpec::rgb(64, 64);

#[test]
fn each_part_of_decoding_a_file_is_counted_and_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, encoded(smooth(700, 500), image::ImageFormat::Png)).unwrap();
    let mut decoder = Decoder::default();
    assert_eq!(decoder.costs(), Costs::default());
    decoder.decode_path(&path, &SPEC, &mut Vec::new()).unwrap();
    let once = decoder.costs();
    assert!([once.read, once.decode, once.resize].iter().all(|part| *part > Duration::ZERO), "{once:?}");
    // Without its pixels a file costs next to nothing.
    decoder.info(&path).unwrap();
    assert_eq!((decoder.costs().decode, decoder.costs().resize), (once.decode, once.resize));
    decoder.decode_path(&path, &SPEC, &mut Vec::new()).unwrap();
    let twice = decoder.costs();
    assert!(twice.read > once.read && twice.decode > once.decode && twice.resize > once.resize, "{once:?} {twice:?}");
    let mut sum = once;
    sum += once;
    assert_eq!((sum.read, sum.decode, sum.resize), (2 * once.read, 2 * once.decode, 2 * once.resize));
}

#[test]
fn a_file_that_breaks_off_costs_the_time_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let bytes = encoded(smooth(700, 500), image::ImageFormat::Png);
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let mut decoder = Decoder::default();
    decoder.decode_path(&path, &SPEC, &mut Vec::new()).unwrap_err();
    let costs = decoder.costs();
    assert!(costs.decode > Duration::ZERO && costs.resize == Duration::ZERO, "{costs:?}");
}

#[test]
fn a_pool_has_the_costs_of_all_its_threads_after_the_last_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, encoded(smooth(700, 500), image::ImageFormat::Png)).unwrap();
    let costs = |threads: usize, files: usize| {
        let options = PoolOptions::default().with_threads(threads);
        let mut decoding = DecodePool::new(options).decode(SPEC, vec![path.clone(); files]);
        assert_eq!(decoding.by_ref().filter(|(_, outcome)| outcome.is_ok()).count(), files);
        decoding.costs()
    };
    assert_eq!(costs(3, 0), Costs::default());
    let (alone, shared) = (costs(1, 30), costs(3, 30));
    // One thread of three would have a third.
    assert!(2 * shared.decode > alone.decode && alone.resize > Duration::ZERO, "{alone:?} {shared:?}");
}
