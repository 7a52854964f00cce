//! Who the backend says it is, and what it says its vectors mean.

use nodupe_core::Metric;

use super::subject::Subject;
use crate::identity;
use crate::report::{Check, Seen, Verdict, ensure, failed};

pub(super) const CHECKS: &[Check<Subject>] = &[
    Check {
        name: "name",
        promise: "the backend and its registration have one name, package and device, the name in lower case",
        run: name,
    },
    Check {
        name: "options",
        promise: "an option's key begins with the backend's name, and a wrong value is refused with the reason `options`",
        run: options,
    },
    Check { name: "probe", promise: "`probe` says no only where `create` refuses", run: probe },
    Check {
        name: "space",
        promise: "the registration tells the space before anything is loaded, and it is that of the backend",
        run: space,
    },
    Check {
        name: "threshold",
        promise: "a default threshold is a similarity that two images of the space can have",
        run: threshold,
    },
];

fn name(subject: &Subject) -> Seen {
    let (backend, registration) = (&subject.backend, &subject.registration);
    let told = subject.options.device().is_some();
    identity::check_name((registration.name, registration.package, registration.device), backend.info(), told)?;
    ensure!(
        backend.to_string() == format!("{}(dim={})", registration.name, backend.space().dim()),
        "it is shown as `{backend}`, and its dim is {}",
        backend.space().dim()
    );
    Ok(Verdict::Kept)
}

fn options(subject: &Subject) -> Seen {
    identity::check_options(subject.registration.name, subject.registration.options, |option, value| {
        let options = subject.options.clone().with(option.key, value);
        (subject.registration.create)(&options).map(drop)
    })
}

fn probe(subject: &Subject) -> Seen {
    let probed = (subject.registration.probe)(&subject.options);
    probed.map_err(failed("the backend is made, and its probe"))?;
    Ok(Verdict::Kept)
}

fn space(subject: &Subject) -> Seen {
    let told = (subject.registration.space)(&subject.options).map_err(failed("space"))?;
    let own = subject.backend.space();
    ensure!(told == *own, "the registration says {told}, and the backend {own}");
    let embedded = subject.embed(&subject.scenes(1))?;
    let given = embedded.embeddings().space();
    ensure!(given == own, "its space is {own}, and its embeddings are of {given}");
    ensure!(subject.backend.dim() == own.dim(), "its dim is {}, of {own}", subject.backend.dim());
    Ok(Verdict::Kept)
}

fn threshold(subject: &Subject) -> Seen {
    let Some(threshold) = subject.backend.matching().default_threshold else {
        return Ok(Verdict::Kept);
    };
    let least = if subject.backend.space().metric() == Metric::Cosine { -1.0 } else { 0.0 };
    ensure!((least..=1.0).contains(&threshold), "{threshold} is no similarity from {least} to 1");
    Ok(Verdict::Kept)
}
