//! What `nodupe scan` shows people.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use console::style;
use indicatif::{HumanBytes, HumanCount};
use nodupe::dedup::{
    Audit, Calibration, Evidence, Group, Link, Member, Relation, Report, Seeing, Skipped, TierReport, VideoMatch,
    VideoPair,
};
use nodupe::select::{Report as Choice, Source};
use nodupe::{Scanned, View};

use crate::keep;
use crate::path::shown;

pub(crate) fn write(out: &mut impl Write, scanned: &Scanned, quiet: bool) -> io::Result<()> {
    let report = &scanned.report;
    for (number, group) in report.groups.iter().enumerate() {
        write_group(out, number + 1, group)?;
    }
    write_relations(out, report)?;
    if quiet { Ok(()) } else { write_summary(out, scanned) }
}

fn write_group(out: &mut impl Write, number: usize, group: &Group) -> io::Result<()> {
    let weakest = group.weakest.and_then(|weakest| group.links.get(weakest));
    let kind = match weakest.map(|link| (&link.evidence, link.similarity)) {
        None => "exact copies".to_owned(),
        Some((Evidence::Keypoints { found, .. }, _)) => {
            format!("near duplicates, weakest link {} keypoints", found.matched)
        }
        Some((_, similarity)) => format!("near duplicates, weakest link {similarity:.3} alike"),
    };
    writeln!(out, "{} {kind}", style(format!("{number}.")).bold())?;
    let paths: Vec<String> = group.files.iter().map(|file| shown(&file.path)).collect();
    let width = paths.iter().map(|path| console::measure_text_width(path)).max().unwrap_or_default().min(72);
    let links = links_from_the_first(group);
    let names = names(group, &paths);
    for (place, (file, path)) in group.files.iter().zip(&paths).enumerate() {
        let pad = width.saturating_sub(console::measure_text_width(path));
        let (width, height) = file.media.size();
        let duration = file.media.duration().map(|seconds| format!("  {:>7}", clock(seconds))).unwrap_or_default();
        let size = format!("{width}x{height}");
        let bytes = HumanBytes(file.bytes).to_string();
        let mark = if place == group.keep.file { '*' } else { ' ' };
        write!(out, " {mark} {path}{:pad$}  {size:>9}{duration}  {bytes:>10}", "")?;
        if let Some((link, other)) = links[place] {
            write!(out, "  {}", style(why(link, other, &names)).dim())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "   {}", style(keep::line(group, &names)).dim())?;
    writeln!(out)
}

/// For each file but the first, the link that leads to it from the first one, and the file at its other end.
fn links_from_the_first(group: &Group) -> Vec<Option<(&Link, usize)>> {
    let mut ends: Vec<Vec<(&Link, usize)>> = vec![Vec::new(); group.files.len()];
    for link in &group.links {
        ends[link.a].push((link, link.b));
        ends[link.b].push((link, link.a));
    }
    let mut links = vec![None; group.files.len()];
    let mut reached = vec![0];
    while let Some(place) = reached.pop() {
        for &(link, next) in &ends[place] {
            if next != 0 && links[next].is_none() {
                links[next] = Some((link, place));
                reached.push(next);
            }
        }
    }
    links
}

/// What each file is called where another line speaks of it: its name, or where another file of the group has the same,
/// the path.
fn names<'a>(group: &Group, paths: &'a [String]) -> Vec<Cow<'a, str>> {
    let name = |file: &'_ Member| file.path.file_name().unwrap_or_default().to_owned();
    let mut bearers: HashMap<OsString, usize> = HashMap::new();
    for file in &group.files {
        *bearers.entry(name(file)).or_default() += 1;
    }
    let called = |(file, path): (&Member, &'a String)| {
        let name = name(file);
        let is_alone = bearers.get(&name).is_some_and(|&bearers| bearers == 1);
        if is_alone { Cow::Owned(shown(name.as_ref())) } else { Cow::Borrowed(path.as_str()) }
    };
    group.files.iter().zip(paths).map(called).collect()
}

/// What holds a file in its group, in words: the link that leads to it from the file at `place`.
fn why(link: &Link, place: usize, names: &[Cow<'_, str>]) -> String {
    let other = names.get(place).map_or("", AsRef::as_ref);
    match &link.evidence {
        Evidence::ExactBytes => format!("same bytes as {other}"),
        Evidence::ExactPixels => format!("same pixels as {other}"),
        Evidence::Embedding { seeing: Seeing::First(View::Identity), .. } => {
            format!("{:.3} like {other}", link.similarity)
        }
        Evidence::Embedding { seeing, .. } => {
            // The line is about the file that is not `place`.
            let (seen, of_other) = match (*seeing, link.b == place) {
                (Seeing::First(view), true) | (Seeing::Second(view), false) => (view, false),
                (Seeing::First(view), false) => view.inverse().map_or((view, true), |view| (view, false)),
                (Seeing::Second(view), true) => (view, true),
            };
            if of_other {
                format!("{:.3} like {seen} of {other}", link.similarity)
            } else {
                format!("{:.3} like {other} after {seen}", link.similarity)
            }
        }
        Evidence::Keypoints { found, .. } => {
            let mirrored = if found.mirrored { ", mirrored" } else { "" };
            format!("{} keypoints shared with {other}{mirrored}", found.matched)
        }
        Evidence::Frames { found, .. } => {
            // The line is about the file that is not `place`.
            let (relation, is_turned) = (found.relation, link.b == place);
            let relation = if is_turned { relation } else { relation.reversed() };
            let what = match relation {
                Relation::Copy => format!("copy of {other}"),
                Relation::FirstIsClip => format!("clip of {other}"),
                Relation::SecondIsClip => format!("has all of {other}"),
                _ => format!("shares a part with {other}"),
            };
            format!("{what}{}{}", at_times(found, is_turned), seen_as(found.view))
        }
        _ => format!("{} {other}", link.evidence.name()),
    }
}

/// When two videos show the same, the one that a line is about first.
fn at_times(found: &VideoMatch, is_a_first: bool) -> String {
    let range = |times: [f64; 2]| format!("{}-{}", clock(times[0]), clock(times[1]));
    let mut segments = found.segments.iter().map(|segment| {
        let (one, other) = if is_a_first { (segment.a, segment.b) } else { (segment.b, segment.a) };
        format!(", {} is its {}", range(one), range(other))
    });
    let first: String = segments.by_ref().take(3).collect();
    let more = segments.count();
    if more > 0 { format!("{first}, and {more} more") } else { first }
}

fn seen_as(view: View) -> String {
    if view == View::Identity { String::new() } else { format!(", after {view}") }
}

/// Seconds as people write them: `0:07`, `1:02:30`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// What is in common and makes no duplicates.
fn write_relations(out: &mut impl Write, report: &Report) -> io::Result<()> {
    /// The most lines of either.
    const LINES: usize = 20;
    let kept: HashSet<&Path> =
        report.groups.iter().flat_map(|group| &group.files).map(|file| file.path.as_path()).collect();
    let together = |pair: &&VideoPair| {
        let of = |group: &Group, path: &Path| group.files.iter().any(|file| file.path == path);
        pair.found.relation.is_duplicate()
            && kept.contains(pair.a.as_path())
            && report.groups.iter().any(|group| of(group, &pair.a) && of(group, &pair.b))
    };
    let apart: Vec<&VideoPair> = report.videos.iter().filter(|pair| !together(pair)).collect();
    if !apart.is_empty() {
        writeln!(out, "{}", style("Videos that have something in common, and are in no group together:").bold())?;
    }
    for VideoPair { a, b, found, .. } in apart.iter().take(LINES) {
        let what = match found.relation {
            Relation::Copy => "is a copy of",
            Relation::FirstIsClip => "is a clip of",
            Relation::SecondIsClip => "has all of",
            _ => "shares a part with",
        };
        writeln!(out, "   {} {what} {}{}{}", shown(a), shown(b), at_times(found, true), seen_as(found.view))?;
    }
    if !report.stills.is_empty() {
        writeln!(out, "{}", style("Images that are frames of videos:").bold())?;
    }
    for still in report.stills.iter().take(LINES) {
        let (image, video, view) = (shown(&still.image), shown(&still.video), seen_as(still.view));
        writeln!(out, "   {image} is {video} at {}, {:.3} alike{view}", clock(still.time), still.similarity)?;
    }
    let more = apart.len().saturating_sub(LINES) + report.stills.len().saturating_sub(LINES);
    if more > 0 {
        writeln!(out, "   and {} more (--json lists them)", HumanCount(more as u64))?;
    }
    if apart.is_empty() && report.stills.is_empty() { Ok(()) } else { writeln!(out) }
}

fn write_summary(out: &mut impl Write, scanned: &Scanned) -> io::Result<()> {
    let Report { stats, skipped, interrupted, .. } = &scanned.report;
    if *interrupted {
        writeln!(out, "{}", style("Interrupted: these are the duplicates among the images seen so far.").yellow())?;
    }
    let found = if stats.groups == 0 {
        "No duplicates".to_owned()
    } else {
        format!(
            "{}, {} could go ({})",
            count(stats.groups, "group", "groups"),
            count(stats.duplicates, "file", "files"),
            HumanBytes(stats.duplicate_bytes)
        )
    };
    writeln!(
        out,
        "{} among {} in {:.1} s",
        style(found).bold(),
        looked_at(stats.images, stats.videos),
        stats.timings.total.as_secs_f64()
    )?;
    write_skipped(out, skipped)?;
    let similarity = scanned.similarity.as_ref().map(searched_by);
    for tier in &scanned.report.tiers {
        let is_chosen = tier.backend == name(&scanned.embedding);
        let similarity = similarity.as_deref().filter(|_| is_chosen);
        writeln!(out, "{}{}", tier_line(tier), similarity.unwrap_or_default())?;
        if let Some(audit) = tier.audit {
            writeln!(out, "{}", audited(&audit))?;
        }
    }
    write_choices(out, [Some(&scanned.embedding), scanned.similarity.as_ref()])
}

/// What one tier did.
fn tier_line(tier: &TierReport) -> String {
    let TierReport { backend, threshold, calibration, enough, images, pairs, videos, .. } = tier;
    if *images == 0 && *videos > 0 {
        return format!("{backend} found {}", among_videos(tier));
    }
    let (images, pairs) = (count(*images, "image", "images"), count(*pairs, "near pair", "near pairs"));
    let more = |crowded: usize| match crowded {
        0 => String::new(),
        1 => "; 1 image that looks like many needs more".to_owned(),
        _ => format!("; {} images that look like many need more", HumanCount(crowded as u64)),
    };
    let least = match (enough, calibration) {
        (Some(enough), _) => format!("{} shared or more{}", enough.keypoints, more(enough.crowded)),
        (None, None) => format!("threshold {threshold:.3}"),
        (None, Some(Calibration { precision, crowded, .. })) => {
            format!("threshold {threshold:.3} for precision {precision}{}", more(*crowded))
        }
    };
    let and_videos = if *videos > 0 { format!(" and {}", among_videos(tier)) } else { String::new() };
    format!("{backend} found {pairs} among {images} ({least}){and_videos}")
}

fn among_videos(tier: &TierReport) -> String {
    let (pairs, frames) = (count(tier.video_pairs, "pair", "pairs"), count(tier.frames, "frame", "frames"));
    format!("{pairs} with something in common among {} ({frames})", count(tier.videos, "video", "videos"))
}

/// How many images and videos.
fn looked_at(images: usize, videos: usize) -> String {
    let (of_images, of_videos) = (count(images, "image", "images"), count(videos, "video", "videos"));
    match (images, videos) {
        (_, 0) => of_images,
        (0, _) => of_videos,
        _ => format!("{of_images} and {of_videos}"),
    }
}

/// A number of things.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", HumanCount(number as u64), if number == 1 { one } else { many })
}

/// The name of the backend that was chosen.
pub(crate) fn name(report: &Choice) -> &'static str {
    report.selected().map_or("none", |attempt| attempt.name)
}

/// Which similarity backend was chosen, and why where nobody asked for it.
pub(crate) fn searched_by(report: &Choice) -> String {
    let because = report.selected().and_then(|attempt| attempt.suitability.because());
    let because = because.filter(|_| report.source == Source::Default).map(|because| format!(" ({because})"));
    format!(", searched by {}{}", name(report), because.unwrap_or_default())
}

/// How backends were chosen, where that is worth a word.
pub(crate) fn write_choices<'a>(
    out: &mut impl Write,
    reports: impl IntoIterator<Item = Option<&'a Choice>>,
) -> io::Result<()> {
    for report in reports.into_iter().flatten() {
        if report.fallback || !report.unmatched.is_empty() || !report.unused_options.is_empty() {
            writeln!(out, "{report}")?;
        }
    }
    Ok(())
}

/// How much of what there is an approximate search found.
fn audited(audit: &Audit) -> String {
    let Audit { queries, neighbors, recall, min_recall, fell_back, .. } = *audit;
    if neighbors == 0 {
        return format!(
            "None of {queries} images that were searched exactly has a near duplicate: nothing to measure recall by"
        );
    }
    let measured = format!("{recall:.3} of {neighbors} near pairs, by exact search for {queries} images");
    if fell_back {
        format!("An approximate search found only {measured}: all were searched exactly")
    } else if recall < min_recall {
        format!("The search found only {measured}, and no backend that finds all could be had")
    } else {
        format!("The search finds {measured}")
    }
}

/// How many files were passed over and why, with one of each kind.
pub(crate) fn write_skipped(out: &mut impl Write, skipped: &[Skipped]) -> io::Result<()> {
    let mut kinds: BTreeMap<&str, Vec<&Skipped>> = BTreeMap::new();
    for skipped in skipped {
        kinds.entry(skipped.error).or_default().push(skipped);
    }
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(out, "Passed over {} (--json lists them):", HumanCount(skipped.len() as u64))?;
    for (kind, all) in kinds {
        let first = all.first().map(|skipped| shown(&skipped.path)).unwrap_or_default();
        let more = if all.len() > 1 { ", …" } else { "" };
        writeln!(out, "  {:>6}  {kind:<18}  {}", HumanCount(all.len() as u64), style(format!("{first}{more}")).dim())?;
    }
    Ok(())
}
