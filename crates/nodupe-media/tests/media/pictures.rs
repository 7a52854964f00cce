//! Pictures made here, and files of them.

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};
use nodupe_core::InputSpec;
use nodupe_media::{Decoder, ImageInfo, MediaError};

/// A smooth picture without any symmetry.
pub(crate) fn smooth(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        Rgb([(200.0 * x + 20.0) as u8, (160.0 * y + 40.0) as u8, (120.0 * x * y + 60.0 * y + 30.0) as u8])
    })
}

/// The file of an image in a format that the `image` crate writes.
pub(crate) fn encoded(image: impl Into<DynamicImage>, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// One file of each format that can be written here: of a picture without loss but for GIF and HDR, and JPEG.
pub(crate) fn one_of_each(picture: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    use image::ImageFormat::{Bmp, Farbfeld, Gif, Hdr, Ico, Png, Pnm, Qoi, Tga, Tiff, WebP};
    let of = |format| encoded(picture.clone(), format);
    let deep = DynamicImage::from(picture.clone());
    let mut files = vec![
        ("jpeg", jpeg(picture, |_| {})),
        ("png", of(Png)),
        ("gif", of(Gif)),
        ("webp", of(WebP)),
        ("bmp", of(Bmp)),
        ("tiff", of(Tiff)),
        ("qoi", of(Qoi)),
        ("pnm", of(Pnm)),
        ("tga", of(Tga)),
        ("hdr", encoded(deep.to_rgb32f(), Hdr)),
        ("farbfeld", encoded(deep.to_rgba16(), Farbfeld)),
    ];
    #[cfg(feature = "exr")]
    files.push(("openexr", encoded(deep.to_rgb32f(), image::ImageFormat::OpenExr)));
    if picture.width().max(picture.height()) <= 256 {
        files.push(("ico", encoded(deep.to_rgba8(), Ico)));
    }
    files
}

/// A JPEG at quality 95, without chroma subsampling unless `options` says so.
pub(crate) fn jpeg(picture: &RgbImage, options: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    jpeg_of(picture.as_raw(), picture.dimensions(), jpeg_encoder::ColorType::Rgb, options)
}

/// A JPEG of pixels of some other kind.
pub(crate) fn jpeg_of(
    pixels: &[u8],
    (width, height): (u32, u32),
    color: jpeg_encoder::ColorType,
    options: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
    options(&mut encoder);
    encoder.encode(pixels, width as u16, height as u16, color).unwrap();
    bytes
}

/// EXIF data that says an orientation and nothing else.
pub(crate) fn exif(orientation: u16) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    exif.extend(orientation.to_be_bytes());
    exif.extend([0; 6]);
    exif
}

/// The files of `stored` pixels in every format that can say how they are shown.
pub(crate) fn oriented(stored: &RgbImage, orientation: u16) -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = stored.dimensions();
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(stored, width, height, ExtendedColorType::Rgb8).unwrap();
    let mut webp = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut webp);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(stored, width, height, ExtendedColorType::Rgb8).unwrap();
    let jpeg = jpeg(stored, |encoder| encoder.add_exif_metadata(&exif(orientation)).unwrap());
    let tiff = tiff(width, height, 3, orientation, stored.as_raw());
    vec![("png", png), ("webp", webp), ("jpeg", jpeg), ("tiff", tiff)]
}

/// An uncompressed TIFF with one strip of 8-bit samples.
pub(crate) fn tiff(width: u32, height: u32, samples: u16, orientation: u16, pixels: &[u8]) -> Vec<u8> {
    let entries = 10;
    let after: u32 = 8 + 2 + 12 * entries + 4;
    let short =
        |tag: u16, value: u16| [&tag.to_le_bytes()[..], &[3, 0, 1, 0, 0, 0], &value.to_le_bytes(), &[0; 2]].concat();
    let long = |tag: u16, value: u32| [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat();
    let depths = [&258u16.to_le_bytes()[..], &[3, 0], &u32::from(samples).to_le_bytes(), &after.to_le_bytes()].concat();
    let directory = [
        long(256, width),
        long(257, height),
        if samples == 1 { short(258, 8) } else { depths },
        short(259, 1),
        short(262, if samples == 1 { 1 } else { 2 }),
        long(273, after + 6),
        short(274, orientation),
        short(277, samples),
        long(278, height),
        long(279, pixels.len() as u32),
    ];
    [b"II*\0\x08\0\0\0", &(entries as u16).to_le_bytes()[..], &directory.concat(), &[0; 4], &[8, 0, 8, 0, 8, 0], pixels]
        .concat()
}

/// A PNG written by hand, for what no encoder here writes: `rows` are the packed samples with their filter bytes.
pub(crate) fn png(
    width: u32,
    height: u32,
    depth: u8,
    color: u8,
    between: &[(&[u8; 4], &[u8])],
    rows: &[u8],
) -> Vec<u8> {
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let body = [&name[..], data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc32(&body).to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, color, 0, 0, 0]].concat();
    let length = rows.len() as u16;
    let stored =
        [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes(), rows, &adler32(rows).to_be_bytes()];
    let mut bytes = [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..]].concat();
    for (name, data) in between {
        bytes.extend(chunk(name, data));
    }
    bytes.extend(chunk(b"IDAT", &stored.concat()));
    bytes.extend(chunk(b"IEND", &[]));
    bytes
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1))))
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// Decodes `bytes` with the default options.
pub(crate) fn decoded(bytes: &[u8], spec: &InputSpec) -> Result<(ImageInfo, Vec<u8>), MediaError> {
    decoded_as("picture", bytes, spec)
}

/// The same under a name.
pub(crate) fn decoded_as(name: &str, bytes: &[u8], spec: &InputSpec) -> Result<(ImageInfo, Vec<u8>), MediaError> {
    let mut pixels = Vec::new();
    let info = Decoder::default().decode_bytes(name, bytes, spec, &mut pixels)?;
    assert_eq!(pixels.len(), spec.bytes());
    Ok((info, pixels))
}

/// The largest difference of two pictures.
pub(crate) fn difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}
