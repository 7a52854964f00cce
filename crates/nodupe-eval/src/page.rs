//! The report as a page: one file, without a script and without anything to fetch.

use std::fmt::Write as _;

use crate::plot::{COLOURS, Coloured, curves, escaped, histogram, transforms};
use crate::report::{RANKS_LESS, ResultSummary, SetSummary, Summary};

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;\
color:#1f2328;background:#fff}table{border-collapse:collapse;font-size:13px}th,td{padding:3px 9px;text-align:right;\
border-bottom:1px solid #d1d9e0}th:first-child,td:first-child{text-align:left}.plots{display:flex;flex-wrap:wrap;gap:12px;\
align-items:flex-start}i{display:inline-block;width:.8em;height:.8em;margin-right:.5em}.wide{overflow-x:auto}\
svg{max-width:100%}svg text{font:12px system-ui,sans-serif;fill:#1f2328}svg .title{font-size:14px;font-weight:600}\
svg .small{font-size:9px}.end{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:#d1d9e0}\
.frame{stroke:#818b98;fill:none}.mark{stroke:#c4432b;stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}svg text{fill:#e6edf3}.grid{stroke:#30363d}\
th,td{border-color:#30363d}}";

/// A page of HTML: for each set a table, precision-recall curves, the similarities of copies and of strangers, and recall by
/// transform.
pub fn page(summary: &Summary) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>nodupe eval</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n<h1>nodupe eval</h1>\n"
    );
    for set in &summary.sets {
        let results: Vec<&ResultSummary> = summary.results.iter().filter(|result| result.set == set.name).collect();
        let coloured: Vec<Coloured<'_>> = results.into_iter().zip(COLOURS.into_iter().cycle()).collect();
        section(&mut html, set, &coloured);
    }
    if !summary.failed.is_empty() {
        html.push_str("<h2>Not measured</h2>\n<ul>\n");
        for failed in &summary.failed {
            let [set, name, error] = [&failed.set, &failed.name, &failed.error].map(|text| escaped(text));
            let _ = writeln!(html, "<li>{name} on {set}: {error}</li>");
        }
        html.push_str("</ul>\n");
    }
    html.push_str("</body></html>\n");
    html
}

fn section(html: &mut String, set: &SetSummary, results: &[Coloured<'_>]) {
    let seeds = set.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let seeds = if seeds.is_empty() { seeds } else { format!(", seeds {seeds}") };
    let SetSummary { name, files, groups, pairs, .. } = set;
    let _ = writeln!(html, "<h2>{}</h2>\n<p>{files} images, {groups} groups, {pairs} pairs{seeds}</p>", escaped(name));
    if results.is_empty() {
        return;
    }
    table(html, results);
    if results.iter().any(|(result, _)| result.ranks_less()) {
        let _ = writeln!(html, "<p>{RANKS_LESS}</p>");
    }
    let _ = writeln!(html, "<div class=\"plots\">{}{}", curves(results), transforms(results));
    for (result, colour) in results {
        if let Some(ranking) = &result.detail {
            html.push_str(&histogram(result, ranking, colour));
        }
    }
    html.push_str("</div>\n");
}

fn table(html: &mut String, results: &[Coloured<'_>]) {
    html.push_str(
        "<div class=\"wide\"><table><tr><th></th><th>precision</th><th>recall</th><th>F1</th><th>µAP</th><th>R at P=1</th>\
         <th>R at .999</th><th>threshold</th><th>R at .99</th><th>R@1</th><th>decode/s</th><th>embed/s</th><th>index/s</th>\
         <th>images/s</th><th>peak MiB</th><th>index KiB</th></tr>\n",
    );
    for (result, colour) in results {
        let (ranking, run) = (result.ranking.as_ref(), result.run.as_ref());
        let at = |place: usize| ranking.and_then(|ranking| ranking.recall_at_precision.get(place)).map(|at| at.point);
        let recall = |place: usize| part(at(place).map(|point| point.map_or(0.0, |point| point.recall)));
        let speed = |speed: Option<f64>| speed.map_or_else(none, |speed| format!("{speed:.0}"));
        let cells = [
            part(result.groups.precision),
            part(result.groups.recall),
            part(result.groups.f1),
            part(ranking.map(|ranking| ranking.micro_average_precision)),
            recall(0),
            recall(1),
            at(1).flatten().map_or_else(none, |point| format!("{:.3}", point.threshold)),
            recall(2),
            part(ranking.and_then(|ranking| ranking.recall_at_1)),
            speed(run.and_then(|run| run.decode_speed)),
            speed(run.and_then(|run| run.embed_speed)),
            speed(run.and_then(|run| run.index_speed)),
            speed(run.and_then(|run| run.total_speed)),
            run.and_then(|run| run.peak_memory).map_or_else(none, |bytes| (bytes >> 20).to_string()),
            run.and_then(|run| run.index_bytes).map_or_else(none, |bytes| (bytes >> 10).to_string()),
        ];
        let name = escaped(&result.name);
        let cells = cells.join("</td><td>");
        let _ = writeln!(html, "<tr><td><i style=\"background:{colour}\"></i>{name}</td><td>{cells}</td></tr>");
    }
    html.push_str("</table></div>\n");
}

fn part(part: Option<f64>) -> String {
    // Rounded down: 0.99996 is not all.
    part.map_or_else(none, |part| format!("{:.4}", (part * 10_000.0 + 1e-9).floor() / 10_000.0))
}

fn none() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::evaluation;

    #[test]
    fn the_page_holds_the_plots_and_fetches_nothing() {
        let html = page(&evaluation().summary());
        for part in [
            "perceptual pdq + keypoints, bruteforce",
            "other &lt;tool&gt;",
            "<polyline",
            "Recall by transform",
            "threshold used 0.800",
        ] {
            assert!(html.contains(part), "no {part} in {html}");
        }
        assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
        assert_eq!(html.matches("<svg").count(), 3);
        assert!(!html.contains("http") && !html.contains("<script") && !html.contains("NaN"), "{html}");
    }
}
