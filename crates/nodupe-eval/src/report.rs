//! What was measured, pooled over seeds, and what it comes to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::groups::{GroupScore, Share};
use crate::labels::Labels;
use crate::ranking::{Curve, Point, Ranking};

/// The precisions at which recall is reported.
pub const PRECISIONS: [f64; 3] = [1.0, 0.999, 0.99];
/// The precision at whose threshold the recall of each transform is reported.
pub const STRICT: f64 = 0.999;
/// About how many points of a precision-recall curve are reported.
const POINTS: usize = 200;

/// A run over one set: what ran, what it found, what it cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The embedding backend.
    pub embedding: String,
    /// The model whose vectors they are.
    pub model: String,
    /// All embedding backends that the scan asked, in its order; the groups are what they found together.
    pub tiers: Vec<String>,
    /// The similarity backend; `None` where none was needed.
    pub similarity: Option<String>,
    /// From which similarity on two images were near duplicates; `None` where there is not one threshold.
    pub threshold: Option<f32>,
    /// The groups that were reported.
    pub groups: GroupScore,
    /// All pairs by their similarity, where that was asked for: by `embedding` alone, whatever other tiers there were.
    pub ranking: Option<Ranking>,
    /// Time and memory.
    pub cost: Cost,
}

impl Measured {
    /// What it is called in tables: the backend that was chosen with its model, the other tiers, the similarity backend.
    fn name(&self) -> String {
        let mut name = self.embedding.clone();
        if self.model != name {
            name = format!("{name} {}", self.model);
        }
        for tier in self.tiers.iter().filter(|tier| **tier != self.embedding) {
            name = format!("{name} + {tier}");
        }
        match &self.similarity {
            Some(similarity) => format!("{name}, {similarity}"),
            None => name,
        }
    }
}

/// Time and memory of a run. Those of several sets add up, but for memory, of which the largest counts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Images that were read.
    pub images: u64,
    /// Files of the set that could not be: what is in them cannot be found.
    #[serde(default)]
    pub unreadable: u64,
    /// Seconds of decoding alone, on all threads.
    pub decode_seconds: Option<f64>,
    /// Seconds in the embedding backend.
    pub embed_seconds: f64,
    /// Seconds of building the index and finding pairs.
    pub index_seconds: f64,
    /// Seconds from the first file to the last group.
    pub total_seconds: f64,
    /// The most bytes that the process had in memory.
    pub peak_memory: Option<u64>,
    /// Bytes of the index as it is saved.
    pub index_bytes: Option<u64>,
}

impl Cost {
    fn merge(&mut self, other: &Self) {
        self.images += other.images;
        self.unreadable += other.unreadable;
        self.decode_seconds = self.decode_seconds.zip(other.decode_seconds).map(|(ours, theirs)| ours + theirs);
        self.embed_seconds += other.embed_seconds;
        self.index_seconds += other.index_seconds;
        self.total_seconds += other.total_seconds;
        self.peak_memory = self.peak_memory.max(other.peak_memory);
        self.index_bytes = self.index_bytes.max(other.index_bytes);
    }
}

/// The sets, the runs and the results of others. Sets of one name are seeds of one set: whatever is added for them is pooled.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    sets: Vec<SetSummary>,
    rows: Vec<Row>,
    failed: Vec<Failed>,
}

#[derive(Debug, Clone)]
struct Row {
    set: String,
    /// Tells rows of one set apart.
    key: String,
    name: String,
    groups: GroupScore,
    run: Option<Measured>,
}

/// A set, over all seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SetSummary {
    /// What it is called.
    pub name: String,
    /// What it was made with.
    pub seeds: Vec<u64>,
    /// Files.
    pub files: u64,
    /// Groups, those of one file included.
    pub groups: u64,
    /// True pairs.
    pub pairs: u64,
}

/// What could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failed {
    /// On which set.
    pub set: String,
    /// What was to run.
    pub name: String,
    /// Why it did not.
    pub error: String,
}

/// Everything that is reported.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The sets.
    pub sets: Vec<SetSummary>,
    /// The results, set by set.
    pub results: Vec<ResultSummary>,
    /// What has no result.
    pub failed: Vec<Failed>,
}

/// One result: a run of ours, or groups of another tool.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ResultSummary {
    /// On which set.
    pub set: String,
    /// What it is called in tables.
    pub name: String,
    /// What ran; `None` for groups of another tool.
    pub run: Option<RunSummary>,
    /// The groups, against the labels.
    pub groups: GroupsSummary,
    /// For each transform the recall of originals against their copies.
    pub by_transform: BTreeMap<String, TransformSummary>,
    /// The pairs by their similarity; `None` where that is not known.
    pub ranking: Option<RankingSummary>,
    #[serde(skip)]
    pub(crate) detail: Option<Ranking>,
}

/// What stands beside tables in which [`ResultSummary::ranks_less`] of any result.
pub(crate) const RANKS_LESS: &str = "µAP, R at P and R@1 rank all pairs by the backend that is named first alone; precision, recall \
                                     and F1 are of all tiers together, at their thresholds.";

impl ResultSummary {
    /// Whether its ranking leaves out tiers that its groups are made by.
    pub(crate) fn ranks_less(&self) -> bool {
        self.ranking.is_some() && self.run.as_ref().is_some_and(|run| run.tiers.len() > 1)
    }
}

/// What ran and what it cost. Speeds are in images a second.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "they are those of `Measured` and `Cost`")]
pub struct RunSummary {
    pub embedding: String,
    pub model: String,
    pub tiers: Vec<String>,
    pub similarity: Option<String>,
    pub threshold: Option<f32>,
    pub images: u64,
    pub unreadable: u64,
    pub decode_speed: Option<f64>,
    pub embed_speed: Option<f64>,
    pub index_speed: Option<f64>,
    pub total_speed: Option<f64>,
    pub total_seconds: f64,
    pub peak_memory: Option<u64>,
    pub index_bytes: Option<u64>,
}

/// See [`GroupScore`].
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "they are those of `GroupScore`")]
pub struct GroupsSummary {
    pub groups: u64,
    pub reported_pairs: u64,
    pub true_reported_pairs: u64,
    pub true_pairs: u64,
    pub unknown_paths: u64,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
}

/// Recall of a transform.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct TransformSummary {
    /// Copies that it made.
    pub copies: u64,
    /// The part of them that is in a group with its original.
    pub grouped: Option<f64>,
    /// The part of them that is as alike to its original as the threshold for a precision of [`STRICT`] wants.
    pub ranked: Option<f64>,
}

/// See [`Ranking`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RankingSummary {
    /// See [`Curve::micro_average_precision`].
    pub micro_average_precision: f64,
    /// Recall at each of [`PRECISIONS`]; a `point` of `None` where no threshold has that precision.
    pub recall_at_precision: Vec<AtPrecision>,
    /// The part of the images with copies whose most similar other image is one.
    pub recall_at_1: Option<f64>,
    /// See [`Ranking::complete_from`].
    pub complete_from: Option<f32>,
    /// Precision against recall, the largest threshold first.
    pub curve: Vec<Point>,
}

/// Recall at a precision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AtPrecision {
    /// The least precision that is allowed.
    pub wanted: f64,
    /// The threshold of the largest recall there.
    pub point: Option<Point>,
}

impl Evaluation {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a set, or one more seed of a set that is there.
    pub fn add_set(&mut self, labels: &Labels) {
        let place = self.sets.iter().position(|set| set.name == labels.name()).unwrap_or_else(|| {
            let name = labels.name().to_owned();
            self.sets.push(SetSummary { name, seeds: Vec::new(), files: 0, groups: 0, pairs: 0 });
            self.sets.len() - 1
        });
        let set = &mut self.sets[place];
        set.seeds.extend(labels.seed());
        set.files += labels.files().len() as u64;
        set.groups += labels.groups() as u64;
        set.pairs += labels.positives();
    }

    /// Adds a run on a set. Those of one `key` are pooled.
    pub fn add_run(&mut self, set: &str, key: &str, measured: Measured) {
        if let Some(row) = self.row(set, key) {
            row.groups.merge(&measured.groups);
            if let Some(run) = &mut row.run {
                run.cost.merge(&measured.cost);
                run.threshold = run.threshold.filter(|&threshold| Some(threshold) == measured.threshold);
                match (&mut run.ranking, &measured.ranking) {
                    (Some(ours), Some(theirs)) => ours.merge(theirs),
                    (ours, _) => *ours = None,
                }
            }
            return;
        }
        let name = measured.name();
        let (set, key) = (set.to_owned(), key.to_owned());
        self.rows.push(Row { set, key, name, groups: measured.groups.clone(), run: Some(measured) });
    }

    /// Adds the groups that another tool reported for a set.
    pub fn add_groups(&mut self, set: &str, name: &str, score: GroupScore) {
        // No key of a run, whatever the tool is called.
        let key = format!("groups: {name}");
        if let Some(row) = self.row(set, &key) {
            row.groups.merge(&score);
        } else {
            self.rows.push(Row { set: set.to_owned(), key, name: name.to_owned(), groups: score, run: None });
        }
    }

    /// Adds what could not be measured. Nothing else of that key and set is reported then: it would be of other seeds than the rest.
    pub fn add_failure(&mut self, set: &str, key: &str, error: String) {
        let (set, name) = (set.to_owned(), key.to_owned());
        self.failed.push(Failed { set, name, error });
    }

    fn row(&mut self, set: &str, key: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.set == set && row.key == key)
    }

    /// What it comes to.
    pub fn summary(&self) -> Summary {
        let has_failed = |row: &Row| self.failed.iter().any(|failed| failed.set == row.set && failed.name == row.key);
        let mut results = Vec::new();
        for set in &self.sets {
            let rows = self.rows.iter().filter(|row| row.set == set.name && !has_failed(row));
            results.extend(rows.map(Row::summary));
        }
        Summary { sets: self.sets.clone(), results, failed: self.failed.clone() }
    }
}

impl Row {
    fn summary(&self) -> ResultSummary {
        let ranking = self.run.as_ref().and_then(|run| run.ranking.as_ref());
        let curve = ranking.map(Ranking::curve);
        let strict = curve.as_ref().and_then(|curve| curve.at_precision(STRICT));
        let by_transform = self.groups.by_transform.iter().map(|(name, share)| {
            let ranked = ranking.and_then(|ranking| ranking.by_transform.get(name)).and_then(|similarities| {
                // Where no threshold has the precision, nothing may be taken.
                strict.map_or(Share::new(0, similarities.of), |point| similarities.from(point.threshold)).part()
            });
            (name.clone(), TransformSummary { copies: share.of, grouped: share.part(), ranked })
        });
        ResultSummary {
            set: self.set.clone(),
            name: self.name.clone(),
            run: self.run.as_ref().map(run),
            groups: groups(&self.groups),
            by_transform: by_transform.collect(),
            ranking: ranking.zip(curve).map(|(ranking, curve)| ranked(ranking, &curve)),
            detail: ranking.cloned(),
        }
    }
}

fn run(measured: &Measured) -> RunSummary {
    let Cost {
        images,
        unreadable,
        decode_seconds,
        embed_seconds,
        index_seconds,
        total_seconds,
        peak_memory,
        index_bytes,
    } = measured.cost;
    let speed = |seconds: f64| (seconds > 0.0).then(|| images as f64 / seconds);
    RunSummary {
        embedding: measured.embedding.clone(),
        model: measured.model.clone(),
        tiers: measured.tiers.clone(),
        similarity: measured.similarity.clone(),
        threshold: measured.threshold,
        images,
        unreadable,
        decode_speed: decode_seconds.and_then(speed),
        embed_speed: speed(embed_seconds),
        index_speed: speed(index_seconds),
        total_speed: speed(total_seconds),
        total_seconds,
        peak_memory,
        index_bytes,
    }
}

fn groups(score: &GroupScore) -> GroupsSummary {
    GroupsSummary {
        groups: score.groups,
        reported_pairs: score.reported.of,
        true_reported_pairs: score.reported.found,
        true_pairs: score.positives.of,
        unknown_paths: score.unknown,
        precision: score.precision(),
        recall: score.recall(),
        f1: score.f1(),
    }
}

fn ranked(ranking: &Ranking, curve: &Curve) -> RankingSummary {
    let at = |wanted| AtPrecision { wanted, point: curve.at_precision(wanted) };
    RankingSummary {
        micro_average_precision: curve.micro_average_precision(),
        recall_at_precision: PRECISIONS.map(at).to_vec(),
        recall_at_1: ranking.nearest.part(),
        complete_from: ranking.complete_from,
        curve: curve.thinned(POINTS),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::labels::tests::labels;

    /// A run that finds the crop and not the flip, and the groups of another tool.
    pub(crate) fn evaluation() -> Evaluation {
        let labels = labels(&[&["a", "a1:crop", "a2:flip"], &["b"]]);
        let mut ranking = Ranking {
            positives: 3,
            copies: vec![0.9, 0.5, 0.4],
            strangers: vec![0.6, 0.1],
            sample: vec![0.1, 0.2],
            nearest: Share::new(2, 3),
            ..Ranking::default()
        };
        ranking.by_transform.entry("crop".into()).or_default().of = 1;
        ranking.by_transform.entry("crop".into()).or_default().known.push(0.9);
        ranking.by_transform.entry("flip".into()).or_default().of = 1;
        ranking.by_transform.entry("flip".into()).or_default().known.push(0.4);
        let measured = Measured {
            embedding: "perceptual".into(),
            model: "pdq".into(),
            tiers: vec!["perceptual".into(), "keypoints".into()],
            similarity: Some("bruteforce".into()),
            threshold: Some(0.8),
            groups: GroupScore::of(&labels, [["a", "a1"]]),
            ranking: Some(ranking),
            cost: Cost { images: 4, total_seconds: 2.0, peak_memory: Some(50 << 20), ..Cost::default() },
        };
        let mut evaluation = Evaluation::new();
        evaluation.add_set(&labels);
        evaluation.add_run("test", "perceptual", measured.clone());
        evaluation.add_set(&labels);
        evaluation.add_run("test", "perceptual", measured);
        evaluation.add_groups("test", "other <tool>", GroupScore::of(&labels, [["a", "b"]]));
        evaluation
    }

    #[test]
    fn seeds_are_pooled_into_one_result() {
        let summary = evaluation().summary();
        assert_eq!((summary.sets.len(), summary.sets[0].files, summary.sets[0].seeds.len()), (1, 8, 2));
        let [ours, theirs] = &summary.results[..] else { panic!("{}", summary.results.len()) };
        assert_eq!(
            (ours.name.as_str(), ours.groups.true_pairs, ours.groups.recall),
            ("perceptual pdq + keypoints, bruteforce", 6, Some(1.0 / 3.0))
        );
        assert_eq!((theirs.groups.precision, theirs.ranking.is_none()), (Some(0.0), true));
        let run = ours.run.as_ref().unwrap();
        assert_eq!((run.total_speed, run.images, run.peak_memory), (Some(2.0), 8, Some(50 << 20)));
    }

    #[test]
    fn the_recall_of_a_transform_is_by_groups_and_by_the_strict_threshold() {
        let summary = evaluation().summary();
        let crop = summary.results[0].by_transform["crop"];
        let flip = summary.results[0].by_transform["flip"];
        assert_eq!((crop.copies, crop.grouped, crop.ranked), (2, Some(1.0), Some(1.0)));
        assert_eq!((flip.grouped, flip.ranked), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn what_failed_on_a_seed_is_not_reported_of_the_others() {
        let mut evaluation = evaluation();
        evaluation.add_failure("test", "perceptual", "no".into());
        let summary = evaluation.summary();
        assert_eq!((summary.results.len(), summary.failed.len()), (1, 1));
    }
}
