use nodupe_core::{Device, EmbeddingRegistration, EmbeddingSpace, IndexSpec, OptionSpec, Options, Reason, Registry};
use nodupe_select::{BackendKind, BackendStatus, StatusTable, survey, survey_similarities};

use crate::fakes::{embedding, made, no_device, panicking_probe, registry, similarity};

const BINS: &[OptionSpec] = &[OptionSpec::integer("histogram.bins", 1, 256, "bins a channel")];

fn bits(_: &Options) -> Result<EmbeddingSpace, nodupe_core::Unavailable> {
    Ok(EmbeddingSpace::hamming("hash", 64).unwrap())
}

fn all() -> Registry {
    let hash = EmbeddingRegistration::new("hash", crate::fakes::PACKAGE, bits, crate::fakes::create_embedding);
    let embeddings = [
        embedding("cuda").with_priority(9).with_device(Device::Cuda(0)).with_probe(no_device),
        hash.with_priority(8),
        embedding("histogram").with_priority(7).with_options(BINS),
        embedding("broken").with_probe(panicking_probe),
    ];
    let similarities =
        [similarity("graph").with_priority(9), similarity("exact").with_priority(5).with_supports(|_| true)];
    registry(&embeddings, &similarities)
}

fn find(statuses: &[BackendStatus], name: &str) -> BackendStatus {
    statuses.iter().find(|status| status.name == name).unwrap().clone()
}

#[test]
fn a_survey_says_what_would_work_and_makes_nothing() {
    let statuses = survey(&all(), &Options::new());
    let names: Vec<&str> = statuses.iter().map(|status| status.name).collect();
    assert_eq!(names, ["cuda", "hash", "histogram", "broken", "graph", "exact"]);
    assert_eq!(find(&statuses, "cuda").reason(), Some(Reason::NoDevice));
    assert_eq!(find(&statuses, "broken").detail().unwrap(), "it panicked: index out of bounds: 7");
    assert!(find(&statuses, "histogram").is_available());
    assert_eq!(find(&statuses, "histogram").options, BINS);
    assert_eq!(find(&statuses, "exact").kind, BackendKind::Similarity);
    assert_eq!(made(), 0);
}

#[test]
fn similarity_backends_are_asked_about_the_space_that_automatic_selection_gives() {
    let automatic = |statuses: Vec<BackendStatus>| -> Vec<&str> {
        let marked = statuses.into_iter().filter(|status| status.automatic);
        marked.map(|status| status.name).collect()
    };
    assert_eq!(automatic(survey(&all(), &Options::new())), ["hash", "exact"]);
    let floats = EmbeddingSpace::cosine("m", 512).unwrap();
    let statuses = survey_similarities(&all(), &Options::new(), &IndexSpec::new(&floats));
    assert_eq!(automatic(statuses), ["graph"]);
    let without = registry(&[], &[similarity("graph").with_priority(9)]);
    assert_eq!(automatic(survey(&without, &Options::new())), ["graph"]);
}

#[test]
fn a_survey_prints_as_a_table() {
    let expected = "
     kind        backend    package             device  priority  status
     embedding   cuda       nodupe-fakes 1.2.0  cuda:0  9         no-device: there is no NVIDIA GPU in this machine
  *  embedding   hash       nodupe-fakes 1.2.0  cpu     8         available
     embedding   histogram  nodupe-fakes 1.2.0  cpu     7         available
     embedding   broken     nodupe-fakes 1.2.0  cpu     by name   other: it panicked: index out of bounds: 7
                                                                  help: this is a mistake of nodupe-fakes 1.2.0: report it there
     similarity  graph      nodupe-fakes 1.2.0  cpu     9         unsupported-space: it cannot hold vectors of the space hash@1 hamming bitx64
  *  similarity  exact      nodupe-fakes 1.2.0  cpu     5         available";
    let table = StatusTable(&survey(&all(), &Options::new())).to_string();
    assert_eq!(format!("\n{table}"), expected);
}

#[cfg(feature = "serde")]
#[test]
fn a_survey_serialises_under_names_that_stay() {
    let statuses = survey(&all(), &Options::new());
    assert_eq!(
        serde_json::to_value(find(&statuses, "cuda")).unwrap(),
        serde_json::json!({
            "kind": "embedding", "name": "cuda", "package": {"name": "nodupe-fakes", "version": "1.2.0"},
            "device": "cuda:0", "priority": 9, "available": false, "reason": "no-device",
            "detail": "there is no NVIDIA GPU in this machine", "help": null, "automatic": false, "options": [],
            "suitability": "good", "because": null,
        })
    );
    let histogram = serde_json::to_value(find(&statuses, "histogram")).unwrap();
    assert_eq!(histogram["options"], serde_json::json!([{"key": "histogram.bins", "help": "bins a channel"}]));
}
