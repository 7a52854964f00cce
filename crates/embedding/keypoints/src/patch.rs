//! Gradients around a keypoint, in its own scale and orientation.

use crate::plane::Plane;

/// A gradient: its length, and its direction as a part of a full turn from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Gradient {
    pub(crate) length: f32,
    pub(crate) turn: f32,
}

/// Samples a square of `N + 2` by `N + 2` places around a point, `step` pixels apart and turned by `angle` radians, and calls
/// `each` with column, row and gradient of the `N × N` inner ones.
pub(crate) fn gradients<const N: usize>(
    plane: &Plane,
    [x, y]: [f32; 2],
    step: f32,
    angle: f32,
    mut each: impl FnMut(usize, usize, Gradient),
) {
    let (sin, cos) = angle.sin_cos();
    let (across, down) = ([cos * step, sin * step], [-sin * step, cos * step]);
    let half = (N + 1) as f32 / 2.0;
    let sample = |column: usize, row: usize| {
        let (u, v) = (column as f32 - half, row as f32 - half);
        plane.at(x + u * across[0] + v * down[0], y + u * across[1] + v * down[1])
    };
    let samples: Vec<f32> = (0..(N + 2) * (N + 2)).map(|i| sample(i % (N + 2), i / (N + 2))).collect();
    for (row, near) in samples.windows(3 * (N + 2)).step_by(N + 2).enumerate() {
        let (above, rest) = near.split_at(N + 2);
        let (here, below) = rest.split_at(N + 2);
        for column in 0..N {
            let dx = here[column + 2] - here[column];
            let dy = below[column + 1] - above[column + 1];
            each(column, row, Gradient { length: (dx * dx + dy * dy).sqrt(), turn: turn(dy, dx) });
        }
    }
}

/// The direction of (x, y) as a part of a full turn, 0 to 1, to 0.0007 of a turn; cheaper than `atan2`, of which a patch would take hundreds.
/// (The polynomial is that of Rajan et al., *Efficient approximations for the arctangent function*, 2006, equation 9.)
fn turn(y: f32, x: f32) -> f32 {
    let (ax, ay) = (x.abs(), y.abs());
    let (small, large) = if ax < ay { (ax, ay) } else { (ay, ax) };
    if large == 0.0 {
        return 0.0;
    }
    let ratio = small / large;
    let eighth = ratio * (0.125 + 0.0435 * (1.0 - ratio));
    let quarter = if ax < ay { 0.25 - eighth } else { eighth };
    let half = if x < 0.0 { 0.5 - quarter } else { quarter };
    if y < 0.0 { 1.0 - half } else { half }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    #[test]
    fn directions_are_near_those_of_atan2() {
        for i in 0..3_600 {
            let angle = i as f32 / 3_600.0 * TAU;
            let found = turn(angle.sin() * 3.0, angle.cos() * 3.0);
            let off = (found - angle / TAU + 0.5).rem_euclid(1.0) - 0.5;
            assert!(off.abs() < 0.0007, "{angle} {found}");
        }
    }

    #[test]
    fn a_slope_has_one_gradient_everywhere_and_turns_with_the_patch() {
        let data = (0..64 * 64).map(|i| (i % 64) as f32 * 0.01).collect();
        let plane = Plane { side: 64, data };
        for (angle, expected) in [(0.0, 0.0), (TAU / 4.0, 0.75), (TAU / 8.0, 0.875)] {
            gradients::<8>(&plane, [32.0, 32.0], 1.5, angle, |_, _, gradient| {
                assert!((gradient.length - 0.03).abs() < 1e-4, "{gradient:?}");
                let off = (gradient.turn - expected + 0.5).rem_euclid(1.0) - 0.5;
                assert!(off.abs() < 0.002, "{gradient:?} {expected}");
            });
        }
    }
}
