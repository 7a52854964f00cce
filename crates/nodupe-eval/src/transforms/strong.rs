//! The strong set: edits combined as people combine them who post a picture again.

use fast_image_resize::FilterType;
use image::{Rgb, RgbImage, imageops};

use super::{Edit, Transform};
use crate::colour;
use crate::drawing::{letter_size, rectangle, sticker, text};
use crate::error::EvalError;
use crate::picture::{blur, crop, part, put, resize, scale, warp};

const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);

pub(super) const TRANSFORMS: &[Transform] = &[
    Transform::new("repost", repost).at_quality(50),
    Transform::new("screenshot", screenshot).at_quality(80),
    Transform::new("rotate-crop", rotate_crop).at_quality(75),
    Transform::new("perspective", perspective).at_quality(75),
    Transform::new("caption", caption).at_quality(60),
    Transform::new("stickers", stickers).at_quality(70),
    Transform::new("filter", filter).at_quality(70),
    Transform::new("collage", collage).with_other(),
    Transform::new("inset", inset).at_quality(75).with_other(),
    Transform::new("squeeze", squeeze).at_quality(40),
    Transform::new("halftone", halftone).at_quality(75),
    Transform::new("print-scan", print_scan).at_quality(60),
];

/// Cropped, mirrored, with a sticker, smaller.
fn repost(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let random = &mut edit.random;
    let factor = random.between(0.8, 0.9);
    let mut copy = imageops::flip_horizontal(&crop(edit.photo, factor, random));
    let shorter = copy.width().min(copy.height());
    let place = (random.within(0..=copy.width() * 3 / 4), random.within(0..=copy.height() * 3 / 4));
    sticker(&mut copy, place, shorter / 5, random);
    scale(&copy, 0.7)
}

/// On the screen of a telephone: a status bar above, a row of buttons and a line of text below, on black or white.
fn screenshot(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let width = 480;
    let height = (u64::from(edit.photo.height()) * u64::from(width) / u64::from(edit.photo.width().max(1))) as u32;
    let shown = resize(edit.photo, (width, height.clamp(width / 8, width * 2)), FilterType::Lanczos3)?;
    let screen = shown.height().max(width) + 260;
    let (ground, ink) = if edit.random.coin() { (BLACK, WHITE) } else { (WHITE, BLACK) };
    let mut copy = RgbImage::from_pixel(width, screen, ground);
    text(&mut copy, (24, 14), "10:41", 2, ink);
    rectangle(&mut copy, (width - 60, 14), (34, 14), ink);
    let top = 90 + edit.random.within(0..=screen - 260 - shown.height());
    put(&mut copy, &shown, 0, top);
    for button in 0..4 {
        sticker(&mut copy, (30 + button * 60, top + shown.height() + 20), 36, &mut edit.random);
    }
    text(&mut copy, (30, top + shown.height() + 80), "FOLLOW FOR MORE!", 3, ink);
    scale(&copy, edit.random.between(0.6, 0.9))
}

/// Turned by 6° to 15° either way and cropped to what is left without corners.
fn rotate_crop(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = (edit.photo.width() as f32, edit.photo.height() as f32);
    let (sine, cosine) = edit.random.either_way(6.0, 15.0).to_radians().sin_cos();
    // The picture's own shape, as large as fits into itself when it is turned.
    let fit = |along: f32, across: f32| along / (along * cosine + across * sine.abs());
    let smaller = fit(width, height).min(fit(height, width));
    let shape = (part(edit.photo.width(), smaller).max(1), part(edit.photo.height(), smaller).max(1));
    Ok(warp(edit.photo, shape, BLACK, |x, y| {
        let (x, y) = (x - shape.0 as f32 / 2.0, y - shape.1 as f32 / 2.0);
        (cosine * x - sine * y + width / 2.0, sine * x + cosine * y + height / 2.0)
    }))
}

/// Photographed from a screen at an angle: every corner up to 10 % inwards, brighter or darker.
#[allow(clippy::many_single_char_names, reason = "the names are those of the formula")]
fn perspective(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let size = edit.photo.dimensions();
    let (width, height) = (size.0 as f32, size.1 as f32);
    let random = &mut edit.random;
    // Of the picture in a unit square: its corners clockwise from the upper left one, in the photograph.
    let mut corner = |x: f32, y: f32| ((x - random.between(0.0, 0.1)).abs(), (y - random.between(0.0, 0.1)).abs());
    let [(x0, y0), (x1, y1), (x2, y2), (x3, y3)] =
        [corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0)];
    // Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), section 2.2.3: unit square to quadrilateral.
    let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
    let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
    let divisor = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((sx * dy2 - dx2 * sy) / divisor, (dx1 * sy - sx * dy1) / divisor);
    let seen = warp(edit.photo, size, BLACK, |x, y| {
        let (u, v) = (x / width, y / height);
        let w = g * u + h * v + 1.0;
        let x = ((x1 - x0 + g * x1) * u + (x3 - x0 + h * x3) * v + x0) / w;
        let y = ((y1 - y0 + g * y1) * u + (y3 - y0 + h * y3) * v + y0) / w;
        (x * width, y * height)
    });
    Ok(colour::brightness(seen, edit.random.between(0.75, 1.25)))
}

/// Two lines of text on a white bar above, smaller.
fn caption(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = edit.photo.dimensions();
    let bar = (height / 4).max(1);
    let mut copy = RgbImage::from_pixel(width, height + bar, WHITE);
    put(&mut copy, edit.photo, 0, bar);
    for (line, words) in (0..).zip(["WHEN YOU SEE IT", "FOLLOW FOR MORE!"]) {
        let size = letter_size(words, width * 9 / 10).min((bar / 18).max(1));
        text(&mut copy, (width / 20, bar / 10 + line * bar * 45 / 100), words, size, BLACK);
    }
    scale(&copy, edit.random.between(0.6, 0.8))
}

/// Four stickers and a line of text over a picture of more colour.
fn stickers(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = edit.photo.dimensions();
    let mut copy = colour::saturation(edit.photo.clone(), edit.random.between(1.2, 1.6));
    for _ in 0..4 {
        let place = (edit.random.within(0..=width * 4 / 5), edit.random.within(0..=height * 4 / 5));
        sticker(&mut copy, place, width.min(height) / 5, &mut edit.random);
    }
    let words = "SHARE THIS NOW";
    text(&mut copy, (width / 20, height * 4 / 5), words, letter_size(words, width * 9 / 10), WHITE);
    Ok(copy)
}

/// A filter as applications have them: warm or cold, darker corners, less contrast, noise; and cropped to 90 % a side.
fn filter(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let random = &mut edit.random;
    let warmth = random.either_way(0.12, 0.25);
    let warm = colour::map(crop(edit.photo, 0.9, random), |[red, green, blue]| {
        [red * (1.0 + warmth), green, blue * (1.0 - warmth)]
    });
    let flat = colour::contrast(colour::vignette(warm, 0.5), random.between(0.6, 0.8));
    Ok(colour::noise(flat, 12.0, random))
}

/// Beside another photograph of the same height, with a white line between and around them.
fn collage(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let photo = crop(edit.photo, 0.9, &mut edit.random);
    let (width, height) = photo.dimensions();
    let gap = (width / 50).max(1);
    let other = resize(edit.other, (width, height), FilterType::Lanczos3)?;
    let mut copy = RgbImage::from_pixel(2 * width + 3 * gap, height + 2 * gap, WHITE);
    let (left, right) = if edit.random.coin() { (&photo, &other) } else { (&other, &photo) };
    put(&mut copy, left, gap, gap);
    put(&mut copy, right, 2 * gap + width, gap);
    scale(&copy, 0.7)
}

/// Another photograph in a corner, 40 % a side in a white frame; and a little less colour.
fn inset(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let mut copy = colour::saturation(edit.photo.clone(), 0.7);
    let (width, height) = copy.dimensions();
    let (small_width, small_height) = (part(width, 0.4).max(1), part(height, 0.4).max(1));
    let frame = (width / 80).max(1);
    let small = resize(edit.other, (small_width, small_height), FilterType::Lanczos3)?;
    let corner = |side: u32, small: u32, at_end: bool| if at_end { side.saturating_sub(small + 2 * frame) } else { 0 };
    let (x, y) = (corner(width, small_width, edit.random.coin()), corner(height, small_height, edit.random.coin()));
    rectangle(&mut copy, (x, y), (small_width + 2 * frame, small_height + 2 * frame), WHITE);
    put(&mut copy, &small, x + frame, y + frame);
    Ok(copy)
}

/// Another aspect ratio, mirrored, small and of low quality.
fn squeeze(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let factor = edit.random.between(0.55, 0.75);
    let (across, down) = if edit.random.coin() { (factor, 1.0) } else { (1.0, factor) };
    let size = (part(edit.photo.width(), across * 0.6), part(edit.photo.height(), down * 0.6));
    Ok(imageops::flip_horizontal(&resize(edit.photo, size, FilterType::Lanczos3)?))
}

/// Blocks of 1/90 of the longer side in six steps of every colour, in a coloured frame.
fn halftone(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = edit.photo.dimensions();
    let block = (width.max(height) / 90).max(2);
    let blocks = resize(edit.photo, (width / block, height / block), FilterType::Box)?;
    let coarse = colour::map(blocks, |pixel| pixel.map(|channel| (channel / 51.0).round() * 51.0));
    let large = resize(&coarse, (width, height), FilterType::Box)?;
    let frame = (width.min(height) / 12).max(1);
    let mut copy = RgbImage::from_pixel(width + 2 * frame, height + 2 * frame, edit.random.colour());
    put(&mut copy, &large, frame, frame);
    Ok(copy)
}

/// Printed and scanned: grey, a little blurred, of low contrast, noisy, askew by 1° to 3° on white paper.
fn print_scan(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let random = &mut edit.random;
    let (width, height) = (edit.photo.width() as f32, edit.photo.height() as f32);
    let soft = blur(&colour::grey(edit.photo.clone()), (width.max(height) / 400.0).max(0.3));
    let flat = colour::map(colour::contrast(soft, 0.7), |pixel| pixel.map(|channel| channel * 0.9 + 25.0));
    let (sine, cosine) = random.either_way(1.0, 3.0).to_radians().sin_cos();
    let paper = (part(edit.photo.width(), 1.2).max(1), part(edit.photo.height(), 1.3).max(1));
    let scanned = warp(&flat, paper, Rgb([244; 3]), |x, y| {
        let (x, y) = (x - paper.0 as f32 / 2.0, y - paper.1 as f32 / 2.0);
        (cosine * x - sine * y + width / 2.0, sine * x + cosine * y + height / 2.0)
    });
    Ok(colour::noise(scanned, 6.0, random))
}
