//! The report as text: Markdown that is legible as it is.

use std::fmt::{self, Write as _};

use crate::report::{RANKS_LESS, ResultSummary, RunSummary, Summary};

impl fmt::Display for Summary {
    /// For each set what it is and a table of the results; then a table of recall by transform.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for set in &self.sets {
            let results: Vec<&ResultSummary> = self.results.iter().filter(|result| result.set == set.name).collect();
            let seeds = match &set.seeds[..] {
                [] => String::new(),
                [seed] => format!(", seed {seed}"),
                seeds => format!(", seeds {} pooled", seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
            };
            writeln!(f, "{}: {} images, {} groups, {} pairs{seeds}\n", set.name, set.files, set.groups, set.pairs)?;
            if !results.is_empty() {
                f.write_str(&table(&results))?;
                f.write_char('\n')?;
                if results.iter().any(|result| result.ranks_less()) {
                    writeln!(f, "{RANKS_LESS}\n")?;
                }
            }
            if results.iter().any(|result| !result.by_transform.is_empty()) {
                f.write_str(&transforms(&results))?;
                f.write_char('\n')?;
            }
        }
        Ok(())
    }
}

const HEAD: [&str; 15] = [
    "",
    "precision",
    "recall",
    "F1",
    "µAP",
    "R at P=1",
    "R at .999",
    "R at .99",
    "R@1",
    "decode/s",
    "embed/s",
    "index/s",
    "images/s",
    "MiB",
    "index KiB",
];

fn table(results: &[&ResultSummary]) -> String {
    let rows = results.iter().map(|result| {
        let (groups, ranking, run) = (&result.groups, result.ranking.as_ref(), result.run.as_ref());
        let mut row = vec![result.name.replace('|', "/"), part(groups.precision), part(groups.recall), part(groups.f1)];
        row.push(part(ranking.map(|ranking| ranking.micro_average_precision)));
        let at = |place: usize| ranking.map(|ranking| ranking.recall_at_precision.get(place));
        row.extend((0..3).map(|place| part(at(place).flatten().map(|at| at.point.map_or(0.0, |point| point.recall)))));
        row.push(part(ranking.and_then(|ranking| ranking.recall_at_1)));
        let of_run = |run: &RunSummary| [run.decode_speed, run.embed_speed, run.index_speed, run.total_speed];
        let speeds = run.map_or([None; 4], of_run);
        row.extend(speeds.map(|speed| speed.map_or("–".to_owned(), |speed| format!("{speed:.0}"))));
        let bytes =
            |bytes: Option<u64>, shift: u32| bytes.map_or("–".to_owned(), |bytes| (bytes >> shift).to_string());
        row.push(bytes(run.and_then(|run| run.peak_memory), 20));
        row.push(bytes(run.and_then(|run| run.index_bytes), 10));
        row
    });
    let head = HEAD.map(str::to_owned).to_vec();
    aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// A row for each transform, a column for each result.
fn transforms(results: &[&ResultSummary]) -> String {
    let mut names: Vec<&String> = results.iter().flat_map(|result| result.by_transform.keys()).collect();
    names.sort();
    names.dedup();
    let mut head = vec!["recall of".to_owned()];
    head.extend(results.iter().map(|result| result.name.replace('|', "/")));
    let rows = names.iter().map(|name| {
        let of = |result: &&ResultSummary| part(result.by_transform.get(*name).and_then(|transform| transform.grouped));
        std::iter::once((*name).clone()).chain(results.iter().map(of)).collect()
    });
    aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn part(part: Option<f64>) -> String {
    // Rounded down: 0.9996 is not all.
    part.map_or("–".to_owned(), |part| format!("{:.3}", (part * 1000.0 + 1e-9).floor() / 1000.0))
}

/// A table of Markdown whose columns are as wide as what is in them. The first row is its head.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default().max(2);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let (before, after) = if column == 0 { ("", pad.as_str()) } else { (pad.as_str(), "") };
            let _ = write!(text, "| {before}{cell}{after} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let rule = "-".repeat(width + 1);
                let _ = if column == 0 { write!(text, "|{rule}-") } else { write!(text, "|{rule}:") };
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::report::tests::evaluation;

    #[test]
    fn the_table_has_a_line_for_every_result_and_columns_are_aligned() {
        let text = evaluation().summary().to_string();
        assert!(text.starts_with("test: 8 images, 4 groups, 6 pairs, seeds 1, 1 pooled\n"), "{text}");
        assert_eq!(text.matches("by the backend that is named first alone").count(), 1, "{text}");
        let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("| {name}"))).unwrap();
        assert!(line("perceptual pdq + keypoints, bruteforce").contains("|     1.000 |"), "{text}");
        assert!(line("other <tool>").contains("|     0.000 |"), "{text}");
        assert!(line("crop").contains("1.000"), "{text}");
        let widths: Vec<usize> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.chars().count()).collect();
        assert!(widths[..4].windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }

    #[test]
    fn a_recall_is_never_rounded_up_to_all() {
        assert_eq!(
            (super::part(Some(0.9999)), super::part(Some(1.0)), super::part(None)),
            ("0.999".into(), "1.000".into(), "–".into())
        );
    }
}
