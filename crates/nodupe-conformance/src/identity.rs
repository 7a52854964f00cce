//! What registrations of both kinds promise: names and options.

use nodupe_core::{BackendInfo, Device, OptionKind, OptionSpec, Package, Reason, Unavailable};

use crate::report::{Seen, Verdict, ensure, guard};

/// The registration's name, package and device are those of the backend that it makes. `told`: the device was named in
/// the options, so that the registration's own says nothing.
pub(crate) fn check_name(
    (name, package, device): (&str, Package, Device),
    info: &BackendInfo,
    told: bool,
) -> Result<(), String> {
    ensure!(info.name == name, "it is registered as `{name}` and calls itself `{}`", info.name);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(!name.is_empty() && name.chars().all(plain), "`{name}` is not lower-case letters, digits and `-`");
    ensure!(info.package == package, "it is registered by {package:?} and says it is of {:?}", info.package);
    ensure!(told || info.device == device, "it is registered for {device} and runs on {}", info.device);
    Ok(())
}

/// Every key begins with the backend's name, and `create` refuses the values that the option may not have.
pub(crate) fn check_options(
    name: &str,
    options: &[OptionSpec],
    create: impl Fn(&OptionSpec, String) -> Result<(), Unavailable>,
) -> Seen {
    for option in options {
        let key = option.key;
        let own = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
        ensure!(own.is_some_and(|rest| !rest.is_empty()), "the key `{key}` does not begin with `{name}.`");
        ensure!(options.iter().filter(|other| other.key == key).count() == 1, "the key `{key}` is declared twice");
        for value in wrong_values(option) {
            match guard(|| create(option, value.clone()))? {
                Err(why) if why.reason == Reason::Options => {}
                Err(why) => {
                    return Err(format!("`{key}={value}` is refused with the reason `{}`: {why}", why.reason));
                }
                Ok(()) => return Err(format!("`{key}={value}` is taken, and the option does not allow it")),
            }
        }
    }
    Ok(Verdict::Kept)
}

/// Values that an option may not have; none where it is any text.
fn wrong_values(option: &OptionSpec) -> Vec<String> {
    let mut values = match option.kind {
        OptionKind::Text => return Vec::new(),
        OptionKind::Integer { min, max } => vec![
            min.checked_sub(1).map_or_else(|| "-1".to_owned(), |below| below.to_string()),
            (u128::from(max) + 1).to_string(),
            "1.5".to_owned(),
        ],
        OptionKind::Number { max, .. } => vec!["NaN".to_owned(), "inf".to_owned(), (max * 2.0 + 1.0).to_string()],
        _ => Vec::new(),
    };
    values.extend(["", "no such value"].map(str::to_owned));
    values.retain(|value| option.check(value).is_err());
    values
}
