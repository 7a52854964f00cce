//! What decoding takes from the allocator, against what it says beforehand. Alone in its program, which counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{DynamicImage, RgbImage};
use nodupe_core::{Filter, InputSpec};
use nodupe_media::{DecodeOptions, Decoder, Limit, Limits, MediaError};

#[path = "media/hostile/headers.rs"]
mod headers;
#[path = "media/pictures.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod pictures;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(HELD.fetch_add(layout.size(), Ordering::SeqCst) + layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise is the system's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's promise is the system's condition.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` held at once, besides what was held before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let done = work();
    (done, PEAK.load(Ordering::SeqCst) - before)
}

/// One test, since the counters are everybody's.
#[test]
fn memory_is_taken_only_after_it_was_accounted_for() {
    huge_headers_take_next_to_nothing();
    what_is_held_is_within_what_the_limit_counts();
    a_decoder_gives_back_what_a_large_image_took();
}

fn huge_headers_take_next_to_nothing() {
    let spec = InputSpec::rgb(64, 64);
    let mut lying = pictures::oriented(&pictures::smooth(4, 4), 6).swap_remove(1);
    let exif = lying.1.windows(4).position(|bytes| bytes == b"EXIF").unwrap();
    lying.1[exif + 4..exif + 8].copy_from_slice(&[0, 0, 0, 0xb0]);
    let (outcome, held) = peak(|| Decoder::default().decode_bytes("a", &lying.1, &spec, &mut Vec::new()));
    assert!(held < 2 << 20, "{held} bytes, {outcome:?}");
    for (name, bytes) in headers::headers(60_000, 60_000).into_iter().chain(headers::headers(19_000, 20_000)) {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        let (outcome, held) = peak(|| decoder.decode_bytes(format!("a.{name}"), &bytes, &spec, &mut out));
        assert!(outcome.is_err() && held < 200 << 10, "{name}: {held} bytes, {outcome:?}");
    }
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (width, height) in [(1500, 1100), (3000, 2), (2, 3000)] {
        let picture = pictures::smooth(width, height);
        let deep = DynamicImage::from(picture.clone());
        let named = |name: &str, bytes| (format!("{width}x{height}.{name}"), bytes);
        files.extend(pictures::one_of_each(&picture).into_iter().map(|(name, bytes)| named(name, bytes)));
        files.push(named("rgba.webp", pictures::encoded(deep.to_rgba8(), image::ImageFormat::WebP)));
        files.push(named("16.png", pictures::encoded(deep.to_rgba16(), image::ImageFormat::Png)));
        files.push(named("16.tiff", pictures::encoded(deep.to_rgb16(), image::ImageFormat::Tiff)));
        files.push(named("grey.tiff", pictures::encoded(deep.to_luma8(), image::ImageFormat::Tiff)));
        files.push(named("oriented.png", pictures::oriented(&picture, 6).swap_remove(0).1));
        for sampling in [jpeg_encoder::SamplingFactor::F_1_1, jpeg_encoder::SamplingFactor::F_2_2] {
            for progressive in [false, true] {
                let bytes = pictures::jpeg(&picture, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_progressive(progressive);
                });
                files.push(named(&format!("{sampling:?} {progressive}.jpeg"), bytes));
            }
        }
    }
    files
}

fn what_is_held_is_within_what_the_limit_counts() {
    for (name, bytes) in files() {
        for spec in [
            InputSpec::luma(64, 64).with_filter(Filter::Jarosz),
            InputSpec::rgb(64, 64),
            InputSpec::rgb(300, 300).with_filter(Filter::Lanczos3),
        ] {
            let mut out = Vec::with_capacity(spec.bytes());
            let mut decoder = Decoder::default();
            let (outcome, held) = peak(|| decoder.decode_bytes(&name, &bytes, &spec, &mut out));
            outcome.unwrap();
            // The bytes of the file count as well, and are held by this test.
            let needed = (held + bytes.len()) as u64;
            let limits = Limits::default().with_max_memory_bytes(needed - 1);
            let mut decoder = Decoder::new(DecodeOptions::default().with_limits(limits));
            let refused = decoder.decode_bytes(&name, &bytes, &spec, &mut out).unwrap_err();
            let MediaError::LimitExceeded { limit: Limit::MemoryBytes, value, .. } = refused else {
                panic!("{name} {spec}: {refused:?}");
            };
            // Not over twice as much either, but for the megabyte that everything may take. What libjpeg-turbo takes, which is
            // counted, is not seen here.
            let is_seen = !(cfg!(feature = "turbojpeg") && name.contains("jpeg"));
            assert!(!is_seen || value < 2 * needed + (3 << 20), "{name} {spec}: takes {needed}, counted as {value}");
        }
    }
}

fn a_decoder_gives_back_what_a_large_image_took() {
    let large = pictures::encoded(RgbImage::new(4000, 4000), image::ImageFormat::Png);
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    let before = HELD.load(Ordering::SeqCst);
    decoder.decode_bytes("large", &large, &InputSpec::rgb(8, 8), &mut out).unwrap();
    let kept = HELD.load(Ordering::SeqCst) - before;
    assert!(kept < 9 << 20, "{kept} bytes are kept");
}
