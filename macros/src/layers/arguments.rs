//! The arguments of a layer: matched with its signature, and read as sizes, numbers or flags.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit};

use crate::builder::Builder;
use crate::errors::did_you_mean;
use crate::graph::{Dim, Shape, Value, ValueId};
use crate::parse::{Argument, Call, ungroup};
use crate::shapes::{self, Padding, Range};
use crate::words::text;

/// How a layer is written in a network.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    /// The arguments that may be given by position.
    pub(crate) places: &'static [&'static str],
    /// The arguments that are given by name.
    pub(crate) names: &'static [&'static str],
    /// How many of `places` must be given.
    pub(crate) required: usize,
}

/// The arguments of a call by name, and the names of the layer itself.
pub(crate) struct Arguments<'a> {
    pub(crate) name: Ident,
    kind: &'static str,
    pub(crate) span: Span,
    given: Vec<(&'static str, &'a Expr)>,
}

impl<'a> Arguments<'a> {
    /// Matches the arguments with the signature; reports those that are missing, unknown, or given twice.
    pub(crate) fn new(builder: &mut Builder, signature: &Signature, name: Ident, call: &'a Call) -> Option<Self> {
        let known: Vec<&'static str> =
            signature.places.iter().chain(signature.names).copied().chain(["input"]).collect();
        let mut arguments = Self { name, kind: signature.name, span: call.span(), given: Vec::new() };
        let (mut places, mut fine) = (signature.places.iter(), true);
        for Argument { name, value } in call.arguments.iter().flatten() {
            let (argument, span) = match name {
                Some(name) => (known.iter().find(|known| name == **known).copied(), name.span()),
                // A word alone sets a flag: `Gru(32, last)`.
                None => (flag(signature.names, value).or_else(|| places.next().copied()), value.span()),
            };
            let problem = match argument {
                None => Some(unknown_argument(signature, &known, name.as_ref())),
                Some(argument) if arguments.get(argument).is_some() => {
                    Some(format!("{}: `{argument}` is given twice", signature.name))
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
        for place in &signature.places[..signature.required] {
            if fine && arguments.get(place).is_none() {
                let message = format!("{}: `{place}` is missing; write `{}`", signature.name, example(signature));
                builder.errors.at(arguments.span, message);
                fine = false;
            }
        }
        fine.then_some(arguments)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Expr> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// The field for this layer: its name and the given type.
    pub(crate) fn field(&self, ty: TokenStream) -> Option<(Ident, TokenStream)> {
        Some((self.name.clone(), ty))
    }

    pub(crate) fn text(&self) -> String {
        text(&self.name)
    }

    /// The name and the kind of the node, for summaries.
    pub(crate) fn title(&self) -> (String, &'static str) {
        (self.text(), self.kind)
    }

    /// Compares the input that the user states (`input = [5, 5, 16]`) with the actual one.
    pub(crate) fn check_input(&self, builder: &mut Builder, input: ValueId) -> Option<()> {
        let Some(written) = self.get("input").map(ungroup) else { return Some(()) };
        let text = self.text();
        let sizes = parts(written).unwrap_or_else(|| vec![written]);
        let stated: Option<Vec<Dim>> = sizes.into_iter().map(|size| builder.dim(&text, "input", size)).collect();
        let stated = Shape::Known(stated?);
        let given = &builder.values[input];
        let (source, shape) = (given.source.clone(), given.shape.clone());
        let now = |a: &[usize], b: &[usize]| shapes::stated_input(&text, a, &source, b).err();
        let later = |a, b| quote!(::monomorph::shapes::stated_input(#text, #a, #source, #b));
        let compared = builder.compare(written.span(), [&stated, &shape], now, later);
        (compared != Some(false)).then_some(())
    }

    /// The axis of the input that is given as `axis`, counted from 0; `Some(None)` if none is given.
    pub(crate) fn axis(&self, builder: &mut Builder, input: ValueId) -> Option<Option<Axis>> {
        let Some(written) = self.get("axis").map(ungroup) else { return Some(None) };
        let Dim::Literal(index) = builder.number(&self.text(), "axis", written)? else {
            builder.errors.at(written.span(), format!("{}: axis is a number, counted from 0", self.name));
            return None;
        };
        let Shape::Known(sizes) = builder.values[input].shape.clone() else {
            return self.unknown_sizes(builder, input);
        };
        if index >= sizes.len() {
            let (source, shape) = (&builder.values[input].source, builder.values[input].shape.text());
            let last = sizes.len() - 1;
            let message = format!("{}: axis is 0 to {last}, because {source} gives {shape}", self.name);
            builder.errors.at(written.span(), message);
            return None;
        }
        Some(Some(Axis { index, sizes }))
    }

    /// Reports an input of which only the type is known, for a layer that needs its sizes.
    pub(crate) fn unknown_sizes<R>(&self, builder: &mut Builder, input: ValueId) -> Option<R> {
        let Value { shape, source, .. } = &builder.values[input];
        if let Shape::Opaque(_) = shape {
            let message = format!(
                "{} needs the sizes of its input, but {source} has a type of its own; move {0} into that type",
                self.name
            );
            builder.errors.at(self.span, message);
        }
        None
    }

    /// A decimal number in a range, as a const generic argument; `default` if it is not given.
    pub(crate) fn real(&self, builder: &mut Builder, name: &str, default: f64, range: Range) -> Option<TokenStream> {
        let Some(written) = self.get(name) else {
            return Some(quote!({ ::monomorph::scalar::bits(#default) }));
        };
        let value = ungroup(written);
        if let Some(number) = decimal(value) {
            if !range.holds(number) {
                let message = format!("{}: {name} {number} is not {}", self.text(), range.words());
                builder.errors.at(written.span(), message);
                return None;
            }
            return Some(quote!({ ::monomorph::scalar::bits(#number) }));
        }
        if let Expr::Lit(other) = value {
            let message = format!("{}: {name} must be a number, such as {default}", self.text());
            builder.errors.at(other.span(), message);
            return None;
        }
        let number = quote!((#value) as f64);
        let item = if range == Range::Any {
            builder.constant(quote!(f64), &number)
        } else {
            let (text, kind) = (self.text(), format_ident!("{range:?}"));
            let range = quote!(::monomorph::shapes::Range::#kind);
            let result = quote!(::monomorph::shapes::decimal(#text, #name, #range, #number));
            builder.work_out(value.span(), quote!(f64), result)
        };
        Some(quote!({ ::monomorph::scalar::bits(#item) }))
    }

    /// A word among several, the first of which is the default.
    pub(crate) fn word(&self, builder: &mut Builder, name: &str, words: &[&'static str]) -> Option<&'static str> {
        let Some(written) = self.get(name).map(ungroup) else { return Some(words[0]) };
        let word = match written {
            Expr::Path(path) => path.path.get_ident().map(ToString::to_string).unwrap_or_default(),
            _ => String::new(),
        };
        if let Some(known) = words.iter().find(|known| **known == word) {
            return Some(known);
        }
        let all: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let hint = did_you_mean(&word, words.iter().copied())
            .map_or_else(|| format!("it is one of {}", all.join(", ")), |close| format!("did you mean `{close}`?"));
        builder.errors.at(written.span(), format!("{}: there is no {name} `{}`; {hint}", self.name, quote!(#written)));
        None
    }

    /// `true` or `false`; `default` if it is not given.
    pub(crate) fn flag(&self, builder: &mut Builder, name: &str, default: bool) -> Option<bool> {
        match self.get(name).map(ungroup) {
            None => Some(default),
            Some(Expr::Lit(syn::ExprLit { lit: Lit::Bool(flag), .. })) => Some(flag.value),
            Some(Expr::Path(word)) if word.path.is_ident(name) => Some(true),
            Some(other) => {
                builder.errors.at(other.span(), format!("{}: {name} is `true` or `false`", self.name));
                None
            }
        }
    }

    /// One size for all axes, or one for each axis in parentheses: `3`, `(5, 3)`.
    pub(super) fn per_axis<const R: usize>(
        &self,
        builder: &mut Builder,
        name: &str,
        default: Option<usize>,
    ) -> Option<[Dim; R]> {
        if self.get(name).is_none() && default.is_none() {
            builder.errors.at(self.span, format!("{}: `{name}` is missing; write `{name} = 3`", self.name));
            return None;
        }
        self.each_axis(builder, name, default.unwrap_or_default(), |b, layer, name, value| b.dim(layer, name, value))
    }

    /// The same for numbers that may be 0, which is the default.
    pub(super) fn numbers_per_axis<const R: usize>(&self, builder: &mut Builder, name: &str) -> Option<[Dim; R]> {
        self.each_axis(builder, name, 0, |b, layer, name, value| b.number(layer, name, value))
    }

    fn each_axis<const R: usize>(
        &self,
        builder: &mut Builder,
        name: &str,
        default: usize,
        read: fn(&mut Builder, &str, &str, &Expr) -> Option<Dim>,
    ) -> Option<[Dim; R]> {
        let Some(value) = self.get(name).map(ungroup) else {
            return Some(core::array::from_fn(|_| Dim::Literal(default)));
        };
        let text = self.text();
        if let Some(parts) = parts(value) {
            if R > 1 && parts.len() == R {
                let dims: Option<Vec<Dim>> = parts.iter().map(|part| read(builder, &text, name, part)).collect();
                return dims?.try_into().ok();
            }
            let message = match R {
                1 => format!("{text}: {name} is one number here"),
                _ => format!("{text}: {name} is one number, or {R}: `{name} = (height, width)`"),
            };
            builder.errors.at(value.span(), message);
            return None;
        }
        let dim = read(builder, &text, name, value)?;
        Some(core::array::from_fn(|_| dim.clone()))
    }

    /// `same`, `valid`, in one dimension `causal`, a number, a number for each axis, or a pair `(before, after)` for
    /// each axis.
    pub(super) fn padding<const R: usize>(&self, builder: &mut Builder) -> Option<[Side; R]> {
        let Some(value) = self.get("padding").map(ungroup) else {
            return Some(core::array::from_fn(|_| Side::both(Dim::Literal(0))));
        };
        if let Expr::Path(path) = value {
            if R == 1 && path.path.is_ident("causal") {
                return Some(core::array::from_fn(|_| Side::Causal));
            }
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
            // Other words may be constants.
            let close = did_you_mean(&word, ["same", "valid", "causal"]);
            if let Some(close) = close.filter(|_| word == word.to_lowercase()) {
                builder.errors.at(value.span(), format!("{text}: padding `{word}`; did you mean `{close}`?"));
                return None;
            }
        }
        let Some(parts) = parts(value) else {
            let number = builder.number(&text, "padding", value)?;
            return Some(core::array::from_fn(|_| Side::both(number.clone())));
        };
        // In one dimension, a pair is the two sides; in two, it has a number or a pair of sides for each axis.
        let sides: Option<Vec<Side>> = match (R, parts.as_slice()) {
            (1, [before, after]) => Side::pair(builder, &text, before, after).map(|side| vec![side]),
            (2, [_, _]) => parts.iter().map(|part| Side::of(builder, &text, part)).collect(),
            _ => {
                let forms = match R {
                    1 => "`same`, `valid`, `causal`, a number, or `(left, right)`",
                    _ => "`same`, `valid`, a number, `(height, width)`, or `((top, bottom), (left, right))`",
                };
                builder.errors.at(value.span(), format!("{text}: padding is {forms}"));
                None
            }
        };
        sides?.try_into().ok()
    }
}

/// An axis of the input of a layer.
pub(crate) struct Axis {
    /// Its index, counted from 0.
    pub(super) index: usize,
    /// The sizes of all axes.
    pub(super) sizes: Vec<Dim>,
}

/// The value of a literal of any number type, negative or not.
pub(crate) fn decimal(value: &Expr) -> Option<f64> {
    match ungroup(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Float(number) => number.base10_parse().ok(),
            Lit::Int(number) => number.base10_digits().parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => decimal(&unary.expr).map(|number| -number),
        _ => None,
    }
}

/// The padding of an axis.
#[derive(Clone)]
pub(super) enum Side {
    Same,
    Causal,
    Pair(Dim, Dim),
    /// A pair, and a last window that reaches beyond it counts.
    Ceil(Dim, Dim),
}

impl Side {
    pub(super) fn is_causal(&self) -> bool {
        matches!(self, Side::Causal)
    }

    pub(super) fn both(dim: Dim) -> Self {
        Side::Pair(dim.clone(), dim)
    }

    pub(super) fn pair(builder: &mut Builder, layer: &str, before: &Expr, after: &Expr) -> Option<Self> {
        let before = builder.number(layer, "padding", before);
        Some(Side::Pair(before?, builder.number(layer, "padding", after)?))
    }

    /// A number, or a pair in parentheses.
    pub(super) fn of(builder: &mut Builder, layer: &str, value: &Expr) -> Option<Self> {
        match parts(ungroup(value)).as_deref() {
            Some([before, after]) => Self::pair(builder, layer, before, after),
            _ => builder.number(layer, "padding", value).map(Self::both),
        }
    }

    pub(super) fn literal(&self) -> Option<Padding> {
        match self {
            Side::Same => Some(Padding::Same),
            Side::Causal => Some(Padding::Causal),
            Side::Pair(Dim::Literal(before), Dim::Literal(after)) => Some(Padding::Sides(*before, *after)),
            Side::Ceil(Dim::Literal(before), Dim::Literal(after)) => Some(Padding::Ceil(*before, *after)),
            Side::Pair(..) | Side::Ceil(..) => None,
        }
    }

    pub(super) fn tokens(&self) -> TokenStream {
        match self {
            Side::Same => quote!(::monomorph::shapes::Padding::Same),
            Side::Causal => quote!(::monomorph::shapes::Padding::Causal),
            Side::Pair(before, after) => {
                let (before, after) = (before.tokens(), after.tokens());
                quote!(::monomorph::shapes::Padding::Sides(#before, #after))
            }
            Side::Ceil(before, after) => {
                let (before, after) = (before.tokens(), after.tokens());
                quote!(::monomorph::shapes::Padding::Ceil(#before, #after))
            }
        }
    }
}

/// The parts of `(a, b)` or `[a, b]`.
pub(crate) fn parts(value: &Expr) -> Option<Vec<&Expr>> {
    match value {
        Expr::Tuple(tuple) => Some(tuple.elems.iter().collect()),
        Expr::Array(array) => Some(array.elems.iter().collect()),
        _ => None,
    }
}

/// The name that is written alone as an argument.
fn flag(names: &[&'static str], value: &Expr) -> Option<&'static str> {
    let Expr::Path(word) = ungroup(value) else { return None };
    names.iter().find(|name| word.path.is_ident(name)).copied()
}

fn unknown_argument(signature: &Signature, known: &[&str], name: Option<&Ident>) -> String {
    // The last one is `input`, which every layer accepts; suggesting it would not help.
    let known = &known[..known.len() - 1];
    let takes = match known {
        [] => "it takes none".to_owned(),
        known => format!("it takes {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    match name {
        Some(name) => {
            let hint = did_you_mean(&name.to_string(), known.iter().copied());
            let hint = hint.map_or(takes, |hint| format!("did you mean `{hint}`?"));
            format!("{} has no argument `{name}`; {hint}", signature.name)
        }
        None if known.is_empty() => format!("{} takes no argument", signature.name),
        None => format!("{} has too many arguments; {takes}", signature.name),
    }
}

/// An example of the layer with its required arguments.
fn example(signature: &Signature) -> String {
    let value = match signature.places[0] {
        "rate" => "0.5",
        "beta" | "deviation" => "0.1",
        "kernel" | "factor" => "2",
        "groups" => "4",
        "padding" => "1",
        "axis" => "0",
        "vocabulary" => "256, 64",
        "heads" if signature.places.len() > 1 => "heads = 4, ffn = 256",
        "heads" => "heads = 4",
        "embedding" => "tokens",
        _ => "16",
    };
    let kernel = if signature.names.contains(&"kernel") { ", kernel = 3" } else { "" };
    format!("{}({value}{kernel})", signature.name)
}
