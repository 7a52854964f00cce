//! What tract does not make faster by itself.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{PowConst, mul};

/// Two multiplications for every third power, where tract calls a library's `powf` for each number. Pooling by the generalised
/// mean (F. Radenović et al., 2018) has one with p = 3 over the last feature maps, a fifth of the time of a small network.
pub(crate) fn cubes(mut model: TypedModel) -> TractResult<TypedModel> {
    let is_cube = |node: &&TypedNode| power(node).is_some_and(|exponent| exponent.to_bits() == 3.0f32.to_bits());
    let cubes: Vec<TypedNode> = model.nodes().iter().filter(is_cube).cloned().collect();
    for node in cubes {
        let mut patch = TypedModelPatch::new("third powers as products");
        let inputs = patch.taps(&model, &node.inputs)?;
        let x = inputs[0];
        let square = patch.wire_node(format!("{}.square", node.name), mul(), &[x, x])?[0];
        let cube = patch.wire_node(format!("{}.cube", node.name), mul(), &[square, x])?[0];
        patch.shunt_outside(&model, node.id.into(), cube)?;
        patch.apply(&mut model)?;
    }
    Ok(model)
}

/// The exponent of a power that is the same for all numbers.
fn power(node: &TypedNode) -> Option<f32> {
    let power = node.op_as::<ElementWiseOp>()?.0.downcast_ref::<PowConst>()?;
    Some(power.exponent)
}

#[cfg(test)]
mod tests {
    use tract_onnx::tract_core::ops::math::pow_const;

    use super::*;

    #[test]
    fn third_powers_become_products_of_the_same_value_and_other_powers_stay() {
        for (exponent, powers) in [(3.0, 0), (2.5, 1)] {
            let mut model = TypedModel::default();
            let x = model.add_source("x", f32::fact([4])).unwrap();
            let output = model.wire_node("power", pow_const(exponent), &[x]).unwrap();
            model.select_output_outlets(&output).unwrap();
            let model = cubes(model).unwrap().into_optimized().unwrap();
            assert_eq!(model.nodes().iter().filter_map(power).count(), powers);
            let values = tensor1(&[0.0f32, 1.0, 2.5, 1e-6]);
            let given = model.into_runnable().unwrap().run(tvec!(values.clone().into())).unwrap();
            let given = given[0].try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
            let values = values.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
            assert!(given.iter().zip(&values).all(|(given, x)| {
                let wanted = x.powf(exponent);
                (given - wanted).abs() <= 1e-6 * wanted
            }));
        }
    }
}
