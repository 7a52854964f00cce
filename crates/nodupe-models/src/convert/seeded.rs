//! Weights that were never trained: what proves that an architecture is the same network in every backend, where its real
//! weights cannot be had.

use super::architecture::Architecture;
use super::error::ConvertError;
use super::network::{Map, Network};
use super::weights::{Role, Source, to_safetensors};

/// A safetensors file with weights of an architecture, drawn by `seed`: the same bytes on every machine. [`convert`] takes it
/// as it takes trained weights.
///
/// Factors are uniform, with a variance that keeps that of the numbers on their way through the network (after He et al. 2015);
/// those of one output sum to 0, so that different images have different embeddings. Statistics of batch normalisation lie near
/// those of a layer that changes nothing.
///
/// [`convert`]: super::convert
///
/// ```
/// use nodupe_models::{Format, convert, entry, seeded_weights};
/// # fn main() -> Result<(), nodupe_models::ConvertError> {
/// let manifest = entry("efficientnet-lite0").expect("the catalogue has it");
/// let weights = seeded_weights("efficientnet-lite0", 1)?;
/// for (format, bytes) in convert(manifest, &weights)? {
///     assert!(format == Format::Onnx || bytes == weights);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ConvertError::UnknownArchitecture`].
pub fn seeded_weights(architecture: &str, seed: u64) -> Result<Vec<u8>, ConvertError> {
    /// Large enough for every architecture; weights do not depend on it.
    const SIDE: usize = 64;
    let architecture = Architecture::named(Some(architecture))?;
    let mut source = Seeded(seed);
    let mut network = Network::new(&mut source, architecture.epsilon);
    let images = Map { name: String::new(), channels: 3, height: SIDE, width: SIDE };
    (architecture.layers)(&mut network, &images)?;
    let (tensors, _) = network.finish();
    Ok(to_safetensors(&tensors))
}

/// The state of a `SplitMix64` (Steele, Lea and Flood 2014).
struct Seeded(u64);

impl Seeded {
    /// From -1 to 1.
    fn number(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

impl Source for Seeded {
    fn tensor(&mut self, _name: &str, shape: &[usize], role: Role) -> Result<Vec<f32>, ConvertError> {
        let each: usize = shape.iter().skip(1).product();
        let (middle, spread) = match role {
            Role::Factors { is_rectified } => {
                // A uniform distribution from -a to a has the variance a² / 3.
                let variance = if is_rectified { 3.0 } else { 1.5 } / each as f64;
                (0.0, (3.0 * variance).sqrt())
            }
            Role::Scale | Role::Variance => (1.0, 0.1),
            Role::Shift | Role::Mean => (0.0, 0.1),
        };
        let count = shape.iter().product();
        let mut values: Vec<f64> = (0..count).map(|_| middle + spread * self.number()).collect();
        // Inputs are not below 0. What they have in common would outweigh what tells images apart after a few layers.
        if matches!(role, Role::Factors { .. }) && shape.get(1).is_some_and(|inputs| *inputs > 1) {
            for factors in values.chunks_exact_mut(each) {
                let mean = factors.iter().sum::<f64>() / each as f64;
                for factor in factors {
                    *factor -= mean;
                }
            }
        }
        Ok(values.into_iter().map(|value| value as f32).collect())
    }
}
