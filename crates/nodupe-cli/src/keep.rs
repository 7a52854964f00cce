//! Which file of a group to keep, and why: what is asked for, and what people and programs are told.

use std::borrow::Cow;

use clap::Args as ClapArgs;
use clap::builder::{OsStringValueParser, TypedValueParser};
use indicatif::HumanBytes;
use nodupe::dedup::{Group, KeepRule, KeepRules, KeepValue, Lost};
use serde::Serialize;
use serde_json::{Value, json};

use crate::list::Print;
use crate::path::{JsonPath, shown};
use crate::text::count;

/// What is kept, and which paths are listed.
#[derive(Debug, ClapArgs)]
pub(crate) struct KeepArgs {
    /// Which file of a group to keep: rules (see below), the first that tells two files apart decides. The default rules follow those
    /// that are given [default: longest,resolution,format,quality,size,oldest,shortest-name].
    #[arg(long, value_name = "RULE,…", value_parser = parser())]
    keep: Option<KeepRules>,
    /// Print nothing but paths, one a line: those of the duplicates that could go, or those to keep.
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["json", "timings"])]
    pub(crate) print: Option<Print>,
    /// End each path of --print with a NUL instead of a line break, for xargs -0.
    #[arg(short = '0', long, requires = "print")]
    pub(crate) null: bool,
}

impl KeepArgs {
    /// What is wished, and behind it the default.
    pub(crate) fn rules(&self) -> KeepRules {
        self.keep.as_ref().map_or_else(KeepRules::default, |given| given.clone().followed_by(KeepRules::default()))
    }
}

/// Rules, whose paths need not be UTF-8. A folder that is not there would be preferred in vain.
fn parser() -> impl TypedValueParser<Value = KeepRules> {
    OsStringValueParser::new().try_map(|text| -> Result<KeepRules, Box<dyn std::error::Error + Send + Sync>> {
        let rules = KeepRules::parse(&text)?;
        match rules.rules().iter().find(|rule| rule.path().is_some_and(|path| !path.exists())) {
            Some(missing) => Err(format!("there is no such path: {missing}").into()),
            None => Ok(rules),
        }
    })
}

/// The rules, one a line.
pub(crate) fn help() -> String {
    let rules = KeepRule::ALL.map(|(name, keeps)| format!("  {name:<13}  {keeps}\n"));
    format!("Rules of --keep:\n{}A comma that belongs to a path is written twice.", rules.concat())
}

/// Which file is kept and why in a line: each rule that decided, with what it saw in the first file that lost by it.
pub(crate) fn line(group: &Group, names: &[Cow<'_, str>]) -> String {
    let name = |place: usize| names.get(place).map_or("", AsRef::as_ref);
    let mut reasons: Vec<(&Lost, usize)> = Vec::new();
    for lost in &group.keep.over {
        match reasons.iter_mut().find(|(other, _)| other.rule == lost.rule) {
            Some((_, files)) => *files += 1,
            None => reasons.push((lost, 1)),
        }
    }
    let reason = |(lost, files): (&Lost, usize)| {
        let of = if lost.to == group.keep.file { String::new() } else { format!(" of {}", name(lost.to)) };
        let files = if files > 1 { format!(", {}", count(files, "file", "files")) } else { String::new() };
        let by = format!("({}{files})", rule_text(&lost.rule));
        match values_text(lost) {
            Some([better, worse]) => format!("{better}{of} against {worse} {by}"),
            None => format!("better{of} {by}"),
        }
    };
    let reasons: Vec<String> = reasons.into_iter().map(reason).collect();
    format!("keeps {}: {}", name(group.keep.file), reasons.join("; "))
}

fn rule_text(rule: &KeepRule) -> String {
    rule.path().map_or_else(|| rule.to_string(), |path| format!("{}:{}", rule.name(), shown(path)))
}

/// What the rule saw in the better and the worse file; `None` where the rule says all.
fn values_text(lost: &Lost) -> Option<[String; 2]> {
    let values = [&lost.better, &lost.worse];
    match values {
        [KeepValue::Inside(_) | KeepValue::Place(_), _] => None,
        [KeepValue::Bytes(better), KeepValue::Bytes(worse)] => {
            let [short, exact] =
                [[*better, *worse].map(|bytes| HumanBytes(bytes).to_string()), values.map(ToString::to_string)];
            Some(if short[0] == short[1] { exact } else { short })
        }
        [KeepValue::Modified(_), _] => {
            let exact = values.map(ToString::to_string);
            let short = exact
                .each_ref()
                .map(|time| time.split_once('.').map_or_else(|| time.clone(), |(time, _)| format!("{time}Z")));
            Some(if short[0] == short[1] { exact } else { short })
        }
        _ => Some(values.map(ToString::to_string)),
    }
}

/// A rule: its name, and the path of one that has one.
#[derive(Serialize)]
pub(crate) struct RuleJson<'a> {
    rule: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<JsonPath<'a>>,
}

fn rule(rule: &KeepRule) -> RuleJson<'_> {
    RuleJson { rule: rule.name(), path: rule.path().map(JsonPath) }
}

pub(crate) fn rules(rules: &KeepRules) -> Vec<RuleJson<'_>> {
    rules.rules().iter().map(rule).collect()
}

/// `file` and those in `over` are places in `paths`.
#[derive(Serialize)]
pub(crate) struct KeepJson<'a> {
    file: usize,
    over: Vec<LostJson<'a>>,
}

#[derive(Serialize)]
struct LostJson<'a> {
    file: usize,
    #[serde(flatten)]
    rule: RuleJson<'a>,
    to: usize,
    better: Value,
    worse: Value,
}

pub(crate) fn keep(group: &Group) -> KeepJson<'_> {
    let over = group.keep.over.iter().map(|lost| LostJson {
        file: lost.file,
        rule: rule(&lost.rule),
        to: lost.to,
        better: value(&lost.better),
        worse: value(&lost.worse),
    });
    KeepJson { file: group.keep.file, over: over.collect() }
}

fn value(value: &KeepValue) -> Value {
    match value {
        KeepValue::Quality(quality) => json!(quality),
        KeepValue::Bytes(bytes) => json!(bytes),
        KeepValue::Inside(is_inside) => json!(is_inside),
        KeepValue::Folders(count) | KeepValue::NameLength(count) | KeepValue::Place(count) => json!(count),
        value => json!(value.to_string()),
    }
}
