//! `.nam` files, as NeuralAmpModelerCore 0.5 reads them.

mod activation;
mod wavenet;

use crate::builder::{Builder, Conv, Weights, transposed};
use crate::json::Node;
use crate::{Error, Model, STEPS};

/// The first and the last minor version of the format that is known: 0.5 to 0.7.
const MINORS: (u64, u64) = (5, 7);

pub(crate) fn read(root: &Node<'_>) -> Result<Model, Error> {
    let mut builder = Builder::default();
    let mut given = None;
    let found = model(&mut builder, root, "input", "", &mut given)?;
    let Found { value, input, output } = found;
    builder.body.push_str(&format!("    {value}\n"));
    let sample_rate = root.find("sample_rate").map(|rate| rate.number()).transpose()?;
    Ok(Model {
        input: vec![STEPS, input],
        output: vec![STEPS, output],
        streaming: true,
        body: builder.body,
        tensors: given.unwrap_or(false).then_some(builder.tensors),
        sample_rate: sample_rate.filter(|rate| *rate > 0.0),
    })
}

/// The result of a model in a file, and how many channels it takes and gives.
struct Found {
    value: String,
    input: usize,
    output: usize,
}

/// Adds a model that reads the value `input`. All models of a file have weights, or none; `given` is what the first one
/// had. Names of layers and values begin with `prefix`.
fn model(
    builder: &mut Builder,
    root: &Node<'_>,
    input: &str,
    prefix: &str,
    given: &mut Option<bool>,
) -> Result<Found, Error> {
    check_version(&root.get("version")?)?;
    let (architecture, config) = (root.get("architecture")?, root.get("config")?);
    if architecture.text()? == "SlimmableContainer" {
        return model(builder, &largest(&config)?, input, prefix, given);
    }
    let list = root.find("weights");
    if given.is_some_and(|given| given != list.is_some()) {
        return Err(root.error("has weights, or none, unlike the model around it"));
    }
    *given = Some(list.is_some());
    let mut weights = Weights::new(list.as_ref())?;
    let read = match architecture.text()? {
        "LSTM" => lstm,
        "WaveNet" => wavenet::wavenet,
        "ConvNet" => conv_net,
        "Linear" => linear,
        other => {
            let known = "LSTM, WaveNet, ConvNet, Linear and SlimmableContainer are known";
            return Err(architecture.error(&format!("is `{other}`; {known}")));
        }
    };
    let found = read(&mut Context { builder, prefix, given }, &config, &mut weights, input)?;
    weights.finish()?;
    Ok(found)
}

/// What the readers of architectures share.
struct Context<'a> {
    builder: &'a mut Builder,
    prefix: &'a str,
    given: &'a mut Option<bool>,
}

/// Three numbers: a later minor version is refused, a later patch is read as far as it is known.
fn check_version(version: &Node<'_>) -> Result<(), Error> {
    let text = version.text()?;
    let parts: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([0, minor, _]) if (MINORS.0..=MINORS.1).contains(minor) => Ok(()),
        Some([_, _, _]) => {
            let (first, last) = MINORS;
            Err(version.error(&format!("is {text:.20}; the versions 0.{first}.0 to 0.{last} are known")))
        }
        _ => Err(version.error("is no version: three numbers with dots between them")),
    }
}

/// The last submodel of a container, which is the whole model.
fn largest<'a>(config: &Node<'a>) -> Result<Node<'a>, Error> {
    let submodels = config.get("submodels")?;
    let mut before = f64::NEG_INFINITY;
    for submodel in submodels.list()? {
        let most = submodel.get("max_value")?;
        if most.number()? <= before {
            return Err(most.error("is not more than that of the submodel before"));
        }
        before = most.number()?;
        submodel.get("model")?;
    }
    let list = submodels.list()?;
    list.last().ok_or_else(|| submodels.error("is empty"))?.get("model")
}

fn lstm(context: &mut Context<'_>, config: &Node<'_>, weights: &mut Weights, input: &str) -> Result<Found, Error> {
    let hidden = config.get("hidden_size")?.size()?;
    let (layers, first) = (config.get("num_layers")?.size()?, config.get("input_size")?.size()?);
    let (channels, output) = (config.size_or("in_channels", first)?, config.size_or("out_channels", 1)?);
    if channels != first {
        return Err(config.error(&format!("has {channels} channels for an input_size of {first}")));
    }
    let Context { builder, prefix, .. } = context;
    let (mut value, mut size) = (input.to_owned(), first);
    for index in 1..=layers {
        let (layer, gates) = (format!("{prefix}lstm{index}"), 4 * hidden);
        let what = format!("layer {index}");
        let columns = transposed(&weights.take(&what, &[gates, size + hidden])?, gates);
        let (of_input, of_hidden) = columns.split_at(size * gates);
        builder.tensor(&layer, "weight_ih", &[size, gates], of_input.to_vec());
        builder.tensor(&layer, "weight_hh", &[hidden, gates], of_hidden.to_vec());
        builder.tensor(&layer, "bias_ih", &[gates], weights.take(&what, &[gates])?);
        builder.tensor(&layer, "bias_hh", &[gates], vec![0.0; gates]);
        // The hidden state before the first step, and the state of the cell.
        builder.tensor(&layer, "initial", &[2, hidden], weights.take(&what, &[2, hidden])?);
        let call = format!("{value} |> {layer}: Lstm({hidden}, initial = learned)");
        value = builder.value(format!("{prefix}hidden{index}"), &call);
        size = hidden;
    }
    let head = Conv::take(weights, "the head", [hidden, output, 1], 1, true)?;
    let head = builder.conv(&format!("{prefix}head"), head);
    let value = builder.value(format!("{prefix}output"), &format!("{value} |> {head}"));
    Ok(Found { value, input: first, output })
}

fn conv_net(context: &mut Context<'_>, config: &Node<'_>, weights: &mut Weights, input: &str) -> Result<Found, Error> {
    let Context { builder, prefix, .. } = context;
    let (channels, normalized) = (config.get("channels")?.size()?, config.get("batchnorm")?.flag()?);
    let (first, output) = (config.size_or("in_channels", 1)?, config.size_or("out_channels", 1)?);
    let (groups, activation) = (config.size_or("groups", 1)?, config.get("activation")?);
    let (mut value, mut size) = (input.to_owned(), first);
    for (index, dilation) in config.get("dilations")?.list()?.iter().enumerate() {
        let what = format!("block {index}");
        let mut conv = Conv::take(weights, &what, [size, channels, 2], groups, !normalized)?;
        conv.dilation = dilation.size()?;
        if normalized {
            normalize(&mut conv, weights, &what)?;
        }
        let conv = builder.conv(&format!("{prefix}conv{index}"), conv);
        let function = activation::step(builder, &activation, &format!("{prefix}activation{index}"), channels)?;
        value = builder.value(format!("{prefix}block{index}"), &format!("{value} |> {conv} |> {function}"));
        size = channels;
    }
    let head = Conv::take(weights, "the head", [size, output, 1], 1, true)?;
    let head = builder.conv(&format!("{prefix}head"), head);
    let value = builder.value(format!("{prefix}output"), &format!("{value} |> {head}"));
    Ok(Found { value, input: first, output })
}

/// Takes the numbers of a batch normalization, and multiplies them into the convolution before it.
fn normalize(conv: &mut Conv, weights: &mut Weights, what: &str) -> Result<(), Error> {
    let mut take = || weights.take(what, &[conv.output]);
    let (mean, variance, weight, bias) = (take()?, take()?, take()?, take()?);
    let epsilon = weights.take(what, &[1])?[0];
    let per_output = conv.weight.len() / conv.output;
    let mut moved = Vec::new();
    for (index, weights) in conv.weight.chunks_exact_mut(per_output).enumerate() {
        let scale = f64::from(weight[index]) / (f64::from(variance[index]) + f64::from(epsilon)).sqrt();
        // A structure without weights has no variance either.
        let scale = if scale.is_finite() { scale } else { 0.0 };
        weights.iter_mut().for_each(|number| *number = (f64::from(*number) * scale) as f32);
        moved.push((f64::from(bias[index]) - scale * f64::from(mean[index])) as f32);
    }
    conv.bias = Some(moved);
    Ok(())
}

/// An impulse response, newest first.
fn linear(context: &mut Context<'_>, config: &Node<'_>, weights: &mut Weights, input: &str) -> Result<Found, Error> {
    let (length, bias) = (config.get("receptive_field")?.size()?, config.get("bias")?.flag()?);
    for key in ["in_channels", "out_channels"] {
        if config.size_or(key, 1)? != 1 {
            return Err(config.error(&format!("has `{key}` other than 1, which Linear has not")));
        }
    }
    let mut conv = Conv::take(weights, "the impulse response", [1, 1, length], 1, bias)?;
    conv.weight.reverse();
    let conv = context.builder.conv(&format!("{}conv", context.prefix), conv);
    let value = context.builder.value(format!("{}output", context.prefix), &format!("{input} |> {conv}"));
    Ok(Found { value, input: 1, output: 1 })
}
