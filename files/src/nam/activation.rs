//! Elementwise functions of `.nam` files.

use crate::Error;
use crate::builder::Builder;
use crate::json::Node;

/// The step that applies a function: its name, or an object with its name as `type`. `layer` is the name of the layer if
/// it has parameters, and `channels` how many it is applied to.
pub(super) fn step(builder: &mut Builder, node: &Node<'_>, layer: &str, channels: usize) -> Result<String, Error> {
    let name = if node.is_object() { node.get("type")? } else { node.clone() };
    let number = |key: &str, default: f32| {
        let given = if node.is_object() { node.find(key) } else { None };
        given.map_or(Ok(default), |node| node.parameter())
    };
    Ok(match name.text()? {
        "Tanh" => "Tanh".to_owned(),
        "Hardtanh" => "HardTanh".to_owned(),
        "Fasttanh" => "FastTanh".to_owned(),
        "ReLU" => "Relu".to_owned(),
        "Sigmoid" => "Sigmoid".to_owned(),
        "SiLU" => "Silu".to_owned(),
        "Hardswish" => "HardSwish".to_owned(),
        "Softsign" => "Softsign".to_owned(),
        "LeakyReLU" => format!("LeakyRelu({})", number("negative_slope", 0.01)?),
        "LeakyHardtanh" => {
            let (low, high) = (number("min_val", -1.0)?, number("max_val", 1.0)?);
            let (below, above) = (number("min_slope", 0.01)?, number("max_slope", 0.01)?);
            if low >= high {
                return Err(node.error("has a `min_val` that is not less than its `max_val`"));
            }
            format!("LeakyHardTanh(min = {low}, max = {high}, min_slope = {below}, max_slope = {above})")
        }
        "PReLU" => match node.find("negative_slopes") {
            Some(slopes) if node.is_object() => {
                builder.tensor(layer, "slope", &[channels], slopes.numbers(&[channels])?);
                format!("{layer}: PRelu(per_channel = true)")
            }
            _ => {
                builder.tensor(layer, "slope", &[1], vec![number("negative_slope", 0.01)?]);
                format!("{layer}: PRelu")
            }
        },
        other => return Err(name.error(&format!("is `{other:.40}`, which is no activation that is known"))),
    })
}
