//! The basic set: the edits of imagededup's benchmark.

use fast_image_resize::FilterType;
use image::imageops;

use super::Transform;
use crate::picture::{crop, resize, turn};

pub(super) const TRANSFORMS: &[Transform] = &[
    Transform::new("crop", |edit| Ok(crop(edit.photo, 0.875, &mut edit.random))),
    Transform::new("hflip", |edit| Ok(imageops::flip_horizontal(edit.photo))),
    Transform::new("vflip", |edit| Ok(imageops::flip_vertical(edit.photo))),
    Transform::new("rot25", |edit| Ok(turn(edit.photo, 25.0))),
    Transform::new("square", |edit| {
        let side = edit.photo.width().min(edit.photo.height());
        resize(edit.photo, (side, side), FilterType::Lanczos3)
    }),
];
