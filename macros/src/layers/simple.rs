//! Layers without parameters that need no window: `Flatten`, `Reshape`, `Dropout`, softmax.

#![expect(clippy::result_large_err, reason = "a shape rule makes a text only after a mistake")]

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::{Arguments, parts};
use crate::layers::same_shape::{channels, same_shape, worked_out};
use crate::parse::ungroup;
use crate::shapes::{self, Range};

pub(super) fn flatten(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
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
        (shape, None) if !builder.is_constant(shape) => {
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

/// The same numbers in another shape: `X → [..]`.
pub(super) fn reshape(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (text, written) = (arguments.text(), arguments.get("shape")?);
    let Some(sizes) = parts(ungroup(written)).filter(|sizes| !sizes.is_empty()) else {
        builder.errors.at(written.span(), format!("{text}: its shape is a list of sizes: `Reshape([7, 7, 64])`"));
        return None;
    };
    let sizes: Option<Vec<Dim>> = sizes.into_iter().map(|size| builder.dim(&text, "size", size)).collect();
    let (shape, given) = (Shape::Known(sizes?), builder.values[input].shape.clone());
    if matches!(given, Shape::Unknown) {
        return None;
    }
    let now = |from: &[usize], to: &[usize]| shapes::reshaped(&text, from, to).err();
    let later = |from, to| quote!(::monomorph::shapes::reshaped(#text, #from, #to));
    match builder.compare(written.span(), [&given, &shape], now, later) {
        Some(true) => Some(builder.node(Op::View, None, arguments.title(), input, shape)),
        Some(false) => None,
        None => {
            let message = "Reshape multiplies a parameter of the network, which stable Rust cannot; make it a constant";
            builder.errors.at(arguments.span, message);
            None
        }
    }
}

pub(super) fn dropout(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let rate = arguments.real(builder, "rate", 0.5, Range::Probability)?;
    let (x, _) = channels(builder, input)?;
    let ty = quote!(::monomorph::layers::Dropout<#x, #rate>);
    let op = Op::Layer(Capabilities { saves: true, random: true, streams: true, ..Capabilities::NONE });
    Some(same_shape(builder, op, arguments, input, ty))
}

/// A layer that changes numbers at random while training, by a rate or a deviation.
pub(super) fn perturb(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    (kind, name, range): (&str, &str, Range),
) -> Option<ValueId> {
    let strength = arguments.real(builder, name, 0.1, range)?;
    let (x, _) = channels(builder, input)?;
    let kind = Ident::new(kind, Span::call_site());
    let ty = quote!(::monomorph::layers::Perturb<#x, ::monomorph::layers::#kind<#strength>>);
    let op = Op::Layer(Capabilities { saves: true, random: true, streams: true, ..Capabilities::NONE });
    Some(same_shape(builder, op, arguments, input, ty))
}

pub(super) fn rowwise(builder: &mut Builder, arguments: &Arguments, input: ValueId, layer: &str) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let layer = Ident::new(layer, Span::call_site());
    let axis = arguments.axis(builder, input)?;
    let streams = axis.is_none();
    let axis = axis.iter().map(|axis| axis.index);
    let op = Op::Layer(Capabilities { streams, ..Capabilities::READS_OUTPUT });
    Some(same_shape(builder, op, arguments, input, quote!(::monomorph::layers::#layer<#x #(, #axis)*>)))
}

pub(super) fn glu(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let activation = match arguments.word(builder, "activation", &["identity", "tanh"])? {
        "tanh" => quote!(, ::monomorph::layers::Tanh),
        _ => quote!(),
    };
    halved(builder, arguments, input, Capabilities::READS_INPUT, |x, y| quote!(Glu<#x, #y #activation>))
}

pub(super) fn bottleneck(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let beta = arguments.real(builder, "beta", 1e-3, Range::NotNegative);
    let scale = arguments.word(builder, "scale", &["softplus", "log_variance"]);
    let (beta, logarithm) = (beta?, scale? == "log_variance");
    stochastic(builder, arguments, input, quote!(Bottleneck<#beta, #logarithm>))
}

pub(super) fn information_dropout(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let beta = arguments.real(builder, "beta", 1.0, Range::NotNegative);
    let most = arguments.real(builder, "max_alpha", 0.7, Range::Positive);
    let (beta, most) = (beta?, most?);
    stochastic(builder, arguments, input, quote!(InformationDropout<#beta, #most>))
}

/// Units with noise of a learned strength.
fn stochastic(builder: &mut Builder, arguments: &Arguments, input: ValueId, kind: TokenStream) -> Option<ValueId> {
    let capabilities = Capabilities { random: true, ..Capabilities::SAVES };
    let kind = quote!(::monomorph::layers::#kind);
    halved(builder, arguments, input, capabilities, |x, y| quote!(StochasticUnits<#x, #y, #kind>))
}

/// A layer that makes one channel of two.
fn halved(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    capabilities: Capabilities,
    layer: impl FnOnce(&TokenStream, &TokenStream) -> TokenStream,
) -> Option<ValueId> {
    let text = arguments.text();
    let Shape::Known(mut sizes) = builder.values[input].shape.clone() else {
        return arguments.unknown_sizes(builder, input);
    };
    let last = sizes.last()?.clone();
    let half = worked_out(
        builder,
        arguments,
        arguments.span,
        &[&last],
        |size| shapes::share(&text, "halves", 2, "channels", size[0]),
        |size| quote!(::monomorph::shapes::share(#text, "halves", 2, "channels", #(#size)*)),
    )?;
    *sizes.last_mut()? = half;
    let output = Shape::Known(sizes);
    let (x, y) = (builder.ty(input), output.ty(&builder.scalar));
    let op = Op::Layer(Capabilities { streams: output.rank() == Some(2), ..capabilities });
    let layer = layer(&x, &y);
    Some(builder.node(op, arguments.field(quote!(::monomorph::layers::#layer)), arguments.title(), input, output))
}

pub(super) fn activity_regularization(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (l1, l2) = (
        arguments.real(builder, "l1", 0.0, Range::NotNegative)?,
        arguments.real(builder, "l2", 0.0, Range::NotNegative)?,
    );
    let (x, _) = channels(builder, input)?;
    let ty = quote!(::monomorph::layers::ActivityRegularization<#x, #l1, #l2>);
    Some(same_shape(
        builder,
        Op::Layer(Capabilities { streams: true, ..Capabilities::READS_OUTPUT }),
        arguments,
        input,
        ty,
    ))
}

/// The mean, the sum or the maximum over an axis.
pub(super) fn reduce(builder: &mut Builder, arguments: &Arguments, input: ValueId, layer: &str) -> Option<ValueId> {
    let keepdim = arguments.flag(builder, "keepdim", false);
    let axis = arguments.axis(builder, input)??;
    let (index, mut sizes) = (axis.index, axis.sizes);
    // A shape has at least one size.
    if keepdim? || sizes.len() == 1 {
        sizes[index] = Dim::Literal(1);
    } else {
        sizes.remove(index);
    }
    let output = Shape::Known(sizes);
    let (x, y, layer) = (builder.ty(input), output.ty(&builder.scalar), Ident::new(layer, Span::call_site()));
    let ty = quote!(::monomorph::layers::#layer<#x, #y, #index>);
    Some(builder.node(Op::Layer(Capabilities::READS_INPUT), arguments.field(ty), arguments.title(), input, output))
}

pub(super) fn affine(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let weighted = arguments.flag(builder, "weight", true);
    let biased = arguments.flag(builder, "bias", true);
    let per = arguments.word(builder, "per", &["channel", "number"]);
    let (x, _) = channels(builder, input)?;
    let (weighted, biased, per) = (weighted?, biased?, per?);
    if !weighted && !biased {
        let message = format!("{}: without weight and bias it changes nothing", arguments.name);
        builder.errors.at(arguments.span, message);
        return None;
    }
    let shape = builder.values[input].shape.clone();
    let scalar = &builder.scalar;
    let of = if per == "channel" { quote!(<#x as ::monomorph::Tensor>::Last) } else { quote!(#x) };
    let [w, b] = [weighted, biased].map(|there| if there { of.clone() } else { quote!([#scalar; 0]) });
    let streams = per == "channel";
    let op = Op::Layer(Capabilities { reads_input: weighted, streams, ..Capabilities::NONE });
    let output = same_shape(builder, op, arguments, input, quote!(::monomorph::layers::Affine<#x, #w, #b>));
    let sizes = sizes_for(shape, per);
    let sizes: Vec<&Dim> = sizes.iter().collect();
    let none = [&Dim::Literal(0)];
    builder.count(arguments.span, &[if weighted { &sizes } else { &none }, if biased { &sizes } else { &none }]);
    Some(output)
}

/// Mean and deviation of the data: `X → X`.
pub(super) fn normalize(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let per = arguments.word(builder, "per", &["channel", "number"]);
    let (x, _) = channels(builder, input)?;
    let per = per?;
    let shape = builder.values[input].shape.clone();
    let m = if per == "channel" { quote!(<#x as ::monomorph::Tensor>::Last) } else { quote!(#x) };
    let op = Op::Layer(Capabilities { streams: per == "channel", ..Capabilities::NONE });
    let output = same_shape(builder, op, arguments, input, quote!(::monomorph::layers::Normalize<#x, #m>));
    let sizes = sizes_for(shape, per);
    let sizes: Vec<&Dim> = sizes.iter().collect();
    builder.count(arguments.span, &[&sizes, &sizes]);
    Some(output)
}

/// The sizes of a tensor that has a number for each channel, or for each number.
fn sizes_for(shape: Shape, per: &str) -> Vec<Dim> {
    match (shape, per) {
        (Shape::Known(sizes), "channel") => sizes.last().cloned().into_iter().collect(),
        (Shape::Known(sizes), _) => sizes,
        // The compiler counts what is not a list of sizes.
        _ => vec![Dim::Constant(quote!())],
    }
}
