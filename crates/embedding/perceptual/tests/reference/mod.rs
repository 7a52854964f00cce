//! What stands between a picture and the backend in the reference implementation, written down as plainly as possible:
//! luminance, the two box passes, the decimation to 64×64. And its hashes, read and compared.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

/// Y' of BT.601 of each RGB pixel.
pub(crate) fn luminance(rgb: &[u8]) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let luminance = |&[r, g, b]: &[u8; 3]| (299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000;
    pixels.iter().map(|pixel| luminance(pixel) as u8).collect()
}

/// The 64×64 pixels that the backend wants of an image of `width` columns.
pub(crate) fn downsampled(luminance: &[u8], width: usize) -> Vec<u8> {
    let rows: Vec<Vec<f64>> =
        luminance.chunks_exact(width).map(|row| row.iter().copied().map(f64::from).collect()).collect();
    let small = transposed_axis(&transposed_axis(&rows));
    small.concat().into_iter().map(|pixel| pixel.round() as u8).collect()
}

/// Bits that differ between a row and a hash as Meta's tools write it.
pub(crate) fn bits_from(row: &[u8], hex: &str) -> u32 {
    assert_eq!((row.len(), hex.len()), (32, 64), "{hex}");
    let ours = nodupe_perceptual::hex(row);
    let digit = |digit: char| digit.to_digit(16).unwrap();
    ours.chars().zip(hex.chars()).map(|(a, b)| (digit(a) ^ digit(b)).count_ones()).sum()
}

fn axis(line: &[f64]) -> Vec<f64> {
    let width = line.len().div_ceil(128);
    let filtered = boxed(&boxed(line, width), width);
    (0..64).map(|i| filtered[(2 * i + 1) * line.len() / 128]).collect()
}

fn boxed(line: &[f64], width: usize) -> Vec<f64> {
    let (left, right) = (width - 1 - width / 2, width / 2);
    let mean = |at: usize| {
        let window = &line[at.saturating_sub(left)..line.len().min(at + right + 1)];
        window.iter().sum::<f64>() / window.len() as f64
    };
    (0..line.len()).map(mean).collect()
}

/// Each row made 64 pixels long, as a column.
fn transposed_axis(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| axis(row)).collect();
    (0..64).map(|x| rows.iter().map(|row| row[x]).collect()).collect()
}
