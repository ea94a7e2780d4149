//! Dense and convolutional layers, and embeddings.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Node, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::window::{transposed, window};
use crate::shapes;

pub(super) fn dense(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    dense_as(builder, arguments, input, Capabilities::DENSE_OR_CONV, |dense| dense)
}

/// A dense layer whose weights are dropped.
pub(super) fn drop_connect(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let rate = arguments.real(builder, "rate", 0.5, shapes::Range::Probability)?;
    let wrap = |dense| quote!(::monomorph::layers::DropConnect<#dense, #rate>);
    dense_as(builder, arguments, input, RANDOM_WEIGHTS, wrap)
}

/// A dense layer of distributions.
pub(super) fn bayes_dense(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (layer, prior) = bayes(builder, arguments)?;
    let wrap = |dense| quote!(::monomorph::layers::#layer<#dense, #prior>);
    let output = dense_as(builder, arguments, input, RANDOM_WEIGHTS, wrap);
    count_twice(builder);
    output
}

/// A convolution of distributions.
pub(super) fn bayes_conv<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
) -> Option<ValueId> {
    let (layer, prior) = bayes(builder, arguments)?;
    let wrap = |conv| quote!(::monomorph::layers::#layer<#conv, #prior>);
    let output = conv_as::<R>(builder, arguments, input, false, RANDOM_WEIGHTS, wrap);
    count_twice(builder);
    output
}

/// Weights are drawn at random.
const RANDOM_WEIGHTS: Capabilities = Capabilities { random: true, ..Capabilities::SAVES_AND_NEEDS_WORKSPACE };

/// A distribution has two numbers for each weight of the layer that was added last.
fn count_twice(builder: &mut Builder) {
    if let Some(node) = builder.nodes.last_mut() {
        node.parameters = node.parameters.map(|count| 2 * count);
    }
}

/// The layer that makes distributions of weights, and the prior of these.
fn bayes(builder: &mut Builder, arguments: &Arguments) -> Option<(Ident, TokenStream)> {
    let estimator = arguments.word(builder, "estimator", &["local", "flipout"]);
    let mixture = arguments.get("prior").is_some_and(|prior| quote!(#prior).to_string() == "mixture");
    let given = MIXTURE.iter().find_map(|(name, _, _)| arguments.get(name).map(|value| (name, value.span())));
    let prior = match given {
        Some((name, span)) if !mixture => {
            let message = format!("{}: {name} belongs to `prior = mixture`", arguments.text());
            builder.errors.at(span, message);
            None
        }
        _ if mixture => {
            let numbers = MIXTURE.map(|(name, default, range)| arguments.real(builder, name, default, range));
            let [Some(pi), Some(wide), Some(narrow)] = numbers else { return None };
            Some(quote!(::monomorph::layers::bayes::ScaleMixture<#pi, #wide, #narrow>))
        }
        _ => {
            let deviation = arguments.real(builder, "prior", 1.0, shapes::Range::Positive);
            deviation.map(|deviation| quote!(::monomorph::layers::bayes::Gaussian<#deviation>))
        }
    };
    let layer = if estimator? == "flipout" { "Flipout" } else { "Bayes" };
    Some((Ident::new(layer, Span::call_site()), prior?))
}

/// The numbers of a scale mixture, which are those of Blundell et al.
const MIXTURE: [(&str, f64, shapes::Range); 3] = [
    ("pi", 0.25, shapes::Range::Probability),
    ("wide", 1.0, shapes::Range::Positive),
    ("narrow", 0.002_478_752_176_666_358_5, shapes::Range::Positive),
];

/// A dense layer, or what contains one.
fn dense_as(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    capabilities: Capabilities,
    layer: impl FnOnce(TokenStream) -> TokenStream,
) -> Option<ValueId> {
    // All arguments are read before any is unwrapped, so that every mistake in them is reported.
    let units = builder.dim(&arguments.text(), "units", arguments.get("units")?);
    let biased = arguments.flag(builder, "bias", true);
    // A sequence is mapped row by row.
    let rank = if builder.values[input].shape.rank() == Some(2) { 2 } else { 1 };
    let sizes = builder.sizes(&arguments.name, arguments.span, "a flat input", rank, input)?;
    let (units, biased) = (units?, biased?);
    let inputs = sizes.last()?.clone();
    let output = Shape::Known(sizes[..rank - 1].iter().cloned().chain([units.clone()]).collect());
    let bias = if biased { units.clone() } else { Dim::Literal(0) };
    let scalar = &builder.scalar;
    let x = builder.ty(input);
    let (w, y) = (Shape::Known(vec![inputs.clone(), units.clone()]).ty(scalar), output.ty(scalar));
    let b = Shape::Known(vec![bias.clone()]).ty(scalar);
    let ty = layer(quote!(::monomorph::layers::Dense<#x, #w, #y, #b>));
    let op = Op::Layer(Capabilities { streams: rank == 2 && !capabilities.random, ..capabilities });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, output);
    builder.count(arguments.span, &[&[&inputs, &units], &[&bias]]);
    Some(given)
}

pub(super) fn conv<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    depthwise: bool,
) -> Option<ValueId> {
    conv_as::<R>(builder, arguments, input, depthwise, Capabilities::DENSE_OR_CONV, |conv| conv)
}

/// A convolution, or what contains one.
fn conv_as<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    depthwise: bool,
    capabilities: Capabilities,
    layer: impl FnOnce(TokenStream) -> TokenStream,
) -> Option<ValueId> {
    let text = arguments.text();
    let biased = arguments.flag(builder, "bias", true);
    let output = arguments.get("channels").map(|channels| builder.dim(&text, "channels", channels));
    let window = window::<R>(builder, arguments, input, None)?;
    let (biased, channels) = (biased?, window.input[R].clone());
    let (output, group) = if depthwise {
        (channels, Dim::Literal(1))
    } else {
        let output = output??;
        let group = group(builder, arguments, &channels, &output)?;
        (output, group)
    };
    let scalar = &builder.scalar;
    let shape = Shape::Known(window.output.iter().cloned().chain([output.clone()]).collect());
    let weight = Shape::Known(window.kernel.iter().chain([&group, &output]).cloned().collect());
    let bias = if biased { output.clone() } else { Dim::Literal(0) };
    let x = builder.ty(input);
    let (w, y, b) = (weight.ty(scalar), shape.ty(scalar), Shape::Known(vec![bias.clone()]).ty(scalar));
    let kind = if R == 1 { quote!(Conv1d) } else { quote!(Conv2d) };
    let marker = &window.marker;
    let ty = layer(quote!(::monomorph::layers::#kind<#x, #w, #y, #marker, #b>));
    let plain = !capabilities.random;
    // For a kernel of one pixel the image is computed as one long row, in which a 2 × 2 window is not contiguous.
    let fuses_max_pool = plain && R == 2 && window.kernel.iter().any(|size| matches!(size, Dim::Literal(2..)));
    let streams = plain && R == 1 && window.is_causal;
    let op = Op::Layer(Capabilities { fuses_max_pool, streams, has_state: streams, ..capabilities });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, shape);
    let weights: Vec<&Dim> = window.kernel.iter().chain([&group, &output]).collect();
    builder.count(arguments.span, &[&weights, &[&bias]]);
    Some(given)
}

/// The input channels of a group, of which there may be several: `groups = 4`.
fn group(builder: &mut Builder, arguments: &Arguments, channels: &Dim, output: &Dim) -> Option<Dim> {
    let Some(groups) = arguments.get("groups") else { return Some(channels.clone()) };
    let (text, at) = (arguments.text(), groups.span());
    match (channels, output, &builder.dim(&text, "groups", groups)?) {
        (Dim::Literal(c), Dim::Literal(o), Dim::Literal(g)) => match shapes::group_channels(&text, *c, *o, *g) {
            Ok(group) => Some(Dim::Literal(group)),
            Err(error) => {
                builder.errors.at(at, error.as_str());
                None
            }
        },
        (c, o, g) if [c, o, g].iter().any(|dim| dim.parameter().is_some()) => {
            let message = format!("{text} divides its channels into groups; make them numbers or constants");
            builder.errors.at(at, message);
            None
        }
        (c, o, g) => {
            let [c, o, g] = [c, o, g].map(Dim::tokens);
            let result = quote!(::monomorph::shapes::group_channels(#text, #c, #o, #g));
            let item = builder.work_out(at, quote!(usize), result);
            Some(Dim::Constant(quote!(#item)))
        }
    }
}

pub(super) fn conv_transpose<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
) -> Option<ValueId> {
    let text = arguments.text();
    let biased = arguments.flag(builder, "bias", true);
    let output = builder.dim(&text, "channels", arguments.get("channels")?);
    let window = transposed::<R>(builder, arguments, input)?;
    let (biased, channels, output) = (biased?, window.input[R].clone(), output?);
    // The weight holds the output channels of a group: the other way round than that of a convolution.
    let group = match (group(builder, arguments, &channels, &output)?, &channels, &output) {
        _ if arguments.get("groups").is_none() => output.clone(),
        (Dim::Literal(group), Dim::Literal(c), Dim::Literal(o)) => Dim::Literal(o / (c / group)),
        (group, c, o) => {
            let [group, c, o] = [&group, c, o].map(Dim::tokens);
            Dim::Constant(quote!((#o) / ((#c) / (#group))))
        }
    };
    let scalar = &builder.scalar;
    let shape = Shape::Known(window.output.iter().cloned().chain([output.clone()]).collect());
    let weights: Vec<&Dim> = window.kernel.iter().chain([&group, &channels]).collect();
    let weight = Shape::Known(weights.iter().map(|dim| (*dim).clone()).collect());
    let bias = if biased { output.clone() } else { Dim::Literal(0) };
    let x = builder.ty(input);
    let (w, y, b) = (weight.ty(scalar), shape.ty(scalar), Shape::Known(vec![bias.clone()]).ty(scalar));
    let layer = if R == 1 { quote!(ConvTranspose1d) } else { quote!(ConvTranspose2d) };
    let marker = &window.marker;
    let ty = quote!(::monomorph::layers::#layer<#x, #w, #y, #marker, #b>);
    let op = Op::Layer(Capabilities { fuses_activation: true, ..Capabilities::READS_INPUT });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, shape);
    builder.count(arguments.span, &[&weights, &[&bias]]);
    Some(given)
}

pub(super) fn embedding(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let text = arguments.text();
    let vocabulary = builder.dim(&text, "vocabulary", arguments.get("vocabulary")?);
    let features = builder.dim(&text, "features", arguments.get("features")?);
    let (vocabulary, features) = (vocabulary?, features?);
    let Shape::Known(sizes) = &builder.values[input].shape else { return None };
    let output = Shape::Known(sizes.iter().cloned().chain([features.clone()]).collect());
    let scalar = &builder.scalar;
    let table = Shape::Known(vec![vocabulary.clone(), features.clone()]);
    let (x, w, y) = (builder.ty(input), table.ty(scalar), output.ty(scalar));
    let ty = quote!(::monomorph::layers::Embedding<#x, #w, #y>);
    let op = Op::Layer(Capabilities { packs_weights: true, streams: true, ..Capabilities::READS_INPUT });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, output);
    builder.count(arguments.span, &[&[&vocabulary, &features]]);
    builder.vocabularies.push((given, vocabulary));
    Some(given)
}

/// The table of an earlier embedding, the other way round: `Unembedding(tokens)`.
pub(super) fn unembedding(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (text, written) = (arguments.text(), arguments.get("embedding")?);
    let word = quote!(#written).to_string();
    let named = |node: &&Node| node.kind == "Embedding" && node.field.as_ref().is_some_and(|(name, _)| *name == word);
    let Some(node) = builder.nodes.iter().find(named) else {
        let message = format!("{text}: no Embedding before is called `{word}`; name it: `tokens: Embedding(256, 64)`");
        builder.errors.at(written.span(), message);
        return None;
    };
    let (field, given) = (node.field.clone()?.0, node.output);
    let features = builder.values[given].shape.last()?.clone();
    let vocabulary = builder.vocabularies.iter().find(|(of, _)| *of == given)?.1.clone();
    let rank = if builder.values[input].shape.rank() == Some(2) { 2 } else { 1 };
    let sizes = builder.sizes(&arguments.name, arguments.span, "a vector of features", rank, input)?;
    let (source, last) = (builder.values[input].source.clone(), Shape::Known(vec![sizes.last()?.clone()]));
    let takes = Shape::Known(vec![features.clone()]);
    let now = |p: &[usize], q: &[usize]| shapes::taken_input(&text, p, &source, q).err();
    let later = |p, q| quote!(::monomorph::shapes::taken_input(#text, #p, #source, #q));
    if builder.compare(arguments.span, [&takes, &last], now, later) == Some(false) {
        return None;
    }
    let output = Shape::Known(sizes[..rank - 1].iter().cloned().chain([vocabulary.clone()]).collect());
    let scalar = &builder.scalar;
    let table = Shape::Known(vec![vocabulary, features]);
    let (x, w, y) = (builder.ty(input), table.ty(scalar), output.ty(scalar));
    let ty = quote!(::monomorph::layers::Unembedding<#x, #w, #y>);
    let op = Op::Layer(Capabilities { transposes: true, streams: rank == 2, ..Capabilities::READS_INPUT });
    let given = builder.node(op, Some((field, ty)), arguments.title(), input, output);
    if let Some(node) = builder.nodes.last_mut() {
        // The embedding owns the field.
        node.uses = 1;
    }
    Some(given)
}
