//! The heavy set: single edits that change much.

use fast_image_resize::FilterType;
use image::{Rgb, RgbImage, imageops};

use super::{Edit, Transform};
use crate::colour;
use crate::drawing::{rectangle, text};
use crate::error::EvalError;
use crate::picture::{LEAST, blur, crop, part, put, resize};

pub(super) const TRANSFORMS: &[Transform] = &[
    Transform::new("jpeg15", |edit| Ok(edit.photo.clone())).at_quality(15),
    Transform::new("small", |edit| {
        let (width, height) = edit.photo.dimensions();
        resize(edit.photo, ((width / 4).max(LEAST), (height / 4).max(LEAST)), FilterType::Lanczos3)
    }),
    Transform::new("crop50", |edit| Ok(crop(edit.photo, 0.7, &mut edit.random))),
    Transform::new("blur", |edit| {
        let longer = edit.photo.width().max(edit.photo.height());
        Ok(blur(edit.photo, longer as f32 / 150.0))
    }),
    Transform::new("color", color),
    Transform::new("overlay", overlay),
    Transform::new("pad", pad),
    Transform::new("paste", paste).with_other(),
    Transform::new("gray", |edit| Ok(colour::grey(edit.photo.clone()))),
    Transform::new("rot90", |edit| Ok(imageops::rotate270(edit.photo))),
];

fn color(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let random = &mut edit.random;
    let brighter = colour::brightness(edit.photo.clone(), random.between(0.6, 1.5));
    let coloured = colour::saturation(brighter, random.between(0.3, 1.8));
    Ok(colour::contrast(coloured, random.between(0.6, 1.5)))
}

fn overlay(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = edit.photo.dimensions();
    let mut copy = edit.photo.clone();
    for _ in 0..3 {
        let place = (edit.random.within(0..=width * 3 / 4), edit.random.within(0..=height * 3 / 4));
        rectangle(&mut copy, place, (width / 5 + 1, height / 8 + 1), edit.random.colour());
    }
    text(&mut copy, (width / 10, height / 2), &"MEME TEXT ".repeat(4), 1, Rgb([255; 3]));
    Ok(copy)
}

fn pad(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = edit.photo.dimensions();
    let mut copy = RgbImage::from_pixel(part(width, 1.4), part(height, 1.6), edit.random.colour());
    put(&mut copy, edit.photo, part(width, 0.2), part(height, 0.3));
    Ok(copy)
}

fn paste(edit: &mut Edit<'_>) -> Result<RgbImage, EvalError> {
    let (width, height) = edit.photo.dimensions();
    let mut copy = resize(edit.other, (part(width, 1.6), part(height, 1.6)), FilterType::CatmullRom)?;
    put(&mut copy, edit.photo, part(width, 0.3), part(height, 0.3));
    Ok(copy)
}
