//! How much a JPEG was compressed, told by its quantisation table.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::direct::quantisation_tables;

/// What is read of a file: tables come before the pixels, and behind what applications put there.
const HEAD: u64 = 1 << 20;
/// The sum of the table for luminance that T.81 gives as an example (annex K, table K.1), which is that of quality 50.
const EXAMPLE: u32 = 3_688;

/// The quality of a JPEG file, 1 to 100, as libjpeg's `jpeg_set_quality` counts it: estimated from the sum of its table for luminance, which
/// libjpeg scales by 50 / quality below 50 and by 2 - quality / 50 from there on. `None` for other files, and where no such table is found in the
/// first mebibyte.
///
/// Says how coarsely the file was written, not what was done to the image before.
pub fn jpeg_quality(path: &Path) -> Option<u8> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    quality(&head)
}

fn quality(bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let [0xff, marker, after @ ..] = rest else { return None };
        if *marker == 0xff {
            // A marker may be padded.
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        let segment = after.get(2..length)?;
        rest = &after[length..];
        match marker {
            0xdb => {
                let mut tables = [None; 4];
                quantisation_tables(segment, &mut tables)?;
                if let [Some(luminance), ..] = tables {
                    return Some(of_sum(luminance.into_iter().map(u32::from).sum()));
                }
            }
            0xda => return None,
            _ => {}
        }
    }
}

fn of_sum(sum: u32) -> u8 {
    let scale = 100.0 * f64::from(sum) / f64::from(EXAMPLE);
    let quality = if scale <= 100.0 { 100.0 - scale / 2.0 } else { 5_000.0 / scale };
    quality.round().clamp(1.0, 100.0) as u8
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    fn jpeg(quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let image = image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 40]));
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&image).unwrap();
        bytes
    }

    #[test]
    fn the_quality_that_a_file_was_written_with_is_read_back() {
        for wanted in [10, 30, 50, 75, 90, 95] {
            let found = quality(&jpeg(wanted)).unwrap();
            assert!(found.abs_diff(wanted) <= 1, "{wanted}: {found}");
        }
        assert_eq!(quality(&jpeg(100)), Some(99));
    }

    #[test]
    fn what_is_no_jpeg_or_ends_too_soon_has_none() {
        let whole = jpeg(80);
        let table = whole.windows(2).position(|pair| pair == [0xff, 0xdb]).unwrap();
        for end in 0..table + 60 {
            assert_eq!(quality(&whole[..end]), None, "{end}");
        }
        assert_eq!(quality(b"\x89PNG\r\n"), None);
        assert_eq!(jpeg_quality(Path::new("nowhere.jpg")), None);
        // A length of less than itself, tables of no kind, a table of nothing.
        for segment in [&[0xff, 0xdb, 0, 1][..], &[0xff, 0xdb, 0, 3, 9], &[0xff, 0xdb, 0, 2, 0xff, 0xda, 0, 2]] {
            assert_eq!(quality(&[&[0xff, 0xd8], segment].concat()), None);
        }
        let black = [&[0xff, 0xd8, 0xff, 0xdb, 0, 67, 0][..], &[0; 64]].concat();
        assert_eq!(quality(&black), Some(100));
    }
}
