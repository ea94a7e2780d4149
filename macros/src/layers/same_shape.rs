//! Helpers for layers whose output has the shape of their input.

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::builder::Builder;
use crate::graph::{Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::shapes::Text;

/// The type of a value and its last size, the number of channels.
pub(super) fn channels(builder: &mut Builder, input: ValueId) -> Option<(TokenStream, TokenStream)> {
    let ty = builder.ty(input);
    match &builder.values[input].shape {
        Shape::Unknown => None,
        Shape::Known(dims) => Some((ty, dims.last()?.tokens())),
        Shape::Opaque(_) => {
            let channels = builder.concrete(&quote!({ <#ty as ::monomorph::Tensor>::CHANNELS }));
            Some((ty, channels))
        }
    }
}

pub(super) fn same_shape(
    builder: &mut Builder,
    op: Op,
    arguments: &Arguments,
    input: ValueId,
    ty: TokenStream,
) -> ValueId {
    let shape = builder.values[input].shape.clone();
    builder.node(op, arguments.field(ty), arguments.title(), input, shape)
}

/// A size that a shape rule gives for others: worked out now if they are literals, by the compiler if they are constants.
pub(super) fn worked_out(
    builder: &mut Builder,
    arguments: &Arguments,
    span: Span,
    sizes: &[&Dim],
    now: impl Fn(&[usize]) -> Result<usize, Text>,
    later: impl Fn(&[TokenStream]) -> TokenStream,
) -> Option<Dim> {
    if let Some(name) = sizes.iter().find_map(|size| size.parameter()) {
        let message = format!(
            "{} computes a size from the parameter `{name}`, which stable Rust cannot; make it a number or a constant",
            arguments.name
        );
        builder.errors.at(span, message);
        return None;
    }
    let literal = |size: &&Dim| if let Dim::Literal(size) = size { Some(*size) } else { None };
    match sizes.iter().map(literal).collect::<Option<Vec<usize>>>() {
        Some(sizes) => match now(&sizes) {
            Ok(size) => Some(Dim::Literal(size)),
            Err(error) => {
                builder.errors.at(span, error.as_str());
                None
            }
        },
        None => {
            let sizes: Vec<_> = sizes.iter().map(|size| size.tokens()).collect();
            let item = builder.work_out(span, quote!(usize), later(&sizes));
            Some(Dim::Constant(quote!(#item)))
        }
    }
}

/// Sets the parameter count of the last node to `each` for every channel.
pub(super) fn count_channels(builder: &mut Builder, arguments: &Arguments, input: ValueId, each: usize) {
    let last = builder.values[input].shape.last().cloned().unwrap_or(Dim::Constant(TokenStream::new()));
    builder.count(arguments.span, &[&[&Dim::Literal(each), &last]]);
}
