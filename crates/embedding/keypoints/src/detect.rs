//! Where the keypoints are: extrema of differences of Gaussians over place and scale (Lowe 2004, sections 3 and 4).

use crate::plane::Plane;
use crate::pyramid::{LEVELS, Octave};

/// The least difference of Gaussians of a keypoint, where luminance goes from 0 to 1. Lowe takes 0.03 for images as they come; copies that were
/// blurred or compressed keep weaker ones too, and which of them are kept is decided by [`strongest`].
const CONTRAST: f32 = 0.01;
/// The largest ratio of the principal curvatures: a place on an edge is not well defined along it (section 4.1).
const EDGE: f32 = 10.0;
/// Pixels from the edge of an octave in which nothing is looked for.
const MARGIN: usize = 4;
/// Cells a side of the grid over which keypoints are spread.
const GRID: usize = 8;

/// A place in scale space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extremum {
    /// The octave, by its number.
    pub(crate) octave: usize,
    /// The level, in fractions.
    pub(crate) level: f32,
    /// Pixels of the octave from its left edge.
    pub(crate) x: f32,
    /// Pixels of the octave from its upper edge.
    pub(crate) y: f32,
    /// How much it stands out.
    pub(crate) response: f32,
}

/// The extrema of an image, octave by octave.
pub(crate) fn extrema(octaves: &[Octave]) -> Vec<Extremum> {
    let mut found = Vec::new();
    for (number, octave) in octaves.iter().enumerate() {
        let differences: Vec<Plane> = octave.levels.windows(2).map(|pair| difference(&pair[1], &pair[0])).collect();
        for level in 1..=LEVELS {
            let near = [&differences[level - 1], &differences[level], &differences[level + 1]];
            in_level(near, |x, y, s, response| {
                found.push(Extremum { octave: number, level: level as f32 + s, x, y, response });
            });
        }
    }
    found
}

fn difference(a: &Plane, b: &Plane) -> Plane {
    Plane { side: a.side, data: a.data.iter().zip(&b.data).map(|(a, b)| a - b).collect() }
}

/// The extrema of the middle one of three levels: place, how far between levels, and response.
fn in_level(levels: [&Plane; 3], mut each: impl FnMut(f32, f32, f32, f32)) {
    let [below, here, above] = levels.map(|level| level.data.as_slice());
    let side = levels[1].side;
    for y in MARGIN..side.saturating_sub(MARGIN) {
        for x in MARGIN..side - MARGIN {
            let at = y * side + x;
            let value = here[at];
            if value.abs() < CONTRAST || !is_extremum([below, here, above], at, side) {
                continue;
            }
            let (xx, yy) = (here[at + 1] + here[at - 1] - 2.0 * value, here[at + side] + here[at - side] - 2.0 * value);
            let xy = (here[at + side + 1] - here[at + side - 1] - here[at - side + 1] + here[at - side - 1]) / 4.0;
            let (trace, determinant) = (xx + yy, xx * yy - xy * xy);
            if determinant <= 0.0 || trace * trace * EDGE >= (EDGE + 1.0) * (EDGE + 1.0) * determinant {
                continue;
            }
            // Where the parabola through three values has its top.
            let top = |before: f32, after: f32| {
                let curve = before + after - 2.0 * value;
                if curve.abs() < 1e-6 { 0.0 } else { (0.5 * (before - after) / curve).clamp(-0.5, 0.5) }
            };
            let (dx, dy) = (top(here[at - 1], here[at + 1]), top(here[at - side], here[at + side]));
            each(x as f32 + dx, y as f32 + dy, top(below[at], above[at]), value.abs());
        }
    }
}

fn is_extremum([below, here, above]: [&[f32]; 3], at: usize, side: usize) -> bool {
    let value = here[at];
    let sign = value.signum();
    let stands_out = |others: &[f32]| others.iter().all(|&other| sign * value > sign * other);
    let row = |plane: &[f32], row: usize| stands_out(&plane[row - 1..=row + 1]);
    // Its own level first: most places end there.
    stands_out(&[here[at - 1], here[at + 1]])
        && [at - side, at + side].into_iter().all(|start| row(here, start))
        && [at - side, at, at + side].into_iter().all(|start| row(below, start) && row(above, start))
}

/// At most `count` of them, spread over the image: each cell of a grid gives its strongest, then each its second, and so on.
pub(crate) fn strongest(mut found: Vec<Extremum>, count: usize, octaves: &[Octave]) -> Vec<Extremum> {
    found.sort_by(|a, b| b.response.total_cmp(&a.response));
    let mut taken = [0; GRID * GRID];
    let mut ranked: Vec<(usize, Extremum)> = Vec::with_capacity(found.len());
    for extremum in found {
        let side = octaves[extremum.octave].levels[0].side as f32;
        let cell = |place: f32| ((place / side * GRID as f32) as usize).min(GRID - 1);
        let taken = &mut taken[cell(extremum.y) * GRID + cell(extremum.x)];
        ranked.push((*taken, extremum));
        *taken += 1;
    }
    // Stable: among those of one rank the strongest first.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.truncate(count);
    ranked.into_iter().map(|(_, extremum)| extremum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyramid::Pyramid;

    /// Bright discs on grey, as (x, y, radius).
    fn discs(discs: &[(f32, f32, f32)]) -> Vec<Octave> {
        let side = 128;
        let inside = |x: usize, y: usize| {
            discs.iter().any(|&(cx, cy, r)| (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2) < r * r)
        };
        let data = (0..side * side).map(|i| if inside(i % side, i / side) { 0.9 } else { 0.4 }).collect();
        Pyramid::new().octaves(&Plane { side, data })
    }

    #[test]
    fn a_disc_is_found_at_its_centre_at_a_scale_that_grows_with_it() {
        let mut scales = Vec::new();
        for radius in [4.0, 8.0, 16.0] {
            let octaves = discs(&[(60.0, 68.0, radius)]);
            let best = strongest(extrema(&octaves), 1, &octaves)[0];
            let step = octaves[best.octave].step;
            assert!((best.x * step - 60.0).abs() < 1.5 && (best.y * step - 68.0).abs() < 1.5, "{best:?}");
            scales.push(crate::pyramid::sigma_at(best.level) * step / radius);
        }
        // A disc is a blob of sigma = radius / sqrt 2.
        assert!(scales.iter().all(|ratio| (0.5..1.0).contains(ratio)), "{scales:?}");
    }

    #[test]
    fn edges_and_slopes_are_no_keypoints() {
        let side = 64;
        let edge = |i: usize| if i % side > 30 { 0.9 } else { 0.1 };
        let slope = |i: usize| (i / side) as f32 / side as f32;
        for data in [(0..side * side).map(edge).collect::<Vec<f32>>(), (0..side * side).map(slope).collect()] {
            assert_eq!(extrema(&Pyramid::new().octaves(&Plane { side, data })), []);
        }
    }

    #[test]
    fn weak_ones_elsewhere_come_before_many_strong_ones_in_one_place() {
        let octaves = discs(&[(20.0, 20.0, 5.0), (100.0, 100.0, 3.0)]);
        let all = extrema(&octaves);
        let kept = strongest(all, 2, &octaves);
        let places: Vec<bool> = kept.iter().map(|found| found.x * octaves[found.octave].step > 64.0).collect();
        assert!(places.contains(&true) && places.contains(&false), "{kept:?}");
    }
}
