//! Convolutions that turn and flip with their input.

#![expect(clippy::result_large_err, reason = "a shape rule makes a text only after a mistake")]

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::same_shape::worked_out;
use crate::layers::window::window;
use crate::shapes;

/// The marker of the group, and how many elements it has.
fn group(builder: &mut Builder, arguments: &Arguments) -> Option<(TokenStream, usize)> {
    let (name, elements) =
        if arguments.word(builder, "group", &["p4", "p4m"])? == "p4m" { ("P4m", 8) } else { ("P4", 4) };
    let name = Ident::new(name, Span::call_site());
    Some((quote!(::monomorph::layers::#name), elements))
}

/// The channels of one element of the group.
fn share(builder: &mut Builder, arguments: &Arguments, channels: &Dim, elements: usize) -> Option<Dim> {
    let text = arguments.text();
    let what = "elements of the group";
    worked_out(
        builder,
        arguments,
        arguments.get("group").map_or(arguments.span, Spanned::span),
        &[channels],
        |sizes| shapes::share(&text, what, elements, "channels", sizes[0]),
        |sizes| quote!(::monomorph::shapes::share(#text, #what, #elements, "channels", #(#sizes)*)),
    )
}

pub(super) fn group_conv(builder: &mut Builder, arguments: &Arguments, input: ValueId, lift: bool) -> Option<ValueId> {
    let text = arguments.text();
    let biased = arguments.flag(builder, "bias", true);
    let group = group(builder, arguments);
    let filters = arguments.get("channels").map(|channels| builder.dim(&text, "channels", channels));
    let window = window::<2>(builder, arguments, input, None)?;
    let (biased, (group, elements), filters) = (biased?, group?, filters??);
    let channels = window.input[2].clone();
    if !lift {
        share(builder, arguments, &channels, elements)?;
    }
    let all = worked_out(
        builder,
        arguments,
        arguments.span,
        &[&filters],
        |sizes| shapes::size(&text, "channels", elements * sizes[0]),
        |sizes| quote!(::monomorph::shapes::size(#text, "channels", #elements * #(#sizes)*)),
    )?;
    let [height, width] = &window.kernel;
    if let (Dim::Literal(height), Dim::Literal(width)) = (height, width)
        && height != width
    {
        let span = arguments.get("kernel").map_or(arguments.span, Spanned::span);
        builder.errors.at(span, format!("{text}: kernel {height}x{width} does not turn into itself; make it square"));
        return None;
    }
    let scalar = &builder.scalar;
    let array = |sizes: &[&Dim]| Shape::Known(sizes.iter().copied().cloned().collect()).ty(scalar);
    let none = Dim::Literal(0);
    let [bias, whole_bias] = [&filters, &all].map(|size| if biased { size } else { &none });
    let (weight, whole) = (array(&[height, width, &channels, &filters]), array(&[height, width, &channels, &all]));
    let (bias_ty, whole_bias) = (array(&[bias]), array(&[whole_bias]));
    let shape = Shape::Known(window.output.iter().chain([&all]).cloned().collect());
    let (x, y, marker) = (builder.ty(input), shape.ty(scalar), &window.marker);
    let conv = quote!(::monomorph::layers::Conv2d<#x, #whole, #y, #marker, #whole_bias>);
    let ty = quote!(::monomorph::layers::GroupConv<#conv, #weight, #bias_ty, #group, #lift>);
    let op = Op::Layer(Capabilities::SAVES_AND_NEEDS_WORKSPACE);
    let output = builder.node(op, arguments.field(ty), arguments.title(), input, shape);
    builder.count(arguments.span, &[&[height, width, &channels, &filters], &[bias]]);
    Some(output)
}

pub(super) fn group_pool(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (group, mode) = (group(builder, arguments), arguments.word(builder, "mode", &["max", "mean"]));
    let takes = "an image `[height, width, channels]`";
    let sizes = builder.sizes(&arguments.name, arguments.span, takes, 3, input)?;
    let ((group, elements), most) = (group?, mode? == "max");
    let filters = share(builder, arguments, &sizes[2], elements)?;
    let shape = Shape::Known(vec![sizes[0].clone(), sizes[1].clone(), filters]);
    let (x, y) = (builder.ty(input), shape.ty(&builder.scalar));
    let ty = quote!(::monomorph::layers::GroupPool<#x, #y, #group, #most>);
    Some(builder.node(Op::Layer(Capabilities::READS_INPUT), arguments.field(ty), arguments.title(), input, shape))
}
