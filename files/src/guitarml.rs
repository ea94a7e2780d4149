//! JSON of GuitarML's trainers: a recurrent layer and a dense one, as a PyTorch `state_dict`.

use crate::builder::{Builder, transposed};
use crate::json::Node;
use crate::{Error, Model, STEPS};

pub(crate) fn read(root: &Node<'_>) -> Result<Model, Error> {
    let (data, state) = (root.get("model_data")?, root.get("state_dict")?);
    let unit = data.get("unit_type")?;
    let (layer, gates) = match unit.text()? {
        "LSTM" => ("Lstm", 4),
        "GRU" => ("Gru", 3),
        "RNN" => ("Rnn", 1),
        other => return Err(unit.error(&format!("is `{other:.40}`; LSTM, GRU and RNN are known"))),
    };
    let (input, output) = (data.size_or("input_size", 1)?, data.size_or("output_size", 1)?);
    let (hidden, layers) = (data.get("hidden_size")?.size()?, data.size_or("num_layers", 1)?);
    let skips = data.flag_or("skip", false)?;
    if skips && input != output {
        return Err(data.error(&format!("has `skip`, but {input} inputs and {output} outputs")));
    }
    let mut builder = Builder::default();
    let (mut steps, mut size, wide) = (Vec::new(), input, gates * hidden);
    for index in 0..layers {
        let name = format!("rec{index}");
        let get = |what: &str, shape: &[usize]| state.get(&format!("rec.{what}_l{index}"))?.numbers(shape);
        for (what, rows) in [("weight_ih", size), ("weight_hh", hidden)] {
            builder.tensor(&name, what, &[rows, wide], transposed(&get(what, &[wide, rows])?, wide));
        }
        for what in ["bias_ih", "bias_hh"] {
            builder.tensor(&name, what, &[wide], get(what, &[wide])?);
        }
        steps.push(format!("{name}: {layer}({hidden})"));
        size = hidden;
    }
    let weight = transposed(&state.get("lin.weight")?.numbers(&[output, hidden])?, output);
    let bias = state.find("lin.bias").map(|bias| bias.numbers(&[output])).transpose()?;
    steps.push(builder.dense("lin", [hidden, output], weight, bias));
    for key in state.keys() {
        let known = builder.tensors.iter().any(|tensor| {
            let (layer, name) = tensor.name.split_once('.').unwrap_or_default();
            key == tensor.name || layer.strip_prefix("rec").is_some_and(|index| key == format!("rec.{name}_l{index}"))
        });
        if !known {
            return Err(state.error(&format!("has `{key}`, which the network that the file describes has not")));
        }
    }
    let steps = steps.join(", ");
    let body = if skips { format!("    residual {{ {steps} }},\n") } else { format!("    {steps},\n") };
    Ok(Model {
        input: vec![STEPS, input],
        output: vec![STEPS, output],
        streaming: true,
        body,
        tensors: Some(builder.tensors),
        sample_rate: None,
    })
}
