//! Plots as SVG, legible on a light and on a dark ground.

use std::fmt::Write as _;

use crate::ranking::Ranking;
use crate::report::{ResultSummary, STRICT};

/// One for each result, the same in every plot of a page. Each stands out from white and from near black.
pub(crate) const COLOURS: [&str; 10] =
    ["#2f81f7", "#e3772f", "#2da44e", "#c4432b", "#a371f7", "#b08800", "#1b9aaa", "#d2559d", "#8a6d5b", "#7d8590"];
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 340.0;
/// The frame within a plot: left, top, right, bottom.
const FRAME: [f64; 4] = [52.0, 34.0, 444.0, 292.0];
const BINS: usize = 50;

/// A result and its colour.
pub(crate) type Coloured<'a> = (&'a ResultSummary, &'static str);

/// What stands in SVG and HTML for a text.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn begin(title: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" role=\"img\"><title>{0}</title>\
         <text class=\"title\" x=\"{1}\" y=\"20\">{0}</text>\n",
        escaped(title),
        FRAME[0]
    )
}

/// Axes with five ticks each; `from` and `to` are the ends of the lower one.
fn axes(svg: &mut String, from: f64, to: f64, below: &str, left: Option<&str>) {
    let [x0, y0, x1, y1] = FRAME;
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let (x, y) = (x0 + (x1 - x0) * part, y1 - (y1 - y0) * part);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {y0}V{y1}\"/><text class=\"middle\" x=\"{x:.1}\" y=\"{}\">{:.2}</text>",
            y1 + 16.0,
            from + (to - from) * part
        );
        if left.is_some() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{x0} {y:.1}H{x1}\"/><text class=\"end\" x=\"{}\" y=\"{:.1}\">{part:.2}</text>",
                x0 - 6.0,
                y + 4.0
            );
        }
    }
    let _ = writeln!(
        svg,
        "<rect class=\"frame\" x=\"{x0}\" y=\"{y0}\" width=\"{}\" height=\"{}\"/>\
         <text class=\"middle\" x=\"{}\" y=\"{}\">{below}</text>",
        x1 - x0,
        y1 - y0,
        f64::midpoint(x0, x1),
        y1 + 34.0
    );
    if let Some(left) = left {
        let middle = f64::midpoint(y0, y1);
        let _ = writeln!(
            svg,
            "<text class=\"middle\" x=\"14\" y=\"{middle}\" transform=\"rotate(-90 14 {middle})\">{left}</text>"
        );
    }
}

/// Precision against recall: a curve where pairs are ranked, and a dot for the groups that were reported.
pub(crate) fn curves(results: &[Coloured<'_>]) -> String {
    let [x0, y0, x1, y1] = FRAME;
    let at = |recall: f64, precision: f64| (x0 + (x1 - x0) * recall, y1 - (y1 - y0) * precision);
    let mut svg = begin("Precision and recall over pairs", HEIGHT);
    axes(&mut svg, 0.0, 1.0, "recall", Some("precision"));
    for (result, colour) in results {
        if let Some(ranking) = &result.ranking {
            let points = ranking.curve.iter().map(|point| {
                let (x, y) = at(point.recall, point.precision);
                format!("{x:.1},{y:.1}")
            });
            let points = points.collect::<Vec<_>>().join(" ");
            let _ =
                writeln!(svg, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{colour}\" points=\"{points}\"/>");
        }
        if let (Some(recall), Some(precision)) = (result.groups.recall, result.groups.precision) {
            let (x, y) = at(recall, precision);
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"><title>{}: groups, precision {precision:.4}, \
                 recall {recall:.4}</title></circle>",
                escaped(&result.name)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// How alike copies and strangers are, each as parts of their number; the square root of the parts is drawn, so that tails show.
pub(crate) fn histogram(result: &ResultSummary, ranking: &Ranking, colour: &str) -> String {
    let [x0, y0, x1, y1] = FRAME;
    let all = || ranking.copies.iter().chain(&ranking.sample);
    let least = all().copied().reduce(f32::min).unwrap_or(0.0);
    let from = f64::from((least * 20.0).floor() / 20.0).min(0.95);
    let x = |similarity: f64| x0 + (x1 - x0) * ((similarity - from) / (1.0 - from)).clamp(0.0, 1.0);
    let mut svg = begin(&format!("Similarities, {}", result.name), HEIGHT);
    axes(&mut svg, from, 1.0, "similarity", None);
    let bars = [(&ranking.sample, "#7d8590"), (&ranking.copies, colour)];
    let counts = bars.map(|(similarities, _)| {
        let mut counts = [0u32; BINS];
        for &similarity in similarities {
            let bin = (f64::from(similarity) - from) / (1.0 - from) * BINS as f64;
            counts[(bin.max(0.0) as usize).min(BINS - 1)] += 1;
        }
        counts.map(|count| (f64::from(count) / similarities.len().max(1) as f64).sqrt())
    });
    let most = counts.iter().flatten().copied().fold(1e-9, f64::max);
    for ((_, colour), counts) in bars.iter().zip(counts) {
        for (bin, part) in counts.into_iter().enumerate().filter(|(_, part)| *part > 0.0) {
            let (left, height) = (x(from + (1.0 - from) * bin as f64 / BINS as f64), (y1 - y0) * 0.96 * part / most);
            let width = (x1 - x0) / BINS as f64;
            let _ = writeln!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\" \
                 fill-opacity=\"0.6\"/>",
                y1 - height
            );
        }
    }
    let strict =
        result.ranking.as_ref().and_then(|ranking| ranking.recall_at_precision.iter().find(|at| at.wanted == STRICT));
    let strict = strict.and_then(|at| at.point).map(|point| (point.threshold, "precision 0.999", 28.0));
    let used = result.run.as_ref().and_then(|run| run.threshold).map(|threshold| (threshold, "threshold used", 14.0));
    for (similarity, what, down) in strict.into_iter().chain(used) {
        let x = x(f64::from(similarity));
        let _ = writeln!(
            svg,
            "<path class=\"mark\" d=\"M{x:.1} {y0}V{y1}\"/><text class=\"end\" x=\"{:.1}\" y=\"{}\">{what} {similarity:.3}</text>",
            x - 4.0,
            y0 + down
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Recall of each transform: a bar a result.
pub(crate) fn transforms(results: &[Coloured<'_>]) -> String {
    let mut names: Vec<&String> = results.iter().flat_map(|(result, _)| result.by_transform.keys()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return String::new();
    }
    let (left, right, bar) = (96.0, 410.0, if results.len() > 3 { 7.0 } else { 11.0 });
    let row = bar * results.len() as f64 + 8.0;
    let mut svg = begin("Recall by transform", 44.0 + row * names.len() as f64);
    for (place, name) in names.into_iter().enumerate() {
        let top = 34.0 + row * place as f64;
        let middle = top + bar * results.len() as f64 / 2.0 + 4.0;
        let _ = writeln!(svg, "<text class=\"end\" x=\"{}\" y=\"{middle:.1}\">{}</text>", left - 6.0, escaped(name));
        for (number, (result, colour)) in results.iter().enumerate() {
            let Some(recall) = result.by_transform.get(name).and_then(|transform| transform.grouped) else { continue };
            let (y, width) = (top + bar * number as f64, (right - left) * recall);
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\
                 <text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{recall:.3}</text>",
                bar - 1.0,
                left + width + 4.0,
                y + bar - 2.0
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
