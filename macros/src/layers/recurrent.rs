//! Recurrent layers.

use proc_macro2::Span;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, Ident, parse_quote_spanned};

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;

/// A layer with this many gates, from `[time, features]` to a row of hidden units for every step, or for the last.
pub(super) fn recurrent(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
    gates: usize,
) -> Option<ValueId> {
    let (text, written) = (arguments.text(), arguments.get("units")?);
    let units = builder.dim(&text, "units", written);
    let last = arguments.flag(builder, "last", false);
    let sizes = builder.sizes(&arguments.name, arguments.span, "a sequence `[time, features]`", 2, input)?;
    let (units, last) = (units?, last?);
    let [steps, features] = [sizes[0].clone(), sizes[1].clone()];
    let wide = match &units {
        Dim::Literal(units) => Dim::Literal(gates * units),
        _ => {
            let product: Expr = parse_quote_spanned!(written.span()=> (#written) * #gates);
            builder.dim(&text, "units", &product)?
        }
    };
    let output = Shape::Known(if last { vec![units.clone()] } else { vec![steps, units.clone()] });
    let scalar = &builder.scalar;
    let matrix = |rows: &Dim| Shape::Known(vec![rows.clone(), wide.clone()]).ty(scalar);
    let (i, h, b) = (matrix(&features), matrix(&units), Shape::Known(vec![wide.clone()]).ty(scalar));
    let (x, y, layer) = (builder.ty(input), output.ty(scalar), Ident::new(layer, Span::call_site()));
    let ty = quote!(::monomorph::layers::#layer<#x, #i, #h, #b, #y>);
    let op = Op::Layer(Capabilities {
        streams: !last,
        has_state: !last,
        packs_weights: true,
        ..Capabilities::SAVES_AND_NEEDS_WORKSPACE
    });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, output);
    builder.count(arguments.span, &[&[&features, &wide], &[&units, &wide], &[&wide], &[&wide]]);
    Some(given)
}
