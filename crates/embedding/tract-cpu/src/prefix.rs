//! What a network does with each number of its input by itself, done by looking it up.
//!
//! A network that is given bytes begins by making floats of them: less the mean, over the deviation. There are 256 values and
//! three channels, so 768 answers; tract computes them anew for each of 100,000 numbers of an image, a sixth of the time of a
//! small network.

use nodupe_core::{Channels, ImageBatch};
use nodupe_models::{Layout, Tensor as InputTensor, TensorElement};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{ensure, format_err};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;

const VALUES: usize = 256;

/// What the pixels of an image become before the network is given them.
#[derive(Debug)]
pub(crate) enum Feed {
    /// What the manifest says.
    Plain(InputTensor),
    /// What the table of their channel has for each value.
    Table(Box<[[f32; VALUES]; 3]>, Layout),
}

impl Feed {
    /// The tensor of the one image of a batch, of this shape.
    pub(crate) fn tensor(&self, image: &ImageBatch<'_>, shape: &[usize]) -> TractResult<Tensor> {
        match self {
            Self::Plain(input) => plain(input, image, shape),
            Self::Table(tables, layout) => {
                let (pixels, _) = image.data().as_chunks::<3>();
                let look_up = |channel: usize, pixel: &[u8; 3]| tables[channel][usize::from(pixel[channel])];
                let elements: Vec<f32> = match layout {
                    Layout::Nchw => {
                        let plane = |channel| pixels.iter().map(move |pixel| look_up(channel, pixel));
                        (0..3).flat_map(plane).collect()
                    }
                    _ => pixels.iter().flat_map(|pixel| [0, 1, 2].map(|channel| look_up(channel, pixel))).collect(),
                };
                Tensor::from_shape(shape, &elements)
            }
        }
    }
}

fn plain(input: &InputTensor, image: &ImageBatch<'_>, shape: &[usize]) -> TractResult<Tensor> {
    if input.element_type == TensorElement::U8 {
        let mut elements = Vec::with_capacity(image.data().len());
        input.extend_u8(image, &mut elements);
        Tensor::from_shape(shape, &elements)
    } else {
        let mut elements = Vec::with_capacity(image.data().len());
        input.extend_f32(image, &mut elements);
        Tensor::from_shape(shape, &elements)
    }
}

/// The network from where it first looks at more than one number at a time, and what it is to be given there. It is the
/// same network where it does so at once, or where an image is too small to show every value.
pub(crate) fn fold(
    model: TypedModel,
    input: &InputTensor,
    (width, height): (u32, u32),
) -> TractResult<(TypedModel, Feed)> {
    let channel_axis = if input.layout == Layout::Nchw { 1 } else { 3 };
    let source = model.input_outlets()?[0];
    let end = end(&model, source, channel_axis)?;
    let pixels = width as usize * height as usize;
    if end == source || pixels < VALUES || model.outlet_fact(end)?.datum_type != f32::datum_type() {
        return Ok((model, Feed::Plain(input.clone())));
    }
    let mut prefix = model.clone();
    prefix.select_output_outlets(&[end])?;
    let values: Vec<u8> = (0..pixels).flat_map(|place| [(place % VALUES) as u8; 3]).collect();
    let image = ImageBatch::new(width, height, Channels::Rgb, &values)?;
    let shape = input.shape(1, width, height);
    let outputs = prefix.into_runnable()?.run(tvec!(plain(input, &image, &shape)?.into()))?;
    let output = outputs.first().ok_or_else(|| format_err!("there is no output"))?;
    let found = output.try_as_plain_ram()?.as_slice::<f32>()?;
    ensure!(found.len() == values.len(), "{} numbers of {} pixels", found.len(), pixels);
    let at = |channel: usize, place: usize| match input.layout {
        Layout::Nchw => found[channel * pixels + place],
        _ => found[place * 3 + channel],
    };
    let tables: Box<[[f32; VALUES]; 3]> =
        Box::new(std::array::from_fn(|channel| std::array::from_fn(|value| at(channel, value))));
    let is_told = |channel: usize| {
        (0..pixels).all(|place| at(channel, place).to_bits() == tables[channel][place % VALUES].to_bits())
    };
    ensure!((0..3).all(is_told), "what should be of one number each is not");
    let mut rest = model;
    rest.set_input_outlets(&[end])?;
    Ok((rest.into_compact()?, Feed::Table(tables, input.layout)))
}

/// The last of the operators that follow each other from `source` on and treat each number by itself, by its channel.
fn end(model: &TypedModel, source: OutletId, channel_axis: usize) -> TractResult<OutletId> {
    let shape = &model.outlet_fact(source)?.shape;
    let mut end = source;
    loop {
        let [next] = model.outlet_successors(end) else {
            return Ok(end);
        };
        let node = model.node(next.node);
        let alone = match &node.inputs[..] {
            [_] => node.op_is::<Cast>() || node.op_is::<ElementWiseOp>(),
            [a, b] if node.op_is::<TypedBinOp>() => {
                let other = model.outlet_fact(if *a == end { *b } else { *a })?;
                let by_channel = |(axis, size): (usize, &usize)| *size == 1 || axis == channel_axis;
                let konst = other.konst.as_ref().filter(|konst| konst.rank() == shape.rank());
                konst.is_some_and(|konst| konst.shape().iter().enumerate().all(by_channel))
            }
            _ => false,
        };
        if !alone || node.outputs.len() != 1 || node.outputs[0].fact.shape != *shape || model.outputs.contains(&end) {
            return Ok(end);
        }
        end = node.id.into();
    }
}

#[cfg(test)]
mod tests {
    use nodupe_models::Manifest;
    use tract_onnx::tract_core::ops::cast::cast;
    use tract_onnx::tract_core::ops::math::{mul, sub};

    use super::*;

    const MANIFEST: &str = r#"
        format = 1
        id = "toy"
        revision = "1"
        description = "toy"
        licence = { name = "MIT" }
        [input]
        width = 16
        height = 16
        tensor = { name = "x", element-type = "u8", layout = "nhwc" }
        [output]
        name = "y"
        dim = 768
        [[artifact]]
        format = "onnx"
        file = "toy.onnx"
        precision = "f32"
    "#;

    fn input() -> InputTensor {
        Manifest::parse(MANIFEST).unwrap().input.tensor
    }

    /// Bytes less a mean for each channel, times a weight: one, or one for each place.
    fn network(side: u32, weights: &[f32], weight_side: usize) -> TypedModel {
        let mut model = TypedModel::default();
        let x = model.add_source("x", u8::fact(input().shape(1, side, side))).unwrap();
        let x = model.wire_node("floats", cast(f32::datum_type()), &[x]).unwrap()[0];
        let mean = Tensor::from_shape(&[1, 1, 1, 3], &[10f32, 20.0, 30.0]).unwrap();
        let mean = model.add_const("mean", mean).unwrap();
        let x = model.wire_node("centred", sub(), &[x, mean]).unwrap()[0];
        let weights = Tensor::from_shape(&[1, weight_side, weight_side, 1], weights).unwrap();
        let weights = model.add_const("weights", weights).unwrap();
        let x = model.wire_node("scaled", mul(), &[x, weights]).unwrap();
        model.select_output_outlets(&x).unwrap();
        model
    }

    fn run(model: TypedModel, given: Tensor) -> Vec<f32> {
        let outputs = model.into_optimized().unwrap().into_runnable().unwrap().run(tvec!(given.into())).unwrap();
        outputs[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()
    }

    #[test]
    fn what_is_done_to_each_number_is_looked_up_and_the_network_gives_the_same() {
        let values: Vec<u8> = (0..16 * 16 * 3).map(|place| (place * 31 % 251) as u8).collect();
        let image = ImageBatch::new(16, 16, Channels::Rgb, &values).unwrap();
        let by_place: Vec<f32> = (0u8..=255).map(f32::from).collect();
        // Nothing is left of the one network, and the weights by place of the other.
        for (weights, side, left) in [(&[2.0][..], 1, 1), (&by_place, 16, 3)] {
            let model = network(16, weights, side);
            let (rest, feed) = fold(model.clone(), &input(), (16, 16)).unwrap();
            assert!(matches!(feed, Feed::Table(..)));
            assert_eq!(rest.nodes().len(), left);
            let shape = input().shape(1, 16, 16);
            let wanted = run(model, plain(&input(), &image, &shape).unwrap());
            assert_eq!(run(rest, feed.tensor(&image, &shape).unwrap()), wanted);
        }
    }

    #[test]
    fn images_with_fewer_pixels_than_values_are_given_as_they_are() {
        let (rest, feed) = fold(network(15, &[2.0], 1), &input(), (15, 15)).unwrap();
        assert!(matches!(feed, Feed::Plain(_)));
        assert_eq!(rest.input_fact(0).unwrap().datum_type, u8::datum_type());
    }
}
