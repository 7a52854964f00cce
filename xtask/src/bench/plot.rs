//! The plot of the page: an SVG that is legible on a light and on a dark ground.

use std::fmt::Write as _;

use super::page::{Section, mib, seconds};
use super::summary::Summary;

const WIDTH: f64 = 980.0;
/// Of one section.
const HEIGHT: f64 = 460.0;
/// The frame of the curves within a section: left, top, right, bottom.
const FRAME: [f64; 4] = [64.0, 52.0, 600.0, 400.0];
/// Where the bars begin and end, their names above them.
const BARS: [f64; 2] = [640.0, 960.0];
/// One for each index, the same in every section. Each stands out from white and from near black.
const COLOURS: [&str; 10] =
    ["#2f81f7", "#e3772f", "#2da44e", "#c4432b", "#a371f7", "#b08800", "#1b9aaa", "#d2559d", "#8a6d5b", "#7d8590"];
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}.small{font-size:11px}\
.end{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:#d1d9e0}.frame{stroke:#818b98;fill:none}\
.ground{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.ground{fill:#0d1117}}";
/// A recall from which on it makes no difference in the plot: the missing part is drawn by its logarithm.
const ALL: f64 = 0.9999;
const RECALLS: [f64; 12] = [0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, ALL];

pub(super) fn svg(sections: &[Section]) -> String {
    let height = HEIGHT * sections.len().max(1) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>Recall against queries a second, time to build and memory of similarity indexes</title>\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n"
    );
    let colours = Colours::of(sections);
    for (place, section) in sections.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate(0 {})\">", place as f64 * HEIGHT);
        let _ = writeln!(svg, "<text class=\"title\" x=\"{}\" y=\"30\">{}</text>", FRAME[0], escaped(&section.title()));
        curves(&mut svg, section, &colours);
        bars(&mut svg, section, &colours);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where recalls and rates are drawn.
struct Axes {
    least_recall: f64,
    rates: [f64; 2],
}

impl Axes {
    /// Wide enough for every point.
    fn of(indexes: &[Summary]) -> Option<Self> {
        let points = || indexes.iter().flat_map(|index| &index.points);
        let recall = points().map(|point| point.recall).reduce(f64::min)?;
        let least_recall = RECALLS.iter().rev().copied().find(|&tick| tick < recall.min(ALL)).unwrap_or(0.0);
        // A plot of exact indexes alone has a width as well.
        let least_recall = least_recall.min(0.99);
        let least = points().map(|point| point.rate).reduce(f64::min)?.max(1e-3);
        let most = points().map(|point| point.rate).reduce(f64::max)?.max(1e-3);
        let nice = |rate: f64, up: bool| {
            let decade = 10f64.powf(rate.log10().floor());
            let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
            let mut steps = steps.into_iter();
            if up { steps.find(|&step| step >= rate * 1.02) } else { steps.rfind(|&step| step <= rate * 0.98) }
        };
        Some(Self {
            least_recall,
            rates: [nice(least, false).unwrap_or(least * 0.5), nice(most, true).unwrap_or(most * 2.0)],
        })
    }

    fn x(&self, recall: f64) -> f64 {
        let missing = |recall: f64| -(1.0 - recall.min(ALL)).log10();
        let part = (missing(recall) - missing(self.least_recall)) / (missing(ALL) - missing(self.least_recall));
        FRAME[0] + part.clamp(0.0, 1.0) * (FRAME[2] - FRAME[0])
    }

    fn y(&self, rate: f64) -> f64 {
        let part = (rate.max(1e-3) / self.rates[0]).ln() / (self.rates[1] / self.rates[0]).ln();
        FRAME[3] - part.clamp(0.0, 1.0) * (FRAME[3] - FRAME[1])
    }

    /// 1, 2 and 5 of every decade within.
    fn ticks(&self) -> Vec<f64> {
        let decades = self.rates[0].log10().floor() as i32..=self.rates[1].log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(decade)));
        ticks.filter(|tick| (self.rates[0] * 0.999..=self.rates[1] * 1.001).contains(tick)).collect()
    }
}

fn curves(svg: &mut String, section: &Section, colours: &Colours<'_>) {
    let Some(axes) = Axes::of(&section.indexes) else { return };
    let [left, top, right, bottom] = FRAME;
    for tick in RECALLS.into_iter().filter(|&tick| tick >= axes.least_recall) {
        let (x, label) = (axes.x(tick), if tick >= ALL { "1".to_owned() } else { tick.to_string() });
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>");
        let _ = writeln!(svg, "<text class=\"small middle\" x=\"{x:.1}\" y=\"{}\">{label}</text>", bottom + 17.0);
    }
    for tick in axes.ticks() {
        let y = axes.y(tick);
        let label = if tick >= 1e3 { format!("{}k", tick / 1e3) } else { tick.to_string() };
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/>");
        let _ = writeln!(svg, "<text class=\"small end\" x=\"{}\" y=\"{:.1}\">{label}</text>", left - 7.0, y + 4.0);
    }
    let _ = writeln!(svg, "<path class=\"frame\" d=\"M{left} {top}V{bottom}H{right}\"/>");
    let middle = f64::midpoint(left, right);
    let _ = writeln!(svg, "<text class=\"middle\" x=\"{middle}\" y=\"{}\">recall@{}</text>", bottom + 38.0, section.k);
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">queries/s</text>", left - 44.0, top - 8.0);
    // Ours are drawn last, over the others.
    let (ours, peers): (Vec<_>, Vec<_>) = section.indexes.iter().partition(|index| is_ours(index));
    for index in peers.into_iter().chain(ours) {
        curve(svg, &axes, index, colours.of_index(index));
    }
}

fn curve(svg: &mut String, axes: &Axes, index: &Summary, colour: &str) {
    let places: Vec<(f64, f64)> = index.points.iter().map(|point| (axes.x(point.recall), axes.y(point.rate))).collect();
    let (width, fill) = if is_ours(index) { ("2.5", colour) } else { ("1.5", "none") };
    if places.len() > 1 {
        let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let line = line.join("L");
        let _ = writeln!(svg, "<path d=\"M{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>");
    }
    for (point, (x, y)) in index.points.iter().zip(places) {
        let setting = point.setting.as_deref().unwrap_or_default();
        let told = format!("{} {setting}: recall {:.4}, {:.0} queries/s", index.name, point.recall, point.rate);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"><title>{}</title></circle>",
            escaped(&told)
        );
    }
}

/// Time to build and memory, which are also the legend.
fn bars(svg: &mut String, section: &Section, colours: &Colours<'_>) {
    let [left, right] = BARS;
    let most = |of: fn(&Summary) -> f64| section.indexes.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let (longest, largest) = (most(|index| index.build_s), most(|index| index.memory.unwrap_or(0.0)));
    let step = ((FRAME[3] - FRAME[1]) / section.indexes.len().max(1) as f64).min(48.0);
    let column = (right - left - 20.0) / 2.0;
    let second = left + column + 20.0;
    for (x, heading) in [(left, "build"), (second, "memory")] {
        let _ = writeln!(svg, "<text class=\"small\" x=\"{x}\" y=\"{}\">{heading}</text>", FRAME[1] - 8.0);
    }
    for (row, index) in section.indexes.iter().enumerate() {
        let colour = colours.of_index(index);
        let y = FRAME[1] + row as f64 * step;
        let (weight, opacity) = if is_ours(index) { ("600", "1") } else { ("400", "0.6") };
        let name = escaped(&index.name);
        let _ = writeln!(svg, "<circle cx=\"{}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>", left + 4.0, y + 9.0);
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" font-weight=\"{weight}\">{name}</text>", left + 14.0, y + 13.0);
        let values = [
            (left, index.build_s / longest, seconds(index.build_s)),
            (second, index.memory.unwrap_or(0.0) / largest, mib(index.memory)),
        ];
        for (x, part, label) in values {
            // Room for the label after the longest.
            let length = (part * (column - 62.0)).max(1.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"10\" fill=\"{colour}\" opacity=\"{opacity}\"/>",
                y + 19.0
            );
            let _ = writeln!(
                svg,
                "<text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                x + length + 5.0,
                y + 28.0
            );
        }
    }
}

/// The names of all indexes, in the order of their colours.
struct Colours<'a>(Vec<&'a str>);

impl<'a> Colours<'a> {
    fn of(sections: &'a [Section]) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for index in sections.iter().flat_map(|section| &section.indexes) {
            if !names.contains(&index.name.as_str()) {
                names.push(&index.name);
            }
        }
        Self(names)
    }

    fn of_index(&self, index: &Summary) -> &'static str {
        let place = self.0.iter().position(|name| *name == index.name).unwrap_or_default();
        COLOURS[place % COLOURS.len()]
    }
}

fn is_ours(index: &Summary) -> bool {
    index.name.starts_with("nodupe ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::page::tests::section;
    use super::*;

    #[test]
    fn every_point_is_within_the_frame_and_names_are_escaped() {
        let svg = svg(&[section(), section()]);
        assert_eq!(svg.matches("<title>peer &lt;graph&gt; ef=1: recall 0.9800, 20000 queries/s</title>").count(), 2);
        assert!(!svg.contains("<graph>") && !svg.contains("NaN") && !svg.contains("inf"));
        let circles = svg.split("<circle cx=\"").skip(1);
        let places = circles.filter_map(|circle| {
            let (x, rest) = circle.split_once("\" cy=\"")?;
            Some((x.parse::<f64>().ok()?, rest.split_once('"')?.0.parse::<f64>().ok()?))
        });
        for (x, y) in places {
            let is_inside = (FRAME[0]..=FRAME[2]).contains(&x) && (FRAME[1]..=FRAME[3]).contains(&y);
            let is_legend = x > FRAME[2] && x < WIDTH;
            assert!(is_inside || is_legend, "{x} {y}");
        }
    }

    #[test]
    fn more_recall_is_right_and_more_queries_are_up() {
        let axes = Axes::of(&section().indexes).unwrap();
        assert!(axes.x(0.99) > axes.x(0.98) && axes.y(20_000.0) < axes.y(950.0));
        assert!((axes.x(1.0) - FRAME[2]).abs() < 1e-9);
        assert_eq!(axes.ticks(), [500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4]);
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        let mut section = section();
        section.indexes.clear();
        assert!(svg(&[section]).ends_with("</g>\n</svg>\n"));
    }
}
