//! What people put onto pictures: boxes, text, stickers.

use image::{Rgb, RgbImage};

use crate::random::Random;

/// Capital letters, five pixels wide and seven high: a row a byte, the leftmost pixel in bit 4.
const LETTERS: &[(char, [u8; 7])] = &[
    ('A', [14, 17, 17, 31, 17, 17, 17]),
    ('B', [30, 17, 17, 30, 17, 17, 30]),
    ('C', [14, 17, 16, 16, 16, 17, 14]),
    ('D', [30, 17, 17, 17, 17, 17, 30]),
    ('E', [31, 16, 16, 30, 16, 16, 31]),
    ('F', [31, 16, 16, 30, 16, 16, 16]),
    ('H', [17, 17, 17, 31, 17, 17, 17]),
    ('I', [14, 4, 4, 4, 4, 4, 14]),
    ('L', [16, 16, 16, 16, 16, 16, 31]),
    ('M', [17, 27, 21, 21, 17, 17, 17]),
    ('N', [17, 25, 21, 19, 17, 17, 17]),
    ('O', [14, 17, 17, 17, 17, 17, 14]),
    ('P', [30, 17, 17, 30, 16, 16, 16]),
    ('R', [30, 17, 17, 30, 20, 18, 17]),
    ('S', [15, 16, 16, 14, 1, 1, 30]),
    ('T', [31, 4, 4, 4, 4, 4, 4]),
    ('U', [17, 17, 17, 17, 17, 17, 14]),
    ('W', [17, 17, 17, 21, 21, 27, 17]),
    ('X', [17, 17, 10, 4, 10, 17, 17]),
    ('Y', [17, 17, 10, 4, 4, 4, 4]),
    ('0', [14, 17, 19, 21, 25, 17, 14]),
    ('1', [4, 12, 4, 4, 4, 4, 14]),
    ('4', [2, 6, 10, 18, 31, 2, 2]),
    (':', [0, 4, 4, 0, 4, 4, 0]),
    ('!', [4, 4, 4, 4, 4, 0, 4]),
];

/// A filled box; what lies outside the picture is not drawn.
pub(crate) fn rectangle(picture: &mut RgbImage, (x, y): (u32, u32), (width, height): (u32, u32), colour: Rgb<u8>) {
    for y in y..y.saturating_add(height).min(picture.height()) {
        for x in x..x.saturating_add(width).min(picture.width()) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// A line of capital letters, digits and blanks from `place` on, each pixel of a letter a square of `size`.
pub(crate) fn text(picture: &mut RgbImage, (x, y): (u32, u32), line: &str, size: u32, colour: Rgb<u8>) {
    for (place, letter) in (0..).zip(line.chars()) {
        let rows = LETTERS.iter().find(|(known, _)| *known == letter).map_or([0; 7], |(_, rows)| *rows);
        for (row, bits) in (0..).zip(rows) {
            for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                rectangle(picture, (x + (place * 6 + column) * size, y + row * size), (size, size), colour);
            }
        }
    }
}

/// The size of letters at which a line is about `width` pixels wide.
pub(crate) fn letter_size(line: &str, width: u32) -> u32 {
    (width / (line.len() as u32 * 6).max(1)).max(1)
}

/// A smiling face of a diameter, in a bright colour of chance.
pub(crate) fn sticker(picture: &mut RgbImage, (x, y): (u32, u32), diameter: u32, random: &mut Random) {
    let face = Rgb([255, random.within(120..=230) as u8, random.within(0..=120) as u8]);
    for row in 0..diameter {
        for column in 0..diameter {
            let at = |place: u32| (place as f32 + 0.5) / diameter as f32 * 2.0 - 1.0;
            let (u, v) = (at(column), at(row));
            let from_centre = u.hypot(v);
            let eye = |side: f32| (u - side * 0.35).hypot((v + 0.3) * 0.6) < 0.14;
            let mouth = v > 0.15 && (0.5..0.66).contains(&from_centre);
            let dark = from_centre > 0.92 || eye(-1.0) || eye(1.0) || mouth;
            let (x, y) = (x + column, y + row);
            if from_centre <= 1.0 && x < picture.width() && y < picture.height() {
                picture.put_pixel(x, y, if dark { Rgb([40, 30, 20]) } else { face });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_over_the_edge_is_cut() {
        let mut picture = RgbImage::new(20, 10);
        rectangle(&mut picture, (15, 5), (100, 100), Rgb([1; 3]));
        assert_eq!(picture.pixels().filter(|pixel| pixel.0[0] == 1).count(), 25);
        sticker(&mut picture, (18, 8), 50, &mut Random::of(&[1]));
        text(&mut picture, (10, 0), "MEME TEXT", 3, Rgb([255; 3]));
    }

    #[test]
    fn every_letter_that_edits_write_is_drawn() {
        for letter in "MEME TEXT WHEN YOU SEE IT 10:41 FOLLOW FOR MORE! SHARE".chars().filter(|letter| *letter != ' ') {
            let mut picture = RgbImage::new(5, 7);
            text(&mut picture, (0, 0), &letter.to_string(), 1, Rgb([255; 3]));
            assert!(picture.pixels().any(|pixel| pixel.0[0] == 255), "{letter}");
        }
    }
}
