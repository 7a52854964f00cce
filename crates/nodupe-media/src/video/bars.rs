//! Black bars around a picture: letterboxes and pillarboxes.

use nodupe_core::Channels;

/// The brightest that a pixel of a bar may be: black is 16 of 255 where a decoder takes it for full range, and codecs ring.
const DARK: u8 = 32;
/// The part of a line that has to be dark.
const OF_LINE: f64 = 0.98;
/// By how much the bars at two opposite sides may differ: so many pixels, and this part of the side.
const UNEVEN: (usize, f64) = (2, 0.02);
/// The most that bars may take of a side, together.
const MOST: f64 = 0.6;

/// How wide the bars of a video are, in pixels of its frames. Told from the frames so far: what is once bright is no bar.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    /// At the left and at the right, and above and below: the wider of the two. `None` before the first frame that shows anything.
    sides: Option<[usize; 2]>,
}

impl Bars {
    /// Cuts the bars off a frame of `size` pixels, and says of what size it is now.
    pub(crate) fn cut(&mut self, pixels: &mut Vec<u8>, size: (u32, u32), channels: Channels) -> (u32, u32) {
        let (width, height) = (size.0 as usize, size.1 as usize);
        let bytes = channels.count();
        if width == 0 || height == 0 || pixels.len() != width * height * bytes {
            return size;
        }
        let is_dark = |x: usize, y: usize| pixels[(y * width + x) * bytes..][..bytes].iter().all(|&byte| byte <= DARK);
        let enough = |dark: usize, of: usize| dark as f64 >= OF_LINE * of as f64;
        let is_row = |&y: &usize| enough((0..width).filter(|&x| is_dark(x, y)).count(), width);
        let above = (0..height).take_while(is_row).count();
        if above < height {
            let below = (0..height).rev().take_while(is_row).count();
            // Only between them: above and below, a column is dark anyway.
            let rows = above..height - below;
            let is_column = |&x: &usize| enough(rows.clone().filter(|&y| is_dark(x, y)).count(), rows.len());
            let left = (0..width).take_while(is_column).count();
            let right = (0..width).rev().take_while(is_column).count();
            let seen = [bars(left, right, width), bars(above, below, height)];
            let sides = self.sides.get_or_insert(seen);
            *sides = [sides[0].min(seen[0]), sides[1].min(seen[1])];
        }
        let Some([left, above]) = self.sides.filter(|sides| *sides != [0, 0]) else { return size };
        let (inner_width, inner_height) = (width - 2 * left, height - 2 * above);
        for row in 0..inner_height {
            let from = ((above + row) * width + left) * bytes;
            pixels.copy_within(from..from + inner_width * bytes, row * inner_width * bytes);
        }
        pixels.truncate(inner_width * inner_height * bytes);
        (inner_width as u32, inner_height as u32)
    }
}

/// The width of the bars where dark margins at two opposite sides of a frame are bars: about as wide as each other, and not all that there is.
fn bars(one: usize, other: usize, side: usize) -> usize {
    let (narrow, wide) = (one.min(other), one.max(other));
    let is_even = wide - narrow <= UNEVEN.0 + (UNEVEN.1 * side as f64) as usize;
    if narrow > 0 && is_even && 2 * wide < (MOST * side as f64) as usize { wide } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of 20 × 10 that is bright from `x` and `y` on, up to as far from the other end.
    fn frame(x: usize, y: usize) -> Vec<u8> {
        let inside = |at: usize, margin: usize, side: usize| (margin..side - margin).contains(&at);
        (0..200).map(|at| if inside(at % 20, x, 20) && inside(at / 20, y, 10) { 200 } else { 17 }).collect()
    }

    fn cut(bars: &mut Bars, mut pixels: Vec<u8>) -> ((u32, u32), Vec<u8>) {
        let size = bars.cut(&mut pixels, (20, 10), Channels::Luma);
        (size, pixels)
    }

    #[test]
    fn bars_go_and_what_they_frame_stays() {
        let (size, pixels) = cut(&mut Bars::default(), frame(0, 2));
        assert_eq!((size, pixels), ((20, 6), vec![200; 120]));
        let (size, pixels) = cut(&mut Bars::default(), frame(3, 2));
        assert_eq!((size, pixels), ((14, 6), vec![200; 84]));
        assert_eq!(cut(&mut Bars::default(), frame(0, 0)).0, (20, 10));
    }

    #[test]
    fn a_bar_is_one_all_the_time_and_darkness_says_nothing() {
        let mut bars = Bars::default();
        assert_eq!(cut(&mut bars, vec![0; 200]).0, (20, 10));
        assert_eq!(cut(&mut bars, frame(3, 2)).0, (14, 6));
        assert_eq!(cut(&mut bars, frame(0, 1)).0, (20, 8));
        assert_eq!(cut(&mut bars, frame(3, 2)).0, (20, 8));
        assert_eq!(cut(&mut bars, vec![0; 200]).0, (20, 8));
    }

    #[test]
    fn what_is_dark_at_one_side_alone_is_a_picture() {
        let mut one_side = frame(0, 0);
        one_side[..60].fill(0);
        assert_eq!(cut(&mut Bars::default(), one_side).0, (20, 10));
        assert_eq!(cut(&mut Bars::default(), frame(9, 4)).0, (20, 10), "nearly all of it is dark");
        assert_eq!(Bars::default().cut(&mut vec![0; 7], (20, 10), Channels::Luma), (20, 10));
    }
}
