//! What selection tells the log.

#![allow(clippy::unwrap_used)] // all of it is tests

mod fakes;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use fakes::{embedding, made, no_device, no_library, registry, selector, similarity};
use nodupe_core::{Device, EmbeddingRegistration, EmbeddingSpace, IndexSpec, Registry};

const GPU: EmbeddingRegistration =
    embedding("gpu-only").with_device(Device::Cuda(0)).with_priority(50).with_probe(no_device);
const LIBRARY: EmbeddingRegistration = embedding("library").with_priority(40).with_probe(no_library);
const PLAIN: EmbeddingRegistration = embedding("plain").with_priority(10);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(registry: &Registry, preference: &str) -> String {
    log_of(|| _ = selector(registry, preference).embedding().unwrap())
}

fn log_of(work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(tracing::Level::TRACE)
        .without_time()
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

// One test, so that no other thread meets the events of this program without a subscriber.
#[test]
fn a_fallback_is_a_warning_and_a_machine_without_the_device_is_not() {
    let (plain, gpu) = (registry(&[PLAIN], &[]), registry(&[GPU, PLAIN], &[]));
    let quiet = logged(&plain, "auto");
    assert!(quiet.trim_start().starts_with("DEBUG") && quiet.lines().count() == 1, "{quiet}");

    let without_device = logged(&gpu, "auto");
    assert!(without_device.trim_start().starts_with("INFO"), "{without_device}");

    for preference in ["gpu-only", "gpu"] {
        let asked_for = logged(&gpu, preference);
        assert!(asked_for.trim_start().starts_with("WARN"), "{asked_for}");
    }

    let repairable = logged(&registry(&[LIBRARY, PLAIN], &[]), "auto");
    assert!(repairable.trim_start().starts_with("WARN"), "{repairable}");
    for part in [
        "kind=embedding",
        "name=\"plain\"",
        "source=call",
        "library: library-not-found: libfake.so.1",
        "(apt install libfake1)",
    ] {
        assert!(repairable.contains(part), "{part} in {repairable}");
    }

    let unmatched = logged(&plain, "gpu");
    assert!(unmatched.trim_start().starts_with("WARN"), "{unmatched}");
    assert!(unmatched.contains("passed_over=\"gpu: no linked backend computes on one\""), "{unmatched}");

    // It would have been next, so that nothing was passed over.
    let behind = logged(&plain, "plain,gpu");
    assert!(behind.trim_start().starts_with("DEBUG") && behind.contains("passed_over=\"\""), "{behind}");

    let registry = registry(&[LIBRARY, PLAIN], &[similarity("exact").with_priority(1)]);
    let space = EmbeddingSpace::cosine("m", 4).unwrap();
    let before = made();
    let checked = log_of(|| {
        let selector = selector(&registry, "auto");
        selector.check_embedding().unwrap();
        selector.check_similarity(&IndexSpec::new(&space)).unwrap();
    });
    assert_eq!((checked.as_str(), made()), ("", before), "a check makes and logs nothing");
}
