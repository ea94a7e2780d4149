//! `hamiltonian { Dense(32), Tanh, Dense(1) }` and `divergence { Dense(32), Tanh, Dense(2) }`: layers that contain a network
//! and compute with its derivative, for which they need it with dual numbers, too.

use quote::{ToTokens, quote};
use syn::{GenericParam, Ident, parse_quote};

use crate::builder::Builder;
use crate::equation::inner;
use crate::graph::{Capabilities, Dim, Model, Op, Shape, ValueId};
use crate::layers::arguments::{Arguments, Signature};
use crate::parse::{Call, Declaration};
use crate::sizes::number_type;
use crate::words::text;

const HAMILTONIAN: Signature = Signature { name: "hamiltonian", places: &[], names: &[], required: 0 };
const DIVERGENCE: Signature = Signature { name: "divergence", places: &[], names: &[], required: 0 };

/// Whether a call is one of these.
pub(crate) fn is_derivative(call: &Call) -> bool {
    signature(call).is_some()
}

fn signature(call: &Call) -> Option<&'static Signature> {
    [&HAMILTONIAN, &DIVERGENCE].into_iter().find(|signature| call.path.is_ident(signature.name))
}

/// Reads such a call: the name of the layer, and the declaration of the network inside; `None` after a mistake.
pub(crate) fn open(
    builder: &mut Builder,
    network: &Declaration,
    call: &Call,
    input: ValueId,
) -> Option<(Ident, Declaration)> {
    let signature = signature(call)?;
    let (kind, span) = (signature.name, call.span());
    let Some(body) = call.body.clone() else {
        builder.errors.at(span, format!("{kind}: its network is missing; write `{kind} {{ Dense(32), Tanh, .. }}`"));
        return None;
    };
    let name = builder.name(kind, call);
    let arguments = Arguments::new(builder, signature, name, call)?;
    builder.numbers(span, &arguments.text(), input)?;
    arguments.check_input(builder, input)?;
    let sizes = builder.sizes(&arguments.name, span, "a state of one size", 1, input)?;
    let [Dim::Literal(size)] = sizes.as_slice() else {
        builder.errors.at(span, format!("{}: the size of its state is a number", arguments.name));
        return None;
    };
    let (takes, gives) = if kind == HAMILTONIAN.name { (*size, 1) } else { (size - 1, size - 1) };
    if kind == HAMILTONIAN.name && size % 2 != 0 {
        let message =
            format!("{}: a state is positions and as many momenta, but there are {size} numbers", arguments.name);
        builder.errors.at(span, message);
        return None;
    }
    if takes == 0 {
        let message = format!("{}: a state is what flows and one number more, but there is one number", arguments.name);
        builder.errors.at(span, message);
        return None;
    }
    let what = if kind == HAMILTONIAN.name { "energy" } else { "flow" };
    let (takes, gives) = (vec![parse_quote!(#takes)], vec![parse_quote!(#gives)]);
    let mut declaration = inner(builder, network, &arguments, body, what, takes, gives);
    if number_type(&network.generics).is_none() {
        declaration.generics = parse_quote!(<T>);
        let sizes = network.generics.const_params().cloned().map(GenericParam::Const);
        declaration.generics.params.extend(sizes);
    }
    Some((arguments.name.clone(), declaration))
}

/// Adds the layer, in which there is `inside`; returns its output.
pub(crate) fn add(builder: &mut Builder, call: &Call, name: &Ident, inside: &Model, input: ValueId) -> Option<ValueId> {
    let kind = signature(call)?.name;
    let (network, scalar, y) = (&inside.declaration.name, builder.scalar.clone(), builder.ty(input));
    let sizes = inside.declaration.generics.const_params().map(|size| size.ident.to_token_stream());
    let sizes = quote!(#(, #sizes)*);
    let (with, dually) = (quote!(#network<#scalar #sizes>), quote!(#network<::monomorph::Dual<#scalar, 1> #sizes>));
    let ty = if kind == HAMILTONIAN.name {
        quote!(::monomorph::layers::Hamiltonian<#with, #dually, #y>)
    } else {
        let z = inside.output.ty(&scalar);
        quote!(::monomorph::layers::Divergence<#with, #dually, #z, #y>)
    };
    let shape: Shape = builder.values[input].shape.clone();
    let op = Op::Layer(Capabilities::CONTAINS);
    let output = builder.node(op, Some((name.clone(), ty)), (text(name), kind), input, shape);
    // The compiler counts the parameters.
    builder.count(call.span(), &[&[&Dim::Constant(quote!())]]);
    builder.locate(output, call.span());
    Some(output)
}
