use nodupe_core::{Device, EmbeddingRegistration, Registry};
use nodupe_select::{Preference, Report};
use proptest::prelude::*;

use crate::fakes::{embedding, no_device, no_library, selector};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn registration() -> impl Strategy<Value = EmbeddingRegistration> {
    let priority = prop::option::weighted(0.8, 0..4i32);
    (prop::sample::select(&NAMES[..]), priority, any::<bool>(), 0..4usize).prop_map(|(name, priority, gpu, probe)| {
        let mut entry = embedding(name);
        entry.priority = priority;
        entry.device = if gpu { Device::Cuda(0) } else { Device::Cpu };
        match probe {
            0 => entry.with_probe(no_device),
            1 => entry.with_probe(no_library),
            _ => entry,
        }
    })
}

/// Registrations of different names, and the same in another order.
fn two_orders() -> impl Strategy<Value = (Vec<EmbeddingRegistration>, Vec<EmbeddingRegistration>)> {
    prop::collection::vec(registration(), 1..12).prop_flat_map(|mut entries| {
        entries.sort_by_key(|entry| entry.name);
        entries.dedup_by_key(|entry| entry.name);
        (Just(entries.clone()), Just(entries).prop_shuffle())
    })
}

fn preference() -> impl Strategy<Value = Preference> {
    let words = prop::sample::subsequence(vec!["a", "b", "c", "gpu"], 0..4).prop_shuffle();
    (words, any::<bool>()).prop_map(|(words, only)| {
        let preference = Preference::prefer(words);
        if only { preference.only() } else { preference }
    })
}

fn answer(entries: &[EmbeddingRegistration], preference: &Preference) -> Result<Report, String> {
    let mut registry = Registry::empty();
    for &entry in entries {
        registry.register(entry).unwrap();
    }
    let chosen = selector(&registry, &preference.to_string()).embedding();
    chosen.map(|selected| selected.report).map_err(|error| error.to_string())
}

proptest! {
    #[test]
    fn the_answer_never_depends_on_the_order_of_registration((one, other) in two_orders(), preference in preference()) {
        let text = |answer: Result<Report, String>| answer.map(|report| report.to_string());
        prop_assert_eq!(text(answer(&one, &preference)), text(answer(&other, &preference)));
    }

    #[test]
    fn what_runs_can_run_and_all_before_it_cannot((entries, _) in two_orders(), preference in preference()) {
        let Ok(report) = answer(&entries, &preference) else { return Ok(()) };
        let works = |name: &str| {
            let entry = entries.iter().find(|entry| entry.name == name).unwrap();
            (entry.probe)(&nodupe_core::Options::new()).is_ok()
        };
        let place = report.attempts.iter().position(|attempt| works(attempt.name)).unwrap();
        prop_assert_eq!(report.selected().unwrap().name, report.attempts[place].name);
        let outcomes: Vec<&str> = report.attempts.iter().map(|attempt| attempt.outcome.name()).collect();
        prop_assert!(outcomes[..place].iter().all(|&outcome| outcome == "unavailable"));
        prop_assert!(outcomes[place + 1..].iter().all(|&outcome| outcome == "not-tried"));
    }
}
