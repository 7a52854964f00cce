//! The pipeline with backends that do what the test wants.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{
    BackendInfo, BoxError, Channels, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, Embeddings, Filter,
    ImageBatch, IndexSpec, InputSpec, Matching, Orientation, SimilarityBackend, Undescribable, View, package,
};
use nodupe_dedup::{
    Evidence, GroupKind, KeepRule, KeepRules, Linkage, Progress, Report, Scan, ScanError, Seeing, Stage, TierOptions,
};
use nodupe_media::PoolOptions;

/// The brightness of a 4 × 4 thumbnail; what is all of one brightness cannot be described.
struct Thumbnail {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    threshold: Option<f32>,
    /// Gives one outcome too few.
    lies: bool,
}

impl Thumbnail {
    fn new() -> Self {
        Self {
            info: BackendInfo::new("thumbnail", package!()),
            space: EmbeddingSpace::cosine("thumbnail", 16).unwrap(),
            input: InputSpec::luma(4, 4).with_filter(Filter::Box),
            threshold: Some(0.95),
            lies: false,
        }
    }
}

impl EmbeddingBackend for Thumbnail {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn space(&self) -> &EmbeddingSpace {
        &self.space
    }

    fn input_spec(&self) -> &InputSpec {
        &self.input
    }

    fn matching(&self) -> Matching {
        let mut matching = Matching::new(0.0, Orientation::CheapViews);
        matching.default_threshold = self.threshold;
        matching
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
        for image in batch.images().skip(usize::from(self.lies)) {
            let mean = image.iter().map(|&value| f32::from(value)).sum::<f32>() / 16.0;
            let row: Vec<f32> = image.iter().map(|&value| f32::from(value) - mean).collect();
            if row.iter().all(|value| value.abs() < 2.0) {
                outcomes.push(Err(Undescribable::new("blank")));
            } else {
                outcomes.push(Ok(rows.len() / 16..rows.len() / 16 + 1));
                rows.extend(row);
            }
        }
        let rows = Embeddings::from_f32(self.space.clone(), rows).unwrap().normalized().unwrap();
        EmbeddedBatch::new(rows, outcomes)
    }
}

fn naive(spec: &IndexSpec<'_>) -> Result<Box<dyn SimilarityBackend>, BoxError> {
    Ok(Box::new(NaiveIndex::new(spec.space.clone())))
}

/// A picture whose quarters are of these brightnesses, left to right and top to bottom.
fn picture(path: &Path, quarters: [u8; 4]) {
    image::GrayImage::from_fn(64, 64, |x, y| image::Luma([quarters[(x / 32 + y / 32 * 2) as usize]]))
        .save(path)
        .unwrap();
}

fn names(report: &Report) -> Vec<Vec<String>> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    report.groups.iter().map(|group| group.files.iter().map(|file| name(&file.path)).collect()).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn scan(&self, change: impl FnOnce(Scan<'_>) -> Scan<'_>) -> Result<Report, ScanError> {
        change(Scan::new(&Thumbnail::new(), &naive)).run(&[self.0.path().to_owned()])
    }

    fn scan_by(&self, change: impl FnOnce(TierOptions<'_>) -> TierOptions<'_>) -> Result<Report, ScanError> {
        let backend = Thumbnail::new();
        Scan::cascade(vec![change(TierOptions::new(&backend))], &naive).run(&[self.0.path().to_owned()])
    }
}

#[test]
fn every_file_has_one_outcome_and_groups_carry_their_evidence() {
    let folder = Folder::new();
    picture(&folder.at("a.png"), [0, 50, 100, 250]);
    fs::copy(folder.at("a.png"), folder.at("b.png")).unwrap();
    picture(&folder.at("c.bmp"), [0, 50, 100, 250]);
    picture(&folder.at("d.png"), [4, 52, 99, 245]);
    // `a` mirrored.
    picture(&folder.at("e.png"), [50, 0, 250, 100]);
    picture(&folder.at("lonely.png"), [250, 0, 0, 250]);
    picture(&folder.at("white.png"), [255; 4]);
    fs::copy(folder.at("white.png"), folder.at("white too.png")).unwrap();
    picture(&folder.at("white other.bmp"), [255; 4]);
    fs::write(folder.at("text.png"), "text").unwrap();
    fs::write(folder.at("text too.png"), "text").unwrap();

    let report = folder.scan(|scan| scan).unwrap();
    assert_eq!(
        names(&report),
        [vec!["a.png", "b.png", "c.bmp", "d.png", "e.png"], vec!["white other.bmp", "white too.png", "white.png"]]
    );
    let [near, exact] = &report.groups[..] else { panic!() };
    assert_eq!((near.kind, exact.kind), (GroupKind::Near, GroupKind::Exact));
    assert!((0.95..1.0).contains(&near.min_similarity) && (1.0..=1.0).contains(&exact.min_similarity));
    let evidence: Vec<(usize, usize, &str)> =
        near.links.iter().map(|link| (link.a, link.b, link.evidence.name())).collect();
    assert_eq!(evidence[..2], [(0, 1, "exact-bytes"), (0, 2, "exact-pixels")]);
    assert_eq!(near.links.len(), 4);
    let mirrored = near.links.iter().find(|link| link.b == 4).unwrap();
    assert!(
        matches!(
            mirrored.evidence,
            Evidence::Embedding { backend: "thumbnail", seeing: Seeing::First(View::FlipHorizontal), .. }
        ),
        "{mirrored:?}"
    );

    let mut skipped: Vec<(&str, &str)> = report
        .skipped
        .iter()
        .map(|skipped| (skipped.path.file_name().unwrap().to_str().unwrap(), skipped.error))
        .collect();
    skipped.sort_unstable();
    // Blank ones cannot be described, but have the same pixels.
    let text = ["text too.png", "text.png"].map(|name| (name, "unsupported-format"));
    assert_eq!(skipped, text);
    let stats = &report.stats;
    assert_eq!((stats.files, stats.identical, stats.decoded, stats.embedded), (11, 3, 7, 5));
    assert_eq!((stats.images, stats.same_pixels, stats.groups, stats.duplicates), (9, 2, 2, 6));
    let grouped: usize = report.groups.iter().map(|group| group.files.len()).sum();
    // `lonely.png` is the one that was looked at and is in no group.
    assert_eq!(grouped + report.skipped.len() + 1, stats.files, "every file has one outcome");

    let without = folder.scan_by(|tier| tier.with_views(Some(false))).unwrap();
    assert_eq!(names(&without)[0], ["a.png", "b.png", "c.bmp", "d.png"]);
}

#[test]
fn the_result_does_not_depend_on_threads_or_batches() {
    let folder = Folder::new();
    for number in 0..60u8 {
        let shift = number % 7;
        picture(&folder.at(&format!("{number}.png")), [number / 20 * 90, 200 - shift, 40 + shift, number / 10 * 40]);
    }
    for linkage in Linkage::ALL {
        let run = |threads: usize, batch: usize| {
            let pool = PoolOptions::default().with_threads(threads);
            folder
                .scan(|scan| scan.with_linkage(linkage).with_decoding(pool).with_batch(batch.try_into().ok()))
                .unwrap()
        };
        let (one, four) = (run(1, 64), run(4, 3));
        assert!(!one.groups.is_empty());
        assert_eq!(names(&one), names(&four));
        let files: Vec<String> = names(&one).concat();
        assert_eq!(files.iter().collect::<HashSet<_>>().len(), files.len(), "groups are disjoint");
    }
}

/// Asks to stop after some images.
struct StopAfter {
    images: usize,
    seen: AtomicUsize,
}

impl Progress for StopAfter {
    fn advance(&self, stage: Stage, steps: usize) {
        if stage == Stage::Embed {
            self.seen.fetch_add(steps, Ordering::Relaxed);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.images
    }
}

#[test]
fn a_scan_that_is_stopped_says_so_and_keeps_what_it_has() {
    let folder = Folder::new();
    for number in 0..200 {
        picture(&folder.at(&format!("{number:03}.png")), [0, number, 250 - number / 2, 250]);
    }
    let progress = StopAfter { images: 20, seen: AtomicUsize::new(0) };
    let report =
        Scan::new(&Thumbnail::new(), &naive).with_progress(&progress).run(&[folder.0.path().to_owned()]).unwrap();
    assert!(report.interrupted);
    assert!((20..200).contains(&report.stats.decoded), "{}", report.stats.decoded);
    assert_eq!(report.stats.files, 200);
    assert!(!folder.scan(|scan| scan).unwrap().interrupted);
}

#[test]
fn a_link_says_how_its_first_file_has_to_be_turned() {
    let upright = [10, 60, 130, 250];
    for view in View::ORIENTATIONS {
        let folder = Folder::new();
        picture(&folder.at("b upright.png"), upright);
        let turned = view.inverse().unwrap().apply(&ImageBatch::new(2, 2, Channels::Luma, &upright).unwrap()).unwrap();
        picture(&folder.at("a turned.bmp"), turned.try_into().unwrap());
        let report = folder.scan_by(|tier| tier.with_threshold(Some(0.99))).unwrap();
        let evidence = &report.groups[0].links[0].evidence;
        match view {
            View::Identity => assert_eq!(evidence, &Evidence::ExactPixels),
            _ => assert!(
                matches!(evidence, Evidence::Embedding { seeing: Seeing::First(found), .. } if *found == view),
                "{view}: {evidence:?}"
            ),
        }
    }
}

#[test]
fn a_picture_that_shows_another_one_in_a_quarter_is_found_by_crops() {
    let folder = Folder::new();
    let shown = |x: u32, y: u32| [[10, 90], [200, 40]][(y / 32) as usize][(x / 32) as usize];
    let small = |x: u32, y: u32| if x < 32 && y >= 32 { shown(x * 2, (y - 32) * 2) } else { 128 + (x as u8 ^ y as u8) };
    image::GrayImage::from_fn(64, 64, |x, y| image::Luma([shown(x, y)])).save(folder.at("photo.png")).unwrap();
    image::GrayImage::from_fn(64, 64, |x, y| image::Luma([small(x, y)])).save(folder.at("collage.png")).unwrap();
    assert_eq!(names(&folder.scan_by(|tier| tier.with_threshold(Some(0.9))).unwrap()), Vec::<Vec<String>>::new());
    let report = folder.scan_by(|tier| tier.with_threshold(Some(0.9)).with_crops(true)).unwrap();
    let [group] = &report.groups[..] else { panic!("{report:?}") };
    // The first of the walk is the collage.
    let link = &group.links[0];
    let seeing = Seeing::First(View::CropBottomLeft);
    assert!(matches!(link.evidence, Evidence::Embedding { seeing: found, .. } if found == seeing), "{link:?}");
    fs::rename(folder.at("collage.png"), folder.at("the collage.png")).unwrap();
    let report = folder.scan_by(|tier| tier.with_threshold(Some(0.9)).with_crops(true)).unwrap();
    let seeing = Seeing::Second(View::CropBottomLeft);
    let link = &report.groups[0].links[0];
    assert!(matches!(link.evidence, Evidence::Embedding { seeing: found, .. } if found == seeing), "{link:?}");
}

#[test]
fn nothing_to_do_is_done() {
    let folder = Folder::new();
    assert_eq!(folder.scan(|scan| scan).unwrap().stats.files, 0);
    picture(&folder.at("one.png"), [0, 1, 90, 200]);
    let report = folder.scan(|scan| scan).unwrap();
    assert_eq!((report.stats.embedded, report.groups.len()), (1, 0));
    let missing = Scan::new(&Thumbnail::new(), &naive).run(&[folder.at("missing")]).unwrap();
    assert_eq!(missing.skipped[0].error, "not-found");
}

#[test]
fn backends_that_break_their_promises_and_thresholds_that_are_none_are_errors() {
    let folder = Folder::new();
    for number in 0..3 {
        picture(&folder.at(&format!("{number}.png")), [0, number, 90, 200]);
    }
    let run = |backend: &Thumbnail, threshold| {
        Scan::cascade(vec![TierOptions::new(backend).with_threshold(threshold)], &naive)
            .run(&[folder.0.path().to_owned()])
            .map(|report| report.groups.len())
    };
    let honest = Thumbnail::new();
    for wrong in [0.0, -1.0, 1.5, f32::NAN] {
        assert!(matches!(run(&honest, Some(wrong)), Err(ScanError::Threshold { .. })), "{wrong}");
    }
    let unknown = Thumbnail { threshold: None, ..Thumbnail::new() };
    assert!(matches!(run(&unknown, None), Err(ScanError::NoThreshold { backend: "thumbnail" })));
    assert!(run(&unknown, Some(0.9)).is_ok());
    let liar = Thumbnail { lies: true, ..Thumbnail::new() };
    assert!(matches!(run(&liar, None), Err(ScanError::Embed(EmbedError::Contract { .. }))));
    let refuse = |_: &IndexSpec<'_>| Err("no index today".into());
    let refused = Scan::new(&honest, &refuse).run(&[folder.0.path().to_owned()]);
    assert!(matches!(refused, Err(ScanError::MakeIndex { .. })));
}

#[test]
fn a_group_says_which_file_to_keep_and_the_others_are_what_could_go() {
    let folder = Folder::new();
    picture(&folder.at("a.png"), [0, 50, 100, 250]);
    fs::create_dir(folder.at("sub")).unwrap();
    // The largest file, and no better: not the one to keep.
    picture(&folder.at("c.bmp"), [0, 50, 100, 250]);
    fs::copy(folder.at("a.png"), folder.at("sub/b.png")).unwrap();
    let in_sub = KeepRules::new([KeepRule::In(folder.at("sub")), KeepRule::Smallest]);
    let report = folder.scan(|scan| scan.with_keep(in_sub)).unwrap();
    let [group] = &report.groups[..] else { panic!("{:?}", report.groups) };
    assert_eq!(group.kept().unwrap().path, folder.at("sub/b.png"));
    let decided: Vec<(usize, &str)> = group.keep.over.iter().map(|lost| (lost.file, lost.rule.name())).collect();
    assert_eq!(decided, [(0, "in"), (1, "in")]);
    let bytes: u64 = group.duplicates().map(|file| file.bytes).sum();
    assert_eq!((report.stats.duplicates, report.stats.duplicate_bytes), (2, bytes));
    assert!(bytes > 2 * group.kept().unwrap().bytes, "{bytes}");
}
