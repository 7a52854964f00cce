//! What a keypoint looks like: its orientation and 128 bits (Lowe 2004, sections 5 and 6).

use std::f32::consts::TAU;
use std::sync::LazyLock;

use crate::patch::gradients;
use crate::plane::Plane;

/// Directions of the histogram that the orientation is read from.
const ORIENTATIONS: usize = 36;
/// Further orientations are those of peaks at least as high, as a part of the highest (section 5).
const PEAK: f32 = 0.8;
/// Orientations of one place, at most.
const MOST_ORIENTATIONS: usize = 2;
/// Samples a side of the patch of the orientation.
const SMALL: usize = 15;
/// Its step, in standard deviations of the level.
const SMALL_STEP: f32 = 0.6;
/// The window of the orientation, in standard deviations of the level (section 5).
const SMALL_WINDOW: f32 = 1.5;
/// Cells a side.
const CELLS: usize = 4;
/// Directions of a cell.
const DIRECTIONS: usize = 8;
/// Samples a side of a cell.
const SAMPLES: usize = 4;
/// Samples a side of the patch.
const LARGE: usize = CELLS * SAMPLES;
/// The width of a cell in standard deviations of the level.
const CELL: f32 = 3.0;
/// The most that one direction of one cell may say, as a part of the length of all (section 6.1).
const CLIP: f32 = 0.2;
/// Bits of a descriptor.
pub(crate) const BITS: usize = CELLS * CELLS * DIRECTIONS;

/// Histograms of directions, by row, column and direction.
type Histograms = [f32; BITS];

/// A descriptor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Descriptor {
    pub(crate) bits: u128,
    /// Whether it is of the mirror image: see [`describe`].
    pub(crate) mirrored: bool,
}

/// What is the same for every patch, by the row or column of a sample.
struct Samples {
    /// The window of the orientation.
    small: [f32; SMALL],
    large: [Sample; LARGE],
}

/// A row or column of the large patch.
#[derive(Clone, Copy)]
struct Sample {
    /// The window of the descriptor.
    window: f32,
    /// The cell whose centre is before it, where the first one is 1.
    cell: usize,
    /// How far it is from that centre, in cells.
    part: f32,
}

static SAMPLES_OF_PATCHES: LazyLock<Samples> = LazyLock::new(|| Samples {
    small: std::array::from_fn(|sample| {
        let off = (sample as f32 - (SMALL - 1) as f32 / 2.0) * SMALL_STEP;
        (-off * off / (2.0 * SMALL_WINDOW * SMALL_WINDOW)).exp()
    }),
    large: std::array::from_fn(|sample| {
        let off = (sample as f32 - (LARGE - 1) as f32 / 2.0) / SAMPLES as f32;
        let place = off + (CELLS + 1) as f32 / 2.0;
        Sample { window: (-off * off / (CELLS * CELLS / 2) as f32).exp(), cell: place as usize, part: place.fract() }
    }),
});

/// The angles of the strongest gradient directions around a place, in radians, the strongest first.
pub(crate) fn orientations(plane: &Plane, centre: [f32; 2], sigma: f32) -> Vec<f32> {
    let mut histogram = [0.0; ORIENTATIONS];
    let window = &SAMPLES_OF_PATCHES.small;
    gradients::<SMALL>(plane, centre, SMALL_STEP * sigma, 0.0, |column, row, gradient| {
        let weight = gradient.length * window[row] * window[column];
        spread(&mut histogram, gradient.turn, weight);
    });
    for _ in 0..2 {
        let before = histogram;
        for (i, value) in histogram.iter_mut().enumerate() {
            let [left, right] = around(&before, i);
            *value = (left + 2.0 * before[i] + right) / 4.0;
        }
    }
    let highest = histogram.iter().copied().fold(0.0, f32::max);
    let mut peaks: Vec<(f32, f32)> = Vec::new();
    for (i, &value) in histogram.iter().enumerate() {
        let [left, right] = around(&histogram, i);
        if value > 0.0 && value >= PEAK * highest && value > left && value >= right {
            let top = 0.5 * (left - right) / (left + right - 2.0 * value);
            peaks.push((value, ((i as f32 + top) / ORIENTATIONS as f32).rem_euclid(1.0) * TAU));
        }
    }
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    peaks.truncate(MOST_ORIENTATIONS);
    peaks.into_iter().map(|(_, angle)| angle).collect()
}

fn around(histogram: &[f32; ORIENTATIONS], i: usize) -> [f32; 2] {
    [histogram[(i + ORIENTATIONS - 1) % ORIENTATIONS], histogram[(i + 1) % ORIENTATIONS]]
}

/// Adds a weight to the two bins of a circle that are nearest.
fn spread<const BINS: usize>(bins: &mut [f32; BINS], turn: f32, weight: f32) {
    let place = turn * BINS as f32;
    let low = place as usize;
    let part = place - low as f32;
    bins[low % BINS] += weight * (1.0 - part);
    bins[(low + 1) % BINS] += weight * part;
}

/// The descriptor of a place: histograms of gradient directions in 4 × 4 cells; a bit is set where a bin holds more than the median.
///
/// A mirrored image has mirrored descriptors. So that copies meet either way, the one whose gradients lean to the left of its
/// orientation is mirrored first (Guo et al., *MIFT: a mirror reflection invariant feature descriptor*, 2009, decides likewise).
pub(crate) fn describe(plane: &Plane, centre: [f32; 2], sigma: f32, angle: f32) -> Descriptor {
    let samples = &SAMPLES_OF_PATCHES.large;
    // With a cell more on every side, for what is beyond the outermost centres.
    let mut wide = [[[0.0; DIRECTIONS]; CELLS + 2]; CELLS + 2];
    gradients::<LARGE>(plane, centre, CELL / SAMPLES as f32 * sigma, angle, |column, row, gradient| {
        let (across, down) = (samples[column], samples[row]);
        let weight = gradient.length * across.window * down.window;
        for (row, down) in [(down.cell, 1.0 - down.part), (down.cell + 1, down.part)] {
            for (column, across) in [(across.cell, 1.0 - across.part), (across.cell + 1, across.part)] {
                spread(&mut wide[row][column], gradient.turn, weight * down * across);
            }
        }
    });
    let mut histograms: Histograms = [0.0; BITS];
    let inner = wide[1..=CELLS].iter().flat_map(|row| row[1..=CELLS].as_flattened());
    histograms.iter_mut().zip(inner).for_each(|(value, inner)| *value = *inner);
    let length = histograms.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut histograms {
        *value = value.min(CLIP * length);
    }
    let mirrored = leaning(&histograms) < 0.0;
    Descriptor { bits: bits(&if mirrored { mirror(&histograms) } else { histograms }), mirrored }
}

/// How much more gradient there is to the right of the orientation than to the left.
fn leaning(histograms: &Histograms) -> f32 {
    const SINES: [f32; DIRECTIONS] = [
        0.0,
        std::f32::consts::FRAC_1_SQRT_2,
        1.0,
        std::f32::consts::FRAC_1_SQRT_2,
        0.0,
        -std::f32::consts::FRAC_1_SQRT_2,
        -1.0,
        -std::f32::consts::FRAC_1_SQRT_2,
    ];
    histograms.chunks_exact(DIRECTIONS).flat_map(|cell| cell.iter().zip(SINES).map(|(value, sine)| value * sine)).sum()
}

/// What the mirror image has: rows of cells upside down, directions the other way round.
fn mirror(histograms: &Histograms) -> Histograms {
    let mut mirrored = [0.0; BITS];
    for (i, value) in mirrored.iter_mut().enumerate() {
        let (row, column, direction) = (i / (CELLS * DIRECTIONS), i / DIRECTIONS % CELLS, i % DIRECTIONS);
        *value = histograms[((CELLS - 1 - row) * CELLS + column) * DIRECTIONS + (DIRECTIONS - direction) % DIRECTIONS];
    }
    mirrored
}

fn bits(histograms: &Histograms) -> u128 {
    let mut sorted = *histograms;
    let (_, median, _) = sorted.select_nth_unstable_by(BITS / 2 - 1, f32::total_cmp);
    let median = *median;
    histograms.iter().enumerate().fold(0, |bits, (i, &value)| bits | u128::from(value > median) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blobs without any symmetry; `change` says where a place of the plane comes from.
    fn plane(change: impl Fn(f32, f32) -> (f32, f32)) -> Plane {
        let blobs = [
            (0.0, 0.0, 5.0, 0.5),
            (9.0, 3.0, 4.0, 0.4),
            (-6.0, 10.0, 6.0, -0.3),
            (3.0, -12.0, 3.0, 0.5),
            (-12.0, -4.0, 4.0, -0.4),
        ];
        let value = |x: f32, y: f32| {
            let (x, y) = change(x, y);
            blobs.iter().map(|(bx, by, r, v)| v * (-((x - bx).powi(2) + (y - by).powi(2)) / (2.0 * r * r)).exp()).sum()
        };
        let side = 101;
        Plane {
            side,
            data: (0..side * side).map(|i| value((i % side) as f32 - 50.0, (i / side) as f32 - 50.0)).collect(),
        }
    }

    fn describe_first(plane: &Plane) -> (f32, Descriptor) {
        let angle = orientations(plane, [50.0, 50.0], 3.0)[0];
        (angle, describe(plane, [50.0, 50.0], 3.0, angle))
    }

    #[test]
    fn turning_an_image_turns_the_angle_and_keeps_the_bits() {
        let (angle, descriptor) = describe_first(&plane(|x, y| (x, y)));
        assert!((50..=78).contains(&descriptor.bits.count_ones()), "{}", descriptor.bits.count_ones());
        for degrees in [30.0_f32, 90.0, 200.0] {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let (turned, other) = describe_first(&plane(|x, y| (cos * x + sin * y, cos * y - sin * x)));
            let off = (turned - angle - degrees.to_radians() + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
            assert!(off.abs() < 0.05, "{degrees} {off}");
            assert!((other.bits ^ descriptor.bits).count_ones() <= 8, "{degrees}");
            assert_eq!(other.mirrored, descriptor.mirrored);
        }
    }

    #[test]
    fn mirroring_an_image_keeps_the_bits_and_says_that_it_is_mirrored() {
        let (_, descriptor) = describe_first(&plane(|x, y| (x, y)));
        for mirrored in [plane(|x, y| (-x, y)), plane(|x, y| (x, -y))] {
            let (_, other) = describe_first(&mirrored);
            assert!((other.bits ^ descriptor.bits).count_ones() <= 8);
            assert_ne!(other.mirrored, descriptor.mirrored);
        }
    }

    #[test]
    fn brightness_and_contrast_make_little_difference() {
        let original = plane(|x, y| (x, y));
        let mut changed = original.clone();
        changed.data.iter_mut().for_each(|value| *value = 0.4 * *value + 0.3);
        let (one, other) = (describe_first(&original).1, describe_first(&changed).1);
        assert!((one.bits ^ other.bits).count_ones() <= 2);
    }

    #[test]
    fn a_flat_place_has_no_orientation() {
        assert_eq!(orientations(&Plane { side: 40, data: vec![0.5; 1_600] }, [20.0, 20.0], 2.0), Vec::<f32>::new());
    }
}
