//! Lines of JSON of several rounds to one figure each.

use serde_json::Value;

/// What was measured of one index.
#[derive(Debug, PartialEq)]
pub(super) struct Summary {
    /// `nodupe hnsw`
    pub(super) name: String,
    pub(super) options: Vec<String>,
    pub(super) build_s: f64,
    /// Bytes; `None` where the system does not tell.
    pub(super) memory: Option<f64>,
    pub(super) peak: Option<f64>,
    pub(super) disk: f64,
    pub(super) pairs: Option<Joined>,
    pub(super) points: Vec<Point>,
}

/// One setting: medians over the rounds, and the best pass of all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) setting: Option<String>,
    pub(super) recall: f64,
    pub(super) rate: f64,
    pub(super) best: f64,
}

/// All pairs within a distance.
#[derive(Debug, PartialEq)]
pub(super) struct Joined {
    pub(super) seconds: f64,
    /// `None` where the time is extrapolated from a part of the vectors.
    pub(super) count: Option<u64>,
}

/// Queries a second where a curve passes a recall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reached {
    /// Between two settings, or that of the only one.
    Rate(f64),
    /// The fastest setting that was tried finds more already.
    OrMore(f64),
    /// No setting finds as many.
    Never,
}

impl Summary {
    /// One for each `name`, in the order in which they came.
    pub(super) fn all(lines: &[Value]) -> Vec<Self> {
        let mut names: Vec<&str> = Vec::new();
        for name in lines.iter().filter_map(|line| line["name"].as_str()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let of = |name| -> Vec<&Value> { lines.iter().filter(|line| line["name"] == name).collect() };
        names.into_iter().filter_map(|name| Self::of(name, &of(name))).collect()
    }

    fn of(name: &str, lines: &[&Value]) -> Option<Self> {
        let over = |pointer: &str| median(lines.iter().filter_map(|line| line.pointer(pointer)?.as_f64()).collect());
        let mut settings: Vec<&Value> = Vec::new();
        for line in lines {
            if !settings.contains(&&line["setting"]) {
                settings.push(&line["setting"]);
            }
        }
        let points = settings.into_iter().filter_map(|setting| {
            let lines = lines.iter().filter(|line| line["setting"] == *setting);
            let each = |pointer: &str| -> Vec<f64> {
                lines.clone().filter_map(|line| line.pointer(pointer)?.as_f64()).collect()
            };
            Some(Point {
                setting: setting.as_str().map(str::to_owned),
                recall: median(each("/recall"))?,
                rate: median(each("/queries_per_s/median"))?,
                best: each("/queries_per_s/best").into_iter().reduce(f64::max)?,
            })
        });
        let options = lines.first()?["options"].as_array().into_iter().flatten();
        let joined = || {
            let count = lines.first()?.pointer("/pairs/count").and_then(Value::as_u64);
            Some(Joined { seconds: over("/pairs/seconds")?, count })
        };
        Some(Self {
            name: name.to_owned(),
            options: options.filter_map(|option| option.as_str().map(str::to_owned)).collect(),
            build_s: over("/build_s")?,
            memory: over("/memory_bytes"),
            peak: over("/peak_bytes"),
            disk: over("/disk_bytes")?,
            pairs: joined(),
            points: points.collect(),
        })
    }

    /// The rate at a recall: between the two settings on either side of it, on a line over the logarithm of the rate.
    pub(super) fn at(&self, recall: f64) -> Reached {
        let mut points: Vec<&Point> = self.points.iter().collect();
        points.sort_by(|one, other| one.recall.total_cmp(&other.recall));
        let Some(place) = points.iter().position(|point| point.recall >= recall) else { return Reached::Never };
        let above = points[place];
        let Some(below) = place.checked_sub(1).map(|before| points[before]) else {
            // Of equal recalls the fastest.
            let equal = points.iter().filter(|point| point.recall >= recall).map(|point| point.rate);
            let fastest = equal.fold(above.rate, f64::max);
            return if points.len() == 1 { Reached::Rate(fastest) } else { Reached::OrMore(fastest) };
        };
        let part = (recall - below.recall) / (above.recall - below.recall);
        Reached::Rate((below.rate.ln() + part * (above.rate.ln() - below.rate.ln())).exp())
    }
}

/// `None` of nothing.
pub(super) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    Some(if numbers.len().is_multiple_of(2) { f64::midpoint(numbers[middle - 1], upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn line(name: &str, setting: Option<&str>, recall: f64, rate: f64, build: f64) -> Value {
        json!({
            "name": name, "options": ["m=16"], "setting": setting, "recall": recall, "build_s": build,
            "queries_per_s": {"median": rate, "best": rate * 2.0}, "memory_bytes": 1_048_576, "peak_bytes": null,
            "disk_bytes": 1024, "pairs": null,
        })
    }

    #[test]
    fn rounds_become_medians_and_the_best_pass_stays() {
        let lines = [
            line("b", None, 1.0, 10.0, 1.0),
            line("a", Some("ef=1"), 0.5, 100.0, 8.0),
            line("a", Some("ef=2"), 0.75, 50.0, 8.0),
            line("a", Some("ef=1"), 0.7, 300.0, 4.0),
            line("a", Some("ef=2"), 0.75, 60.0, 4.0),
            line("a", Some("ef=1"), 0.6, 400.0, 5.0),
        ];
        let all = Summary::all(&lines);
        assert_eq!(all.iter().map(|summary| summary.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let point = |setting: &str, recall, rate, best| Point { setting: Some(setting.to_owned()), recall, rate, best };
        assert_eq!(all[1].points, [point("ef=1", 0.6, 300.0, 800.0), point("ef=2", 0.75, 55.0, 120.0)]);
        assert_eq!((all[1].build_s, all[1].memory, all[1].peak), (5.0, Some(1_048_576.0), None));
        assert_eq!(all[0].pairs, None);
    }

    #[test]
    fn an_index_that_finds_pairs_alone_has_no_points() {
        let mut lines = [line("a", None, 0.0, 0.0, 1.0), line("a", None, 0.0, 0.0, 3.0)];
        for (line, seconds) in lines.iter_mut().zip([2.0, 4.0]) {
            line["recall"] = Value::Null;
            line["queries_per_s"] = Value::Null;
            line["pairs"] = json!({"radius": 31.0, "seconds": seconds, "count": 7});
        }
        let all = Summary::all(&lines);
        assert_eq!((all[0].points.len(), &all[0].pairs), (0, &Some(Joined { seconds: 3.0, count: Some(7) })));
        assert_eq!(all[0].at(0.9), Reached::Never);
    }

    #[test]
    fn the_rate_at_a_recall_is_between_the_settings_around_it() {
        let lines = [
            line("a", Some("1"), 0.98, 100.0, 1.0),
            line("a", Some("2"), 1.0, 25.0, 1.0),
            line("b", None, 1.0, 9.0, 1.0),
        ];
        let all = Summary::all(&lines);
        let Reached::Rate(rate) = all[0].at(0.99) else { panic!() };
        assert!((rate - 50.0).abs() < 1e-6);
        assert_eq!(all[0].at(0.9), Reached::OrMore(100.0));
        assert_eq!(all[1].at(0.9), Reached::Rate(9.0));
        let below = Summary::all(&[line("a", None, 0.5, 100.0, 1.0)]);
        assert_eq!(below[0].at(0.9), Reached::Never);
    }

    #[test]
    fn the_median_of_two_is_between_them() {
        assert_eq!([median(vec![]), median(vec![3.0, 1.0]), median(vec![5.0, 1.0, 2.0])], [None, Some(2.0), Some(2.0)]);
    }
}
