//! Layers that copy numbers to other places: padding, blocks of pixels, slices, transposition.

#![expect(clippy::result_large_err, reason = "a shape rule makes a text only after a mistake")]

use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::{Arguments, Side, parts};
use crate::layers::same_shape::{same_shape, worked_out};
use crate::layers::window::{axis_names, takes};
use crate::parse::ungroup;
use crate::shapes::{self, Range};

/// Adds the layer of the type `layer<X, Y, ..>`.
fn rearranged(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    output: Vec<Dim>,
    layer: &str,
    generics: &[proc_macro2::TokenStream],
) -> ValueId {
    let output = Shape::Known(output);
    let (x, y) = (builder.ty(input), output.ty(&builder.scalar));
    let layer = Ident::new(layer, proc_macro2::Span::call_site());
    let ty = quote!(::monomorph::layers::#layer<#x, #y #(, #generics)*>);
    builder.node(Op::Layer(Capabilities::NONE), arguments.field(ty), arguments.title(), input, output)
}

pub(super) fn pad<const R: usize>(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let text = arguments.text();
    let written = arguments.get("padding")?;
    let padding = arguments.padding::<R>(builder);
    let mode = arguments.word(builder, "mode", &["constant", "reflect", "edge", "wrap"]);
    let value = arguments.real(builder, "value", 0.0, Range::Any);
    let sizes = builder.sizes(&arguments.name, arguments.span, takes::<R>(), R + 1, input)?;
    let (padding, mode, value) = (padding?, mode?, value?);
    let (mut output, mut generics) = (sizes.clone(), Vec::new());
    for axis in 0..R {
        let name = axis_names::<R>()[axis];
        let Side::Pair(before, after) = &padding[axis] else {
            let message = format!("{text}: padding is a number, or a pair of numbers for its two sides");
            builder.errors.at(written.span(), message);
            return None;
        };
        output[axis] = worked_out(
            builder,
            arguments,
            written.span(),
            &[&sizes[axis], before, after],
            |s| shapes::padded(&text, name, s[0], s[1], s[2], mode),
            |s| quote!(::monomorph::shapes::padded(#text, #name, #(#s,)* #mode)),
        )?;
        generics.push(before.tokens());
    }
    generics.push(match mode {
        "reflect" => quote!(::monomorph::layers::Reflect),
        "edge" => quote!(::monomorph::layers::Edge),
        "wrap" => quote!(::monomorph::layers::Wrap),
        _ => quote!(::monomorph::layers::Constant<#value>),
    });
    let layer = if R == 1 { "Pad1d" } else { "Pad2d" };
    Some(rearranged(builder, arguments, input, output, layer, &generics))
}

/// Channels to blocks of pixels, or, if `to_depth`, blocks to channels.
pub(super) fn blocks(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    to_depth: bool,
) -> Option<ValueId> {
    let (text, written) = (arguments.text(), arguments.get("factor")?);
    let factor = builder.dim(&text, "factor", written);
    let sizes = builder.sizes(&arguments.name, arguments.span, takes::<2>(), 3, input)?;
    let (factor, mut output) = (factor?, Vec::new());
    for (axis, size) in sizes.iter().enumerate() {
        let name = ["rows", "columns", "channels"][axis];
        let power = if axis == 2 { 2 } else { 1 };
        let part = if axis == 2 { "pixels of a block".to_owned() } else { format!("{name} of a block") };
        let dims = [size, &factor];
        let dim = if (axis == 2) == to_depth {
            worked_out(
                builder,
                arguments,
                written.span(),
                &dims,
                |s| shapes::numbers(&text, &[s[0], s[1].saturating_pow(power as u32)]),
                |s| {
                    let (size, factors) = (&s[0], vec![&s[1]; power]);
                    quote!(::monomorph::shapes::numbers(#text, &[#size #(, #factors)*]))
                },
            )
        } else {
            worked_out(
                builder,
                arguments,
                written.span(),
                &dims,
                |s| shapes::share(&text, &part, s[1].saturating_pow(power as u32), name, s[0]),
                |s| {
                    let (size, factor) = (&s[0], &s[1]);
                    let whole = if power == 2 { quote!(#factor * #factor) } else { quote!(#factor) };
                    quote!(::monomorph::shapes::share(#text, #part, #whole, #name, #size))
                },
            )
        };
        output.push(dim?);
    }
    Some(rearranged(builder, arguments, input, output, layer, &[factor.tokens()]))
}

pub(super) fn slice(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let text = arguments.text();
    let axis = arguments.axis(builder, input)??;
    let size = &axis.sizes[axis.index];
    let mut given = |name: &str, default: Dim| match arguments.get(name) {
        Some(value) => builder.number(&text, name, value),
        None => Some(default),
    };
    let (start, end) = (given("start", Dim::Literal(0)), given("end", size.clone()));
    let step = match arguments.get("step") {
        Some(step) => builder.dim(&text, "step", step),
        None => Some(Dim::Literal(1)),
    };
    let (start, end, step) = (start?, end?, step?);
    let at = ["end", "start"].into_iter().find_map(|name| arguments.get(name)).map_or(arguments.span, Spanned::span);
    let mut output = axis.sizes.clone();
    output[axis.index] = worked_out(
        builder,
        arguments,
        at,
        &[size, &start, &end, &step],
        |s| shapes::slice(&text, s[0], s[1], s[2], s[3]),
        |s| quote!(::monomorph::shapes::slice(#text, #(#s),*)),
    )?;
    let from_last = axis.sizes.len() - 1 - axis.index;
    three_axes(builder, arguments, &axis.sizes)?;
    let generics = [quote!(#from_last), start.tokens(), step.tokens()];
    let given = rearranged(builder, arguments, input, output, "Slice", &generics);
    if let Some(node) = builder.nodes.last_mut() {
        // Of every step the same part.
        node.op = Op::Layer(Capabilities { streams: axis.index > 0, ..Capabilities::NONE });
    }
    Some(given)
}

/// The opposite order along an axis.
pub(super) fn flip(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let axis = arguments.axis(builder, input)??;
    three_axes(builder, arguments, &axis.sizes)?;
    let (x, from_last) = (builder.ty(input), axis.sizes.len() - 1 - axis.index);
    let ty = quote!(::monomorph::layers::Flip<#x, #from_last>);
    Some(same_shape(builder, Op::Layer(Capabilities::NONE), arguments, input, ty))
}

/// Reports a shape of more than three axes.
fn three_axes(builder: &mut Builder, arguments: &Arguments, sizes: &[Dim]) -> Option<()> {
    if sizes.len() > 3 {
        builder.errors.at(arguments.span, format!("{}: its input has more than three axes", arguments.name));
        return None;
    }
    Some(())
}

pub(super) fn transpose(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let text = arguments.text();
    let Shape::Known(sizes) = builder.values[input].shape.clone() else {
        return arguments.unknown_sizes(builder, input);
    };
    three_axes(builder, arguments, &sizes)?;
    let example = match sizes.len() {
        3 => "axes = (2, 0, 1)",
        _ => "axes = (1, 0)",
    };
    let axes: Vec<usize> = match arguments.get("axes").map(ungroup) {
        None if sizes.len() == 2 => vec![1, 0],
        None => {
            builder.errors.at(arguments.span, format!("{text}: in which order? write `{example}`"));
            return None;
        }
        Some(written) => {
            let mut axes = Vec::new();
            for part in parts(written).unwrap_or_default() {
                let Dim::Literal(axis) = builder.number(&text, "axis", part)? else { continue };
                axes.push(axis);
            }
            if axes.len() != sizes.len() || (0..sizes.len()).any(|axis| !axes.contains(&axis)) {
                let message = format!("{text}: axes are all {} of its input, each once: `{example}`", sizes.len());
                builder.errors.at(written.span(), message);
                return None;
            }
            axes
        }
    };
    let missing = 3 - sizes.len();
    let output = axes.iter().map(|axis| sizes[*axis].clone()).collect();
    let generics: Vec<_> =
        (0..missing).chain(axes.iter().map(|axis| axis + missing)).map(|axis| quote!(#axis)).collect();
    Some(rearranged(builder, arguments, input, output, "Transpose", &generics))
}
