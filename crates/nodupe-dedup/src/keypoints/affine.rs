//! Maps between planes.

/// What takes a point of one image to another: `x' = a x + b y + c`, `y' = d x + e y + f`, in fractions of the longer side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine([f32; 6]);

/// How much a plausible map may enlarge or shrink areas: more, and points fall together.
const AREA: std::ops::Range<f64> = 0.02..50.0;

impl Affine {
    /// Turns by `angle` and scales, mirrored upside down first where `mirrored`, so that `from` goes to `to`.
    pub(super) fn similarity(from: [f32; 2], to: [f32; 2], scale: f32, angle: f32, mirrored: bool) -> Self {
        let (sin, cos) = angle.sin_cos();
        let flip = if mirrored { -1.0 } else { 1.0 };
        let [a, b, d, e] = [scale * cos, -scale * sin * flip, scale * sin, scale * cos * flip];
        Self([a, b, to[0] - a * from[0] - b * from[1], d, e, to[1] - d * from[0] - e * from[1]])
    }

    /// The map that takes points nearest to their partners, by least squares; `None` where the points lie on a line or it
    /// is not plausible.
    pub(super) fn fit(pairs: impl Iterator<Item = ([f32; 2], [f32; 2])> + Clone) -> Option<Self> {
        let count = pairs.clone().count() as f64;
        let wide = |[x, y]: [f32; 2]| [f64::from(x), f64::from(y)];
        let mut mean = [0.0; 4];
        for (from, to) in pairs.clone() {
            let ([x, y], [u, v]) = (wide(from), wide(to));
            for (mean, value) in mean.iter_mut().zip([x, y, u, v]) {
                *mean += value / count;
            }
        }
        let [mut xx, mut xy, mut yy, mut xu, mut yu, mut xv, mut yv] = [0.0; 7];
        for (from, to) in pairs {
            let ([x, y], [u, v]) = (wide(from), wide(to));
            let [x, y, u, v] = [x - mean[0], y - mean[1], u - mean[2], v - mean[3]];
            xx += x * x;
            xy += x * y;
            yy += y * y;
            xu += x * u;
            yu += y * u;
            xv += x * v;
            yv += y * v;
        }
        let determinant = xx * yy - xy * xy;
        if determinant <= 1e-3 * xx * yy {
            return None;
        }
        let [a, b] = [(xu * yy - yu * xy) / determinant, (yu * xx - xu * xy) / determinant];
        let [d, e] = [(xv * yy - yv * xy) / determinant, (yv * xx - xv * xy) / determinant];
        if !AREA.contains(&(a * e - b * d).abs()) {
            return None;
        }
        let [c, f] = [mean[2] - a * mean[0] - b * mean[1], mean[3] - d * mean[0] - e * mean[1]];
        Some(Self([a, b, c, d, e, f].map(|value| value as f32)))
    }

    /// Where it takes a point.
    pub(super) fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [a, b, c, d, e, f] = self.0;
        [a * x + b * y + c, d * x + e * y + f]
    }

    /// What takes points back; `None` where all of them fall onto a line.
    pub(super) fn inverse(&self) -> Option<Self> {
        let [a, b, c, d, e, f] = self.0;
        let determinant = a * e - b * d;
        if determinant.abs() < 1e-6 {
            return None;
        }
        let [a, b, d, e] = [e, -b, -d, a].map(|value| value / determinant);
        Some(Self([a, b, -a * c - b * f, d, e, -d * c - e * f]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: [f32; 2], b: [f32; 2]) -> bool {
        (a[0] - b[0]).abs() < 1e-4 && (a[1] - b[1]).abs() < 1e-4
    }

    #[test]
    fn a_map_is_found_from_what_it_does_and_its_inverse_undoes_it() {
        for mirrored in [false, true] {
            let map = Affine::similarity([0.3, 0.4], [0.5, 0.6], 0.7, 1.1, mirrored);
            assert!(near(map.apply([0.3, 0.4]), [0.5, 0.6]));
            let points = [[0.1, 0.2], [0.8, 0.3], [0.5, 0.9], [0.2, 0.7]];
            let fitted = Affine::fit(points.iter().map(|&point| (point, map.apply(point)))).unwrap();
            let back = fitted.inverse().unwrap();
            for point in points {
                assert!(near(fitted.apply(point), map.apply(point)));
                assert!(near(back.apply(fitted.apply(point)), point));
            }
        }
    }

    #[test]
    fn points_on_a_line_or_in_a_heap_fit_nothing() {
        let line = [[0.1, 0.1], [0.2, 0.2], [0.5, 0.5], [0.9, 0.9]];
        assert_eq!(Affine::fit(line.iter().map(|&point| (point, point))), None);
        let square = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]];
        assert_eq!(Affine::fit(square.iter().map(|&point| (point, [0.5, 0.5]))), None);
        assert_eq!(Affine::fit(std::iter::empty()), None);
    }
}
