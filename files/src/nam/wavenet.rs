//! WaveNet: arrays of gated, dilated convolutions, whose activations add up to the output.
//!
//! A convolution whose outputs are split, into what is activated and its gate, or into scale and shift, becomes one
//! layer for each part. So a network needs no slices.

use super::activation;
use super::{Context, Found};
use crate::Error;
use crate::builder::{Builder, Conv, Weights};
use crate::json::Node;

/// What all layers of an array share.
struct Array<'a> {
    node: Node<'a>,
    condition: usize,
    channels: usize,
    bottleneck: usize,
    groups: usize,
    mixin_groups: usize,
    /// The groups of the 1×1 convolution to the next layer, if there is one.
    layer1x1: Option<usize>,
    /// The output channels and groups of the 1×1 convolution to the head, if there is one.
    head1x1: Option<(usize, usize)>,
    /// Whether each of [`FILMS`] is active: whether it shifts, and its groups.
    films: [Option<(bool, usize)>; 8],
}

/// The places where the condition scales and shifts what passes, in the order of their weights.
const FILMS: [&str; 8] = [
    "conv_pre_film",
    "conv_post_film",
    "input_mixin_pre_film",
    "input_mixin_post_film",
    "activation_pre_film",
    "activation_post_film",
    "layer1x1_post_film",
    "head1x1_post_film",
];

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    None,
    Gated,
    Blended,
}

pub(super) fn wavenet(
    context: &mut Context<'_>,
    config: &Node<'_>,
    weights: &mut Weights,
    input: &str,
) -> Result<Found, Error> {
    let channels = config.size_or("in_channels", 1)?;
    let (mut condition, mut condition_size) = (input.to_owned(), channels);
    if let Some(inner) = config.find("condition_dsp") {
        let prefix = format!("{}condition_", context.prefix);
        let found = super::model(context.builder, &inner, input, &prefix, context.given)?;
        if found.input != channels {
            return Err(inner.error(&format!("takes {} channels, but there are {channels}", found.input)));
        }
        (condition, condition_size) = (found.value, found.output);
    }
    let arrays = config.get("layers")?.list()?;
    let (mut value, mut size) = (input.to_owned(), channels);
    let mut sum: Option<(String, usize)> = None;
    let mut heads = Vec::new();
    for (index, node) in arrays.iter().enumerate() {
        let prefix = format!("{}a{index}_", context.prefix);
        let array = Array::read(node)?;
        check(node, "condition_size", array.condition, condition_size)?;
        check(node, "input_size", node.get("input_size")?.size()?, size)?;
        let is_last = index + 1 == arrays.len();
        let rechannel = Conv::take(weights, &format!("{prefix}rechannel"), [size, array.channels, 1], 1, false)?;
        let rechannel = context.builder.conv(&format!("{prefix}rechannel"), rechannel);
        value = context.builder.value(format!("{prefix}x"), &format!("{value} |> {rechannel}"));
        let dilations = node.get("dilations")?.list()?;
        for (layer, dilation) in dilations.iter().enumerate() {
            // What the very last layer hands on, nobody reads.
            let is_read = !(is_last && layer + 1 == dilations.len());
            let layer = Layer { array: &array, index: layer, dilation: dilation.size()?, of: dilations.len() };
            let prefix = format!("{prefix}l{}_", layer.index);
            value = layer.add(context.builder, weights, &prefix, [&value, &condition], &mut sum, is_read)?;
        }
        let (last, wide) = sum.ok_or_else(|| node.error("has no `dilations`"))?;
        let (output, kernel, dilation, bias) = head(node)?;
        let mut head = Conv::take(weights, &format!("{prefix}head"), [wide, output, kernel], 1, bias)?;
        head.dilation = dilation;
        heads.push((head, last));
        if is_last {
            break;
        }
        let (head, last) = heads.remove(0);
        let head = context.builder.conv(&format!("{prefix}head"), head);
        sum = Some((context.builder.value(format!("{prefix}y"), &format!("{last} |> {head}")), output));
        size = array.channels;
    }
    let Some((last_head, last)) = heads.pop() else { return Err(config.error("has no `layers`")) };
    let prefix = context.prefix;
    let mut output = last_head.output;
    let mut stack = Vec::new();
    if let Some(head) = config.find("head") {
        let (wide, end) = (head.get("channels")?.size()?, head.get("out_channels")?.size()?);
        if let Some(given) = head.find("in_channels") {
            check(&head, "in_channels", given.size()?, output)?;
        }
        let kernels = head.get("kernel_sizes")?.list()?;
        for (index, kernel) in kernels.iter().enumerate() {
            let next = if index + 1 == kernels.len() { end } else { wide };
            let what = format!("{prefix}post{index}");
            let conv = Conv::take(weights, &what, [output, next, kernel.size()?], 1, true)?;
            stack.push((what, conv, head.get("activation")?));
            output = next;
        }
    }
    config.get("head_scale")?.parameter()?;
    let scale = weights.take("head_scale", &[1])?[0];
    let head = context.builder.conv(&format!("{prefix}head"), last_head.scaled(scale));
    let mut value = context.builder.value(format!("{prefix}y"), &format!("{last} |> {head}"));
    for (what, conv, function) in stack {
        let function = activation::step(context.builder, &function, &format!("{what}_activation"), conv.input)?;
        let conv = context.builder.conv(&what, conv);
        value = context.builder.value(format!("{what}_y"), &format!("{value} |> {function} |> {conv}"));
    }
    Ok(Found { value, input: channels, output })
}

/// Checks a size that follows from others.
fn check(node: &Node<'_>, name: &str, given: usize, wanted: usize) -> Result<(), Error> {
    if given == wanted { Ok(()) } else { Err(node.error(&format!("has {name} {given}, where {wanted} come"))) }
}

/// The head of an array: its channels, kernel, dilation, and whether it has a bias.
fn head(node: &Node<'_>) -> Result<(usize, usize, usize, bool), Error> {
    match node.find("head") {
        Some(head) => Ok((
            head.get("out_channels")?.size()?,
            head.get("kernel_size")?.size()?,
            head.size_or("head_dilation", 1)?,
            head.get("bias")?.flag()?,
        )),
        None => Ok((node.get("head_size")?.size()?, 1, 1, node.get("head_bias")?.flag()?)),
    }
}

impl<'a> Array<'a> {
    fn read(node: &Node<'a>) -> Result<Self, Error> {
        let channels = node.get("channels")?.size()?;
        let bottleneck = node.size_or("bottleneck", channels)?;
        let layer1x1 = match node.find("layer1x1") {
            Some(layer) => layer.flag_or("active", true)?.then(|| layer.size_or("groups", 1)).transpose()?,
            None => Some(1),
        };
        let head1x1 = match node.find("head1x1") {
            Some(head) if head.flag_or("active", false)? => {
                Some((head.size_or("out_channels", channels)?, head.size_or("groups", 1)?))
            }
            _ => None,
        };
        let mut films = [None; 8];
        for (name, film) in FILMS.iter().zip(&mut films) {
            let Some(given) = node.find(name) else { continue };
            let active = if given.is_object() { given.flag_or("active", true)? } else { given.flag()? };
            *film = match active {
                true if given.is_object() => Some((given.flag_or("shift", true)?, given.size_or("groups", 1)?)),
                true => return Err(given.error("is true, but an object or false is expected")),
                false => None,
            };
        }
        for (film, needs, name) in [(6, layer1x1.is_some(), "layer1x1"), (7, head1x1.is_some(), "head1x1")] {
            if films[film].is_some() && !needs {
                return Err(node.error(&format!("has an active {}, but no {name}", FILMS[film])));
            }
        }
        Ok(Self {
            node: node.clone(),
            condition: node.get("condition_size")?.size()?,
            channels,
            bottleneck,
            groups: node.size_or("groups_input", 1)?,
            mixin_groups: node.size_or("groups_input_mixin", 1)?,
            layer1x1,
            head1x1,
            films,
        })
    }
}

/// A layer of an array that has `of`.
struct Layer<'a> {
    array: &'a Array<'a>,
    index: usize,
    dilation: usize,
    of: usize,
}

impl<'a> Layer<'a> {
    /// What the array says of this layer: one entry of a list, or what holds for all.
    fn own(&self, key: &str) -> Result<Option<Node<'a>>, Error> {
        let Some(node) = self.array.node.find(key) else { return Ok(None) };
        if !node.is_list() {
            return Ok(Some(node));
        }
        let list = node.list()?;
        if list.len() != self.of {
            return Err(node.error(&format!("has {} entries for {} layers", list.len(), self.of)));
        }
        Ok(list.get(self.index).cloned())
    }

    fn kernel(&self) -> Result<usize, Error> {
        let node = &self.array.node;
        match (node.find("kernel_size"), self.own("kernel_sizes")?) {
            (Some(_), Some(_)) => Err(node.error("has both `kernel_size` and `kernel_sizes`")),
            (Some(kernel), None) | (None, Some(kernel)) => kernel.size(),
            (None, None) => Err(node.error("has no `kernel_size`")),
        }
    }

    fn gate(&self) -> Result<Gate, Error> {
        match self.own("gating_mode")? {
            Some(mode) => match mode.text()? {
                "none" => Ok(Gate::None),
                "gated" => Ok(Gate::Gated),
                "blended" => Ok(Gate::Blended),
                other => Err(mode.error(&format!("is `{other:.40}`; none, gated and blended are known"))),
            },
            None => Ok(if self.array.node.flag_or("gated", false)? { Gate::Gated } else { Gate::None }),
        }
    }

    /// Adds the layer. Returns the value that it hands on; adds its activation to `sum`.
    fn add(
        &self,
        builder: &mut Builder,
        weights: &mut Weights,
        prefix: &str,
        [x, condition]: [&str; 2],
        sum: &mut Option<(String, usize)>,
        is_read: bool,
    ) -> Result<String, Error> {
        let array = self.array;
        let (gate, bottleneck) = (self.gate()?, array.bottleneck);
        let wide = if gate == Gate::None { bottleneck } else { 2 * bottleneck };
        let take = |weights: &mut Weights, name: &str, sizes, groups, bias| {
            Conv::take(weights, &format!("{prefix}{name}"), sizes, groups, bias)
        };
        let mut conv = take(weights, "conv", [array.channels, wide, self.kernel()?], array.groups, true)?;
        conv.dilation = self.dilation;
        let mixin = take(weights, "mixin", [array.condition, wide, 1], array.mixin_groups, false)?;
        let next = array.layer1x1.map(|groups| take(weights, "next", [bottleneck, array.channels, 1], groups, true));
        let next = next.transpose()?;
        let to_head =
            array.head1x1.map(|(output, groups)| take(weights, "to_head", [bottleneck, output, 1], groups, true));
        let to_head = to_head.transpose()?;
        let out = array.head1x1.map_or(bottleneck, |(output, _)| output);
        let sizes = [array.channels, wide, array.condition, wide, wide, bottleneck, array.channels, out];
        let mut films = Vec::new();
        for ((film, size), name) in array.films.into_iter().zip(sizes).zip(FILMS) {
            let Some((shifts, groups)) = film else {
                films.push(None);
                continue;
            };
            let rows = if shifts { 2 * size } else { size };
            films.push(Some(Film {
                conv: take(weights, name, [array.condition, rows, 1], groups, true)?,
                size,
                shifts,
            }));
        }
        let film = |builder: &mut Builder, index: usize, value: &str, part: (&str, usize, usize)| match &films[index] {
            Some(film) => film.apply(builder, &format!("{prefix}{}", FILMS[index]), value, condition, part),
            None => value.to_owned(),
        };

        let x_in = film(builder, 0, x, ("", 0, array.channels));
        let condition_in = film(builder, 2, condition, ("", 0, array.condition));
        let sums = |builder: &mut Builder, part: (&str, usize, usize)| {
            let (name, from, to) = part;
            let conv = builder.conv(&format!("{prefix}{name}conv"), conv.rows(from, to));
            let mixin = builder.conv(&format!("{prefix}{name}mixin"), mixin.rows(from, to));
            let (conv, mixin) = (format!("{x_in} |> {conv}"), format!("{condition_in} |> {mixin}"));
            let conv = if films[1].is_some() {
                let value = builder.value(format!("{prefix}{name}c"), &conv);
                film(builder, 1, &value, part)
            } else {
                conv
            };
            let mixin = if films[3].is_some() {
                let value = builder.value(format!("{prefix}{name}m"), &mixin);
                film(builder, 3, &value, part)
            } else {
                mixin
            };
            format!("add({conv}, {mixin})")
        };
        let function = self.own("activation")?.ok_or_else(|| array.node.error("has no `activation`"))?;
        let activated = |builder: &mut Builder, part: (&str, usize, usize), function: Option<&Node<'_>>, keep: bool| {
            let flow = sums(builder, part);
            let name = part.0;
            let layer = format!("{prefix}{name}activation");
            let step = match function {
                Some(function) => activation::step(builder, function, &layer, bottleneck)?,
                None => "Sigmoid".to_owned(),
            };
            if films[4].is_none() && !keep {
                return Ok((String::new(), builder.value(format!("{prefix}{name}a"), &format!("{flow} |> {step}"))));
            }
            let z = builder.value(format!("{prefix}{name}z"), &flow);
            let z = film(builder, 4, &z, part);
            let a = builder.value(format!("{prefix}{name}a"), &format!("{z} |> {step}"));
            Ok::<_, Error>((z, a))
        };
        let (z, mut a) = activated(builder, ("", 0, bottleneck), Some(&function), gate == Gate::Blended)?;
        if gate != Gate::None {
            let second = self.own("secondary_activation")?.filter(|node| !node.is_text() || node.text() != Ok(""));
            let (_, g) = activated(builder, ("gate_", bottleneck, wide), second.as_ref(), false)?;
            let mut flow = format!("multiply({a}, {g})");
            if gate == Gate::Blended {
                let rest = format!("{prefix}rest");
                builder.tensor(&rest, "weight", &[bottleneck], vec![-1.0; bottleneck]);
                builder.tensor(&rest, "bias", &[bottleneck], vec![1.0; bottleneck]);
                flow = format!("add({flow}, multiply({z}, {g} |> {rest}: Affine))");
            }
            a = builder.value(format!("{prefix}gated"), &flow);
        }
        let a = film(builder, 5, &a, ("", 0, bottleneck));

        let mut value = x.to_owned();
        if let Some(next) = next.filter(|_| is_read) {
            let next = builder.conv(&format!("{prefix}next"), next);
            let mut flow = format!("{a} |> {next}");
            // As the reference does: elsewhere its weights are there, but have no effect.
            if gate == Gate::Blended && films[6].is_some() {
                let next = builder.value(format!("{prefix}n"), &flow);
                flow = film(builder, 6, &next, ("", 0, array.channels));
            }
            value = builder.value(format!("{prefix}x"), &format!("add({x}, {flow})"));
        }
        let mut part = a;
        if let Some(to_head) = to_head {
            let to_head = builder.conv(&format!("{prefix}to_head"), to_head);
            part = builder.value(format!("{prefix}h"), &format!("{part} |> {to_head}"));
            part = film(builder, 7, &part, ("", 0, out));
        }
        if let Some((before, size)) = sum.take() {
            check(&array.node, "channels to the head", out, size)?;
            part = builder.value(format!("{prefix}sum"), &format!("add({before}, {part})"));
        }
        *sum = Some((part, out));
        Ok(value)
    }
}

/// Feature-wise linear modulation: `x · scale + shift`, both from the condition.
struct Film {
    conv: Conv,
    size: usize,
    shifts: bool,
}

impl Film {
    /// Applies it to a part of its channels, `from..to`, with the name of that part.
    fn apply(
        &self,
        builder: &mut Builder,
        layer: &str,
        value: &str,
        condition: &str,
        (part, from, to): (&str, usize, usize),
    ) -> String {
        let (scale, shift) = (format!("{layer}_{part}scale"), format!("{layer}_{part}shift"));
        let by = builder.conv(&scale, self.conv.rows(from, to));
        let mut flow = format!("multiply({value}, {condition} |> {by})");
        if self.shifts {
            let by = builder.conv(&shift, self.conv.rows(self.size + from, self.size + to));
            flow = format!("add({flow}, {condition} |> {by})");
        }
        builder.value(format!("{layer}_{part}y"), &flow)
    }
}
