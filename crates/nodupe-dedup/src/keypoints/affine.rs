//! Maps between planes.

/// What takes a point of one image to another: turned, scaled and sheared by `linear`, then moved by `shift`. Points are in fractions
/// of the longer side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    /// By rows.
    linear: [[f32; 2]; 2],
    shift: [f32; 2],
}

/// How much a plausible map may enlarge or shrink areas: more, and points fall together.
const AREA: std::ops::Range<f64> = 0.02..50.0;

impl Affine {
    /// Turns by `angle` and scales, mirrored upside down first where `mirrored`, so that `from` goes to `to`.
    pub(super) fn similarity(from: [f32; 2], to: [f32; 2], scale: f32, angle: f32, mirrored: bool) -> Self {
        let (sin, cos) = (scale * angle.sin(), scale * angle.cos());
        let flip = if mirrored { -1.0 } else { 1.0 };
        Self::through([[cos, -sin * flip], [sin, cos * flip]], from, to)
    }

    /// The map with this linear part that takes `from` to `to`.
    fn through(linear: [[f32; 2]; 2], from: [f32; 2], to: [f32; 2]) -> Self {
        let [across, down] = linear.map(|row| row[0] * from[0] + row[1] * from[1]);
        Self { linear, shift: [to[0] - across, to[1] - down] }
    }

    /// The map that takes points nearest to their partners, by least squares; `None` where the points lie on a line or it
    /// is not plausible.
    pub(super) fn fit(pairs: &[([f32; 2], [f32; 2])]) -> Option<Self> {
        let count = pairs.len() as f64;
        let mean = |place: fn(&([f32; 2], [f32; 2])) -> f32| {
            pairs.iter().map(|pair| f64::from(place(pair))).sum::<f64>() / count
        };
        let from = [mean(|pair| pair.0[0]), mean(|pair| pair.0[1])];
        let to = [mean(|pair| pair.1[0]), mean(|pair| pair.1[1])];
        // Covariances of the points with each other, and with each coordinate of their partners.
        let (mut own, mut other) = ([0.0; 3], [[0.0; 2]; 2]);
        for pair in pairs {
            let [x, y] = [0, 1].map(|axis| f64::from(pair.0[axis]) - from[axis]);
            own = [own[0] + x * x, own[1] + x * y, own[2] + y * y];
            for (axis, other) in other.iter_mut().enumerate() {
                let moved = f64::from(pair.1[axis]) - to[axis];
                *other = [other[0] + x * moved, other[1] + y * moved];
            }
        }
        let determinant = own[0] * own[2] - own[1] * own[1];
        // No points at all are not a number, and not over anything.
        if determinant.is_nan() || determinant <= 1e-3 * own[0] * own[2] {
            return None;
        }
        let linear =
            other.map(|[x, y]| [(x * own[2] - y * own[1]) / determinant, (y * own[0] - x * own[1]) / determinant]);
        if !AREA.contains(&(linear[0][0] * linear[1][1] - linear[0][1] * linear[1][0]).abs()) {
            return None;
        }
        let narrow = |pair: [f64; 2]| pair.map(|value| value as f32);
        Some(Self::through(linear.map(narrow), narrow(from), narrow(to)))
    }

    /// Where it takes a point.
    pub(super) fn apply(&self, point: [f32; 2]) -> [f32; 2] {
        let along = |axis: usize| self.linear[axis][0] * point[0] + self.linear[axis][1] * point[1] + self.shift[axis];
        [along(0), along(1)]
    }

    /// What takes points back; `None` where all of them fall onto a line.
    pub(super) fn inverse(&self) -> Option<Self> {
        let [top, bottom] = self.linear;
        let determinant = top[0] * bottom[1] - top[1] * bottom[0];
        if determinant.abs() < 1e-6 {
            return None;
        }
        let linear = [[bottom[1], -top[1]], [-bottom[0], top[0]]].map(|row| row.map(|value| value / determinant));
        Some(Self::through(linear, self.shift, [0.0; 2]))
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
            let fitted = Affine::fit(&points.map(|point| (point, map.apply(point)))).unwrap();
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
        assert_eq!(Affine::fit(&line.map(|point| (point, point))), None);
        let square = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]];
        assert_eq!(Affine::fit(&square.map(|point| (point, [0.5, 0.5]))), None);
        assert_eq!(Affine::fit(&[]), None);
    }
}
