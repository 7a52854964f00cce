//! Headers without an image.

use crate::pictures::{crc32, encoded, jpeg, tiff};

/// A header of each format that says a size, and nothing after it.
pub(crate) fn headers(width: u16, height: u16) -> Vec<(&'static str, Vec<u8>)> {
    let (w, h) = (width.to_le_bytes(), height.to_le_bytes());
    let (wide, high) = (u32::from(width).to_le_bytes(), u32::from(height).to_le_bytes());
    let (big_w, big_h) = (width.to_be_bytes(), height.to_be_bytes());
    let (big_wide, big_high) = (u32::from(width).to_be_bytes(), u32::from(height).to_be_bytes());
    let canvas = |side: u16| [(side - 1).to_le_bytes().as_slice(), &[0]].concat();
    let empty = || image::RgbImage::new(1, 1);
    let mut png = encoded(empty(), image::ImageFormat::Png);
    png[16..20].copy_from_slice(&big_wide);
    png[20..24].copy_from_slice(&big_high);
    let checksum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);
    let mut bmp = encoded(empty(), image::ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&wide);
    bmp[22..26].copy_from_slice(&high);
    let mut tga = encoded(empty(), image::ImageFormat::Tga);
    tga[12..16].copy_from_slice(&[w, h].concat());
    let mut jpeg = jpeg(&empty(), |_| {});
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[big_h, big_w].concat());
    let mut dds = vec![0; 128];
    dds[..8].copy_from_slice(b"DDS \x7c\0\0\0");
    dds[8..12].copy_from_slice(&0x1007_u32.to_le_bytes());
    dds[12..20].copy_from_slice(&[high, wide].concat());
    dds[76..88].copy_from_slice(b"\x20\0\0\0\x04\0\0\0DXT1");
    let lossless = b"VP8L\x05\0\0\0\x2f\0\0\0\0\0";
    let webp = [b"WEBPVP8X\x0a\0\0\0\0\0\0\0", &canvas(width)[..], &canvas(height), lossless].concat();
    vec![
        ("jpeg", jpeg),
        ("png", png),
        ("gif", [b"GIF89a", &w[..], &h, &[0, 0, 0, b',', 0, 0, 0, 0], &w, &h, &[0, 2, 1, 0, 0, b';']].concat()),
        ("webp", [b"RIFF", &(webp.len() as u32).to_le_bytes()[..], &webp].concat()),
        ("bmp", bmp),
        ("tiff", tiff(width.into(), height.into(), 1, 1, &[0; 8])),
        ("qoi", [b"qoif", &big_wide[..], &big_high, &[3, 0], &[0; 16]].concat()),
        ("pnm", format!("P6 {width} {height} 255\n\0\0\0").into_bytes()),
        ("tga", tga),
        ("dds", dds),
        ("hdr", format!("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n\0\0\0").into_bytes()),
        ("farbfeld", [b"farbfeld", &big_wide[..], &big_high, &[0; 8]].concat()),
    ]
}
