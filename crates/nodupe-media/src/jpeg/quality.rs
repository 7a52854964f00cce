//! How strongly a JPEG was compressed, by its quantisation tables.

use std::io::{self, BufReader, Read};
use std::path::Path;

use super::direct::{ZIGZAG, quantisation_tables};
use crate::limits::Limits;
use crate::source;

/// Bytes of a file that are read at most. Tables come behind the profiles, the preview and what a camera adds to them, which take some
/// hundred kilobytes, and more only where a depth map is among them.
const MOST_BYTES: u64 = 16 << 20;

/// The quality, 1 to 100, that a JPEG file was saved at, estimated from the quantisation table of its first component.
///
/// It is that of libjpeg (`jpeg_quality_scaling` and `jpeg_add_quant_table` in its `jcparam.c`): the table K.1 of ITU-T T.81, annex K, scaled by
/// `5000 / quality` percent below 50 and by `200 - 2 * quality` from there on. Files of libjpeg and of what scales likewise (most programs) give just
/// what was asked for; of others, such as cameras, the answer is the quality whose table differs least, all entries taken together.
/// It tells two files of one image apart, not what an image lost before it was saved last.
///
/// `None` where the file is no JPEG, cannot be read, or has no such table in its first 16 MiB, of which no more is read than is before the
/// image data.
pub fn jpeg_quality(path: &Path) -> Option<u8> {
    let (file, _) = source::open(path, &Limits::default().with_max_file_bytes(u64::MAX)).ok()?;
    quality_of(BufReader::new(file.take(MOST_BYTES)))
}

fn quality_of(reader: impl Read) -> Option<u8> {
    estimate(&first_table(reader)?)
}

/// The table of the first component in zigzag order.
fn first_table(mut reader: impl Read) -> Option<[u16; 64]> {
    let mut tables = [None; 4];
    let mut first = None;
    if bytes(&mut reader)? != [0xff, 0xd8] {
        return None;
    }
    loop {
        let marker = marker(&mut reader)?;
        if (0xd0..=0xd9).contains(&marker) {
            return None;
        }
        // Tables may be anywhere before the first scan.
        if marker == 0xda {
            return *tables.get(usize::from(first?))?;
        }
        let length = u16::from_be_bytes(bytes(&mut reader)?).checked_sub(2)?;
        let mut segment = (&mut reader).take(u64::from(length));
        match marker {
            0xdb => {
                let mut held = Vec::with_capacity(usize::from(length));
                segment.read_to_end(&mut held).ok().filter(|&read| read == usize::from(length))?;
                quantisation_tables(&held, &mut tables)?;
            }
            // The frames, and between them other tables, an extension, and conditioning.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [.., _id, _sampling, table] = bytes::<9>(&mut segment)?;
                first = Some(table);
                io::copy(&mut segment, &mut io::sink()).ok()?;
            }
            _ => drop(io::copy(&mut segment, &mut io::sink()).ok()?),
        }
    }
}

/// The next marker. Junk before it and bytes that fill it up are passed over.
fn marker(reader: &mut impl Read) -> Option<u8> {
    let mut before = 0;
    loop {
        let [byte] = bytes(reader)?;
        if before == 0xff && !matches!(byte, 0 | 0xff) {
            return Some(byte);
        }
        before = byte;
    }
}

fn bytes<const N: usize>(reader: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// The quality whose table is nearest, the better of two that are as near; `None` for what divides by zero.
fn estimate(table: &[u16; 64]) -> Option<u8> {
    if table.contains(&0) {
        return None;
    }
    let is_wide = table.iter().any(|&entry| entry > 255);
    let off = |quality: u8| -> u64 {
        let scaled = scaled(quality, is_wide);
        table.iter().zip(scaled).map(|(&entry, scaled)| u64::from(entry.abs_diff(scaled))).sum()
    };
    (1..=100).rev().min_by_key(|&quality| off(quality))
}

/// The luminance table of libjpeg at a quality of 1 to 100, in zigzag order; entries of 8 bits end at 255.
fn scaled(quality: u8, is_wide: bool) -> [u16; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    let most = if is_wide { 32767 } else { 255 };
    ZIGZAG.map(|place| {
        let base = LUMINANCE.get(usize::from(place)).copied().unwrap_or_default();
        ((u32::from(base) * percent + 50) / 100).clamp(1, most) as u16
    })
}

/// Table K.1 of ITU-T T.81, row by row.
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, //
    12, 12, 14, 19, 26, 58, 60, 55, //
    14, 13, 16, 24, 40, 57, 69, 56, //
    14, 17, 22, 29, 51, 87, 80, 62, //
    18, 22, 37, 56, 68, 109, 103, 77, //
    24, 35, 55, 64, 81, 104, 113, 92, //
    49, 64, 78, 87, 103, 121, 120, 101, //
    72, 92, 95, 98, 112, 100, 103, 99,
];

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder, QuantizationTableType};
    use proptest::prelude::*;

    use super::*;

    fn encoded(quality: u8, set: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality);
        set(&mut encoder);
        let pixels: Vec<u8> = (0..32 * 32 * 3u32).map(|at| (at * 7 % 251) as u8).collect();
        encoder.encode(&pixels, 32, 32, ColorType::Rgb).unwrap();
        bytes
    }

    fn of(bytes: &[u8]) -> Option<u8> {
        quality_of(bytes)
    }

    /// A file up to its scan with a table of 8 or 16 bits.
    fn with_table(wide: bool, entries: &[u16]) -> Vec<u8> {
        let mut table = vec![if wide { 0x10 } else { 0 }];
        for entry in entries {
            if wide { table.extend(entry.to_be_bytes()) } else { table.push(*entry as u8) }
        }
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb];
        bytes.extend((table.len() as u16 + 2).to_be_bytes());
        bytes.extend(table);
        bytes.extend([0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0, 0xff, 0xda]);
        bytes
    }

    #[test]
    fn the_quality_that_was_asked_for_is_told_at_every_level() {
        for quality in 1..=100 {
            let bytes = encoded(quality, |encoder| {
                encoder.set_quantization_tables(QuantizationTableType::Default, QuantizationTableType::Default);
            });
            assert_eq!(of(&bytes), Some(quality));
        }
    }

    #[test]
    fn segments_before_the_tables_and_progressive_files_make_no_difference() {
        let bytes = encoded(83, |encoder| {
            encoder.add_app_segment(2, vec![0xff; 60_000]).unwrap();
            encoder.set_progressive(true);
        });
        assert_eq!(of(&bytes), Some(83));
    }

    #[test]
    fn tables_of_another_kind_are_told_by_what_they_are_nearest_to() {
        let at = |quality| {
            of(&encoded(quality, |encoder| {
                encoder.set_quantization_tables(QuantizationTableType::ImageMagick, QuantizationTableType::ImageMagick);
            }))
        };
        let found: Vec<u8> = [20, 50, 80, 95].into_iter().map(|quality| at(quality).unwrap()).collect();
        assert!(found.is_sorted() && found[0] < 40 && found[3] > 85, "{found:?}");
        assert_eq!(of(&with_table(false, &[255; 64])), Some(1));
    }

    #[test]
    fn tables_of_16_bits_are_not_cut_off_at_8() {
        assert_eq!(of(&with_table(true, &scaled(4, true))), Some(4));
        assert_eq!(of(&with_table(true, &[u16::MAX; 64])), Some(1));
    }

    #[test]
    fn what_is_damaged_has_no_quality() {
        let mut zero = scaled(90, false);
        zero[63] = 0;
        assert_eq!(of(&with_table(false, &zero)), None);
        let whole = with_table(false, &scaled(90, false));
        assert_eq!(of(&whole), Some(90));
        for length in 0..whole.len() {
            assert_eq!(of(&whole[..length]), None, "{length} bytes");
        }
        let mut other = whole;
        // The frame asks for a table that is not there, and then for one that cannot be.
        let at = other.len() - 3;
        for table in [1, 200] {
            other[at] = table;
            assert_eq!(of(&other), None);
        }
        assert_eq!(of(b"\x89PNG\r\n\x1a\n"), None);
    }

    #[test]
    fn no_more_is_read_than_is_before_the_image() {
        let bytes = with_table(false, &scaled(75, false));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(jpeg_quality(&path), Some(75));
        // Junk without an end.
        let mut junk = bytes[..2].to_vec();
        junk.resize(MOST_BYTES as usize, 0);
        junk.extend(&bytes[2..]);
        std::fs::write(&path, &junk).unwrap();
        assert_eq!(jpeg_quality(&path), None);
        assert_eq!(jpeg_quality(folder.path()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..700usize, byte: u8, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = encoded(60, |_| {});
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = of(&bytes);
            bytes.truncate(at);
            bytes.extend(tail);
            let _ = of(&bytes);
        }
    }
}
