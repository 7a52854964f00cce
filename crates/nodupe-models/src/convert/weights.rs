//! Named tensors, as files have them and as an architecture takes them.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use super::error::ConvertError;
use super::pickle::Elements;

/// Where an architecture takes its tensors from.
pub(super) trait Source {
    /// The numbers of a tensor, row-major, as many as its shape has.
    fn tensor(&mut self, name: &str, shape: &[usize], role: Role) -> Result<Vec<f32>, ConvertError>;
}

/// What a tensor does in a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// Factors of a convolution or of a fully connected layer, outputs × inputs of one × …, and whether outputs below 0 are
    /// cut off.
    Factors { is_rectified: bool },
    /// The factor of a batch normalisation.
    Scale,
    /// An addend of a batch normalisation or of a fully connected layer.
    Shift,
    /// The mean that a batch normalisation subtracts.
    Mean,
    /// The variance that it divides by.
    Variance,
}

/// A tensor that an architecture took.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// The tensors of a file, borrowed from its bytes.
#[derive(Debug)]
pub(super) struct Weights<'a>(BTreeMap<String, Stored<'a>>);

/// A tensor in the bytes of a file.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    /// What its elements are called in the file.
    elements: String,
    is_f32: bool,
    bytes: &'a [u8],
    /// Elements before the first.
    offset: usize,
    shape: Vec<usize>,
    /// Elements from one to the next, along each axis.
    strides: Vec<usize>,
}

/// The tensors of a file, for one architecture.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    pub(super) weights: Weights<'a>,
    pub(super) architecture: &'static str,
}

impl<'a> FromIterator<(String, Stored<'a>)> for Weights<'a> {
    fn from_iter<I: IntoIterator<Item = (String, Stored<'a>)>>(tensors: I) -> Self {
        Self(tensors.into_iter().collect())
    }
}

impl<'a> Weights<'a> {
    /// Reads a safetensors file. No tensor is copied.
    pub(super) fn from_safetensors(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|source| ConvertError::Safetensors { source: source.into() })?;
        let stored = |view: safetensors::tensor::TensorView<'a>| Stored {
            elements: format!("{:?}", view.dtype()),
            is_f32: view.dtype() == Dtype::F32,
            bytes: view.data(),
            offset: 0,
            shape: view.shape().to_vec(),
            strides: row_major(view.shape()),
        };
        Ok(file.tensors().into_iter().map(|(name, view)| (name, stored(view))).collect())
    }
}

impl<'a> Stored<'a> {
    /// A view of a storage, where it does not leave it.
    pub(super) fn new(
        elements: Elements,
        bytes: &'a [u8],
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Option<Self> {
        let count = bytes.len() / elements.size;
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |last, (size, stride)| last.checked_add(size.saturating_sub(1).checked_mul(*stride)?))?;
        let is_inside = if shape.contains(&0) { offset <= count } else { last < count };
        let is_f32 = elements == Elements::F32;
        is_inside.then(|| Self { elements: elements.name.to_owned(), is_f32, bytes, offset, shape, strides })
    }

    /// Its numbers, row-major.
    fn values(&self) -> Vec<f32> {
        let (floats, _) = self.bytes.as_chunks::<4>();
        let number = |index: usize| floats.get(index).map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes));
        let count = self.shape.iter().product();
        if self.strides == row_major(&self.shape) {
            return (self.offset..self.offset + count).map(number).collect();
        }
        let place = |mut index: usize| {
            let mut place = self.offset;
            for (size, stride) in self.shape.iter().zip(&self.strides).rev() {
                place += index % size * stride;
                index /= size;
            }
            place
        };
        (0..count).map(|index| number(place(index))).collect()
    }
}

/// Elements from one to the next along each axis, where the last is the closest.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .scan(1_usize, |next, size| {
            let stride = *next;
            *next = next.saturating_mul(*size);
            Some(stride)
        })
        .collect();
    strides.reverse();
    strides
}

impl Source for Checked<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize], role: Role) -> Result<Vec<f32>, ConvertError> {
        let (architecture, name) = (self.architecture, name.to_owned());
        let Some(stored) = self.weights.0.get(&name) else {
            return Err(ConvertError::MissingTensor { name, architecture });
        };
        // The shape comes first: nothing larger than the architecture is ever copied.
        if stored.shape != shape {
            let (found, expected) = (stored.shape.clone(), shape.to_vec());
            return Err(ConvertError::Shape { name, architecture, found, expected });
        }
        if !stored.is_f32 {
            return Err(ConvertError::Elements { name, found: stored.elements.clone() });
        }
        let values = stored.values();
        let is_usable = |value: &f32| value.is_finite() && (role != Role::Variance || *value >= 0.0);
        match values.iter().find(|value| !is_usable(value)) {
            Some(value) => Err(ConvertError::BrokenTensor { name, detail: format!("one of its numbers is {value}") }),
            None => Ok(values),
        }
    }
}

/// A safetensors file of these tensors, in this order. Written here: digests of such files are pinned, so their bytes are
/// not to change with the version of a library. Names are those of the architectures, which need no escapes in JSON.
pub(super) fn to_safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut offset = 0;
    let entry = |Tensor { name, shape, values }: &Tensor| {
        let begin = offset;
        offset += 4 * values.len();
        let shape = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!(r#""{name}":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{begin},{offset}]}}"#)
    };
    let entries: Vec<String> = tensors.iter().map(entry).collect();
    let mut header = format!("{{{}}}", entries.join(","));
    // The data begins at a multiple of eight bytes.
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let mut bytes = Vec::with_capacity(8 + header.len() + offset);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(tensors.iter().flat_map(|tensor| &tensor.values).flat_map(|value| value.to_le_bytes()));
    bytes
}
