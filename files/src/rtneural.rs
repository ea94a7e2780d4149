//! RTNeural's JSON: a chain of layers, in Keras' order of axes.

use crate::builder::{Builder, Conv, transposed};
use crate::json::Node;
use crate::{Error, Model, STEPS};

pub(crate) fn read(root: &Node<'_>) -> Result<Model, Error> {
    let shape = root.get("in_shape")?;
    let sizes = shape.list()?;
    // The first is that of the batch.
    let inner = sizes.get(1..).unwrap_or_default();
    let last =
        |node: &Node<'_>| -> Result<usize, Error> { node.list()?.last().ok_or_else(|| node.error("is empty"))?.size() };
    let input = match inner {
        [features] => vec![STEPS, features.size()?],
        [steps, features] => vec![steps.size().unwrap_or(STEPS), features.size()?],
        [steps, features, channels] => vec![steps.size()?, features.size()?, channels.size()?],
        _ => return Err(shape.error("has other than 2 to 4 sizes")),
    };
    let layers = root.get("layers")?.list()?;
    let mut reader = Reader { builder: Builder::default(), steps: Vec::new(), shape: input.clone(), streaming: true };
    for (index, layer) in layers.iter().enumerate() {
        reader.layer(index, layer, last(&layer.get("shape")?)?)?;
    }
    let Reader { builder, steps, shape, streaming } = reader;
    if steps.is_empty() {
        return Err(root.error("has no layers"));
    }
    let body = steps.iter().map(|step| format!("    {step},\n")).collect();
    Ok(Model { input, output: shape, streaming, body, tensors: Some(builder.tensors), sample_rate: None })
}

struct Reader {
    builder: Builder,
    steps: Vec<String>,
    /// What the layers so far give.
    shape: Vec<usize>,
    streaming: bool,
}

impl Reader {
    fn layer(&mut self, index: usize, node: &Node<'_>, width: usize) -> Result<(), Error> {
        let kind = node.get("type")?;
        let features = *self.shape.last().unwrap_or(&1);
        let name = format!("layer{index}");
        let parameters = Parameters { node, weights: node.get("weights")?.list()? };
        let mut activated = true;
        match kind.text()? {
            "dense" | "time-distributed-dense" => {
                let weight = parameters.take(0, &[features, width])?;
                let bias = parameters.has(1).then(|| parameters.take(1, &[width])).transpose()?;
                parameters.finish(if bias.is_some() { 2 } else { 1 })?;
                let step = self.builder.dense(&name, [features, width], weight, bias);
                self.steps.push(step);
                *self.shape.last_mut().unwrap_or(&mut 0) = width;
            }
            "conv1d" => self.conv1d(&name, node, &parameters, width)?,
            "conv2d" => self.conv2d(&name, node, &parameters)?,
            "lstm" | "gru" => {
                activated = false;
                self.recurrent(&name, kind.text()?, &parameters, width)?;
            }
            "prelu" => {
                let shared =
                    parameters.get(0)?.list()?.first().is_some_and(|row| row.list().is_ok_and(|row| row.len() == 1));
                let slopes = if shared { 1 } else { features };
                let numbers = parameters.take(0, &[1, slopes])?;
                parameters.finish(1)?;
                self.builder.tensor(&name, "slope", &[slopes], numbers);
                self.steps.push(format!("{name}: PRelu{}", if shared { "" } else { "(per_channel = true)" }));
            }
            "batchnorm" | "batchnorm2d" => {
                let epsilon = node.get("epsilon")?.number()?;
                if !(epsilon > 0.0 && epsilon.is_finite()) {
                    return Err(node.get("epsilon")?.error("is not positive"));
                }
                let channels = [features];
                let (weight, bias, first) = if parameters.has(2) {
                    (parameters.take(0, &channels)?, parameters.take(1, &channels)?, 2)
                } else {
                    (vec![1.0; features], vec![0.0; features], 0)
                };
                let (mean, variance) = (parameters.take(first, &channels)?, parameters.take(first + 1, &channels)?);
                parameters.finish(first + 2)?;
                for (what, numbers) in
                    [("weight", weight), ("bias", bias), ("running_mean", mean), ("running_var", variance)]
                {
                    self.builder.tensor(&name, what, &channels, numbers);
                }
                self.steps.push(format!("{name}: BatchNorm(epsilon = {epsilon:?})"));
            }
            "activation" => parameters.finish(0)?,
            other => return Err(kind.error(&format!("is `{other:.40}`, which is no layer that is known"))),
        }
        let function = node.find("activation").filter(|_| activated);
        match function.as_ref().map_or(Ok(""), Node::text)? {
            "" | "linear" => {}
            "tanh" => self.steps.push("Tanh".to_owned()),
            "relu" => self.steps.push("Relu".to_owned()),
            "sigmoid" => self.steps.push("Sigmoid".to_owned()),
            "elu" => self.steps.push("Elu".to_owned()),
            "softmax" => self.steps.push("Softmax".to_owned()),
            other => return Err(node.error(&format!("has the activation `{other:.40}`, which is not known"))),
        }
        Ok(())
    }

    fn conv1d(&mut self, name: &str, node: &Node<'_>, parameters: &Parameters<'_>, width: usize) -> Result<(), Error> {
        let [steps, features] = self.shape[..] else { return Err(node.error("takes `[time, features]`")) };
        let single = |key: &str, default: Option<usize>| -> Result<usize, Error> {
            match (node.find(key), default) {
                (Some(size), _) if size.is_list() => {
                    let list = size.list()?;
                    let [size] = list.as_slice() else { return Err(size.error("has other than one size")) };
                    size.size()
                }
                (Some(size), _) => size.size(),
                (None, Some(default)) => Ok(default),
                (None, None) => node.get(key)?.size(),
            }
        };
        let (kernel, dilation) = (single("kernel_size", None)?, single("dilation", Some(1))?);
        let (groups, stride) = (node.size_or("groups", 1)?, single("strides", Some(1))?);
        if !features.is_multiple_of(groups) || !width.is_multiple_of(groups) {
            return Err(node.error(&format!("has {groups} groups, which do not divide {features} and {width}")));
        }
        // As PyTorch has it: `[out][in / groups][k]`.
        let taps = parameters.take(0, &[kernel, features / groups, width])?;
        let weight = transposed(&taps, kernel * (features / groups));
        let weight =
            weight.chunks_exact(kernel * (features / groups)).flat_map(|row| transposed(row, kernel)).collect();
        let bias = parameters.has(1).then(|| parameters.take(1, &[width])).transpose()?;
        parameters.finish(if bias.is_some() { 2 } else { 1 })?;
        let conv = Conv { input: features, output: width, kernel, groups, dilation, weight, bias };
        let mut step = self.builder.conv(name, conv);
        if stride > 1 {
            if kernel == 1 && groups == 1 {
                return Err(node.error("has a stride, but a kernel of one tap"));
            }
            step = format!("{}, stride = {stride})", step.trim_end_matches(')'));
            self.streaming = false;
        }
        self.steps.push(step);
        self.shape = vec![steps.div_ceil(stride), width];
        Ok(())
    }

    fn conv2d(&mut self, name: &str, node: &Node<'_>, parameters: &Parameters<'_>) -> Result<(), Error> {
        let [time, features, input] = self.shape[..] else {
            return Err(node.error("takes `[time, features, channels]`"));
        };
        let size = |key: &str| node.get(key)?.size();
        let kernel = [size("kernel_size_time")?, size("kernel_size_feature")?];
        let (dilation, stride, output) = (size("dilation")?, size("strides")?, size("num_filters_out")?);
        for (key, wanted) in [("num_filters_in", input), ("num_features_in", features)] {
            if size(key)? != wanted {
                return Err(node.error(&format!("has `{key}` {}, where {wanted} come", size(key)?)));
            }
        }
        let padding = node.get("padding")?;
        let reach = dilation * (kernel[0] - 1);
        let (sides, wide, steps) = match padding.text()? {
            "valid" if kernel[1] <= features && reach < time => {
                ([(0, 0); 2], (features - kernel[1]) / stride + 1, time - reach)
            }
            "valid" => return Err(node.error("has a kernel that is larger than its input")),
            // As in Keras, along both axes.
            "same" => {
                let wide = features.div_ceil(stride);
                let missing = ((wide - 1) * stride + kernel[1]).saturating_sub(features);
                ([reach, missing].map(|missing| (missing / 2, missing - missing / 2)), wide, time)
            }
            other => return Err(padding.error(&format!("is `{other:.40}`; valid and same are known"))),
        };
        let weight = parameters.take(0, &[kernel[0], kernel[1], input, output])?;
        let bias = parameters.has(1).then(|| parameters.take(1, &[output])).transpose()?;
        parameters.finish(if bias.is_some() { 2 } else { 1 })?;
        self.builder.tensor(name, "weight", &[kernel[0], kernel[1], input, output], weight);
        let biased = if bias.is_some() { "" } else { ", bias = false" };
        if let Some(bias) = bias {
            self.builder.tensor(name, "bias", &[output], bias);
        }
        let ([kt, kf], [(first, last), (before, after)]) = (kernel, sides);
        self.steps.push(format!(
            "{name}: Conv2d({output}, kernel = ({kt}, {kf}), stride = (1, {stride}), dilation = ({dilation}, 1), \
             padding = (({first}, {last}), ({before}, {after})){biased})"
        ));
        self.shape = vec![steps, wide, output];
        self.streaming = false;
        Ok(())
    }

    fn recurrent(&mut self, name: &str, kind: &str, parameters: &Parameters<'_>, width: usize) -> Result<(), Error> {
        let [_, features] = self.shape[..] else { return Err(parameters.node.error("takes `[time, features]`")) };
        let (layer, gates) = if kind == "lstm" { ("Lstm", 4) } else { ("Gru", 3) };
        let wide = gates * width;
        // Of a GRU's gates, Keras has the update gate first, PyTorch and this library the reset gate.
        let ordered = |numbers: Vec<f32>| -> Vec<f32> {
            let rows = numbers.chunks_exact(wide).flat_map(|row| match kind {
                "lstm" => row.to_vec(),
                _ => [&row[width..2 * width], &row[..width], &row[2 * width..]].concat(),
            });
            rows.collect()
        };
        for (index, what, rows) in [(0, "weight_ih", features), (1, "weight_hh", width)] {
            let numbers = ordered(parameters.take(index, &[rows, wide])?);
            self.builder.tensor(name, what, &[rows, wide], numbers);
        }
        let (of_input, of_hidden) = if kind == "lstm" {
            (parameters.take(2, &[wide])?, vec![0.0; wide])
        } else {
            let mut both = ordered(parameters.take(2, &[2, wide])?);
            let of_hidden = both.split_off(wide);
            (both, of_hidden)
        };
        parameters.finish(3)?;
        self.builder.tensor(name, "bias_ih", &[wide], of_input);
        self.builder.tensor(name, "bias_hh", &[wide], of_hidden);
        self.steps.push(format!("{name}: {layer}({width})"));
        self.shape[1] = width;
        Ok(())
    }
}

/// The weights of a layer.
struct Parameters<'a> {
    node: &'a Node<'a>,
    weights: Vec<Node<'a>>,
}

impl<'a> Parameters<'a> {
    fn has(&self, index: usize) -> bool {
        index < self.weights.len()
    }

    fn get(&self, index: usize) -> Result<&Node<'a>, Error> {
        let too_few = || self.node.error(&format!("has {} tensors, but needs more", self.weights.len()));
        self.weights.get(index).ok_or_else(too_few)
    }

    fn take(&self, index: usize, shape: &[usize]) -> Result<Vec<f32>, Error> {
        self.get(index)?.numbers(shape)
    }

    /// Checks that there are no more than `count`.
    fn finish(&self, count: usize) -> Result<(), Error> {
        let given = self.weights.len();
        if given == count {
            Ok(())
        } else {
            Err(self.node.error(&format!("has {given} tensors, where {count} are taken")))
        }
    }
}
