//! The table of layers: their arguments, what they take, what they give, and the type they become.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit};

use crate::builder::Builder;
use crate::errors::did_you_mean;
use crate::graph::{Dim, Op, Shape, Traits, ValueId};
use crate::parse::{Argument, Call, ungroup};
use crate::shapes::{self, Padding};

/// A row of the table.
struct Kind {
    /// As it is written in a network.
    name: &'static str,
    /// What fields without a name of their own are called, before their number.
    field: &'static str,
    /// The arguments that may be given by place.
    places: &'static [&'static str],
    /// The arguments that are given by name.
    names: &'static [&'static str],
    /// How many of `places` must be given.
    required: usize,
    /// Puts it into the network.
    add: fn(&mut Builder, &Arguments, ValueId) -> Option<ValueId>,
}

const fn kind(
    name: &'static str,
    field: &'static str,
    places: &'static [&'static str],
    names: &'static [&'static str],
    required: usize,
    add: fn(&mut Builder, &Arguments, ValueId) -> Option<ValueId>,
) -> Kind {
    Kind { name, field, places, names, required, add }
}

const CONV: &[&str] = &["kernel", "stride", "padding", "dilation", "groups", "bias"];
const DEPTHWISE: &[&str] = &["stride", "padding", "dilation", "bias"];
const POOL: &[&str] = &["stride", "padding", "dilation"];

const KINDS: &[Kind] = &[
    kind("Dense", "dense", &["units"], &["bias"], 1, dense),
    kind("Conv1d", "conv", &["channels"], CONV, 1, |b, a, v| conv::<1>(b, a, v, false)),
    kind("Conv2d", "conv", &["channels"], CONV, 1, |b, a, v| conv::<2>(b, a, v, false)),
    kind("DepthwiseConv1d", "conv", &["kernel"], DEPTHWISE, 1, |b, a, v| conv::<1>(b, a, v, true)),
    kind("DepthwiseConv2d", "conv", &["kernel"], DEPTHWISE, 1, |b, a, v| conv::<2>(b, a, v, true)),
    kind("MaxPool1d", "pool", &["kernel"], POOL, 1, |b, a, v| pool::<1>(b, a, v, "MaxPool1d")),
    kind("MaxPool2d", "pool", &["kernel"], POOL, 1, |b, a, v| pool::<2>(b, a, v, "MaxPool2d")),
    kind("AvgPool1d", "pool", &["kernel"], POOL, 1, |b, a, v| pool::<1>(b, a, v, "AvgPool1d")),
    kind("AvgPool2d", "pool", &["kernel"], POOL, 1, |b, a, v| pool::<2>(b, a, v, "AvgPool2d")),
    kind("GlobalMaxPool1d", "pool", &[], &[], 0, |b, a, v| global_pool::<1>(b, a, v, "GlobalMaxPool1d")),
    kind("GlobalMaxPool2d", "pool", &[], &[], 0, |b, a, v| global_pool::<2>(b, a, v, "GlobalMaxPool2d")),
    kind("GlobalAvgPool1d", "pool", &[], &[], 0, |b, a, v| global_pool::<1>(b, a, v, "GlobalAvgPool1d")),
    kind("GlobalAvgPool2d", "pool", &[], &[], 0, |b, a, v| global_pool::<2>(b, a, v, "GlobalAvgPool2d")),
    kind("Upsample2d", "upsample", &["factor"], &[], 1, upsample),
    kind("Flatten", "flatten", &[], &[], 0, flatten),
    kind("BatchNorm", "norm", &[], &["epsilon", "momentum"], 0, batch_norm),
    kind("LayerNorm", "norm", &[], &["epsilon"], 0, |b, a, v| norm(b, a, v, "LayerNorm", 1e-5)),
    kind("RmsNorm", "norm", &[], &["epsilon"], 0, |b, a, v| norm(b, a, v, "RmsNorm", 1e-6)),
    kind("GroupNorm", "norm", &["groups"], &["epsilon"], 1, group_norm),
    kind("Dropout", "dropout", &["rate"], &[], 1, dropout),
    kind("Softmax", "softmax", &[], &[], 0, |b, a, v| rowwise(b, a, v, "Softmax")),
    kind("LogSoftmax", "softmax", &[], &[], 0, |b, a, v| rowwise(b, a, v, "LogSoftmax")),
    kind("Identity", "identity", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Identity", true)),
    kind("Relu", "relu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Relu", true)),
    kind("Relu6", "relu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Relu6", true)),
    kind("LeakyRelu", "relu", &["slope"], &[], 0, |b, a, v| tunable(b, a, v, "LeakyRelu", "slope", 0.01)),
    kind("Elu", "elu", &["alpha"], &[], 0, |b, a, v| tunable(b, a, v, "Elu", "alpha", 1.0)),
    kind("Selu", "selu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Selu", true)),
    kind("Gelu", "gelu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Gelu", false)),
    kind("GeluTanh", "gelu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "GeluTanh", false)),
    kind("Silu", "silu", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Silu", false)),
    kind("Sigmoid", "sigmoid", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Sigmoid", true)),
    kind("Tanh", "tanh", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Tanh", true)),
    kind("HardSigmoid", "sigmoid", &[], &[], 0, |b, a, v| elementwise(b, a, v, "HardSigmoid", true)),
    kind("HardSwish", "swish", &[], &[], 0, |b, a, v| elementwise(b, a, v, "HardSwish", false)),
    kind("HardTanh", "tanh", &[], &[], 0, |b, a, v| elementwise(b, a, v, "HardTanh", true)),
    kind("Mish", "mish", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Mish", false)),
    kind("Softplus", "softplus", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Softplus", false)),
    kind("Softsign", "softsign", &[], &[], 0, |b, a, v| elementwise(b, a, v, "Softsign", false)),
];

/// Other names under which people look for a layer.
const ALIASES: &[(&str, &str)] = &[
    ("Linear", "Dense"),
    ("FullyConnected", "Dense"),
    ("Conv", "Conv2d"),
    ("AveragePool2d", "AvgPool2d"),
    ("GlobalAveragePool2d", "GlobalAvgPool2d"),
    ("Swish", "Silu"),
    ("BatchNorm1d", "BatchNorm"),
    ("BatchNorm2d", "BatchNorm"),
    ("RMSNorm", "RmsNorm"),
];

/// Adds a layer of the table, or a layer of the user's, to the network; returns its output.
pub(crate) fn add(builder: &mut Builder, call: &Call, input: ValueId) -> ValueId {
    let plain = call.path.get_ident().map(ToString::to_string);
    if let (Some(word), None, None) = (&plain, &call.name, &call.arguments)
        && let Some(output) = builder.again(word, call.span(), input)
    {
        return output;
    }
    let Some(kind) = KINDS.iter().find(|kind| plain.as_deref() == Some(kind.name)) else {
        return users(builder, call, plain.as_deref(), input);
    };
    let name = builder.name(kind.field, call);
    Arguments::new(builder, kind, name, call)
        .and_then(|arguments| {
            arguments.check_input(builder, input)?;
            (kind.add)(builder, &arguments, input)
        })
        .unwrap_or_else(|| unknown(builder))
}

/// What stands for the output of a layer that could not be added.
fn unknown(builder: &mut Builder) -> ValueId {
    builder.value(Shape::Unknown, "a layer with a mistake")
}

/// A layer of the user's, by its path: its type says what it takes and gives.
fn users(builder: &mut Builder, call: &Call, plain: Option<&str>, input: ValueId) -> ValueId {
    let (span, path) = (call.span(), &call.path);
    if let Some(word) = plain {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, name)| *name);
        let close = alias.or_else(|| did_you_mean(word, KINDS.iter().map(|kind| kind.name)));
        if close.is_some() || call.arguments.is_some() {
            let hint = close.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            let own = format!(" (a layer of your own is written by its path: `self::{word}`)");
            builder.errors.at(span, format!("there is no layer `{word}`{hint}{own}"));
            return unknown(builder);
        }
    }
    let name = builder.name("layer", call);
    if let Some(arguments) = &call.arguments {
        let span = arguments.first().map_or(span, |argument| argument.value.span());
        builder
            .errors
            .at(span, format!("{name}: a layer of your own takes its sizes as generics: `{}::<..>`", quote!(#path)));
        return unknown(builder);
    }
    let scalar = builder.scalar.clone();
    let ty = quote!(#path);
    let given = builder.values[input].shape.clone();
    if !matches!(given, Shape::Unknown) {
        let (text, source) = (name.to_string(), builder.values[input].source.clone());
        let gives = given.slice(&scalar);
        if !matches!(&given, Shape::Known(dims) if dims.iter().any(|dim| matches!(dim, Dim::Parameter(_)))) {
            let takes = quote!(<<#ty as ::monomorph::Layer<#scalar>>::Input as ::monomorph::Tensor<#scalar>>::SHAPE);
            builder.check(span, quote!(::monomorph::shapes::taken_input(#text, #takes, #source, #gives)));
        }
    }
    let output = Shape::Opaque(quote!(<#ty as ::monomorph::Layer<#scalar>>::Output));
    let kind = path.segments.last().map_or_else(String::new, |last| last.ident.to_string());
    builder.node(Op::Layer(OWN), Some((name.clone(), ty)), (name.to_string(), &kind), input, output)
}

/// The arguments of a call, each under its name.
struct Arguments<'a> {
    name: Ident,
    kind: &'static str,
    span: Span,
    given: Vec<(&'static str, &'a Expr)>,
}

impl<'a> Arguments<'a> {
    /// Sorts the arguments; reports those that are missing, unknown, or given twice.
    fn new(builder: &mut Builder, kind: &Kind, name: Ident, call: &'a Call) -> Option<Self> {
        let known: Vec<&'static str> = kind.places.iter().chain(kind.names).copied().chain(["input"]).collect();
        let mut arguments = Self { name, kind: kind.name, span: call.span(), given: Vec::new() };
        let (mut places, mut fine) = (kind.places.iter(), true);
        for Argument { name, value } in call.arguments.iter().flatten() {
            let (argument, span) = match name {
                Some(name) => (known.iter().find(|known| name == **known).copied(), name.span()),
                None => (places.next().copied(), value.span()),
            };
            let problem = match argument {
                None => Some(unknown_argument(kind, &known, name.as_ref())),
                Some(argument) if arguments.get(argument).is_some() => {
                    Some(format!("{}: `{argument}` is given twice", kind.name))
                }
                Some(argument) => {
                    arguments.given.push((argument, value));
                    None
                }
            };
            if let Some(problem) = problem {
                builder.errors.at(span, problem);
                fine = false;
            }
        }
        for place in &kind.places[..kind.required] {
            if fine && arguments.get(place).is_none() {
                let message = format!("{}: `{place}` is missing; write `{}`", kind.name, example(kind));
                builder.errors.at(arguments.span, message);
                fine = false;
            }
        }
        fine.then_some(arguments)
    }

    fn get(&self, name: &str) -> Option<&'a Expr> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// A field of this layer's name and type.
    fn field(&self, ty: TokenStream) -> Option<(Ident, TokenStream)> {
        Some((self.name.clone(), ty))
    }

    fn text(&self) -> String {
        self.name.to_string()
    }

    /// What a node is called and what it is.
    fn title(&self) -> (String, &'static str) {
        (self.text(), self.kind)
    }

    /// Compares what the layer states as its input (`input = [5, 5, 16]`) with what comes.
    fn check_input(&self, builder: &mut Builder, input: ValueId) -> Option<()> {
        let Some(written) = self.get("input").map(ungroup) else { return Some(()) };
        let text = self.text();
        let sizes = parts(written).unwrap_or_else(|| vec![written]);
        let stated: Option<Vec<Dim>> = sizes.into_iter().map(|size| builder.dim(&text, "input", size)).collect();
        let stated = Shape::Known(stated?);
        let given = &builder.values[input];
        let (source, shape) = (given.source.clone(), given.shape.clone());
        match (stated.literals(), shape.literals()) {
            (Some(a), Some(b)) => {
                if let Err(error) = shapes::stated_input(&text, &a, &source, &b) {
                    builder.errors.at(written.span(), error.as_str());
                    return None;
                }
            }
            _ if stated.is_constant() && shape.is_constant() => {
                let (a, b) = (stated.slice(&builder.scalar), shape.slice(&builder.scalar));
                builder.check(written.span(), quote!(::monomorph::shapes::stated_input(#text, #a, #source, #b)));
            }
            _ => {}
        }
        Some(())
    }

    /// A decimal number for a const generic parameter, `default` if it is not given.
    fn real(&self, builder: &mut Builder, name: &str, default: f64) -> Option<TokenStream> {
        let Some(value) = self.get(name).map(ungroup) else {
            return Some(quote!({ ::monomorph::scalar::bits(#default) }));
        };
        match value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Float(number) => Some(quote!({ ::monomorph::scalar::bits(#number) })),
                Lit::Int(number) => Some(quote!({ ::monomorph::scalar::bits(#number as f64) })),
                other => {
                    builder
                        .errors
                        .at(other.span(), format!("{}: {name} must be a number, such as {default}", self.name));
                    None
                }
            },
            other => Some(quote!({ ::monomorph::scalar::bits((#other) as f64) })),
        }
    }

    /// `true` or `false`.
    fn flag(&self, builder: &mut Builder, name: &str, default: bool) -> Option<bool> {
        match self.get(name).map(ungroup) {
            None => Some(default),
            Some(Expr::Lit(syn::ExprLit { lit: Lit::Bool(flag), .. })) => Some(flag.value),
            Some(other) => {
                builder.errors.at(other.span(), format!("{}: {name} is `true` or `false`", self.name));
                None
            }
        }
    }

    /// One number for all axes, or one an axis in parentheses: `3`, `(5, 3)`.
    fn per_axis<const R: usize>(&self, builder: &mut Builder, name: &str, default: Option<usize>) -> Option<[Dim; R]> {
        let Some(value) = self.get(name).map(ungroup) else {
            let Some(default) = default else {
                builder.errors.at(self.span, format!("{}: `{name}` is missing; write `{name} = 3`", self.name));
                return None;
            };
            return Some(core::array::from_fn(|_| Dim::Literal(default)));
        };
        let text = self.text();
        if let Some(parts) = parts(value) {
            if R > 1 && parts.len() == R {
                let dims: Option<Vec<Dim>> = parts.iter().map(|part| builder.dim(&text, name, part)).collect();
                return dims?.try_into().ok();
            }
            let message = match R {
                1 => format!("{text}: {name} is one number here"),
                _ => format!("{text}: {name} is one number, or {R}: `{name} = (height, width)`"),
            };
            builder.errors.at(value.span(), message);
            return None;
        }
        let dim = builder.dim(&text, name, value)?;
        Some(core::array::from_fn(|_| dim.clone()))
    }

    /// `same`, `valid`, a number, a number an axis, or a pair `(before, after)` an axis.
    fn padding<const R: usize>(&self, builder: &mut Builder) -> Option<[Side; R]> {
        let Some(value) = self.get("padding").map(ungroup) else {
            return Some(core::array::from_fn(|_| Side::both(Dim::Literal(0))));
        };
        if let Expr::Path(path) = value {
            if path.path.is_ident("same") {
                return Some(core::array::from_fn(|_| Side::Same));
            }
            if path.path.is_ident("valid") {
                return Some(core::array::from_fn(|_| Side::both(Dim::Literal(0))));
            }
        }
        let text = self.text();
        if let Expr::Path(path) = value {
            let word = path.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if let Some(close) = did_you_mean(&word, ["same", "valid"]) {
                builder.errors.at(value.span(), format!("{text}: padding `{word}`; did you mean `{close}`?"));
                return None;
            }
        }
        let Some(parts) = parts(value) else {
            let number = builder.number(&text, "padding", value)?;
            return Some(core::array::from_fn(|_| Side::both(number.clone())));
        };
        // In one dimension a pair is the two sides; in two, a number or a pair of sides an axis.
        let sides: Option<Vec<Side>> = match (R, parts.as_slice()) {
            (1, [before, after]) => Side::pair(builder, &text, before, after).map(|side| vec![side]),
            (2, [_, _]) => parts.iter().map(|part| Side::of(builder, &text, part)).collect(),
            _ => {
                let forms = match R {
                    1 => "`same`, `valid`, a number, or `(left, right)`",
                    _ => "`same`, `valid`, a number, `(height, width)`, or `((top, bottom), (left, right))`",
                };
                builder.errors.at(value.span(), format!("{text}: padding is {forms}"));
                None
            }
        };
        sides?.try_into().ok()
    }
}

/// The padding of an axis.
#[derive(Clone)]
enum Side {
    Same,
    Pair(Dim, Dim),
}

impl Side {
    fn both(dim: Dim) -> Self {
        Side::Pair(dim.clone(), dim)
    }

    fn pair(builder: &mut Builder, layer: &str, before: &Expr, after: &Expr) -> Option<Self> {
        let before = builder.number(layer, "padding", before);
        Some(Side::Pair(before?, builder.number(layer, "padding", after)?))
    }

    /// A number, or a pair in parentheses.
    fn of(builder: &mut Builder, layer: &str, value: &Expr) -> Option<Self> {
        match parts(ungroup(value)).as_deref() {
            Some([before, after]) => Self::pair(builder, layer, before, after),
            _ => builder.number(layer, "padding", value).map(Self::both),
        }
    }

    fn literal(&self) -> Option<Padding> {
        match self {
            Side::Same => Some(Padding::Same),
            Side::Pair(Dim::Literal(before), Dim::Literal(after)) => Some(Padding::Sides(*before, *after)),
            Side::Pair(..) => None,
        }
    }

    fn tokens(&self) -> TokenStream {
        match self {
            Side::Same => quote!(::monomorph::shapes::Padding::Same),
            Side::Pair(before, after) => {
                let (before, after) = (before.tokens(), after.tokens());
                quote!(::monomorph::shapes::Padding::Sides(#before, #after))
            }
        }
    }
}

/// The parts of `(a, b)` or `[a, b]`.
fn parts(value: &Expr) -> Option<Vec<&Expr>> {
    match value {
        Expr::Tuple(tuple) => Some(tuple.elems.iter().collect()),
        Expr::Array(array) => Some(array.elems.iter().collect()),
        _ => None,
    }
}

fn unknown_argument(kind: &Kind, known: &[&str], name: Option<&Ident>) -> String {
    // Every layer may state its input; that is no argument to think of here.
    let known = &known[..known.len() - 1];
    let takes = match known {
        [] => "it takes none".to_owned(),
        known => format!("it takes {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    match name {
        Some(name) => {
            let hint = did_you_mean(&name.to_string(), known.iter().copied());
            let hint = hint.map_or(takes, |hint| format!("did you mean `{hint}`?"));
            format!("{} has no argument `{name}`; {hint}", kind.name)
        }
        None if known.is_empty() => format!("{} takes no argument", kind.name),
        None => format!("{} has too many arguments; {takes}", kind.name),
    }
}

/// How the layer is written with what it must have.
fn example(kind: &Kind) -> String {
    let value = match kind.places[0] {
        "rate" => "0.5",
        "kernel" | "factor" => "2",
        "groups" => "4",
        _ => "16",
    };
    let kernel = if kind.names.contains(&"kernel") { ", kernel = 3" } else { "" };
    format!("{}({value}{kernel})", kind.name)
}

const PLAIN: Traits =
    Traits { fuses: false, pools: false, halves: false, saves: false, works: false, stores: false, own: false };
const LINEAR: Traits = Traits { fuses: true, stores: true, ..PLAIN };
const SAVES: Traits = Traits { saves: true, ..PLAIN };
const WORKS: Traits = Traits { works: true, ..SAVES };
const OWN: Traits = Traits { own: true, ..WORKS };

fn dense(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    // Every argument is looked at, whatever else is wrong.
    let units = builder.dim(&arguments.text(), "units", arguments.get("units")?);
    let bias = arguments.flag(builder, "bias", true);
    let [input_size] = one(builder.sizes(&arguments.name, arguments.span, "a flat input", 1, input)?)?;
    let (units, bias) = (units?, bias?);
    let scalar = &builder.scalar;
    let (rows, columns) = (input_size.tokens(), units.tokens());
    let biased = bias;
    let bias = if bias { quote!() } else { quote!(, 0) };
    let ty = quote!(::monomorph::layers::Dense<#scalar, #rows, #columns #bias>);
    let output = builder.node(
        Op::Layer(LINEAR),
        arguments.field(ty),
        arguments.title(),
        input,
        Shape::Known(vec![units.clone()]),
    );
    let none = Dim::Literal(0);
    builder.count(&[&[&input_size, &units], &[if biased { &units } else { &none }]]);
    Some(output)
}

fn one<const N: usize>(dims: Vec<Dim>) -> Option<[Dim; N]> {
    dims.try_into().ok()
}

/// The names of the spatial axes.
fn axis_names<const R: usize>() -> [&'static str; R] {
    let names: &[&str] = if R == 1 { &["length"] } else { &["height", "width"] };
    core::array::from_fn(|axis| names[axis])
}

/// A window over the spatial axes, worked out.
struct Window<const R: usize> {
    /// The input's sizes, channels last.
    input: Vec<Dim>,
    output: [Dim; R],
    kernel: [Dim; R],
    /// The marker type with strides, padding and dilation.
    marker: TokenStream,
    /// Whether windows of two lie side by side along every axis and cover it.
    halves: bool,
}

fn window<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    default_stride: Option<[Dim; R]>,
) -> Option<Window<R>> {
    let takes = if R == 1 { "an input [length, channels]" } else { "an input [height, width, channels]" };
    let kernel = arguments.per_axis::<R>(builder, "kernel", None);
    let stride = match default_stride {
        Some(stride) if arguments.get("stride").is_none() => Some(stride),
        _ => arguments.per_axis::<R>(builder, "stride", Some(1)),
    };
    let dilation = arguments.per_axis::<R>(builder, "dilation", Some(1));
    let padding = arguments.padding::<R>(builder);
    let sizes = builder.sizes(&arguments.name, arguments.span, takes, R + 1, input)?;
    let (kernel, stride, dilation, padding) = (kernel?, stride?, dilation?, padding?);
    let (mut output, mut before) = (Vec::new(), Vec::new());
    let mut worked_out: Vec<(String, Ident)> = Vec::new();
    for axis in 0..R {
        let dims = [&sizes[axis], &kernel[axis], &stride[axis], &dilation[axis]];
        let (layer, axis_name) = (arguments.text(), axis_names::<R>()[axis]);
        let at = arguments.get("kernel").map_or(arguments.span, Spanned::span);
        if let Some(parameter) =
            dims.iter().find_map(|dim| if let Dim::Parameter(name) = dim { Some(name) } else { None })
        {
            let message = format!(
                "{layer} computes its output {axis_name} from the parameter `{parameter}`, which stable Rust cannot; \
                 make it a number or a constant"
            );
            builder.errors.at(at, message);
            return None;
        }
        if let ([Dim::Literal(size), Dim::Literal(k), Dim::Literal(s), Dim::Literal(d)], Some(sides)) =
            (dims, padding[axis].literal())
        {
            match shapes::axis(&layer, axis_name, *size, *k, *s, *d, sides) {
                Ok(axis) => {
                    output.push(Dim::Literal(axis.output));
                    before.push(Dim::Literal(axis.before));
                }
                // The other axis is most often wrong in the same way.
                Err(text) => {
                    builder.errors.at(at, text.as_str());
                    return None;
                }
            }
        } else {
            let [size, k, s, d] = dims.map(Dim::tokens);
            let sides = padding[axis].tokens();
            let key = quote!(#size, #k, #s, #d, #sides).to_string();
            let item = match worked_out.iter().find(|(other, _)| *other == key) {
                Some((_, item)) => item.clone(),
                None => {
                    let result = quote!(::monomorph::shapes::axis(#layer, #axis_name, #size, #k, #s, #d, #sides));
                    builder.work_out(at, quote!(::monomorph::shapes::Axis), result)
                }
            };
            worked_out.push((key, item.clone()));
            output.push(Dim::Constant(quote!(#item.output)));
            before.push(Dim::Constant(quote!(#item.before)));
        }
    }
    let is = |dim: &Dim, number| matches!(dim, Dim::Literal(literal) if *literal == number);
    let halves = (0..R).all(|axis| {
        let even = matches!((&sizes[axis], &output[axis]), (Dim::Literal(n), Dim::Literal(half)) if *n == 2 * half);
        even && is(&kernel[axis], 2) && is(&stride[axis], 2) && is(&before[axis], 0) && is(&dilation[axis], 1)
    });
    let parameters = stride.iter().chain(&before).chain(&dilation).map(Dim::tokens);
    let marker = if R == 1 { quote!(Window1d) } else { quote!(Window2d) };
    let marker = quote!(::monomorph::layers::#marker<#(#parameters),*>);
    Some(Window { input: sizes, output: one(output)?, kernel, marker, halves })
}

fn conv<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    depthwise: bool,
) -> Option<ValueId> {
    let text = arguments.text();
    let bias = arguments.flag(builder, "bias", true);
    let output = arguments.get("channels").map(|channels| builder.dim(&text, "channels", channels));
    let window = window::<R>(builder, arguments, input, None)?;
    let (bias, channels) = (bias?, window.input[R].clone());
    let (output, group) = if depthwise {
        (channels, Dim::Literal(1))
    } else {
        let output = output??;
        let group = match arguments.get("groups") {
            None => channels,
            Some(groups) => {
                let at = groups.span();
                match (&channels, &output, builder.dim(&text, "groups", groups)?) {
                    (Dim::Literal(c), Dim::Literal(o), Dim::Literal(g)) => {
                        match shapes::group_channels(&text, *c, *o, g) {
                            Ok(group) => Dim::Literal(group),
                            Err(error) => {
                                builder.errors.at(at, error.as_str());
                                return None;
                            }
                        }
                    }
                    (c, o, g) => {
                        let [c, o, g] = [c, o, &g].map(Dim::tokens);
                        let result = quote!(::monomorph::shapes::group_channels(#text, #c, #o, #g));
                        let item = builder.work_out(at, quote!(usize), result);
                        Dim::Constant(quote!(#item))
                    }
                }
            }
        };
        (output, group)
    };
    let scalar = &builder.scalar;
    let input_sizes = window.input.iter().map(Dim::tokens);
    let output_sizes = window.output.iter().chain([&output]).map(Dim::tokens);
    let kernel = window.kernel.iter().map(Dim::tokens);
    let none = Dim::Literal(0);
    let weights: Vec<&Dim> = window.kernel.iter().chain([&group, &output]).collect();
    let biases = [if bias { &output } else { &none }];
    let (group, marker) = (group.tokens(), &window.marker);
    let bias = biases[0].tokens();
    let layer = if R == 1 { quote!(Conv1d) } else { quote!(Conv2d) };
    let ty = quote! {
        ::monomorph::layers::#layer<#scalar, #(#input_sizes),*, #(#output_sizes),*, #(#kernel),*, #group, #bias, #marker>
    };
    let shape = Shape::Known(window.output.iter().cloned().chain([output.clone()]).collect());
    // A kernel of one pixel sees the image as one long row, in which those of a column are no neighbours.
    let pools = R == 2 && window.kernel.iter().any(|size| matches!(size, Dim::Literal(2..)));
    let op = Op::Layer(Traits { pools, ..LINEAR });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, shape);
    builder.count(&[&weights, &biases]);
    Some(given)
}

fn pool<const R: usize>(builder: &mut Builder, arguments: &Arguments, input: ValueId, layer: &str) -> Option<ValueId> {
    // Without a stride, pools do not overlap.
    let kernel = arguments.per_axis::<R>(builder, "kernel", None)?;
    let window = window::<R>(builder, arguments, input, Some(kernel))?;
    if arguments.get("stride").is_none() && arguments.get("padding").is_none() {
        for axis in 0..R {
            let (text, name) = (arguments.text(), axis_names::<R>()[axis]);
            let at = arguments.get("kernel").map_or(arguments.span, Spanned::span);
            match (&window.kernel[axis], &window.input[axis]) {
                (Dim::Literal(kernel), Dim::Literal(size)) => {
                    if let Err(error) = shapes::covers(&text, name, *kernel, *size) {
                        builder.errors.at(at, error.as_str());
                        return None;
                    }
                }
                (kernel, size) => {
                    let (kernel, size) = (kernel.tokens(), size.tokens());
                    builder.check(at, quote!(::monomorph::shapes::covers(#text, #name, #kernel, #size)));
                }
            }
        }
    }
    let input_sizes = window.input.iter().map(Dim::tokens);
    let output_sizes = window.output.iter().map(Dim::tokens);
    let (kernel, marker) = (window.kernel.iter().map(Dim::tokens), &window.marker);
    let layer = Ident::new(layer, Span::call_site());
    let ty = quote!(::monomorph::layers::#layer<#(#input_sizes),*, #(#output_sizes),*, #(#kernel),*, #marker>);
    let shape = Shape::Known(window.output.iter().cloned().chain([window.input[R].clone()]).collect());
    let op = Op::Layer(Traits { halves: R == 2 && layer == "MaxPool2d" && window.halves, ..PLAIN });
    Some(builder.node(op, arguments.field(ty), arguments.title(), input, shape))
}

fn global_pool<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
) -> Option<ValueId> {
    let takes = if R == 1 { "an input [length, channels]" } else { "an input [height, width, channels]" };
    let sizes = builder.sizes(&arguments.name, arguments.span, takes, R + 1, input)?;
    let input_sizes = sizes.iter().map(Dim::tokens);
    let layer = Ident::new(layer, Span::call_site());
    let ty = quote!(::monomorph::layers::#layer<#(#input_sizes),*>);
    let shape = Shape::Known(vec![sizes[R].clone()]);
    Some(builder.node(Op::Layer(PLAIN), arguments.field(ty), arguments.title(), input, shape))
}

fn upsample(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let factors = arguments.per_axis::<2>(builder, "factor", None);
    let takes = "an input [height, width, channels]";
    let sizes = builder.sizes(&arguments.name, arguments.span, takes, 3, input)?;
    let mut output = sizes.clone();
    for (axis, factor) in factors?.into_iter().enumerate() {
        output[axis] = match (&sizes[axis], &factor) {
            (Dim::Literal(size), Dim::Literal(factor)) => match shapes::product(&[*size, *factor]) {
                Ok(size) => Dim::Literal(size),
                Err(_) => {
                    builder.errors.at(arguments.span, format!("{}: its sizes overflow", arguments.name));
                    return None;
                }
            },
            (Dim::Parameter(name), _) | (_, Dim::Parameter(name)) => {
                let message = format!("{} multiplies the parameter `{name}`, which stable Rust cannot", arguments.name);
                builder.errors.at(arguments.span, message);
                return None;
            }
            (size, factor) => {
                let (size, factor) = (size.tokens(), factor.tokens());
                Dim::Constant(quote!((#size) * (#factor)))
            }
        };
    }
    let (from, to) = (sizes.iter().map(Dim::tokens), output[..2].iter().map(Dim::tokens));
    let ty = quote!(::monomorph::layers::Upsample2d<#(#from),*, #(#to),*>);
    Some(builder.node(Op::Layer(PLAIN), arguments.field(ty), arguments.title(), input, Shape::Known(output)))
}

fn flatten(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let shape = builder.values[input].shape.clone();
    let flat = match (&shape, shape.literals()) {
        (Shape::Unknown, _) => return None,
        (Shape::Known(dims), _) if dims.len() == 1 => Shape::Known(dims.clone()),
        (_, Some(sizes)) => match shapes::numbers(&arguments.text(), &sizes) {
            Ok(numbers) => Shape::Known(vec![Dim::Literal(numbers)]),
            Err(text) => {
                builder.errors.at(arguments.span, text.as_str());
                return None;
            }
        },
        (Shape::Known(dims), None) if dims.iter().any(|dim| matches!(dim, Dim::Parameter(_))) => {
            let message = "Flatten multiplies a parameter of the network, which stable Rust cannot; make it a constant";
            builder.errors.at(arguments.span, message);
            return None;
        }
        _ => {
            let (text, slice) = (arguments.text(), shape.slice(&builder.scalar));
            let result = quote!(::monomorph::shapes::numbers(#text, #slice));
            let item = builder.work_out(arguments.span, quote!(usize), result);
            Shape::Known(vec![Dim::Constant(quote!(#item))])
        }
    };
    Some(builder.node(Op::View, None, arguments.title(), input, flat))
}

/// Counts so many parameters a channel for the last node.
fn count_channels(builder: &mut Builder, input: ValueId, each: usize) {
    let last = match &builder.values[input].shape {
        Shape::Known(dims) => dims.last().cloned(),
        _ => None,
    };
    let last = last.unwrap_or(Dim::Constant(TokenStream::new()));
    builder.count(&[&[&Dim::Literal(each), &last]]);
}

/// The type of the input, and its last size.
fn channels(builder: &mut Builder, input: ValueId) -> Option<(TokenStream, TokenStream)> {
    let shape = &builder.values[input].shape;
    let (ty, scalar) = (shape.ty(&builder.scalar), &builder.scalar);
    match shape {
        Shape::Unknown => None,
        Shape::Known(dims) => Some((ty, dims.last()?.tokens())),
        Shape::Opaque(_) => {
            let channels = builder.concrete(&quote!({ <#ty as ::monomorph::Tensor<#scalar>>::CHANNELS }));
            Some((ty, channels))
        }
    }
}

fn same_shape(builder: &mut Builder, op: Op, arguments: &Arguments, input: ValueId, ty: TokenStream) -> ValueId {
    let shape = builder.values[input].shape.clone();
    builder.node(op, arguments.field(ty), arguments.title(), input, shape)
}

fn batch_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (x, c) = channels(builder, input)?;
    let epsilon = arguments.real(builder, "epsilon", 1e-5)?;
    let momentum = arguments.real(builder, "momentum", 0.1)?;
    let scalar = &builder.scalar;
    let ty = quote!(::monomorph::layers::BatchNorm<#scalar, #x, #c, #epsilon, #momentum>);
    let output = same_shape(builder, Op::Layer(SAVES), arguments, input, ty);
    count_channels(builder, input, 4);
    Some(output)
}

fn norm(builder: &mut Builder, arguments: &Arguments, input: ValueId, layer: &str, epsilon: f64) -> Option<ValueId> {
    let (x, c) = channels(builder, input)?;
    let epsilon = arguments.real(builder, "epsilon", epsilon)?;
    let (scalar, ident) = (&builder.scalar, Ident::new(layer, Span::call_site()));
    let ty = quote!(::monomorph::layers::#ident<#scalar, #x, #c, #epsilon>);
    let output = same_shape(builder, Op::Layer(SAVES), arguments, input, ty);
    count_channels(builder, input, if layer == "RmsNorm" { 1 } else { 2 });
    Some(output)
}

fn group_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (x, c) = channels(builder, input)?;
    let (text, written) = (arguments.text(), arguments.get("groups")?);
    let groups = builder.dim(&text, "groups", written)?;
    let last = match &builder.values[input].shape {
        Shape::Known(dims) => dims.last().cloned(),
        _ => None,
    };
    match (&groups, last) {
        (Dim::Literal(groups), Some(Dim::Literal(c))) => {
            if let Err(error) = shapes::share(&text, "groups", *groups, "channels", c) {
                builder.errors.at(written.span(), error.as_str());
                return None;
            }
        }
        (Dim::Parameter(_), _) | (_, Some(Dim::Parameter(_))) => {}
        _ => {
            let groups = groups.tokens();
            builder.check(written.span(), quote!(::monomorph::shapes::share(#text, "groups", #groups, "channels", #c)));
        }
    }
    let epsilon = arguments.real(builder, "epsilon", 1e-5)?;
    let (scalar, groups) = (&builder.scalar, groups.tokens());
    let ty = quote!(::monomorph::layers::GroupNorm<#scalar, #x, #c, #groups, #epsilon>);
    let output = same_shape(builder, Op::Layer(WORKS), arguments, input, ty);
    count_channels(builder, input, 2);
    Some(output)
}

fn dropout(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let written = ungroup(arguments.get("rate")?);
    if let Expr::Lit(syn::ExprLit { lit: Lit::Float(rate), .. }) = written
        && !rate.base10_parse::<f64>().is_ok_and(|rate| (0.0..1.0).contains(&rate))
    {
        let message = format!("{}: rate {rate} is not a probability from 0 to below 1", arguments.name);
        builder.errors.at(rate.span(), message);
        return None;
    }
    let rate = arguments.real(builder, "rate", 0.5)?;
    let (x, _) = channels(builder, input)?;
    let ty = quote!(::monomorph::layers::Dropout<#x, #rate>);
    Some(same_shape(builder, Op::Layer(SAVES), arguments, input, ty))
}

fn rowwise(builder: &mut Builder, arguments: &Arguments, input: ValueId, layer: &str) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let layer = Ident::new(layer, Span::call_site());
    Some(same_shape(builder, Op::Layer(PLAIN), arguments, input, quote!(::monomorph::layers::#layer<#x>)))
}

fn activation(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    marker: TokenStream,
    from_output: bool,
) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let ty = quote!(::monomorph::layers::Activate<#marker, #x>);
    Some(same_shape(builder, Op::Activation { marker, from_output }, arguments, input, ty))
}

fn elementwise(
    builder: &mut Builder,
    a: &Arguments,
    input: ValueId,
    layer: &str,
    from_output: bool,
) -> Option<ValueId> {
    let layer = Ident::new(layer, Span::call_site());
    activation(builder, a, input, quote!(::monomorph::layers::#layer), from_output)
}

fn tunable(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    parameter: &str,
    default: f64,
) -> Option<ValueId> {
    let value = arguments.real(builder, parameter, default)?;
    let layer = Ident::new(layer, Span::call_site());
    // With a slope or α that is not positive the output does not tell the sign of the input.
    activation(builder, arguments, input, quote!(::monomorph::layers::#layer<#value>), false)
}
