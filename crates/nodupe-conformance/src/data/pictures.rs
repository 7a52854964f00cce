//! Seeded pictures.

use nodupe_core::{Channels, InputSpec};

use super::Random;

/// A kind of picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Picture {
    /// One grey everywhere.
    Blank(u8),
    /// One colour running into another.
    Gradient,
    /// Every byte by chance.
    Noise,
    /// Squares of black and white.
    Checkerboard,
    /// Black but for one white pixel.
    Dot,
    /// What a photograph is like: a gradient, shapes of many sizes and colours, texture and a little noise. The same scene
    /// at any size.
    Scene,
}

/// The bytes of one picture of the size and the channels that `spec` asks for.
///
/// ```
/// use nodupe_conformance::data::{Picture, picture};
/// let spec = nodupe_core::InputSpec::rgb(32, 16);
/// assert_eq!(picture(&spec, Picture::Scene, 1).len(), spec.bytes());
/// ```
pub fn picture(spec: &InputSpec, kind: Picture, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    if kind == Picture::Noise {
        return (0..spec.bytes()).map(|_| random.next() as u8).collect();
    }
    let scene = Scene::new(&mut random);
    let (width, height) = (spec.width(), spec.height());
    let mut bytes = Vec::with_capacity(spec.bytes());
    for y in 0..height {
        for x in 0..width {
            let (u, v) = ((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
            let color = match kind {
                Picture::Blank(grey) => [f32::from(grey); 3],
                Picture::Gradient => scene.gradient(u, v),
                Picture::Checkerboard => [if (x / 8 + y / 8) % 2 == 0 { 0.0 } else { 255.0 }; 3],
                Picture::Dot => [if (x, y) == (width / 3, height / 3) { 255.0 } else { 0.0 }; 3],
                Picture::Scene | Picture::Noise => scene.color(u, v).map(|value| value + random.range(-3.0, 3.0)),
            };
            match spec.channels() {
                Channels::Luma => bytes.push((0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]).round() as u8),
                _ => bytes.extend(color.map(|value| value.round() as u8)),
            }
        }
    }
    bytes
}

/// The same picture with up to `strength` added to or taken from every byte.
pub fn noisy(pixels: &[u8], strength: u8, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let strength = f32::from(strength);
    let mut change = || random.range(-strength - 0.5, strength + 0.5).round();
    // A conversion to `u8` saturates.
    pixels.iter().map(|&byte| (f32::from(byte) + change()) as u8).collect()
}

type Color = [f32; 3];

struct Shape {
    center: (f32, f32),
    radius: (f32, f32),
    round: bool,
    color: Color,
}

struct Scene {
    corners: [Color; 3],
    shapes: Vec<Shape>,
    stripes: (f32, f32),
}

impl Scene {
    fn new(random: &mut Random) -> Self {
        let color = |random: &mut Random| [(); 3].map(|()| random.range(10.0, 245.0));
        let corners = [(); 3].map(|()| color(random));
        let shapes = (0..14)
            .map(|number| {
                // Large ones below, small ones above.
                let size = 0.35 / (1.0 + 0.3 * number as f32);
                Shape {
                    center: (random.unit(), random.unit()),
                    radius: (size * random.range(0.4, 1.0), size * random.range(0.4, 1.0)),
                    round: random.next() & 1 == 0,
                    color: color(random),
                }
            })
            .collect();
        Self { corners, shapes, stripes: (random.range(-40.0, 40.0), random.range(-40.0, 40.0)) }
    }

    fn gradient(&self, u: f32, v: f32) -> Color {
        let [origin, right, bottom] = self.corners;
        std::array::from_fn(|channel| {
            let across = u * (right[channel] - origin[channel]);
            let down = v * (bottom[channel] - origin[channel]);
            (origin[channel] + across + down).clamp(0.0, 255.0)
        })
    }

    fn color(&self, u: f32, v: f32) -> Color {
        let base = self
            .shapes
            .iter()
            .rev()
            .find(|shape| shape.covers(u, v))
            .map_or_else(|| self.gradient(u, v), |shape| shape.shaded(u, v));
        // A triangle wave: no transcendental function, whose last bit differs between platforms.
        let phase = (self.stripes.0 * u + self.stripes.1 * v).rem_euclid(1.0);
        let wave = 24.0 * ((phase - 0.5).abs() - 0.25);
        base.map(|value| value + wave)
    }
}

impl Shape {
    fn offset(&self, u: f32, v: f32) -> (f32, f32) {
        ((u - self.center.0) / self.radius.0, (v - self.center.1) / self.radius.1)
    }

    fn covers(&self, u: f32, v: f32) -> bool {
        let (x, y) = self.offset(u, v);
        if self.round { x * x + y * y <= 1.0 } else { x.abs() <= 1.0 && y.abs() <= 1.0 }
    }

    fn shaded(&self, u: f32, v: f32) -> Color {
        let (x, y) = self.offset(u, v);
        self.color.map(|value| value + 15.0 * (x + y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_the_same_for_a_seed_and_others_for_another() {
        for spec in [InputSpec::rgb(20, 10), InputSpec::luma(9, 9)] {
            for kind in [Picture::Gradient, Picture::Noise, Picture::Scene] {
                let one = picture(&spec, kind, 7);
                assert_eq!(one.len(), spec.bytes());
                assert_eq!(one, picture(&spec, kind, 7));
                assert_ne!(one, picture(&spec, kind, 8));
            }
        }
    }

    #[test]
    fn noise_is_no_stronger_than_asked() {
        let pixels = picture(&InputSpec::luma(50, 50), Picture::Scene, 1);
        let changed = noisy(&pixels, 2, 1);
        let differences: Vec<u8> = pixels.iter().zip(&changed).map(|(a, b)| a.abs_diff(*b)).collect();
        assert_eq!(differences.iter().max(), Some(&2));
    }
}
