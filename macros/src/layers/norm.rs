//! Normalization.

use proc_macro2::Span;
use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::same_shape::{channels, count_channels, same_shape};
use crate::shapes::{self, Range};

pub(super) fn batch_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let epsilon = arguments.real(builder, "epsilon", 1e-5, Range::Positive)?;
    let momentum = arguments.real(builder, "momentum", 0.1, Range::Fraction)?;
    let (x, _) = channels(builder, input)?;
    if arguments.flag(builder, "frozen", false)? {
        if let Some(momentum) = arguments.get("momentum") {
            let message = format!("{}: a frozen normalization does not move; leave `momentum` out", arguments.name);
            builder.errors.at(momentum.span(), message);
        }
        let ty = quote!(::monomorph::layers::FrozenBatchNorm<#x, #epsilon>);
        let op = Op::Layer(Capabilities { saves: true, streams: true, ..Capabilities::NONE });
        let output = same_shape(builder, op, arguments, input, ty);
        count_channels(builder, arguments, input, 4);
        return Some(output);
    }
    let ty = quote!(::monomorph::layers::BatchNorm<#x, #epsilon, #momentum>);
    let output =
        same_shape(builder, Op::Layer(Capabilities { streams: true, ..Capabilities::SAVES }), arguments, input, ty);
    count_channels(builder, arguments, input, 4);
    Some(output)
}

pub(super) fn norm(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    epsilon: f64,
) -> Option<ValueId> {
    let epsilon = arguments.real(builder, "epsilon", epsilon, Range::Positive)?;
    let (x, _) = channels(builder, input)?;
    let ident = Ident::new(layer, Span::call_site());
    let ty = quote!(::monomorph::layers::#ident<#x, #epsilon>);
    let output =
        same_shape(builder, Op::Layer(Capabilities { streams: true, ..Capabilities::SAVES }), arguments, input, ty);
    count_channels(builder, arguments, input, if layer == "RmsNorm" { 1 } else { 2 });
    Some(output)
}

pub(super) fn group_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let epsilon = arguments.real(builder, "epsilon", 1e-5, Range::Positive)?;
    let (x, c) = channels(builder, input)?;
    let (text, written) = (arguments.text(), arguments.get("groups")?);
    let groups = builder.dim(&text, "groups", written)?;
    if let Dim::Type { .. } = groups {
        builder.errors.at(written.span(), format!("{text}: groups is a number or a const parameter, not a type"));
        return None;
    }
    let last = builder.values[input].shape.last().cloned();
    match (&groups, last) {
        (Dim::Literal(groups), Some(Dim::Literal(c))) => {
            if let Err(error) = shapes::share(&text, "groups", *groups, "channels", c) {
                builder.errors.at(written.span(), error.as_str());
                return None;
            }
        }
        (groups, Some(c)) if groups.parameter().is_some() || c.parameter().is_some() => {}
        _ => {
            let groups = groups.tokens();
            builder.check(written.span(), quote!(::monomorph::shapes::share(#text, "groups", #groups, "channels", #c)));
        }
    }
    let groups = groups.tokens();
    let ty = quote!(::monomorph::layers::GroupNorm<#x, #groups, #epsilon>);
    let output = same_shape(builder, Op::Layer(Capabilities::SAVES_AND_NEEDS_WORKSPACE), arguments, input, ty);
    count_channels(builder, arguments, input, 2);
    Some(output)
}

/// A group for each channel.
pub(super) fn instance_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (x, groups) = channels(builder, input)?;
    if let Some(Dim::Type { text, .. }) = builder.values[input].shape.last() {
        let message = format!("{}: its channels `{text}` are a type; make them a number or a const", arguments.name);
        builder.errors.at(arguments.span, message);
        return None;
    }
    let epsilon = arguments.real(builder, "epsilon", 1e-5, Range::Positive)?;
    let ty = quote!(::monomorph::layers::GroupNorm<#x, #groups, #epsilon>);
    let output = same_shape(builder, Op::Layer(Capabilities::SAVES_AND_NEEDS_WORKSPACE), arguments, input, ty);
    count_channels(builder, arguments, input, 2);
    Some(output)
}

pub(super) fn local_response_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let size = builder.dim(&arguments.text(), "size", arguments.get("size")?)?.tokens();
    let mut real = |name: &str, default: f64| arguments.real(builder, name, default, Range::Any);
    let (alpha, beta, k) = (real("alpha", 1e-4)?, real("beta", 0.75)?, real("k", 1.0)?);
    let ty = quote!(::monomorph::layers::LocalResponseNorm<#x, #size, #alpha, #beta, #k>);
    Some(same_shape(builder, Op::Layer(Capabilities::SAVES), arguments, input, ty))
}
