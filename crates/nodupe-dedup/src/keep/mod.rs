//! Which file of a group to keep.

mod list;
mod rule;
mod value;

pub use list::KeepRules;
pub use rule::{KeepRule, UnknownKeepRule};
pub use value::KeepValue;

use crate::report::Member;

/// Which file of a group is kept, and why none of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// The file to keep, by its place in [`Group::files`](crate::Group::files).
    pub file: usize,
    /// The other ones, each once, in the order of the group.
    pub over: Vec<Lost>,
}

/// Why a file is not the one to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The file, by its place in [`Group::files`](crate::Group::files).
    pub file: usize,
    /// What decided.
    pub rule: KeepRule,
    /// The file that is better by this rule, likewise. It is the one to keep, except where nothing is known of that by this rule.
    pub to: usize,
    /// What the rule sees in the better file.
    pub better: KeepValue,
    /// What it sees in this one.
    pub worse: KeepValue,
}

impl KeepRules {
    /// The file to keep among those of a group, and why.
    ///
    /// The rules are asked one after the other about the files that are left: those that are known to be worse than another one of them
    /// go, until one file is left. Of two files of which every rule knows something, this keeps the one that is better by the first rule that
    /// tells them apart. A file of which a rule knows nothing neither wins nor loses by it.
    ///
    /// Modification times and quantisation tables are read only where their rule is reached; a file that is gone by then is one of which
    /// nothing is known.
    pub fn choose(&self, files: &[Member]) -> Keep {
        let mut left: Vec<usize> = (0..files.len()).collect();
        let mut rounds = Vec::new();
        for rule in self.rules().iter().chain([&KeepRule::First]) {
            if left.len() < 2 {
                break;
            }
            let judge = rule.judge();
            let known: Vec<Judged> = left
                .iter()
                .filter_map(|&file| {
                    let value = judge.value(file, files.get(file)?)?;
                    Some(Judged { file, worth: rule.worth(&value), value })
                })
                .collect();
            let Some(best) = known.iter().map(|judged| judged.worth).max() else { continue };
            if known.iter().all(|judged| judged.worth == best) {
                continue;
            }
            left.retain(|&file| known.iter().all(|judged| judged.file != file || judged.worth == best));
            rounds.push((rule, best, known));
        }
        let kept = left.first().copied().unwrap_or_default();
        let mut over: Vec<Lost> =
            rounds.iter().flat_map(|(rule, best, known)| lost(rule, *best, known, kept)).collect();
        over.sort_unstable_by_key(|lost| lost.file);
        Keep { file: kept, over }
    }
}

/// What a rule knows of a file.
struct Judged {
    file: usize,
    worth: i128,
    value: KeepValue,
}

/// Those that are worse than the best by a rule.
fn lost(rule: &KeepRule, best: i128, known: &[Judged], kept: usize) -> Vec<Lost> {
    let best = known.iter().filter(|judged| judged.worth == best);
    let Some(to) = best.min_by_key(|judged| (judged.file != kept, judged.file)) else { return Vec::new() };
    let worse = known.iter().filter(|judged| judged.worth < to.worth);
    let lost = |judged: &Judged| Lost {
        file: judged.file,
        rule: rule.clone(),
        to: to.file,
        better: to.value.clone(),
        worse: judged.value.clone(),
    };
    worse.map(lost).collect()
}

#[cfg(test)]
mod tests;
