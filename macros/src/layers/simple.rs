//! Layers without parameters that need no window: `Flatten`, `Dropout`, softmax.

use proc_macro2::Span;
use quote::quote;
use syn::Ident;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::{Arguments, Range};
use crate::layers::same_shape::{channels, same_shape};
use crate::shapes;

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

pub(super) fn dropout(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let rate = arguments.real(builder, "rate", 0.5, Range::Probability)?;
    let (x, _) = channels(builder, input)?;
    let ty = quote!(::monomorph::layers::Dropout<#x, #rate>);
    let op = Op::Layer(Capabilities { saves: true, random: true, streams: true, ..Capabilities::NONE });
    Some(same_shape(builder, op, arguments, input, ty))
}

pub(super) fn rowwise(builder: &mut Builder, arguments: &Arguments, input: ValueId, layer: &str) -> Option<ValueId> {
    let (x, _) = channels(builder, input)?;
    let layer = Ident::new(layer, Span::call_site());
    Some(same_shape(
        builder,
        Op::Layer(Capabilities { streams: true, ..Capabilities::READS_OUTPUT }),
        arguments,
        input,
        quote!(::monomorph::layers::#layer<#x>),
    ))
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
