//! Operators with a window over the axes of an image or a sequence.

use super::body::Step;
use super::graph::Node;
use super::operators::constant;
use super::translate::{Known, Live, Refusal, Translator};

/// No window reaches farther: a damaged file could claim any number.
const MOST: usize = 1 << 20;

/// A window: for each axis of space its numbers.
struct Window {
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    padding: Vec<(usize, usize)>,
}

impl Window {
    /// The window of an operator over an image of these sizes.
    fn of(node: &Node, kernel: Vec<usize>, sizes: &[usize]) -> Result<Self, Refusal> {
        let rank = kernel.len();
        if !(1..=2).contains(&rank) || sizes.len() != rank {
            return Err(format!("its window has {rank} axes over {}; one and two are known", sizes.len()));
        }
        if kernel.iter().any(|size| !(1..=MOST).contains(size)) {
            return Err(format!("its kernel is {kernel:?}"));
        }
        let list = |name: &str| -> Result<Vec<usize>, Refusal> {
            let given = node.wholes(name).map_or_else(|| vec![1; rank], <[i64]>::to_vec);
            let numbers: Option<Vec<usize>> =
                given.iter().map(|n| usize::try_from(*n).ok().filter(|n| (1..=MOST).contains(n))).collect();
            numbers.filter(|list| list.len() == rank).ok_or_else(|| format!("its `{name}` is {given:?}"))
        };
        let (stride, dilation) = (list("strides")?, list("dilations")?);
        let padding = match node.text("auto_pad") {
            "SAME_UPPER" | "SAME_LOWER" => (0..rank)
                .map(|axis| {
                    let reach = (kernel[axis] - 1) * dilation[axis] + 1;
                    let needed = (sizes[axis].div_ceil(stride[axis]) - 1) * stride[axis] + reach;
                    let missing = needed.saturating_sub(sizes[axis]);
                    let (less, more) = (missing / 2, missing - missing / 2);
                    if node.text("auto_pad") == "SAME_UPPER" { (less, more) } else { (more, less) }
                })
                .collect(),
            "VALID" => vec![(0, 0); rank],
            _ => {
                let given = node.wholes("pads").map_or_else(|| vec![0; 2 * rank], <[i64]>::to_vec);
                let sides: Option<Vec<usize>> = given.iter().map(|side| side_of(*side)).collect();
                let sides = sides.filter(|sides| sides.len() == 2 * rank);
                let sides = sides.ok_or_else(|| format!("its `pads` are {given:?}"))?;
                (0..rank).map(|axis| (sides[axis], sides[axis + rank])).collect()
            }
        };
        Ok(Self { kernel, stride, dilation, padding })
    }

    /// How often the window fits.
    fn output(&self, sizes: &[usize], rounds_up: bool) -> Result<Vec<usize>, Refusal> {
        let along = |axis: usize| -> Option<usize> {
            let (before, after) = self.padding[axis];
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            let left = (sizes[axis] + before + after).checked_sub(reach)?;
            let stride = self.stride[axis];
            let count = if rounds_up { left.div_ceil(stride) } else { left / stride } + 1;
            // The last window must begin inside.
            let beyond = rounds_up && (count - 1) * stride >= sizes[axis] + before;
            Some(if beyond { count - 1 } else { count })
        };
        let outputs: Option<Vec<usize>> = (0..self.kernel.len()).map(along).collect();
        outputs.ok_or_else(|| format!("its window {:?} is larger than its input {sizes:?}", self.kernel))
    }

    /// Adds what is not the default to a layer.
    fn arguments(&self, mut step: Step, kernel: Option<&str>, stride: bool) -> Step {
        let several = |numbers: &[usize]| match numbers {
            [one] => one.to_string(),
            [one, other] if one == other => one.to_string(),
            numbers => {
                let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
                format!("({})", numbers.join(", "))
            }
        };
        if let Some(kernel) = kernel {
            step = step.argument(format!("{kernel}{}", several(&self.kernel)));
        }
        // The stride of a pool is its kernel if nobody says another.
        if stride || self.stride.iter().any(|number| *number != 1) {
            step = step.argument(format!("stride = {}", several(&self.stride)));
        }
        if self.dilation.iter().any(|number| *number != 1) {
            step = step.argument(format!("dilation = {}", several(&self.dilation)));
        }
        match self.padding.as_slice() {
            sides if sides.iter().all(|side| *side == (0, 0)) => step,
            [(before, after)] if before == after => step.argument(format!("padding = {before}")),
            [(before, after)] => step.argument(format!("padding = ({before}, {after})")),
            sides if sides.iter().all(|side| side.0 == sides[0].0 && side.1 == sides[0].0) => {
                step.argument(format!("padding = {}", sides[0].0))
            }
            sides => {
                let sides: Vec<_> = sides.iter().map(|(before, after)| format!("({before}, {after})")).collect();
                step.argument(format!("padding = ({})", sides.join(", ")))
            }
        }
    }
}

/// A number of zeros at a side.
fn side_of(side: i64) -> Option<usize> {
    usize::try_from(side).ok().filter(|side| *side <= MOST)
}

/// The sizes of space of an image, and its channels.
fn image(node: &Node, x: &Live) -> Result<(Vec<usize>, usize), Refusal> {
    let rank = x.shape.len();
    if !(3..=4).contains(&rank) {
        return Err(format!("its input has {rank} axes; an image has 4, a sequence 3"));
    }
    Ok(if node.channels_last {
        (x.shape[1..rank - 1].to_vec(), x.shape[rank - 1])
    } else {
        (x.shape[2..].to_vec(), x.shape[1])
    })
}

/// The shape in the file of an image of these sizes.
fn shape(node: &Node, sizes: &[usize], channels: usize) -> Vec<usize> {
    let mut shape = vec![1];
    if node.channels_last {
        shape.extend(sizes);
        shape.push(channels);
    } else {
        shape.push(channels);
        shape.extend(sizes);
    }
    shape
}

/// The layer's name for so many axes of space.
fn ranked(rank: usize, one: &'static str, two: &'static str) -> &'static str {
    if rank == 1 { one } else { two }
}

pub(super) fn conv(
    translator: &mut Translator<'_>,
    node: &Node,
    x: &Live,
    inputs: &[Option<Known>],
) -> Result<Live, Refusal> {
    let (sizes, channels) = image(node, x)?;
    let weight = constant(inputs, 1)?.ok_or("it lacks its weights")?;
    let rank = sizes.len();
    // `[out][in / groups][kernel]`, as the file has it.
    if weight.shape.len() != rank + 2 {
        return Err(format!("its weights have the shape {:?}", weight.shape));
    }
    let (outputs, inside, groups) = (weight.shape[0], weight.shape[1], node.whole("group", 1));
    let groups =
        usize::try_from(groups).ok().filter(|groups| (1..=MOST).contains(groups)).ok_or("its groups are no number")?;
    if inside * groups != channels || !outputs.is_multiple_of(groups) {
        return Err(format!("its weights {:?} in {groups} groups do not fit {channels} channels", weight.shape));
    }
    let window = Window::of(node, weight.shape[2..].to_vec(), &sizes)?;
    let given = window.output(&sizes, false)?;
    let order: Vec<usize> = (2..rank + 2).chain([1, 0]).collect();
    let by_tap = weight.transposed(&order);
    let bias = constant(inputs, 2)?.map(|bias| bias.reals());
    if bias.as_ref().is_some_and(|bias| bias.len() != outputs) {
        return Err("its bias has another number of channels".into());
    }
    let x = translator.arranged(x, &Live::image(rank + 2, node.channels_last));
    let depthwise = groups == channels && outputs == channels && channels > 1;
    let step = if depthwise {
        let step = Step::new(ranked(rank, "DepthwiseConv1d", "DepthwiseConv2d"));
        window.arguments(step, Some(""), false)
    } else {
        let step = Step::new(ranked(rank, "Conv1d", "Conv2d")).argument(outputs.to_string());
        let step = window.arguments(step, Some("kernel = "), false);
        if groups > 1 { step.argument(format!("groups = {groups}")) } else { step }
    };
    let step = step.tensor("weight", &by_tap.shape, by_tap.reals()).bias(bias);
    Ok(translator.then(&x, step, shape(node, &given, outputs), x.order.clone()))
}

pub(super) fn conv_transpose(
    translator: &mut Translator<'_>,
    node: &Node,
    x: &Live,
    inputs: &[Option<Known>],
) -> Result<Live, Refusal> {
    let (sizes, channels) = image(node, x)?;
    let weight = constant(inputs, 1)?.ok_or("it lacks its weights")?;
    let rank = sizes.len();
    // `[in][out / groups][kernel]`.
    if weight.shape.len() != rank + 2 || weight.shape[0] != channels {
        return Err(format!("its weights have the shape {:?} for {channels} channels", weight.shape));
    }
    let groups = usize::try_from(node.whole("group", 1)).ok().filter(|groups| (1..=MOST).contains(groups));
    let groups = groups.ok_or("its groups are no number")?;
    if !["", "NOTSET"].contains(&node.text("auto_pad")) || node.wholes("output_shape").is_some() {
        return Err("its padding is worked out from its output, which is not known".into());
    }
    let outputs = weight.shape[1] * groups;
    let window = Window::of(node, weight.shape[2..].to_vec(), &sizes)?;
    let extra = node.wholes("output_padding").map_or_else(|| vec![0; rank], <[i64]>::to_vec);
    let mut given = Vec::new();
    for (axis, size) in sizes.iter().enumerate() {
        let (before, after) = window.padding[axis];
        let full = (size - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        let more = extra.get(axis).and_then(|extra| side_of(*extra)).ok_or("its output padding is damaged")?;
        given.push((full + more).checked_sub(before + after).ok_or("its padding removes everything")?);
    }
    let order: Vec<usize> = (2..rank + 2).chain([1, 0]).collect();
    let by_tap = weight.transposed(&order);
    let bias = constant(inputs, 2)?.map(|bias| bias.reals());
    let x = translator.arranged(x, &Live::image(rank + 2, node.channels_last));
    let step = Step::new(ranked(rank, "ConvTranspose1d", "ConvTranspose2d")).argument(outputs.to_string());
    let mut step = window.arguments(step, Some("kernel = "), false);
    if extra.iter().any(|extra| *extra != 0) {
        let extra: Vec<_> = extra.iter().map(i64::to_string).collect();
        let written = if rank == 1 { extra[0].clone() } else { format!("({})", extra.join(", ")) };
        step = step.argument(format!("output_padding = {written}"));
    }
    if groups > 1 {
        step = step.argument(format!("groups = {groups}"));
    }
    let step = step.tensor("weight", &by_tap.shape, by_tap.reals()).bias(bias);
    Ok(translator.then(&x, step, shape(node, &given, outputs), x.order.clone()))
}

pub(super) fn pool(translator: &mut Translator<'_>, node: &Node, x: &Live) -> Result<Live, Refusal> {
    let (sizes, channels) = image(node, x)?;
    let kernel = node.wholes("kernel_shape").unwrap_or_default();
    let kernel: Option<Vec<usize>> = kernel.iter().map(|size| usize::try_from(*size).ok()).collect();
    let window = Window::of(node, kernel.ok_or("its kernel is no list of sizes")?, &sizes)?;
    let (rank, rounds_up, largest) = (sizes.len(), node.whole("ceil_mode", 0) != 0, node.kind == "MaxPool");
    let given = window.output(&sizes, rounds_up)?;
    let x = translator.arranged(x, &Live::image(rank + 2, node.channels_last));
    let all = window.kernel == sizes && window.padding.iter().all(|side| *side == (0, 0));
    let step = match (all && !rounds_up, largest) {
        (true, false) => Step::new(ranked(rank, "GlobalAvgPool1d", "GlobalAvgPool2d")),
        (true, true) => Step::new(ranked(rank, "GlobalMaxPool1d", "GlobalMaxPool2d")),
        (false, _) => {
            let one = if largest { "MaxPool1d" } else { "AvgPool1d" };
            let two = if largest { "MaxPool2d" } else { "AvgPool2d" };
            let own = window.stride != window.kernel;
            let mut step = window.arguments(Step::new(ranked(rank, one, two)), Some(""), own);
            if !own {
                step.arguments.retain(|argument| !argument.starts_with("stride"));
            }
            if !largest && node.whole("count_include_pad", 0) != 0 {
                step = step.argument("count_include_pad = true");
            }
            if rounds_up { step.argument("ceil_mode = true") } else { step }
        }
    };
    let order = if all && !rounds_up { vec![*x.order.last().unwrap_or(&1)] } else { x.order.clone() };
    Ok(translator.then(&x, step, shape(node, &given, channels), order))
}

pub(super) fn global_pool(translator: &mut Translator<'_>, node: &Node, x: &Live) -> Result<Live, Refusal> {
    let (sizes, channels) = image(node, x)?;
    let rank = sizes.len();
    let x = translator.arranged(x, &Live::image(rank + 2, node.channels_last));
    let step = Step::new(match node.kind.as_str() {
        "GlobalAveragePool" => ranked(rank, "GlobalAvgPool1d", "GlobalAvgPool2d"),
        _ => ranked(rank, "GlobalMaxPool1d", "GlobalMaxPool2d"),
    });
    let order = vec![*x.order.last().unwrap_or(&1)];
    Ok(translator.then(&x, step, shape(node, &vec![1; rank], channels), order))
}

pub(super) fn pad(
    translator: &mut Translator<'_>,
    node: &Node,
    x: &Live,
    inputs: &[Option<Known>],
) -> Result<Live, Refusal> {
    let (sizes, channels) = image(node, x)?;
    let rank = x.shape.len();
    let given = match (node.wholes("pads"), constant(inputs, 1)?) {
        (Some(pads), _) => pads.to_vec(),
        (None, Some(pads)) => pads.list().unwrap_or_default().to_vec(),
        (None, None) => Vec::new(),
    };
    let sides: Option<Vec<usize>> = given.iter().map(|side| side_of(*side)).collect();
    let sides = sides.filter(|sides| sides.len() == 2 * rank).ok_or_else(|| format!("its `pads` are {given:?}"))?;
    let order = Live::image(rank, node.channels_last);
    let spatial = &order[..order.len() - 1];
    if (0..rank).any(|axis| !spatial.contains(&axis) && sides[axis] + sides[axis + rank] > 0) {
        return Err("it pads the channels or the batch".into());
    }
    let value = match constant(inputs, 2)? {
        Some(value) => value.scalar().unwrap_or(0.0),
        None => node.real("value", 0.0),
    };
    let x = translator.arranged(x, &order);
    let written: Vec<_> = spatial.iter().map(|axis| format!("({}, {})", sides[*axis], sides[*axis + rank])).collect();
    let written = if written.len() == 1 { written[0].clone() } else { format!("({})", written.join(", ")) };
    let mut step = Step::new(ranked(sizes.len(), "Pad1d", "Pad2d")).argument(written);
    match node.text("mode") {
        "" | "constant" if value != 0.0 => step = step.argument(format!("value = {value:?}")),
        "" | "constant" => {}
        mode @ ("reflect" | "edge" | "wrap") => step = step.argument(format!("mode = {mode}")),
        other => return Err(format!("its mode is `{other:.20}`")),
    }
    let padded: Vec<usize> = spatial.iter().map(|axis| x.shape[*axis] + sides[*axis] + sides[*axis + rank]).collect();
    Ok(translator.then(&x, step, shape(node, &padded, channels), x.order.clone()))
}
