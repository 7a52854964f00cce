//! Thresholds that are read from the collection.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps tests and benchmarks is one of them")]

use std::path::{Path, PathBuf};

use nodupe_conformance::reference::NaiveIndex;
use nodupe_core::{
    BackendInfo, BoxError, EmbedError, EmbeddedBatch, EmbeddingBackend, EmbeddingSpace, Embeddings, Filter, ImageBatch,
    IndexSpec, InputSpec, Matching, Orientation, SimilarityBackend, package,
};
use nodupe_dedup::{Calibration, Group, Report, Scan, ScanError, TierOptions};

const SIDE: u32 = 16;
const DIM: usize = (SIDE * SIDE) as usize;

/// The brightness of 16 × 16 pixels: pictures of noise are nearly at right angles to each other.
struct Pixels {
    info: BackendInfo,
    space: EmbeddingSpace,
    input: InputSpec,
    threshold: Option<f32>,
}

impl Pixels {
    fn new(threshold: Option<f32>) -> Self {
        Self {
            info: BackendInfo::new("pixels", package!()),
            space: EmbeddingSpace::cosine("pixels", DIM).unwrap(),
            input: InputSpec::luma(SIDE, SIDE).with_filter(Filter::Box),
            threshold,
        }
    }
}

impl EmbeddingBackend for Pixels {
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
        let mut matching = Matching::new(0.0, Orientation::Dependent);
        matching.default_threshold = self.threshold;
        matching
    }

    fn embed(&self, batch: &ImageBatch<'_>) -> Result<EmbeddedBatch, EmbedError> {
        batch.check(&self.input)?;
        let rows = batch.images().flat_map(|image| image.iter().map(|&value| f32::from(value) - 128.0)).collect();
        let rows = Embeddings::from_f32(self.space.clone(), rows).unwrap().normalized().unwrap();
        Ok(EmbeddedBatch::one_row_each(rows))
    }
}

/// Noise with a mean of 0, by a linear congruence (Knuth's MMIX).
fn noise(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    (0..DIM).map(|_| next()).collect()
}

fn mixed(parts: &[(f32, u64)]) -> Vec<f32> {
    let mut all = vec![0.0; DIM];
    for (weight, seed) in parts {
        all.iter_mut().zip(noise(*seed)).for_each(|(all, part)| *all += weight * part);
    }
    all
}

fn save(path: &Path, picture: &[f32]) {
    let value = |value: &f32| (128.0 + value * 150.0).round().clamp(0.0, 255.0) as u8;
    image::GrayImage::from_raw(SIDE, SIDE, picture.iter().map(value).collect()).unwrap().save(path).unwrap();
}

/// `count` strangers and a weaker copy of each tenth; and forty pictures that have the same frame, and one copy of one of these.
fn collection(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name);
    for one in 0..count {
        save(&at(format!("photo-{one}.png")), &mixed(&[(1.0, one)]));
        if one % 10 == 0 {
            save(&at(format!("photo-{one}-copy.png")), &mixed(&[(0.8, one), (0.5, 10_000 + one)]));
        }
    }
    for one in 0..40 {
        save(&at(format!("screen-{one}.png")), &mixed(&[(0.7, 20_000), (0.7, 30_000 + one)]));
    }
    save(&at("screen-7-copy.png".to_owned()), &mixed(&[(0.65, 20_000), (0.65, 30_007), (0.2, 40_000)]));
    folder
}

fn naive(spec: &IndexSpec<'_>) -> Result<Box<dyn SimilarityBackend>, BoxError> {
    Ok(Box::new(NaiveIndex::new(spec.space.clone())))
}

fn scan(
    folder: &tempfile::TempDir,
    backend: &Pixels,
    precision: Option<f64>,
    threshold: Option<f32>,
) -> Result<Report, ScanError> {
    let tier = TierOptions::new(backend).with_precision(precision).with_threshold(threshold);
    Scan::cascade(vec![tier], &naive).run(&[folder.path().to_owned()])
}

fn groups(report: &Report) -> Vec<Vec<String>> {
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let names = |group: &Group| {
        let mut names: Vec<String> = group.files.iter().map(|file| name(&file.path)).collect();
        names.sort();
        names
    };
    report.groups.iter().map(names).collect()
}

/// Photographs with their copies, and how many groups there are.
fn pairs_of_photos(groups: &[Vec<String>]) -> usize {
    let is_pair = |group: &&Vec<String>| matches!(&group[..], [photo, copy] if photo.starts_with("photo") && *copy == format!("{photo}-copy"));
    groups.iter().filter(is_pair).count()
}

#[test]
fn what_looks_like_many_others_is_held_to_more_evidence() {
    let folder = collection(300);
    let backend = Pixels::new(Some(0.4));
    // Pictures with the same frame are as alike as half a photograph: a fixed threshold takes them for copies.
    let fixed = groups(&scan(&folder, &backend, None, None).unwrap());
    assert_eq!(pairs_of_photos(&fixed), 30);
    assert!(fixed.iter().any(|group| group.len() > 20), "{fixed:?}");

    let report = scan(&folder, &backend, Some(0.999), None).unwrap();
    let found = groups(&report);
    assert_eq!(pairs_of_photos(&found), 30);
    let others: Vec<_> = found.iter().filter(|group| group[0].starts_with("screen")).collect();
    assert_eq!(others, [&["screen-7", "screen-7-copy"]].map(|pair| pair.map(str::to_owned).to_vec()).each_ref());
    assert_eq!(found.len(), 31);
    let tier = &report.tiers[0];
    let Calibration { precision, level, margin, expected_wrong, crowded, .. } = tier.calibration.unwrap();
    assert!((precision - 0.999).abs() < 1e-9 && expected_wrong < 0.1, "{tier:?}");
    assert!((tier.threshold - (level + margin)).abs() < 1e-6 && level > 0.05 && level < 0.2, "{tier:?}");
    assert_eq!(crowded, 41);
}

#[test]
fn a_higher_precision_wants_more() {
    let folder = collection(200);
    let backend = Pixels::new(None);
    let threshold = |precision| scan(&folder, &backend, Some(precision), None).unwrap().tiers[0].threshold;
    let [low, high] = [0.9, 0.9999].map(threshold);
    assert!(low < high, "{low} {high}");
}

#[test]
fn few_images_and_a_wish_leave_the_threshold_alone() {
    let few = collection(20);
    let (with, without) = (Pixels::new(Some(0.4)), Pixels::new(None));
    let tier = &scan(&few, &with, Some(0.999), None).unwrap().tiers[0];
    assert_eq!((tier.threshold, tier.calibration), (0.4, None));
    assert!(matches!(scan(&few, &without, Some(0.999), None), Err(ScanError::NoThreshold { backend: "pixels" })));
    let many = collection(200);
    let tier = &scan(&many, &with, Some(0.999), Some(0.7)).unwrap().tiers[0];
    assert_eq!((tier.threshold, tier.calibration), (0.7, None));
    for precision in [0.2, 1.1, f64::NAN] {
        let error = scan(&few, &with, Some(precision), None).unwrap_err();
        assert!(matches!(error, ScanError::Precision { .. }), "{error:?}");
    }
}
