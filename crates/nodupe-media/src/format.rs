//! What kind of image a file is, told by its first bytes.

use std::fmt;
use std::path::Path;

use crate::error::Failure;

/// A kind of image that is read. To add one: a variant, its name, its first bytes here, and who decodes it in
/// `picture.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageFormat {
    /// JPEG: baseline and progressive, 8 bits.
    Jpeg,
    /// PNG; of an animated one the default image.
    Png,
    /// GIF; the first frame.
    Gif,
    /// WebP, lossy and lossless; the first frame.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// TIFF; the first page.
    Tiff,
    /// Windows icon; its largest image.
    Ico,
    /// Quite OK Image.
    Qoi,
    /// PBM, PGM, PPM and PAM.
    Pnm,
    /// Truevision TGA, which has no magic bytes and is known by its extension alone.
    Tga,
    /// DDS texture, compressed as DXT1, DXT3 or DXT5.
    Dds,
    /// Radiance HDR.
    Hdr,
    /// `OpenEXR`; needs the feature `exr`.
    OpenExr,
    /// Farbfeld.
    Farbfeld,
}

impl ImageFormat {
    /// The name in reports: `jpeg`, `png`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
            Self::Ico => "ico",
            Self::Qoi => "qoi",
            Self::Pnm => "pnm",
            Self::Tga => "tga",
            Self::Dds => "dds",
            Self::Hdr => "hdr",
            Self::OpenExr => "openexr",
            Self::Farbfeld => "farbfeld",
        }
    }

    /// How much of an image a file of this kind can hold.
    pub const fn fidelity(self) -> Fidelity {
        match self {
            Self::Gif | Self::Ico => Fidelity::Palette,
            Self::Dds => Fidelity::Blocks,
            Self::Jpeg | Self::WebP => Fidelity::Lossy,
            Self::Png | Self::Bmp | Self::Tiff | Self::Qoi | Self::Pnm | Self::Tga | Self::Farbfeld => {
                Fidelity::Lossless
            }
            Self::Hdr | Self::OpenExr => Fidelity::HighRange,
        }
    }

    /// What `bytes` are. `name` decides only for formats without magic bytes.
    pub(crate) fn detect(bytes: &[u8], name: &Path) -> Result<Self, Failure> {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        let is_tga = || name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tga"));
        Ok(match bytes {
            _ if starts(&[0xff, 0xd8, 0xff]) => Self::Jpeg,
            _ if starts(b"\x89PNG\r\n\x1a\n") => Self::Png,
            _ if starts(b"GIF87a") || starts(b"GIF89a") => Self::Gif,
            _ if starts(b"RIFF") && at(8, b"WEBP") => Self::WebP,
            // Two letters are little: the length of the second header tells a bitmap from a text.
            [b'B', b'M', ..]
                if matches!(bytes.get(14..18), Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])) =>
            {
                Self::Bmp
            }
            _ if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") => Self::Tiff,
            _ if starts(&[0, 0, 1, 0]) && !is_tga() => Self::Ico,
            _ if starts(b"qoif") => Self::Qoi,
            [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Self::Pnm,
            _ if starts(b"DDS ") => Self::Dds,
            _ if starts(b"#?RADIANCE") || starts(b"#?RGBE") => Self::Hdr,
            _ if starts(&[0x76, 0x2f, 0x31, 0x01]) => Self::OpenExr,
            _ if starts(b"farbfeld") => Self::Farbfeld,
            _ if !bytes.is_empty() && is_tga() => Self::Tga,
            _ => return Err(Failure::Unsupported(foreign(bytes))),
        })
    }
}

/// How much of an image a kind of file can hold, the least first. It is told by the format alone: what a file was made from may have lost
/// more, and some formats are used in several ways (WebP counts as lossy and TIFF as lossless, which most are).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fidelity {
    /// 256 colours, or an icon: GIF, ICO.
    Palette,
    /// Four colours for each 4 × 4 pixels, whatever the image: DDS.
    Blocks,
    /// Lossy at a quality that the file chooses: JPEG, WebP.
    Lossy,
    /// All pixels as they were, 8 bits or more: PNG, BMP, TIFF, QOI, PNM, TGA, farbfeld.
    Lossless,
    /// Light beyond white, as floats: Radiance HDR, `OpenEXR`.
    HighRange,
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `bytes` are instead of an image that is read.
fn foreign(bytes: &[u8]) -> String {
    let known: [(usize, &[u8], &str); 12] = [
        (4, b"ftypavif", "AVIF"),
        (4, b"ftypavis", "AVIF"),
        (4, b"ftyphei", "HEIC"),
        (4, b"ftyphev", "HEIC"),
        (4, b"ftypmif1", "HEIF"),
        (4, b"ftypmsf1", "HEIF"),
        (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
        (0, b"\xff\x0a", "JPEG XL"),
        (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (0, b"8BPS", "Photoshop"),
        (4, b"ftyp", "a video"),
        (0, b"\x1aE\xdf\xa3", "a video"),
    ];
    if bytes.is_empty() {
        return "the file is empty".to_owned();
    }
    let found =
        known.iter().find(|(offset, magic, _)| bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic)));
    if let Some((.., name)) = found {
        return format!("{name} is not decoded");
    }
    let start: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("it begins with {}, as no known format does", start.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(bytes: &[u8], name: &str) -> Option<ImageFormat> {
        ImageFormat::detect(bytes, Path::new(name)).ok()
    }

    #[test]
    fn the_content_decides_and_not_the_extension() {
        assert_eq!(detect(b"\x89PNG\r\n\x1a\n....", "a.jpg"), Some(ImageFormat::Png));
        assert_eq!(detect(b"\xff\xd8\xff\xe0", "a"), Some(ImageFormat::Jpeg));
        assert_eq!(detect(b"RIFF....WAVE", "a.webp"), None);
        assert_eq!(detect(b"P6 1 1 255\n...", "a.tga"), Some(ImageFormat::Pnm));
        assert_eq!(detect(b"", "a.tga"), None);
        assert_eq!(detect(b"\0\0\x02....", "A.TGA"), Some(ImageFormat::Tga));
    }

    #[test]
    fn a_text_that_begins_with_the_letters_of_a_bitmap_is_none() {
        assert_eq!(detect(b"BMW is a maker of cars and motorcycles", "a.bmp"), None);
        let mut header = *b"BM................\0\0\0\0";
        header[14..18].copy_from_slice(&[40, 0, 0, 0]);
        assert_eq!(detect(&header, "a"), Some(ImageFormat::Bmp));
    }

    #[test]
    fn what_is_not_read_is_called_by_its_name() {
        assert_eq!(foreign(b"\0\0\0\x1cftypavif"), "AVIF is not decoded");
        assert_eq!(foreign(b"\0\0\0\x1cftypisom"), "a video is not decoded");
        assert_eq!(foreign(b""), "the file is empty");
        assert_eq!(foreign(b"<html>"), "it begins with 3c 68 74 6d 6c 3e, as no known format does");
    }
}
