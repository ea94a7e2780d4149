//! Elementwise functions.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use crate::builder::Builder;
use crate::graph::{Op, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::same_shape::{channels, same_shape};

pub(super) fn elementwise(
    builder: &mut Builder,
    a: &Arguments,
    input: ValueId,
    layer: &str,
    from_output: bool,
) -> Option<ValueId> {
    let layer = Ident::new(layer, Span::call_site());
    activation(builder, a, input, quote!(::monomorph::layers::#layer), from_output)
}

pub(super) fn tunable(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    parameter: &str,
    default: f64,
) -> Option<ValueId> {
    let value = arguments.real(builder, parameter, default)?;
    let layer = Ident::new(layer, Span::call_site());
    // The derivative does not follow from the output: if the slope or α is not positive, the output does not tell the
    // sign of the input.
    activation(builder, arguments, input, quote!(::monomorph::layers::#layer<#value>), false)
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
