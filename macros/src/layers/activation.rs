//! Elementwise functions.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, Ident};

use crate::builder::Builder;
use crate::graph::{Op, ValueId};
use crate::layers::arguments::{Arguments, Range};
use crate::layers::same_shape::{channels, same_shape};
use crate::parse::ungroup;

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

pub(super) fn tunable(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    parameter: &str,
    default: f64,
) -> Option<ValueId> {
    let value = arguments.real(builder, parameter, default, Range::Any)?;
    let layer = marker(arguments, layer);
    // If the slope or α is negative, the output does not tell the sign of the input. A negative literal is an
    // expression.
    let literal = arguments.get(parameter).is_none_or(|value| matches!(ungroup(value), Expr::Lit(_)));
    activation(builder, arguments, input, quote!(#layer<#value>), literal.then_some(true))
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
