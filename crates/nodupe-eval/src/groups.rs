//! Groups that somebody reported, against labels.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::EvalError;
use crate::labels::{Labels, pairs_of};

/// How many of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Share {
    /// So many.
    pub found: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    pub(crate) fn new(found: u64, of: u64) -> Self {
        Self { found, of }
    }

    /// The part, 0 to 1; `None` of none.
    pub fn part(self) -> Option<f64> {
        (self.of > 0).then(|| self.found as f64 / self.of as f64)
    }
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.of += other.of;
    }
}

/// How good reported groups are. Two files in one group are a reported pair, and two files in one group of the labels a true one.
/// Scores of several sets add up: that is what pooling seeds is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupScore {
    /// Groups of at least two files of the set.
    pub groups: u64,
    /// Reported pairs, each once, and how many of them are true.
    pub reported: Share,
    /// True pairs, and how many of them were reported.
    pub positives: Share,
    /// Paths in groups that mean no file of the set. They make no pairs.
    pub unknown: u64,
    /// For each transform the copies that it made, and how many of them are in a group with their original.
    pub by_transform: BTreeMap<String, Share>,
}

impl GroupScore {
    /// Scores groups of paths. Groups may overlap; a pair counts once all the same.
    pub fn of<G, P>(labels: &Labels, groups: impl IntoIterator<Item = G>) -> Self
    where
        G: IntoIterator<Item = P>,
        P: AsRef<Path>,
    {
        let mut score = Self::default();
        let mut groups_of: Vec<Vec<usize>> = vec![Vec::new(); labels.files().len()];
        let mut members: Vec<Vec<usize>> = Vec::new();
        for group in groups {
            let mut files = Vec::new();
            for path in group {
                match labels.find(path.as_ref()) {
                    Some(file) => files.push(file),
                    None => score.unknown += 1,
                }
            }
            files.sort_unstable();
            files.dedup();
            if files.len() > 1 {
                for &file in &files {
                    groups_of[file].push(members.len());
                }
                members.push(files);
            }
        }
        score.groups = members.len() as u64;
        let is_partition = groups_of.iter().all(|groups| groups.len() < 2);
        score.reported = if is_partition { partition(labels, &members) } else { overlapping(labels, &members) };
        score.positives = Share::new(score.reported.found, labels.positives());
        for (number, file) in labels.files().iter().enumerate() {
            let Some(transform) = &file.transform else { continue };
            let original = &groups_of[labels.range_of(file.group).start];
            let is_found = groups_of[number].iter().any(|group| original.contains(group));
            *score.by_transform.entry(transform.clone()).or_default() += Share::new(u64::from(is_found), 1);
        }
        score
    }

    /// The part of the reported pairs that is true; `None` where none was reported.
    pub fn precision(&self) -> Option<f64> {
        self.reported.part()
    }

    /// The part of the true pairs that was reported; `None` where there is none.
    pub fn recall(&self) -> Option<f64> {
        self.positives.part()
    }

    /// The harmonic mean of precision and recall: twice the true reported pairs over the reported and the true ones.
    pub fn f1(&self) -> Option<f64> {
        Share::new(2 * self.reported.found, self.reported.of + self.positives.of).part()
    }

    /// Pools it with that of another set.
    pub fn merge(&mut self, other: &Self) {
        self.groups += other.groups;
        self.reported += other.reported;
        self.positives += other.positives;
        self.unknown += other.unknown;
        for (transform, share) in &other.by_transform {
            *self.by_transform.entry(transform.clone()).or_default() += *share;
        }
    }
}

/// Reported pairs of groups that share no file: counted, not listed, since a group may be large.
fn partition(labels: &Labels, members: &[Vec<usize>]) -> Share {
    let mut reported = Share::default();
    for files in members {
        let mut of_truth: HashMap<usize, u64> = HashMap::new();
        for &file in files {
            *of_truth.entry(labels.files()[file].group).or_default() += 1;
        }
        reported += Share::new(of_truth.values().map(|&files| pairs_of(files)).sum(), pairs_of(files.len() as u64));
    }
    reported
}

fn overlapping(labels: &Labels, members: &[Vec<usize>]) -> Share {
    let mut pairs = HashSet::new();
    for files in members {
        for (place, &a) in files.iter().enumerate() {
            pairs.extend(files[place + 1..].iter().map(|&b| (a, b)));
        }
    }
    let is_true = |&&(a, b): &&(usize, usize)| labels.files()[a].group == labels.files()[b].group;
    Share::new(pairs.iter().filter(is_true).count() as u64, pairs.len() as u64)
}

/// Reads the groups that another tool printed as JSON: lists of lists of paths, or an object that holds such under `groups`, or
/// under `exact` and `near`. A group may also be an object with `paths` or `files`, and a file an object with `path`.
///
/// # Errors
/// [`EvalError::Io`], [`EvalError::Json`], and [`EvalError::Labels`] where no groups are in it.
pub fn read_groups(file: impl AsRef<Path>) -> Result<Vec<Vec<PathBuf>>, EvalError> {
    let file = file.as_ref();
    let text = fs::read(file).map_err(|error| EvalError::io(file, error))?;
    let failure = |source| EvalError::Json { path: file.to_owned(), what: "groups in JSON", source };
    let document: Value = serde_json::from_slice(&text).map_err(failure)?;
    let nonsense = || EvalError::Labels {
        path: file.to_owned(),
        detail: "no groups are in it: write [[paths…], …] or {\"groups\": …}".to_owned(),
    };
    groups_in(&document).ok_or_else(nonsense)
}

fn groups_in(document: &Value) -> Option<Vec<Vec<PathBuf>>> {
    let lists: Vec<&Value> = match document {
        Value::Array(_) => vec![document],
        Value::Object(fields) => match fields.get("groups") {
            Some(groups) => vec![groups],
            None => ["exact", "near"].iter().filter_map(|kind| fields.get(*kind)).collect(),
        },
        _ => Vec::new(),
    };
    if lists.is_empty() {
        return None;
    }
    let groups = lists.into_iter().map(Value::as_array).collect::<Option<Vec<_>>>()?;
    groups.into_iter().flatten().map(group).collect()
}

fn group(group: &Value) -> Option<Vec<PathBuf>> {
    let files = group.as_array().or_else(|| group.get("paths")?.as_array()).or_else(|| group.get("files")?.as_array());
    let path = |file: &Value| file.as_str().or_else(|| file.get("path")?.as_str()).map(PathBuf::from);
    // A path that is not text stands for a file that no label names.
    Some(files?.iter().map(|file| path(file).unwrap_or_default()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::tests::labels;

    fn score(groups: &[&[&str]]) -> GroupScore {
        GroupScore::of(&labels(&[&["a", "a1:crop", "a2:flip"], &["b", "b1:crop"], &["c"]]), groups.iter().copied())
    }

    #[test]
    fn pairs_are_counted_as_by_hand() {
        // a–a1 and b–b1 are right; a–b, a–b1, a1–b, a1–b1 are wrong. Of four true pairs two were found.
        let score = score(&[&["a", "a1", "b", "b1"]]);
        assert_eq!((score.reported, score.positives), (Share::new(2, 6), Share::new(2, 4)));
        assert_eq!(score.by_transform["crop"], Share::new(2, 2));
        assert_eq!(score.by_transform["flip"], Share::new(0, 1));
        assert_eq!(score.f1(), Some(0.4));
    }

    #[test]
    fn overlapping_groups_count_a_pair_once() {
        let score = score(&[&["a", "a1"], &["a", "a1", "a2"], &["a2", "c"]]);
        assert_eq!((score.reported, score.positives), (Share::new(3, 4), Share::new(3, 4)));
    }

    #[test]
    fn copies_without_their_original_are_no_recall_of_a_transform() {
        let score = score(&[&["a1", "a2"]]);
        assert_eq!((score.positives, score.by_transform["crop"]), (Share::new(1, 4), Share::new(0, 2)));
    }

    #[test]
    fn what_is_not_in_the_set_is_said_and_makes_no_pair() {
        let score = score(&[&["a", "stranger", "a1"], &["b", "who"]]);
        assert_eq!((score.unknown, score.reported, score.groups), (2, Share::new(1, 1), 1));
        assert_eq!(GroupScore::default().precision(), None);
    }

    #[test]
    fn scores_of_several_seeds_add_up() {
        let mut pooled = score(&[&["a", "a1"]]);
        pooled.merge(&score(&[&["a", "c"]]));
        assert_eq!((pooled.precision(), pooled.recall()), (Some(0.5), Some(1.0 / 8.0)));
        assert_eq!(pooled.by_transform["crop"], Share::new(1, 4));
    }

    #[test]
    fn groups_are_read_in_every_form() {
        let wanted = vec![vec![PathBuf::from("a"), "b".into()], vec!["c".into(), "d".into()]];
        for text in [
            r#"[["a", "b"], ["c", "d"]]"#,
            r#"{"groups": [["a", "b"], {"paths": ["c", "d"]}]}"#,
            r#"{"exact": [["a", "b"]], "near": [{"paths": ["c", "d"]}]}"#,
            r#"{"groups": [{"files": [{"path": "a"}, {"path": "b"}]}, {"files": ["c", "d"]}]}"#,
        ] {
            assert_eq!(groups_in(&serde_json::from_str(text).unwrap()).unwrap(), wanted, "{text}");
        }
        for text in [r#"{"found": []}"#, "7", r#"{"groups": 7}"#, "[7]"] {
            assert_eq!(groups_in(&serde_json::from_str(text).unwrap()), None, "{text}");
        }
        assert_eq!(groups_in(&serde_json::from_str("[]").unwrap()).unwrap().len(), 0);
    }
}
