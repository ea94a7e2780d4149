//! Normalization.

use proc_macro2::Span;
use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, ValueId};
use crate::layers::arguments::{Arguments, Range};
use crate::layers::same_shape::{channels, count_channels, same_shape};
use crate::shapes;

pub(super) fn batch_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let epsilon = arguments.real(builder, "epsilon", 1e-5, Range::Any)?;
    let momentum = arguments.real(builder, "momentum", 0.1, Range::Any)?;
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
    let (x, _) = channels(builder, input)?;
    let epsilon = arguments.real(builder, "epsilon", epsilon, Range::Any)?;
    let ident = Ident::new(layer, Span::call_site());
    let ty = quote!(::monomorph::layers::#ident<#x, #epsilon>);
    let output =
        same_shape(builder, Op::Layer(Capabilities { streams: true, ..Capabilities::SAVES }), arguments, input, ty);
    count_channels(builder, arguments, input, if layer == "RmsNorm" { 1 } else { 2 });
    Some(output)
}

pub(super) fn group_norm(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
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
    let epsilon = arguments.real(builder, "epsilon", 1e-5, Range::Any)?;
    let groups = groups.tokens();
    let ty = quote!(::monomorph::layers::GroupNorm<#x, #groups, #epsilon>);
    let output = same_shape(builder, Op::Layer(Capabilities::SAVES_AND_NEEDS_WORKSPACE), arguments, input, ty);
    count_channels(builder, arguments, input, 2);
    Some(output)
}
