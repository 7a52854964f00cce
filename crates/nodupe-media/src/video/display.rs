//! The matrix of a video stream that says how its frames are turned.

use nodupe_core::View;

/// What has to be done to the stored frames, where `matrix`, as ffprobe prints it, says one of the eight orientations.
///
/// Three lines of a position and three numbers in 16.16 fixed point; a point `(x, y)` of the frame is shown at
/// `(a x + c y, b x + d y)`, with `a` and `b` the first two numbers of the first line, `c` and `d` of the second.
pub(crate) fn orientation(matrix: &str) -> View {
    let mut rows = matrix.lines().filter_map(|line| line.split_once(':')).map(|(_, numbers)| {
        let mut signs = numbers.split_whitespace().map(|number| number.parse().map_or(0, sign));
        (signs.next().unwrap_or_default(), signs.next().unwrap_or_default())
    });
    match (rows.next().unwrap_or_default(), rows.next().unwrap_or_default()) {
        ((0, 1), (-1, 0)) => View::Rotate90,
        ((-1, 0), (0, -1)) => View::Rotate180,
        ((0, -1), (1, 0)) => View::Rotate270,
        ((-1, 0), (0, 1)) => View::FlipHorizontal,
        ((1, 0), (0, -1)) => View::FlipVertical,
        ((0, 1), (1, 0)) => View::Transpose,
        ((0, -1), (-1, 0)) => View::Transverse,
        _ => View::Identity,
    }
}

/// The sign of what is at least half of one.
fn sign(number: i64) -> i64 {
    if number.unsigned_abs() < 1 << 15 { 0 } else { number.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_one_of_the_orientations() {
        let matrix = |a: i64, b: i64, c: i64, d: i64| {
            let rows = format!("\n00000000:  {} {} 0\n00000001: {} {} 0\n", a << 16, b << 16, c << 16, d << 16);
            orientation(&(rows + "00000002:            0           0  1073741824\n"))
        };
        assert_eq!(matrix(1, 0, 0, 1), View::Identity);
        assert_eq!(matrix(0, 1, -1, 0), View::Rotate90);
        assert_eq!(matrix(0, -1, 1, 0), View::Rotate270);
        assert_eq!(matrix(-1, 0, 0, 1), View::FlipHorizontal);
        for nonsense in ["", "x: y z", "00000000: 9223372036854775807 -9223372036854775808 1"] {
            assert_eq!(orientation(nonsense), View::Identity);
        }
    }
}
