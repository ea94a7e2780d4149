//! The table of layers: how each is written, and the function that adds it to the network.
//!
//! Those functions are in the files of this folder, by family: `linear`, `window`, `norm`, `activation`, `simple`, ..

mod activation;
pub(crate) mod arguments;
mod attention;
mod graph;
mod group;
mod linear;
mod norm;
mod rearrange;
mod recurrent;
mod same_shape;
mod simple;
mod window;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

use crate::builder::Builder;
use crate::errors::did_you_mean;
use crate::graph::{Capabilities, Op, Shape, ValueId};
use crate::layers::activation::{elementwise, ordered, prelu, tunable};
use crate::layers::arguments::{Arguments, Signature};
use crate::layers::attention::{cross_attention, positions, self_attention, sinusoidal_positions};
use crate::layers::graph::{
    edge_conv, edge_pairs, gin, graph_attention, graph_conv, graph_sage, node_pool, sparse_dense,
};
use crate::layers::group::{group_conv, group_pool};
use crate::layers::linear::{
    bayes_conv, bayes_dense, conv, conv_transpose, dense, drop_connect, embedding, unembedding,
};
use crate::layers::norm::{batch_norm, group_norm, instance_norm, local_response_norm, norm};
use crate::layers::rearrange::{blocks, flip, pad, slice, transpose};
use crate::layers::recurrent::{gru, lstm, rnn};
use crate::layers::simple::{
    activity_regularization, affine, bottleneck, dropout, flatten, glu, information_dropout, normalize, perturb,
    reduce, reshape, rowwise,
};
use crate::layers::window::{adaptive_pool, global_pool, pool, upsample};
use crate::parse::{Argument, Call};
use crate::shapes::Range;
use crate::words::text;

/// Checks the input of a layer, works out its output, and adds it; `None` after an error.
type AddOne = fn(&mut Builder, &Arguments, ValueId) -> Option<ValueId>;
/// The same for a layer that can have several inputs.
type AddSeveral = fn(&mut Builder, &Arguments, &[ValueId]) -> Option<ValueId>;

/// How a layer is added.
enum Add {
    One(AddOne),
    Several(AddSeveral),
}

/// A row of the table.
struct Kind {
    signature: Signature,
    /// The name of the field, before its number, if the user gives none.
    field: &'static str,
    /// Whether it takes integers, such as tokens, instead of numbers of the network's type.
    takes_whole_numbers: bool,
    add: Add,
}

const fn kind(
    name: &'static str,
    field: &'static str,
    places: &'static [&'static str],
    names: &'static [&'static str],
    required: usize,
    add: AddOne,
) -> Kind {
    let signature = Signature { name, places, names, required };
    Kind { signature, field, takes_whole_numbers: false, add: Add::One(add) }
}

/// A layer that can have several inputs, with one argument that must be given.
const fn several(
    name: &'static str,
    field: &'static str,
    place: &'static [&'static str],
    names: &'static [&'static str],
    add: AddSeveral,
) -> Kind {
    let signature = Signature { name, places: place, names, required: 1 };
    Kind { signature, field, takes_whole_numbers: false, add: Add::Several(add) }
}

/// The same with no argument that must be given.
const fn optional(
    name: &'static str,
    field: &'static str,
    place: &'static [&'static str],
    names: &'static [&'static str],
    add: AddSeveral,
) -> Kind {
    let signature = Signature { name, places: place, names, required: 0 };
    Kind { signature, field, takes_whole_numbers: false, add: Add::Several(add) }
}

const CONV: &[&str] = &["kernel", "stride", "padding", "dilation", "groups", "bias"];
const BAYES: &[&str] = &["bias", "prior", "pi", "wide", "narrow", "estimator"];
const BAYES_CONV: &[&str] =
    &["kernel", "stride", "padding", "dilation", "groups", "bias", "prior", "pi", "wide", "narrow", "estimator"];
const CONV_TRANSPOSE: &[&str] = &["kernel", "stride", "padding", "output_padding", "dilation", "groups", "bias"];
const DEPTHWISE: &[&str] = &["stride", "padding", "dilation", "bias"];
const POOL: &[&str] = &["stride", "padding", "dilation", "ceil_mode"];
const AVG_POOL: &[&str] = &["stride", "padding", "dilation", "count_include_pad", "ceil_mode"];
const LP_POOL: &[&str] = &["p", "stride", "padding", "dilation", "ceil_mode"];
const ATTENTION: &[&str] = &["kv_heads", "causal", "rotary", "base", "bias"];
const GROUP_CONV: &[&str] = &["kernel", "stride", "padding", "dilation", "group", "bias"];
const GRAPH_ATTENTION: &[&str] = &["graph", "heads", "version", "dropout", "slope", "bias", "weight"];
const RNN: &[&str] = &["last", "bidirectional", "initial", "init"];
const LSTM: &[&str] = &["last", "bidirectional", "initial", "init", "cell"];
const GRU: &[&str] = &["last", "bidirectional", "initial", "init", "reset"];

const KINDS: &[Kind] = &[
    kind("Dense", "dense", &["units"], &["bias"], 1, dense),
    Kind {
        takes_whole_numbers: true,
        ..kind("Embedding", "embedding", &["vocabulary", "features"], &[], 2, embedding)
    },
    kind("Unembedding", "unembedding", &["embedding"], &[], 1, unembedding),
    kind("Conv1d", "conv", &["channels"], CONV, 1, |b, a, v| conv::<1>(b, a, v, false)),
    kind("Conv2d", "conv", &["channels"], CONV, 1, |b, a, v| conv::<2>(b, a, v, false)),
    kind("DepthwiseConv1d", "conv", &["kernel"], DEPTHWISE, 1, |b, a, v| conv::<1>(b, a, v, true)),
    kind("DepthwiseConv2d", "conv", &["kernel"], DEPTHWISE, 1, |b, a, v| conv::<2>(b, a, v, true)),
    kind("ConvTranspose1d", "conv", &["channels"], CONV_TRANSPOSE, 1, conv_transpose::<1>),
    kind("ConvTranspose2d", "conv", &["channels"], CONV_TRANSPOSE, 1, conv_transpose::<2>),
    kind("LiftConv2d", "conv", &["channels"], GROUP_CONV, 1, |b, a, v| group_conv(b, a, v, true)),
    kind("GroupConv2d", "conv", &["channels"], GROUP_CONV, 1, |b, a, v| group_conv(b, a, v, false)),
    kind("GroupPool", "pool", &[], &["group", "mode"], 0, group_pool),
    kind("BayesDense", "bayes", &["units"], BAYES, 1, bayes_dense),
    kind("BayesConv1d", "bayes", &["channels"], BAYES_CONV, 1, bayes_conv::<1>),
    kind("BayesConv2d", "bayes", &["channels"], BAYES_CONV, 1, bayes_conv::<2>),
    kind("MaxPool1d", "pool", &["kernel"], POOL, 1, |b, a, v| pool::<1>(b, a, v, "MaxPool1d")),
    kind("MaxPool2d", "pool", &["kernel"], POOL, 1, |b, a, v| pool::<2>(b, a, v, "MaxPool2d")),
    kind("AvgPool1d", "pool", &["kernel"], AVG_POOL, 1, |b, a, v| pool::<1>(b, a, v, "AvgPool1d")),
    kind("AvgPool2d", "pool", &["kernel"], AVG_POOL, 1, |b, a, v| pool::<2>(b, a, v, "AvgPool2d")),
    kind("LpPool1d", "pool", &["kernel"], LP_POOL, 1, |b, a, v| pool::<1>(b, a, v, "LpPool1d")),
    kind("LpPool2d", "pool", &["kernel"], LP_POOL, 1, |b, a, v| pool::<2>(b, a, v, "LpPool2d")),
    kind("AdaptiveAvgPool1d", "pool", &["size"], &[], 1, |b, a, v| adaptive_pool::<1>(b, a, v, "AdaptiveAvgPool1d")),
    kind("AdaptiveAvgPool2d", "pool", &["size"], &[], 1, |b, a, v| adaptive_pool::<2>(b, a, v, "AdaptiveAvgPool2d")),
    kind("AdaptiveMaxPool1d", "pool", &["size"], &[], 1, |b, a, v| adaptive_pool::<1>(b, a, v, "AdaptiveMaxPool1d")),
    kind("AdaptiveMaxPool2d", "pool", &["size"], &[], 1, |b, a, v| adaptive_pool::<2>(b, a, v, "AdaptiveMaxPool2d")),
    kind("GlobalMaxPool1d", "pool", &[], &[], 0, |b, a, v| global_pool::<1>(b, a, v, "GlobalMaxPool1d")),
    kind("GlobalMaxPool2d", "pool", &[], &[], 0, |b, a, v| global_pool::<2>(b, a, v, "GlobalMaxPool2d")),
    kind("GlobalAvgPool1d", "pool", &[], &[], 0, |b, a, v| global_pool::<1>(b, a, v, "GlobalAvgPool1d")),
    kind("GlobalAvgPool2d", "pool", &[], &[], 0, |b, a, v| global_pool::<2>(b, a, v, "GlobalAvgPool2d")),
    kind("Upsample2d", "upsample", &["factor"], &["size", "mode"], 0, upsample),
    kind("Pad1d", "pad", &["padding"], &["mode", "value"], 1, pad::<1>),
    kind("Pad2d", "pad", &["padding"], &["mode", "value"], 1, pad::<2>),
    kind("PixelShuffle", "shuffle", &["factor"], &[], 1, |b, a, v| blocks(b, a, v, "PixelShuffle", false)),
    kind("PixelUnshuffle", "shuffle", &["factor"], &[], 1, |b, a, v| blocks(b, a, v, "PixelUnshuffle", true)),
    kind("DepthToSpace", "shuffle", &["factor"], &[], 1, |b, a, v| blocks(b, a, v, "DepthToSpace", false)),
    kind("SpaceToDepth", "shuffle", &["factor"], &[], 1, |b, a, v| blocks(b, a, v, "SpaceToDepth", true)),
    kind("Slice", "slice", &["axis"], &["start", "end", "step"], 1, slice),
    kind("Flip", "flip", &["axis"], &[], 1, flip),
    kind("Transpose", "transpose", &[], &["axes"], 0, transpose),
    kind("Flatten", "flatten", &[], &[], 0, flatten),
    kind("Reshape", "reshape", &["shape"], &[], 1, reshape),
    kind("ReduceMean", "reduce", &["axis"], &["keepdim"], 1, |b, a, v| reduce(b, a, v, "ReduceMean")),
    kind("ReduceSum", "reduce", &["axis"], &["keepdim"], 1, |b, a, v| reduce(b, a, v, "ReduceSum")),
    kind("ReduceMax", "reduce", &["axis"], &["keepdim"], 1, |b, a, v| reduce(b, a, v, "ReduceMax")),
    kind("BatchNorm", "norm", &[], &["epsilon", "momentum", "frozen"], 0, batch_norm),
    kind("InstanceNorm", "norm", &[], &["epsilon"], 0, instance_norm),
    kind("LocalResponseNorm", "norm", &["size"], &["alpha", "beta", "k"], 1, local_response_norm),
    kind("LayerNorm", "norm", &[], &["epsilon"], 0, |b, a, v| norm(b, a, v, "LayerNorm", 1e-5)),
    kind("RmsNorm", "norm", &[], &["epsilon"], 0, |b, a, v| norm(b, a, v, "RmsNorm", 1e-6)),
    kind("GroupNorm", "norm", &["groups"], &["epsilon"], 1, group_norm),
    several("Rnn", "rnn", &["units"], RNN, rnn),
    several("Lstm", "lstm", &["units"], LSTM, lstm),
    several("Gru", "gru", &["units"], GRU, gru),
    several("SelfAttention", "attention", &["heads"], ATTENTION, self_attention),
    several("Attention", "attention", &["heads"], ATTENTION, cross_attention),
    optional("GraphConv", "conv", &["units"], &["graph", "bias", "weight"], graph_conv),
    optional("GraphAttention", "attention", &["units"], GRAPH_ATTENTION, graph_attention),
    several("GraphSage", "sage", &["units"], &["graph", "bias", "aggregate"], graph_sage),
    optional("Gin", "gin", &[], &["graph"], gin),
    several("EdgeConv", "edge", &["units"], &["graph", "aggregate"], edge_conv),
    optional("EdgePairs", "pairs", &[], &["graph"], edge_pairs),
    several("NodePool", "pool", &["mode"], &[], node_pool),
    Kind {
        takes_whole_numbers: true,
        ..several("SparseDense", "sparse", &["units"], &["rows", "columns", "bias"], sparse_dense)
    },
    kind("Positions", "positions", &[], &[], 0, positions),
    kind("SinusoidalPositions", "positions", &[], &["base"], 0, sinusoidal_positions),
    kind("Normalize", "normalize", &[], &["per"], 0, normalize),
    kind("Affine", "affine", &[], &["weight", "bias", "per"], 0, affine),
    kind("Dropout", "dropout", &["rate"], &[], 1, dropout),
    kind("DropConnect", "connect", &["units", "rate"], &["bias"], 2, drop_connect),
    kind("GaussianDropout", "dropout", &["rate"], &[], 1, |b, a, v| {
        perturb(b, a, v, ("GaussianDropout", "rate", Range::Probability))
    }),
    kind("SpatialDropout", "dropout", &["rate"], &[], 1, |b, a, v| {
        perturb(b, a, v, ("SpatialDropout", "rate", Range::Probability))
    }),
    kind("AlphaDropout", "dropout", &["rate"], &[], 1, |b, a, v| {
        perturb(b, a, v, ("AlphaDropout", "rate", Range::Probability))
    }),
    kind("StochasticDepth", "depth", &["rate"], &[], 1, |b, a, v| {
        perturb(b, a, v, ("StochasticDepth", "rate", Range::Probability))
    }),
    kind("GaussianNoise", "noise", &["deviation"], &[], 1, |b, a, v| {
        perturb(b, a, v, ("GaussianNoise", "deviation", Range::NotNegative))
    }),
    kind("ActivityRegularization", "activity", &[], &["l1", "l2"], 0, activity_regularization),
    kind("Glu", "glu", &[], &["activation"], 0, glu),
    kind("Bottleneck", "bottleneck", &["beta"], &["scale"], 1, bottleneck),
    kind("InformationDropout", "dropout", &["beta"], &["max_alpha"], 1, information_dropout),
    kind("Softmax", "softmax", &[], &["axis"], 0, |b, a, v| rowwise(b, a, v, "Softmax")),
    kind("LogSoftmax", "softmax", &[], &["axis"], 0, |b, a, v| rowwise(b, a, v, "LogSoftmax")),
    kind("Identity", "identity", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Identity", true)),
    kind("Relu", "relu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Relu", true)),
    kind("Relu6", "relu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Relu6", true)),
    kind("LeakyRelu", "relu", &["slope"], &[], 0, |b, a, v| tunable(b, a, v, "LeakyRelu", &[("slope", 0.01)], None)),
    kind("ThresholdedRelu", "relu", &["alpha"], &[], 0, |b, a, v| {
        tunable(b, a, v, "ThresholdedRelu", &[("alpha", 1.0)], None)
    }),
    kind("PRelu", "prelu", &[], &["per_channel"], 0, prelu),
    kind("Elu", "elu", &["alpha"], &[], 0, |b, a, v| tunable(b, a, v, "Elu", &[("alpha", 1.0)], Some(false))),
    kind("Celu", "celu", &["alpha"], &[], 0, |b, a, v| tunable(b, a, v, "Celu", &[("alpha", 1.0)], Some(false))),
    kind("Selu", "selu", &[], &["alpha", "scale"], 0, |b, a, v| {
        tunable(b, a, v, "Selu", &[("alpha", 1.673_263_242_354_377_2), ("scale", 1.050_700_987_355_480_5)], Some(false))
    }),
    kind("Gelu", "gelu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Gelu", false)),
    kind("GeluTanh", "gelu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "GeluTanh", false)),
    kind("Silu", "silu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Silu", false)),
    kind("Sigmoid", "sigmoid", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Sigmoid", true)),
    kind("Tanh", "tanh", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Tanh", true)),
    kind("HardSigmoid", "sigmoid", &[], &["slope", "offset"], 0, |b, a, v| {
        let slope = ("slope", 1.0 / 6.0);
        ordered(b, a, v, "HardSigmoid", [("0", 0.0), slope], &[slope, ("offset", 0.5)], true)
    }),
    kind("HardSwish", "swish", &[], &[], 0, |b, a, v| elementwise(b, a, v, "HardSwish", false)),
    kind("HardTanh", "tanh", &["min", "max"], &[], 0, |b, a, v| {
        let limits = [("min", -1.0), ("max", 1.0)];
        ordered(b, a, v, "HardTanh", limits, &limits, true)
    }),
    kind("LeakyHardTanh", "tanh", &[], &["min", "max", "min_slope", "max_slope"], 0, |b, a, v| {
        let limits = [("min", -1.0), ("max", 1.0)];
        let slopes = [("min_slope", 0.01), ("max_slope", 0.01)];
        ordered(b, a, v, "LeakyHardTanh", limits, &[limits, slopes].concat(), false)
    }),
    kind("FastTanh", "tanh", &[], &[], 0, |b, a, v| elementwise(b, a, v, "FastTanh", false)),
    kind("Mish", "mish", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Mish", false)),
    kind("Softplus", "softplus", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Softplus", true)),
    kind("Softsign", "softsign", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Softsign", true)),
];

/// Names that layers have in other libraries, for error messages.
const ALIASES: &[(&str, &str)] = &[
    ("Linear", "Dense"),
    ("FullyConnected", "Dense"),
    ("Conv", "Conv2d"),
    ("Conv2dTranspose", "ConvTranspose2d"),
    ("AveragePool2d", "AvgPool2d"),
    ("GlobalAveragePool2d", "GlobalAvgPool2d"),
    ("Swish", "Silu"),
    ("Clip", "HardTanh"),
    ("Permute", "Transpose"),
    ("View", "Reshape"),
    ("Unflatten", "Reshape"),
    ("Resize", "Upsample2d"),
    ("ZeroPad2d", "Pad2d"),
    ("BatchNorm1d", "BatchNorm"),
    ("FrozenBatchNorm", "BatchNorm"),
    ("LayerScale", "Affine"),
    ("Normalization", "Normalize"),
    ("StandardScaler", "Normalize"),
    ("InstanceNorm2d", "InstanceNorm"),
    ("BatchNorm2d", "BatchNorm"),
    ("RMSNorm", "RmsNorm"),
    ("RNN", "Rnn"),
    ("SimpleRNN", "Rnn"),
    ("LSTM", "Lstm"),
    ("GRU", "Gru"),
    ("Unembed", "Unembedding"),
    ("MultiheadAttention", "SelfAttention"),
    ("MultiHeadAttention", "SelfAttention"),
    ("CrossAttention", "Attention"),
    ("GCNConv", "GraphConv"),
    ("GATConv", "GraphAttention"),
    ("GATv2Conv", "GraphAttention"),
    ("SAGEConv", "GraphSage"),
    ("GINConv", "Gin"),
    ("GlobalMeanPool", "NodePool"),
    ("BayesLinear", "BayesDense"),
    ("DenseFlipout", "BayesDense"),
    ("DenseReparameterization", "BayesDense"),
    ("Dropout2d", "SpatialDropout"),
    ("SpatialDropout2d", "SpatialDropout"),
    ("DropPath", "StochasticDepth"),
];

/// Adds a layer, from the table or user-defined, to the network; returns its output.
pub(crate) fn add(builder: &mut Builder, call: &Call, input: ValueId) -> ValueId {
    let plain = call.path.get_ident().map(text);
    if let (Some(word), None, None) = (&plain, &call.name, &call.arguments)
        && let Some(output) = builder.again(word, call.span(), input)
    {
        return output;
    }
    let Some(kind) = KINDS.iter().find(|kind| plain.as_deref() == Some(kind.signature.name)) else {
        return user_defined(builder, call, plain.as_deref(), &[input]);
    };
    from_table(builder, kind, call, &[input])
}

/// Adds a layer of several inputs; returns its output.
pub(crate) fn add_several(builder: &mut Builder, call: &Call, inputs: &[ValueId]) -> ValueId {
    let plain = call.path.get_ident().map(text);
    match KINDS.iter().find(|kind| plain.as_deref() == Some(kind.signature.name)) {
        Some(kind) => from_table(builder, kind, call, inputs),
        None => user_defined(builder, call, plain.as_deref(), inputs),
    }
}

/// Adds a layer of the table; returns its output.
fn from_table(builder: &mut Builder, kind: &Kind, call: &Call, inputs: &[ValueId]) -> ValueId {
    if let (Add::One(_), [_, _, ..]) = (&kind.add, inputs) {
        let message = format!("{} takes one value; `concat(..)` joins several", kind.signature.name);
        builder.errors.at(call.span(), message);
        return unknown(builder);
    }
    let name = builder.name(kind.field, call);
    Arguments::new(builder, &kind.signature, name, call)
        .and_then(|arguments| {
            let input = *inputs.first()?;
            if kind.takes_whole_numbers {
                builder.whole_numbers(call.span(), &arguments.text(), input)?;
            } else {
                builder.numbers(call.span(), &arguments.text(), input)?;
            }
            arguments.check_input(builder, input)?;
            let output = match kind.add {
                Add::One(add) => add(builder, &arguments, input)?,
                Add::Several(add) => add(builder, &arguments, inputs)?,
            };
            builder.locate(output, call.span());
            Some(output)
        })
        .unwrap_or_else(|| unknown(builder))
}

/// Adds a user-defined layer, given by its path. Only its type determines its input and output.
fn user_defined(builder: &mut Builder, call: &Call, plain: Option<&str>, inputs: &[ValueId]) -> ValueId {
    let span = call.span();
    if let Some(word) = plain {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, name)| *name);
        // A name like `Dense2` without arguments is no slip of the pen, but a network.
        let bare = call.arguments.is_none();
        // And names of three letters are close to too many words: `Gain` is not `Gin`.
        let likely =
            KINDS.iter().filter(|kind| !bare || (kind.signature.required == 0 && kind.signature.name.len() > 3));
        let close = alias.or_else(|| did_you_mean(word, likely.map(|kind| kind.signature.name)));
        if close.is_some() || !bare {
            let hint = close.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            let own = format!(
                " (a layer of your own is written by its path: `self::{word}`, or `{word}::<>` if it is declared in a function)"
            );
            builder.errors.at(span, format!("there is no layer `{word}`{hint}{own}"));
            return unknown(builder);
        }
    }
    let name = builder.name("layer", call);
    let Some(ty) = user_type(builder, call, &name, inputs) else { return unknown(builder) };
    let given: Vec<_> = inputs.iter().map(|input| builder.values[*input].shape.clone()).collect();
    if builder.generic_size(&ty).is_none() && given.iter().all(|shape| builder.is_constant(shape)) {
        let text = text(&name);
        let sources = inputs.iter().map(|input| &builder.values[*input].source);
        let gives = given.iter().map(|given| given.slice(&builder.scalar));
        let takes = quote!(<<#ty as ::monomorph::Layer>::Input as ::monomorph::__private::Values>::SHAPES);
        let result = quote!(::monomorph::shapes::taken_inputs(#text, #takes, &[#(#sources),*], &[#(#gives),*]));
        builder.check(span, result);
    }
    let output = Shape::Opaque(quote!(<#ty as ::monomorph::Layer>::Output));
    let kind = call.path.segments.last().map_or_else(String::new, |last| text(&last.ident));
    let op = Op::Layer(Capabilities::USER_DEFINED);
    let output = builder.layer(op, Some((name.clone(), ty)), (text(&name), &kind), inputs.to_vec(), output);
    builder.locate(output, span);
    output
}

/// The type of a user-defined layer: `self::Scale::<8>` as it is written; `self::Ripple(8)` with the types of its
/// inputs before its own sizes, as `self::Ripple<X, 8>`.
fn user_type(builder: &mut Builder, call: &Call, name: &Ident, inputs: &[ValueId]) -> Option<TokenStream> {
    let path = &call.path;
    let Some(arguments) = &call.arguments else { return Some(quote!(#path)) };
    if path.segments.last().is_some_and(|last| !last.arguments.is_none()) {
        let message = format!("{name}: a layer takes its sizes in one place: `{}`", quote!(#path));
        builder.errors.at(call.span(), message);
        return None;
    }
    let mut sizes = Vec::new();
    for Argument { name: argument, value } in arguments {
        if let Some(argument) = argument {
            let message = format!("{name}: a layer of your own takes its sizes by place, in the order of its generics");
            builder.errors.at(argument.span(), message);
            return None;
        }
        sizes.push(builder.expression(&text(name), "size", value)?.argument());
    }
    let types = inputs.iter().map(|input| builder.ty(*input));
    Some(quote!(#path::<#(#types,)* #(#sizes),*>))
}

/// A placeholder for the output of a layer that could not be added.
fn unknown(builder: &mut Builder) -> ValueId {
    builder.value(Shape::Unknown, "a layer with a mistake")
}
