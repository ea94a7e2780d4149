//! Elementwise functions.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::same_shape::{channels, count_channels, same_shape};
use crate::parse::ungroup;
use crate::shapes::Range;

pub(super) fn elementwise(
    builder: &mut Builder,
    a: &Arguments,
    input: ValueId,
    layer: &str,
    from_output: bool,
) -> Option<ValueId> {
    let layer = marker(a, layer);
    activation(builder, a, input, layer, Some(from_output))
}

/// A function with numbers as parameters, each given by its name and default, in the order of the type's generics.
/// `from_output` says whether its derivative follows from its output; `None`: only if no parameter is negative.
pub(super) fn tunable(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    parameters: &[(&str, f64)],
    from_output: Option<bool>,
) -> Option<ValueId> {
    let values: Option<Vec<_>> =
        parameters.iter().map(|(name, default)| arguments.real(builder, name, *default, Range::Any)).collect();
    let (layer, values) = (marker(arguments, layer), values?);
    // A negative literal is an expression.
    let is_literal =
        |(name, _): &(&str, f64)| arguments.get(name).is_none_or(|value| matches!(ungroup(value), Expr::Lit(_)));
    let from_output = from_output.or_else(|| parameters.iter().all(is_literal).then_some(true));
    activation(builder, arguments, input, quote!(#layer<#(#values),*>), from_output)
}

/// [`tunable`] with two parameters, or a bound and a parameter, of which the first is less than the second.
pub(super) fn ordered(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    [low, high]: [(&str, f64); 2],
    parameters: &[(&str, f64)],
    from_output: bool,
) -> Option<ValueId> {
    let given = [low, high].into_iter().find_map(|(name, _)| arguments.get(name));
    if let Some(given) = given {
        let (text, low_name, high_name) = (arguments.text(), low.0, high.0);
        let (low, high) =
            (arguments.real(builder, low.0, low.1, Range::Any)?, arguments.real(builder, high.0, high.1, Range::Any)?);
        let result = quote!(::monomorph::shapes::ordered(#text, #low_name, #low, #high_name, #high));
        builder.check(given.span(), result);
    }
    tunable(builder, arguments, input, layer, parameters, Some(from_output))
}

pub(super) fn prelu(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let per_channel = arguments.flag(builder, "per_channel", false)?;
    let scalar = &builder.scalar;
    let slopes = if per_channel { quote!(<#x as ::monomorph::Tensor>::Last) } else { quote!([#scalar; 1]) };
    let ty = quote!(::monomorph::layers::PRelu<#x, #slopes>);
    let op = Op::Layer(Capabilities { streams: true, ..Capabilities::READS_INPUT });
    let output = same_shape(builder, op, arguments, input, ty);
    if per_channel {
        count_channels(builder, arguments, input, 1)
    } else {
        builder.count(arguments.span, &[&[&Dim::Literal(1)]])
    }
    Some(output)
}

/// The function's type. What the compiler says of it points at the layer: that numbers have no such functions.
fn marker(arguments: &Arguments, layer: &str) -> TokenStream {
    let span = Span::call_site().located_at(arguments.span);
    let layer = Ident::new(layer, span);
    quote_spanned!(span=> ::monomorph::layers::#layer)
}

fn activation(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    marker: TokenStream,
    from_output: Option<bool>,
) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let ty = quote!(::monomorph::layers::Activate<#marker, #x>);
    Some(same_shape(builder, Op::Activation { marker, from_output }, arguments, input, ty))
}
