use std::error::Error as _;

use nodupe_core::{Device, EmbeddingRegistration, OptionSpec, Options, Reason, Unavailable};
use nodupe_select::{Choice, Environment, Report, Selector};

use crate::fakes::{embedding, no_device, no_library, registry, selector};

const BINS: &[OptionSpec] = &[OptionSpec::integer("histogram.bins", 1, 256, "bins a channel")];
const CUDA: EmbeddingRegistration =
    embedding("ort-cuda").with_device(Device::Cuda(0)).with_priority(90).with_probe(no_device);
const CANDLE: EmbeddingRegistration = embedding("candle").with_priority(30).with_probe(no_library);
const PERCEPTUAL: EmbeddingRegistration = embedding("perceptual").with_priority(20);
const HISTOGRAM: EmbeddingRegistration = embedding("histogram").with_priority(10).with_options(BINS);

fn report(preference: &'static str) -> Report {
    let registry = registry(&[HISTOGRAM, PERCEPTUAL, CANDLE, CUDA], &[]);
    let environment = Environment::from_lookup(|_| Some(preference.into()));
    let selector = Selector::new(&registry).with_environment(environment);
    let selector = selector.with_options(Options::new().with("histogram.bins", "8"));
    selector.embedding().unwrap().report
}

#[test]
fn a_report_prints_as_a_table() {
    let expected = "\
embedding backend: perceptual, a fallback; asked for: ort-cuda,candle (from NODUPE_EMBEDDING)
  backend     package             device  outcome
  ort-cuda    nodupe-fakes 1.2.0  cuda:0  unavailable  no-device: there is no NVIDIA GPU in this machine
  candle      nodupe-fakes 1.2.0  cpu     unavailable  library-not-found: libfake.so.1 is not installed: cannot open shared object file
                                                       help: apt install libfake1
  perceptual  nodupe-fakes 1.2.0  cuda:1  selected
  histogram   nodupe-fakes 1.2.0  cpu     not tried
unused options: histogram.bins";
    assert_eq!(report("ort-cuda,candle").to_string(), expected);
}

#[cfg(feature = "serde")]
#[test]
fn a_report_serialises_under_names_that_stay() {
    let package = serde_json::json!({"name": "nodupe-fakes", "version": "1.2.0"});
    let attempt = |name, device, outcome, reason: Option<&str>, detail: Option<&str>, help: Option<&str>| {
        serde_json::json!({
            "name": name, "package": package, "device": device,
            "outcome": outcome, "reason": reason, "detail": detail, "help": help, "suitability": "good", "because": null,
        })
    };
    let expected = serde_json::json!({
        "kind": "embedding",
        "name": "perceptual",
        "preference": "gpu,candle",
        "source": "NODUPE_EMBEDDING",
        "fallback": true,
        "attempts": [
            attempt("ort-cuda", "cuda:0", "unavailable", Some("no-device"), Some("there is no NVIDIA GPU in this machine"), None),
            attempt(
                "candle", "cpu", "unavailable", Some("library-not-found"),
                Some("libfake.so.1 is not installed: cannot open shared object file"), Some("apt install libfake1"),
            ),
            attempt("perceptual", "cuda:1", "selected", None, None, None),
            attempt("histogram", "cpu", "not-tried", None, None, None),
        ],
        "unmatched": [],
        "unused_options": ["histogram.bins"],
    });
    assert_eq!(serde_json::to_value(report("gpu,candle")).unwrap(), expected);
}

#[test]
fn a_choice_that_stands_for_no_backend_has_a_line() {
    let processors = registry(&[PERCEPTUAL, HISTOGRAM], &[]);
    let report = |preference: &str| selector(&processors, preference).embedding().unwrap().report;
    for (preference, fallback) in [("gpu", true), ("gpu,perceptual,gpu", true), ("perceptual,gpu", false)] {
        let report = report(preference);
        assert_eq!((report.unmatched.as_slice(), report.fallback), (&[Choice::Gpu][..], fallback), "{preference}");
        let text = report.to_string();
        assert!(text.ends_with("\nunmatched: gpu (no linked backend computes on one)"), "{text}");
        #[cfg(feature = "serde")]
        assert_eq!(serde_json::to_value(&report).unwrap()["unmatched"], serde_json::json!(["gpu"]));
    }
    assert_eq!(report("histogram").unmatched, []);

    // What an earlier choice has taken already is not missing.
    let device = registry(&[CUDA, PERCEPTUAL], &[]);
    assert_eq!(selector(&device, "ort-cuda,gpu").embedding().unwrap().report.unmatched, []);
}

#[cfg(feature = "serde")]
#[test]
fn a_preference_is_text_in_files() {
    use nodupe_select::Preference;
    let read: Preference = serde_json::from_str("\"faiss!\"").unwrap();
    assert_eq!(read, Preference::require("faiss"));
    assert_eq!(serde_json::to_string(&read).unwrap(), "\"faiss!\"");
    assert!(serde_json::from_str::<Preference>("\"a,,b\"").is_err());
}

#[test]
fn the_error_itself_stays_in_the_report() {
    let report = report("candle");
    let (attempt, why) = report.unavailable().next().unwrap();
    assert_eq!((attempt.name, why.reason), ("candle", Reason::LibraryNotFound));
    let source = why.source().unwrap();
    assert!(source.downcast_ref::<std::io::Error>().is_some(), "{source}");
}

#[test]
fn a_source_that_is_quoted_already_is_not_said_twice() {
    let create = |_: &Options| {
        let source = std::io::Error::other("exit 7");
        Err(Unavailable::new(Reason::Other, "the tool failed with exit 7").with_source(source))
    };
    let quoting = EmbeddingRegistration::new("quoting", CUDA.package, CUDA.space, create).with_priority(99);
    let registry = registry(&[quoting, PERCEPTUAL], &[]);
    let selector = Selector::new(&registry).with_environment(Environment::empty());
    let report = selector.embedding().unwrap().report;
    assert_eq!(report.attempts[0].detail().unwrap(), "the tool failed with exit 7");
}
