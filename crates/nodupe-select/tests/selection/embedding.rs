use nodupe_core::{Device, EmbeddingRegistration, Options, Registry};
use nodupe_select::{Preference, Report, SelectError};

use crate::fakes::{
    embedding, fake_space, made, no_device, no_library, other_space, panicking_create, panicking_probe,
    refusing_create, registry, selector,
};
use crate::outcomes;

const STRONG: EmbeddingRegistration = embedding("strong").with_priority(30);
const MIDDLE: EmbeddingRegistration = embedding("middle").with_priority(20);
const WEAK: EmbeddingRegistration = embedding("weak").with_priority(10);
const BY_NAME: EmbeddingRegistration = embedding("by-name");

fn all() -> Registry {
    registry(&[BY_NAME, WEAK, STRONG.with_probe(no_library), MIDDLE], &[])
}

fn choose(registry: &Registry, preference: &str) -> Report {
    selector(registry, preference).embedding().unwrap().report
}

#[test]
fn automatic_selection_takes_the_strongest_that_works() {
    let report = choose(&all(), "auto");
    assert_eq!(outcomes(&report), "strong library-not-found, middle selected, weak not-tried");
    assert_eq!(made(), 1);
}

#[test]
fn what_is_preferred_comes_first_and_the_rest_follows_automatically() {
    assert_eq!(outcomes(&choose(&all(), "weak")), "weak selected, strong not-tried, middle not-tried");
    assert_eq!(
        outcomes(&choose(&all(), "strong,by-name")),
        "strong library-not-found, by-name selected, middle not-tried, weak not-tried"
    );
}

#[test]
fn without_a_priority_a_backend_is_taken_by_name_alone() {
    assert_eq!(outcomes(&choose(&all(), "by-name!")), "by-name selected");
    let only = registry(&[BY_NAME], &[]);
    let error = selector(&only, "auto").embedding().unwrap_err();
    assert!(matches!(&error, SelectError::NoCandidate { known, .. } if known == &["by-name"]));
    assert_eq!(error.to_string(), "no embedding backend to try for `auto`; known are by-name");
}

#[test]
fn what_is_required_runs_or_nothing_does() {
    let error = selector(&all(), "strong!").embedding().unwrap_err();
    assert_eq!(outcomes(error.report().unwrap()), "strong library-not-found");
    let registry = registry(&[STRONG.with_probe(no_device), MIDDLE.with_probe(no_library), WEAK], &[]);
    let error = selector(&registry, "strong,middle!").embedding().unwrap_err();
    assert_eq!(outcomes(error.report().unwrap()), "strong no-device, middle library-not-found");
    assert_eq!(made(), 0);
}

#[test]
fn an_error_that_nothing_works_shows_every_attempt() {
    let registry = registry(&[STRONG.with_probe(no_library), { WEAK.with_probe(no_device) }], &[]);
    let text = selector(&registry, "auto").embedding().unwrap_err().to_string();
    for part in [
        "no embedding backend works here",
        "libfake.so.1 is not installed: cannot open shared object file",
        "apt install libfake1",
        "there is no NVIDIA GPU in this machine",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_backend_that_its_create_refuses_gives_way_to_the_next() {
    let refusing =
        EmbeddingRegistration::new("refusing", STRONG.package, fake_space, refusing_create).with_priority(40);
    let report = choose(&registry(&[refusing, WEAK], &[]), "auto");
    assert_eq!(outcomes(&report), "refusing wrong-version, weak selected");
    assert_eq!(report.attempts[0].help(), Some("update it"));
}

#[test]
fn a_panic_in_a_backend_is_a_reason_and_not_the_end() {
    let create = EmbeddingRegistration::new("create", STRONG.package, fake_space, panicking_create).with_priority(50);
    let probe = embedding("probe").with_probe(panicking_probe).with_priority(40);
    let report = choose(&registry(&[create, probe, WEAK], &[]), "auto");
    assert_eq!(outcomes(&report), "create other, probe other, weak selected");
    let detail = |attempt: usize| report.attempts[attempt].detail().unwrap();
    assert_eq!(detail(0), "it panicked: the runtime is of two minds");
    assert_eq!(detail(1), "it panicked: index out of bounds: 7");
}

#[test]
fn a_wish_for_a_gpu_tries_every_gpu_in_automatic_order_and_then_the_rest() {
    let metal = embedding("metal").with_device(Device::Metal(0)).with_priority(5);
    let cuda = embedding("cuda").with_device(Device::Cuda(0)).with_priority(25);
    let unranked = embedding("lab-gpu").with_device(Device::Cuda(0));
    let works = registry(&[metal, cuda.with_probe(no_device), STRONG, WEAK, unranked], &[]);
    let report = choose(&works, "gpu");
    assert_eq!(outcomes(&report), "cuda no-device, metal selected, strong not-tried, weak not-tried");
    assert!(!report.fallback, "a GPU was asked for and a GPU runs");

    let without = registry(&[cuda.with_probe(no_device), STRONG, WEAK], &[]);
    let report = choose(&without, "gpu");
    assert_eq!(outcomes(&report), "cuda no-device, strong selected, weak not-tried");
    assert!(report.fallback);
    let error = selector(&without, "gpu!").embedding().unwrap_err();
    assert_eq!(outcomes(error.report().unwrap()), "cuda no-device");
    let error = selector(&registry(&[WEAK], &[]), "gpu!").embedding().unwrap_err();
    assert!(matches!(error, SelectError::NoCandidate { .. }));
}

#[test]
fn for_an_existing_index_a_fallback_never_changes_the_space() {
    let other = EmbeddingRegistration::new("other", STRONG.package, other_space, STRONG.create).with_priority(99);
    let registry = registry(&[other, STRONG.with_probe(no_device), WEAK], &[]);
    let wanted = fake_space(&nodupe_core::Options::new()).unwrap();
    let choose = |preference| selector(&registry, preference).producing(&wanted).embedding();
    let chosen = choose("auto").unwrap();
    assert_eq!(outcomes(&chosen.report), "other other-space, strong no-device, weak selected");
    assert_eq!(chosen.backend.space(), &wanted);
    assert!(!chosen.report.fallback, "one of another space was never a candidate");
    assert!(choose("other").unwrap().report.fallback, "but it was asked for");
    assert!(choose("other!").is_err());
}

#[test]
fn a_backend_that_promises_one_space_and_has_another_is_refused() {
    let liar = EmbeddingRegistration::new("liar", STRONG.package, other_space, STRONG.create).with_priority(99);
    let registry = registry(&[liar], &[]);
    let wanted = other_space(&nodupe_core::Options::new()).unwrap();
    let error = selector(&registry, "auto").producing(&wanted).embedding().unwrap_err();
    assert_eq!(outcomes(error.report().unwrap()), "liar other-space");
}

#[test]
fn a_name_that_stands_twice_is_tried_once() {
    let preference = Preference::prefer(["strong", "strong", "weak"]).to_string();
    assert_eq!(outcomes(&choose(&all(), &preference)), "strong library-not-found, weak selected, middle not-tried");
}

#[test]
fn the_report_says_where_the_chosen_one_computes() {
    let report = choose(&all(), "auto");
    let devices: Vec<Device> = report.attempts.iter().map(|attempt| attempt.device).collect();
    assert_eq!(devices, [Device::Cpu, Device::Cuda(1), Device::Cpu]);
}

#[test]
fn where_a_model_is_named_nothing_runs_that_runs_no_models() {
    let with_model = |registry: &Registry, preference: &str| {
        selector(registry, preference).with_options(Options::new().with_model("toy")).embedding()
    };
    let runs = registry(&[STRONG, MIDDLE.with_models()], &[]);
    assert_eq!(outcomes(&with_model(&runs, "auto").unwrap().report), "strong options, middle selected");
    let cannot = registry(&[STRONG, MIDDLE.with_models().with_probe(no_library)], &[]);
    let error = with_model(&cannot, "auto").unwrap_err();
    assert_eq!(outcomes(error.report().unwrap()), "strong options, middle library-not-found");
    assert!(error.to_string().contains("it runs no models, and the model toy is asked for"), "{error}");
    assert!(with_model(&cannot, "strong!").is_err());
}
