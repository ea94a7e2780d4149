//! Dense and convolutional layers.

use quote::quote;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::window::window;
use crate::shapes;

pub(super) fn dense(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    // All arguments are read before any is unwrapped, so that every mistake in them is reported.
    let units = builder.dim(&arguments.text(), "units", arguments.get("units")?);
    let bias = arguments.flag(builder, "bias", true);
    let [input_size]: [Dim; 1] =
        builder.sizes(&arguments.name, arguments.span, "a flat input", 1, input)?.try_into().ok()?;
    let (units, bias) = (units?, bias?);
    let scalar = &builder.scalar;
    let (rows, columns) = (input_size.tokens(), units.tokens());
    let biased = bias;
    let bias = if bias { quote!() } else { quote!(, 0) };
    let ty = quote!(::monomorph::layers::Dense<#scalar, #rows, #columns #bias>);
    let output = builder.node(
        Op::Layer(Capabilities::DENSE_OR_CONV),
        arguments.field(ty),
        arguments.title(),
        input,
        Shape::Known(vec![units.clone()]),
    );
    let none = Dim::Literal(0);
    builder.count(&[&[&input_size, &units], &[if biased { &units } else { &none }]]);
    Some(output)
}

pub(super) fn conv<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    depthwise: bool,
) -> Option<ValueId> {
    let text = arguments.text();
    let bias = arguments.flag(builder, "bias", true);
    let output = arguments.get("channels").map(|channels| builder.dim(&text, "channels", channels));
    let window = window::<R>(builder, arguments, input, None)?;
    let (bias, channels) = (bias?, window.input[R].clone());
    let (output, group) = if depthwise {
        (channels, Dim::Literal(1))
    } else {
        let output = output??;
        let group = match arguments.get("groups") {
            None => channels,
            Some(groups) => {
                let at = groups.span();
                match (&channels, &output, builder.dim(&text, "groups", groups)?) {
                    (Dim::Literal(c), Dim::Literal(o), Dim::Literal(g)) => {
                        match shapes::group_channels(&text, *c, *o, g) {
                            Ok(group) => Dim::Literal(group),
                            Err(error) => {
                                builder.errors.at(at, error.as_str());
                                return None;
                            }
                        }
                    }
                    (c, o, g) => {
                        let [c, o, g] = [c, o, &g].map(Dim::tokens);
                        let result = quote!(::monomorph::shapes::group_channels(#text, #c, #o, #g));
                        let item = builder.work_out(at, quote!(usize), result);
                        Dim::Constant(quote!(#item))
                    }
                }
            }
        };
        (output, group)
    };
    let scalar = &builder.scalar;
    let input_sizes = window.input.iter().map(Dim::tokens);
    let output_sizes = window.output.iter().chain([&output]).map(Dim::tokens);
    let kernel = window.kernel.iter().map(Dim::tokens);
    let none = Dim::Literal(0);
    let weights: Vec<&Dim> = window.kernel.iter().chain([&group, &output]).collect();
    let biases = [if bias { &output } else { &none }];
    let (group, marker) = (group.tokens(), &window.marker);
    let bias = biases[0].tokens();
    let layer = if R == 1 { quote!(Conv1d) } else { quote!(Conv2d) };
    let ty = quote! {
        ::monomorph::layers::#layer<#scalar, #(#input_sizes),*, #(#output_sizes),*, #(#kernel),*, #group, #bias, #marker>
    };
    let shape = Shape::Known(window.output.iter().cloned().chain([output.clone()]).collect());
    // For a kernel of one pixel the image is computed as one long row, in which a 2 × 2 window is not contiguous.
    let fuses_max_pool = R == 2 && window.kernel.iter().any(|size| matches!(size, Dim::Literal(2..)));
    let op = Op::Layer(Capabilities { fuses_max_pool, ..Capabilities::DENSE_OR_CONV });
    let given = builder.node(op, arguments.field(ty), arguments.title(), input, shape);
    builder.count(&[&weights, &biases]);
    Some(given)
}
