//! Seeded data for the benchmarks, so that two runs measure the same.
#![forbid(unsafe_code)]

/// A generator of pseudo-random numbers: `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from -1 to 1.
    pub fn number(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// A number of 0 to `below`, which is not 0.
    pub fn below(&mut self, below: usize) -> usize {
        (self.bits() % below as u64) as usize
    }

    /// A number of the standard normal distribution: one of each pair of Box and Muller (1958).
    pub fn normal(&mut self) -> f32 {
        let unit = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (radius, angle) = (unit(self.bits()), unit(self.bits()));
        ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
    }
}

/// RGB pixels that look like a photograph to a codec: waves of several lengths, and noise.
pub fn photograph(seed: u64, width: u32, height: u32) -> Vec<u8> {
    let mut random = Random(seed);
    let waves: Vec<[f32; 5]> = (0..12)
        .map(|octave| {
            let frequency = 0.004 * 1.5f32.powi(octave);
            let strength = 60.0 / (1.0 + octave as f32);
            [random.number() * frequency, random.number() * frequency, random.number() * 3.0, strength, random.number()]
        })
        .collect();
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3u8 {
                let mut value = 128.0 + random.number() * 6.0;
                for [dx, dy, phase, strength, colour] in &waves {
                    let shift = phase + f32::from(channel) * colour;
                    value += strength * (x as f32 * dx * 6.0 + y as f32 * dy * 6.0 + shift).sin();
                }
                pixels.push(value.clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}
