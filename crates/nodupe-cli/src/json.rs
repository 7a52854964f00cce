//! The JSON of `nodupe scan`, version 1. A field may be added; one that is taken away or changes its meaning makes a
//! new version.

use std::io::Write;

use nodupe::dedup::{
    Audit, Calibration, Enough, Evidence, Group, KeepRules, KeypointMatch, Link, MediaInfo, Member, Report, Seeing,
    Skipped, Stats, Still, TierReport, VideoMatch, VideoPair,
};
use nodupe::{EmbeddingSpace, Scanned};
use serde::Serialize;

use crate::failure::Failure;
use crate::keep;
use crate::path::JsonPath;

/// Of this JSON and of that of every other command.
pub(crate) const VERSION: u32 = 1;

pub(crate) fn write(out: &mut impl Write, scanned: &Scanned, rules: &KeepRules) -> Result<(), Failure> {
    let Report { groups, videos, stills, skipped, tiers, stats, interrupted, .. } = &scanned.report;
    let name = scanned.embedding.selected().map(|attempt| attempt.name);
    let chosen = tiers.iter().find(|tier| Some(tier.backend) == name);
    let document = Document {
        version: VERSION,
        interrupted: *interrupted,
        selection: Selection { embedding: Some(&scanned.embedding), similarity: scanned.similarity.as_ref() },
        space: &scanned.space,
        threshold: chosen.map(|tier| tier.threshold),
        audit: chosen.and_then(|tier| tier.audit.as_ref()).map(audited),
        tiers: tiers.iter().map(tier).collect(),
        keep_rules: keep::rules(rules),
        groups: groups.iter().map(group).collect(),
        videos: videos.iter().map(video_pair).collect(),
        stills: stills.iter().map(still).collect(),
        skipped: skipped.iter().map(|skipped| skip(skipped)).collect(),
        stats: stats_of(stats, tiers),
    };
    print(out, &document)
}

/// Writes a document on a line.
pub(crate) fn print(out: &mut impl Write, document: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, document)?;
    writeln!(out)?;
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    interrupted: bool,
    selection: Selection<'a>,
    space: &'a EmbeddingSpace,
    threshold: Option<f32>,
    audit: Option<AuditJson>,
    tiers: Vec<TierJson>,
    keep_rules: Vec<keep::RuleJson<'a>>,
    groups: Vec<GroupJson<'a>>,
    videos: Vec<VideoPairJson<'a>>,
    stills: Vec<StillJson<'a>>,
    skipped: Vec<SkippedJson<'a>>,
    stats: StatsJson,
}

/// How backends were chosen.
#[derive(Serialize)]
pub(crate) struct Selection<'a> {
    pub(crate) embedding: Option<&'a nodupe::select::Report>,
    pub(crate) similarity: Option<&'a nodupe::select::Report>,
}

/// What one tier of the cascade did.
#[derive(Serialize)]
struct TierJson {
    backend: &'static str,
    threshold: f32,
    calibration: Option<CalibrationJson>,
    enough: Option<EnoughJson>,
    images: usize,
    embedded: usize,
    pairs: usize,
    settled: usize,
    truncated_queries: usize,
    audit: Option<AuditJson>,
    videos: usize,
    frames: usize,
    video_pairs: usize,
}

fn tier(tier: &TierReport) -> TierJson {
    TierJson {
        backend: tier.backend,
        threshold: tier.threshold,
        calibration: tier.calibration.as_ref().map(calibrated),
        enough: tier.enough.map(|Enough { keypoints, crowded, .. }| EnoughJson { keypoints, crowded }),
        images: tier.images,
        embedded: tier.embedded,
        pairs: tier.pairs,
        settled: tier.settled,
        truncated_queries: tier.truncated,
        audit: tier.audit.as_ref().map(audited),
        videos: tier.videos,
        frames: tier.frames,
        video_pairs: tier.video_pairs,
    }
}

/// How many keypoints images have to share.
#[derive(Serialize)]
struct EnoughJson {
    keypoints: u32,
    crowded: usize,
}

/// How a threshold was read from the collection.
#[derive(Serialize)]
pub(crate) struct CalibrationJson {
    precision: f64,
    level: f32,
    margin: f32,
    tail: f32,
    strangers: f64,
    expected_wrong: f64,
    crowded: usize,
}

pub(crate) fn calibrated(calibration: &Calibration) -> CalibrationJson {
    let Calibration { precision, level, margin, tail, strangers, expected_wrong, crowded, .. } = *calibration;
    CalibrationJson { precision, level, margin, tail, strangers, expected_wrong, crowded }
}

/// What an approximate index was found to find.
#[derive(Serialize)]
struct AuditJson {
    queries: usize,
    neighbors: usize,
    recall: f64,
    min_recall: f64,
    fell_back: bool,
}

fn audited(audit: &Audit) -> AuditJson {
    let Audit { queries, neighbors, recall, min_recall, fell_back, .. } = *audit;
    AuditJson { queries, neighbors, recall, min_recall, fell_back }
}

#[derive(Serialize)]
struct GroupJson<'a> {
    id: &'a str,
    kind: &'static str,
    min_similarity: f32,
    weakest_link: Option<usize>,
    paths: Vec<JsonPath<'a>>,
    files: Vec<FileJson>,
    links: Vec<LinkJson>,
    keep: keep::KeepJson<'a>,
}

/// What is known of the file at the same place in `paths`.
#[derive(Serialize)]
struct FileJson {
    bytes: u64,
    width: u32,
    height: u32,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<VideoJson>,
}

/// Of a video: seconds as far as the file says them, and what ffmpeg calls its codec.
#[derive(Serialize)]
struct VideoJson {
    duration: Option<f64>,
    frame_rate: Option<f64>,
    codec: String,
}

/// `a` and `b` are places in `paths`.
#[derive(Serialize)]
struct LinkJson {
    a: usize,
    b: usize,
    similarity: f32,
    confidence: f32,
    evidence: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    view_of: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keypoints: Option<KeypointsJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<FramesJson>,
}

/// What two videos have in common; times in seconds.
#[derive(Serialize)]
struct FramesJson {
    relation: &'static str,
    segments: Vec<SegmentJson>,
    coverage: [f32; 2],
    matched: usize,
    similarity: f32,
    view: &'static str,
}

#[derive(Serialize)]
struct SegmentJson {
    a: [f64; 2],
    b: [f64; 2],
}

fn frames(found: &VideoMatch) -> FramesJson {
    let VideoMatch { relation, segments, coverage, frames, similarity, view, .. } = found;
    let milliseconds = |times: [f64; 2]| times.map(|time| (time * 1000.0).round() / 1000.0);
    FramesJson {
        relation: relation.name(),
        segments: segments
            .iter()
            .map(|segment| SegmentJson { a: milliseconds(segment.a), b: milliseconds(segment.b) })
            .collect(),
        coverage: *coverage,
        matched: *frames,
        similarity: *similarity,
        view: view.name(),
    }
}

/// Two videos that have something in common, duplicates or not.
#[derive(Serialize)]
struct VideoPairJson<'a> {
    a: JsonPath<'a>,
    b: JsonPath<'a>,
    backend: &'static str,
    #[serde(flatten)]
    frames: FramesJson,
}

fn video_pair(pair: &VideoPair) -> VideoPairJson<'_> {
    VideoPairJson { a: JsonPath(&pair.a), b: JsonPath(&pair.b), backend: pair.backend, frames: frames(&pair.found) }
}

/// An image that is a frame of a video.
#[derive(Serialize)]
struct StillJson<'a> {
    image: JsonPath<'a>,
    video: JsonPath<'a>,
    time: f64,
    similarity: f32,
    view: &'static str,
    backend: &'static str,
}

fn still(still: &Still) -> StillJson<'_> {
    let Still { image, video, time, similarity, view, backend, .. } = still;
    StillJson {
        image: JsonPath(image),
        video: JsonPath(video),
        time: (time * 1000.0).round() / 1000.0,
        similarity: *similarity,
        view: view.name(),
        backend,
    }
}

#[derive(Serialize)]
struct KeypointsJson {
    matched: u32,
    agreement: f32,
    spread: f32,
    overlap: [f32; 2],
    mirrored: bool,
}

fn group(group: &Group) -> GroupJson<'_> {
    GroupJson {
        id: &group.id,
        kind: group.kind.name(),
        min_similarity: group.min_similarity,
        weakest_link: group.weakest,
        paths: group.files.iter().map(|file| JsonPath(&file.path)).collect(),
        files: group.files.iter().map(file).collect(),
        links: group.links.iter().map(link).collect(),
        keep: keep::keep(group),
    }
}

fn file(file: &Member) -> FileJson {
    let Member { bytes, media, .. } = file;
    let (width, height) = media.size();
    let video = match media {
        MediaInfo::Video(video) => {
            Some(VideoJson { duration: video.duration, frame_rate: video.frame_rate, codec: video.codec.clone() })
        }
        _ => None,
    };
    FileJson { bytes: *bytes, width, height, format: media.format(), video }
}

fn link(link: &Link) -> LinkJson {
    let (mut backend_name, mut turned, mut apart, mut keypoints, mut in_common) = (None, None, None, None, None);
    match &link.evidence {
        Evidence::Embedding { backend, seeing, distance } => {
            let (view, of) = match seeing {
                Seeing::First(view) => (view, "a"),
                Seeing::Second(view) => (view, "b"),
            };
            (backend_name, turned, apart) = (Some(*backend), Some((view.name(), of)), Some(*distance));
        }
        Evidence::Keypoints { backend, found } => {
            let KeypointMatch { matched, agreement, spread, overlap, mirrored, .. } = *found;
            (backend_name, keypoints) =
                (Some(*backend), Some(KeypointsJson { matched, agreement, spread, overlap, mirrored }));
        }
        Evidence::Frames { backend, found } => (backend_name, in_common) = (Some(*backend), Some(frames(found))),
        _ => {}
    }
    LinkJson {
        a: link.a,
        b: link.b,
        similarity: link.similarity,
        confidence: link.confidence,
        evidence: link.evidence.name(),
        backend: backend_name,
        view: turned.map(|(view, _)| view),
        view_of: turned.map(|(_, of)| of),
        distance: apart,
        keypoints,
        frames: in_common,
    }
}

/// A file that was passed over, or that has no embedding.
#[derive(Serialize)]
pub(crate) struct SkippedJson<'a> {
    pub(crate) path: JsonPath<'a>,
    pub(crate) error: &'static str,
    pub(crate) message: String,
}

pub(crate) fn skip(skipped: &Skipped) -> SkippedJson<'_> {
    SkippedJson { path: JsonPath(&skipped.path), error: skipped.error, message: skipped.message.clone() }
}

#[derive(Serialize)]
struct StatsJson {
    files: usize,
    bytes: u64,
    images: usize,
    videos: usize,
    identical: usize,
    same_pixels: usize,
    decoded: usize,
    embedded: usize,
    truncated_queries: usize,
    pairs: usize,
    groups: usize,
    duplicates: usize,
    duplicate_bytes: u64,
    seconds: TimingsJson,
}

/// Wall time of each stage in seconds; `read`, `decode` and `resize` are processor time of all threads.
#[derive(Serialize)]
struct TimingsJson {
    walk: f64,
    identical: f64,
    embed: f64,
    read: f64,
    decode: f64,
    resize: f64,
    embed_busy: f64,
    watch: f64,
    watch_busy: f64,
    search: f64,
    index: f64,
    group: f64,
    total: f64,
}

fn stats_of(stats: &Stats, tiers: &[TierReport]) -> StatsJson {
    let timings = &stats.timings;
    let seconds = TimingsJson {
        walk: timings.walk.as_secs_f64(),
        identical: timings.identical.as_secs_f64(),
        embed: timings.embed.as_secs_f64(),
        read: timings.decoders.read.as_secs_f64(),
        decode: timings.decoders.decode.as_secs_f64(),
        resize: timings.decoders.resize.as_secs_f64(),
        embed_busy: timings.embed_busy.as_secs_f64(),
        watch: timings.watch.as_secs_f64(),
        watch_busy: timings.watch_busy.as_secs_f64(),
        search: timings.search.as_secs_f64(),
        index: timings.index.as_secs_f64(),
        group: timings.group.as_secs_f64(),
        total: timings.total.as_secs_f64(),
    };
    StatsJson {
        files: stats.files,
        bytes: stats.bytes,
        images: stats.images,
        videos: stats.videos,
        identical: stats.identical,
        same_pixels: stats.same_pixels,
        decoded: stats.decoded,
        embedded: stats.embedded,
        truncated_queries: tiers.iter().map(|tier| tier.truncated).sum(),
        pairs: stats.pairs,
        groups: stats.groups,
        duplicates: stats.duplicates,
        duplicate_bytes: stats.duplicate_bytes,
        seconds,
    }
}
