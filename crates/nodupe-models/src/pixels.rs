//! Pixels to the input tensor of a network.

use nodupe_core::ImageBatch;

use crate::manifest::{Layout, Tensor, TensorElement};

impl Tensor {
    /// The axes of a batch of `images` images of `width` × `height` pixels.
    pub const fn shape(&self, images: usize, width: u32, height: u32) -> [usize; 4] {
        match self.layout {
            Layout::Nhwc => [images, height as usize, width as usize, 3],
            Layout::Nchw => [images, 3, height as usize, width as usize],
        }
    }

    /// Appends the elements of an f32 tensor for these RGB images: `(value - mean) / std`, in the tensor's layout.
    pub fn extend_f32(&self, batch: &ImageBatch<'_>, elements: &mut Vec<f32>) {
        debug_assert_eq!(self.element_type, TensorElement::F32);
        // 256 values a channel: a table is the division done once.
        let table: [Vec<f32>; 3] = std::array::from_fn(|channel| {
            (0..=u8::MAX).map(|value| (f32::from(value) - self.mean[channel]) / self.std[channel]).collect()
        });
        let value = |channel: usize, byte: u8| table[channel][usize::from(byte)];
        elements.reserve(batch.data().len());
        match self.layout {
            Layout::Nhwc => {
                let (pixels, _) = batch.data().as_chunks::<3>();
                elements
                    .extend(pixels.iter().flat_map(|pixel| [0, 1, 2].map(|channel| value(channel, pixel[channel]))));
            }
            Layout::Nchw => {
                for image in batch.images() {
                    let (pixels, _) = image.as_chunks::<3>();
                    for channel in 0..3 {
                        elements.extend(pixels.iter().map(|pixel| value(channel, pixel[channel])));
                    }
                }
            }
        }
    }

    /// Appends the elements of a u8 tensor for these RGB images, in the tensor's layout. For [`Layout::Nhwc`] they are the
    /// bytes of the batch, which a backend then passes on as they are.
    pub fn extend_u8(&self, batch: &ImageBatch<'_>, elements: &mut Vec<u8>) {
        match self.layout {
            Layout::Nhwc => elements.extend_from_slice(batch.data()),
            Layout::Nchw => {
                for image in batch.images() {
                    let (pixels, _) = image.as_chunks::<3>();
                    for channel in 0..3 {
                        elements.extend(pixels.iter().map(|pixel| pixel[channel]));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nodupe_core::Channels;

    use super::*;

    const PIXELS: [u8; 12] = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110];

    fn tensor(element_type: TensorElement, layout: Layout) -> Tensor {
        Tensor { name: "image".to_owned(), element_type, layout, mean: [0.0, 10.0, 20.0], std: [1.0, 2.0, 4.0] }
    }

    #[test]
    fn values_are_normalised_by_channel_and_laid_out_as_asked() {
        let batch = ImageBatch::new(2, 1, Channels::Rgb, &PIXELS).unwrap();
        let mut elements = Vec::new();
        tensor(TensorElement::F32, Layout::Nhwc).extend_f32(&batch, &mut elements);
        assert_eq!(elements, [0.0, 0.0, 0.0, 30.0, 15.0, 7.5, 60.0, 30.0, 15.0, 90.0, 45.0, 22.5]);
        elements.clear();
        tensor(TensorElement::F32, Layout::Nchw).extend_f32(&batch, &mut elements);
        assert_eq!(elements, [0.0, 30.0, 0.0, 15.0, 0.0, 7.5, 60.0, 90.0, 30.0, 45.0, 15.0, 22.5]);
    }

    #[test]
    fn pixel_values_are_passed_on_as_they_are() {
        let batch = ImageBatch::new(2, 1, Channels::Rgb, &PIXELS).unwrap();
        let mut elements = Vec::new();
        tensor(TensorElement::U8, Layout::Nhwc).extend_u8(&batch, &mut elements);
        assert_eq!(elements, PIXELS);
        elements.clear();
        tensor(TensorElement::U8, Layout::Nchw).extend_u8(&batch, &mut elements);
        assert_eq!(elements, [0, 30, 10, 40, 20, 50, 60, 90, 70, 100, 80, 110]);
        assert_eq!(tensor(TensorElement::U8, Layout::Nchw).shape(2, 5, 7), [2, 3, 7, 5]);
    }
}
