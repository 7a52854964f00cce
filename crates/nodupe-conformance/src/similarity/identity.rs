//! Who the backend says it is, and what it says it can hold.

use nodupe_core::{EmbeddingSpace, IndexSpec, Reason};

use super::subject::Subject;
use super::{Entry, Scope, own_spaces};
use crate::identity;
use crate::report::{Check, Seen, Verdict, ensure, failed, guard};

pub(super) const CHECKS: &[Entry] = &[
    (
        Scope::Once,
        Check {
            name: "name",
            promise: "the backend and its registration have one name, package and device, the name in lower case",
            run: name,
        },
    ),
    (
        Scope::Once,
        Check {
            name: "options",
            promise: "an option's key begins with the backend's name, and a wrong value is refused with the reason `options`",
            run: options,
        },
    ),
    (
        Scope::Space,
        Check {
            name: "probe",
            promise: "where `probe` says yes, `create` makes an empty index of the space",
            run: probe,
        },
    ),
    (
        Scope::Once,
        Check {
            name: "supports",
            promise: "a space that `supports` says no to is refused with the reason `unsupported-space`",
            run: supports,
        },
    ),
];

fn name(subject: &Subject) -> Seen {
    let index = subject.create()?;
    let registration = &subject.registration;
    let told = subject.options.device().is_some();
    identity::check_name((registration.name, registration.package, registration.device), index.info(), told)?;
    ensure!(
        index.to_string() == format!("{}(dim={})", registration.name, index.dim())
            && index.dim() == subject.space().dim(),
        "it is shown as `{index}`"
    );
    Ok(Verdict::Kept)
}

fn options(subject: &Subject) -> Seen {
    let spec = IndexSpec::new(subject.space());
    identity::check_options(subject.registration.name, subject.registration.options, |option, value| {
        let options = subject.options.clone().with(option.key, value);
        (subject.registration.create)(&spec, &options).map(drop)
    })
}

fn probe(subject: &Subject) -> Seen {
    let spec = IndexSpec::new(subject.space());
    (subject.registration.probe)(&spec, &subject.options).map_err(failed("probe"))?;
    let index = subject.create()?;
    ensure!(index.space() == subject.space(), "its space is {}", index.space());
    ensure!(index.len().map_err(failed("len"))? == 0, "it is not empty");
    Ok(Verdict::Kept)
}

fn supports(subject: &Subject) -> Seen {
    let registration = &subject.registration;
    let wide = EmbeddingSpace::cosine("conformance", EmbeddingSpace::MAX_DIM).ok();
    for space in own_spaces().chain(wide) {
        if guard(|| (registration.supports)(&space))? {
            continue;
        }
        match guard(|| (registration.create)(&IndexSpec::new(&space), &subject.options))? {
            Err(why) if why.reason == Reason::UnsupportedSpace => {}
            Err(why) => return Err(format!("{space} is refused with the reason `{}`: {why}", why.reason)),
            Ok(_) => return Err(format!("`supports` says no to {space}, and `create` makes an index of it")),
        }
    }
    Ok(Verdict::Kept)
}
