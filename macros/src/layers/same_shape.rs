//! Helpers for layers whose output has the shape of their input.

use proc_macro2::TokenStream;
use quote::quote;

use crate::builder::Builder;
use crate::graph::{Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;

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

/// Sets the parameter count of the last node to `each` for every channel.
pub(super) fn count_channels(builder: &mut Builder, arguments: &Arguments, input: ValueId, each: usize) {
    let last = builder.values[input].shape.last().cloned().unwrap_or(Dim::Constant(TokenStream::new()));
    builder.count(arguments.span, &[&[&Dim::Literal(each), &last]]);
}
