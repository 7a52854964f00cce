//! The suite that every embedding backend passes: on a toy, and on the models that this machine has.

mod toy;

use nodupe_conformance::{embedding, provided};
use nodupe_core::{Options, Registry};
use nodupe_tract_cpu::REGISTRATION;
use prost::Message;

use toy::{DIM, F32, U8, install};

#[test]
fn the_backend_keeps_its_promises_on_bytes_and_on_floats() {
    let models = [
        install(&toy::toy().encode_to_vec(), U8, DIM, "f16"),
        install(&toy::planes().encode_to_vec(), F32, 192, "f32"),
    ];
    for model in models {
        embedding(REGISTRATION).with_options(model.options()).run().unwrap();
    }
}

#[test]
fn the_backend_keeps_its_promises_on_the_models_of_the_catalogue() {
    for model in ["sscd-distilled", "efficientnet-lite0"] {
        let options = Options::new().with_model(model);
        if provided((REGISTRATION.probe)(&options), "run `cargo xtask setup`").is_some() {
            embedding(REGISTRATION).with_options(options).run().unwrap();
        }
    }
}

#[test]
fn it_is_registered_as_a_backend_that_runs_models() {
    let registry = Registry::linked();
    let entry = registry.embeddings().iter().find(|entry| entry.name == "tract-cpu").unwrap();
    assert_eq!((entry.priority, entry.runs_models), (Some(60), true));
}
