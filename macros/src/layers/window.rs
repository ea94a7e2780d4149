//! Windows over the spatial axes, and the layers that have one and no parameters: pools and upsampling.

#![expect(clippy::result_large_err, reason = "a shape rule makes a text only after a mistake")]

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::{Arguments, Side};
use crate::layers::same_shape::worked_out;
use crate::shapes::{self, Range};

/// A window over the spatial axes with all its sizes.
pub(super) struct Window<const R: usize> {
    /// The input's sizes, channels last.
    pub(super) input: Vec<Dim>,
    pub(super) output: [Dim; R],
    pub(super) kernel: [Dim; R],
    /// The marker type with kernel, strides, padding and dilation.
    pub(super) marker: TokenStream,
    /// Whether the windows have size two along every axis, are adjacent and cover the input.
    pub(super) halves_each_axis: bool,
    /// Whether it has stride 1 and is padded so that no output depends on a later input.
    pub(super) is_causal: bool,
}

pub(super) fn window<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    default_stride: Option<[Dim; R]>,
) -> Option<Window<R>> {
    slide(builder, arguments, input, default_stride, None)
}

/// The window of a transposed convolution; `output` is what the convolution that it reverses takes.
pub(super) fn transposed<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
) -> Option<Window<R>> {
    let extra = arguments.numbers_per_axis::<R>(builder, "output_padding");
    slide(builder, arguments, input, None, Some(extra?))
}

fn slide<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    default_stride: Option<[Dim; R]>,
    output_padding: Option<[Dim; R]>,
) -> Option<Window<R>> {
    let is_pool = default_stride.is_some();
    let kernel = arguments.per_axis::<R>(builder, "kernel", None);
    let stride = match default_stride {
        Some(stride) if arguments.get("stride").is_none() => Some(stride),
        _ => arguments.per_axis::<R>(builder, "stride", Some(1)),
    };
    let dilation = arguments.per_axis::<R>(builder, "dilation", Some(1));
    let padding = arguments.padding::<R>(builder);
    let sizes = builder.sizes(&arguments.name, arguments.span, takes::<R>(), R + 1, input)?;
    let (kernel, stride, dilation, mut padding) = (kernel?, stride?, dilation?, padding?);
    let rounds_up = is_pool && arguments.flag(builder, "ceil_mode", false)?;
    for side in padding.iter_mut().filter(|_| rounds_up) {
        match side.clone() {
            Side::Pair(before, after) => *side = Side::Ceil(before, after),
            _ => {
                let message = format!("{}: ceil_mode counts windows beyond a padding in numbers", arguments.text());
                builder.errors.at(arguments.span, message);
                return None;
            }
        }
    }
    // A window in the padding alone gives a convolution its bias, but it has no maximum and no mean.
    let is_padded_pool = is_pool && arguments.get("padding").is_some();
    let padded_at = arguments.get("padding").map_or(arguments.span, Spanned::span);
    let (mut output, mut before) = (Vec::new(), Vec::new());
    let mut items: Vec<(String, Ident)> = Vec::new();
    for axis in 0..R {
        let none = Dim::Literal(0);
        let extra = output_padding.as_ref().map_or(&none, |padding| &padding[axis]);
        let dims = [&sizes[axis], &kernel[axis], &stride[axis], &dilation[axis], extra];
        let (layer, axis_name) = (arguments.text(), axis_names::<R>()[axis]);
        let names: &[&str] =
            if output_padding.is_some() { &["output_padding", "padding", "kernel"] } else { &["kernel"] };
        let at = names.iter().find_map(|name| arguments.get(name)).map_or(arguments.span, Spanned::span);
        if let Some(parameter) = dims.iter().find_map(|dim| dim.parameter()) {
            let message = format!(
                "{layer} computes its output {axis_name} from the parameter `{parameter}`, which stable Rust cannot; \
                 make it a number or a constant"
            );
            builder.errors.at(at, message);
            return None;
        }
        if let (
            [Dim::Literal(size), Dim::Literal(k), Dim::Literal(s), Dim::Literal(d), Dim::Literal(extra)],
            Some(sides),
        ) = (dims, padding[axis].literal())
        {
            let worked_out = match output_padding {
                None => shapes::axis(&layer, axis_name, *size, *k, *s, *d, sides),
                Some(_) => shapes::transposed_axis(&layer, axis_name, *size, *k, *s, *d, (sides, *extra)),
            };
            match worked_out {
                Ok(axis) => {
                    if is_padded_pool && let Err(text) = shapes::reaches(&layer, axis_name, *size, *k, *s, *d, axis) {
                        builder.errors.at(padded_at, text.as_str());
                        return None;
                    }
                    output.push(Dim::Literal(axis.output));
                    before.push(Dim::Literal(axis.before));
                }
                // Stop here: the other axis usually has the same mistake.
                Err(text) => {
                    builder.errors.at(at, text.as_str());
                    return None;
                }
            }
        } else {
            let [size, k, s, d, extra] = dims.map(Dim::tokens);
            let sides = padding[axis].tokens();
            let key = quote!(#size, #k, #s, #d, #sides, #extra).to_string();
            let item = match items.iter().find(|(other, _)| *other == key) {
                Some((_, item)) => item.clone(),
                None => {
                    let result = match output_padding {
                        None => quote!(::monomorph::shapes::axis(#layer, #axis_name, #size, #k, #s, #d, #sides)),
                        Some(_) => quote! {
                            ::monomorph::shapes::transposed_axis(#layer, #axis_name, #size, #k, #s, #d, (#sides, #extra))
                        },
                    };
                    let item = builder.work_out(at, quote!(::monomorph::shapes::Axis), result);
                    if is_padded_pool {
                        let result = quote!(::monomorph::shapes::reaches(#layer, #axis_name, #size, #k, #s, #d, #item));
                        builder.check(padded_at, result);
                    }
                    item
                }
            };
            items.push((key, item.clone()));
            output.push(Dim::Constant(quote!(#item.output)));
            before.push(Dim::Constant(quote!(#item.before)));
        }
    }
    let is = |dim: &Dim, number| matches!(dim, Dim::Literal(literal) if *literal == number);
    let halves_each_axis = (0..R).all(|axis| {
        let even = matches!((&sizes[axis], &output[axis]), (Dim::Literal(n), Dim::Literal(half)) if *n == 2 * half);
        even && is(&kernel[axis], 2) && is(&stride[axis], 2) && is(&before[axis], 0) && is(&dilation[axis], 1)
    });
    let parameters = kernel.iter().chain(&stride).chain(&before).chain(&dilation).map(Dim::tokens);
    let marker = if R == 1 { quote!(Window1d) } else { quote!(Window2d) };
    let marker = quote!(::monomorph::layers::#marker<#(#parameters),*>);
    let is_causal = (0..R).all(|axis| {
        let padded = padding[axis].is_causal()
            || match (&sizes[axis], &output[axis], &kernel[axis], &dilation[axis], &before[axis]) {
                (Dim::Literal(n), Dim::Literal(out), Dim::Literal(k), Dim::Literal(d), Dim::Literal(before)) => {
                    n == out && *before == d * (k - 1)
                }
                _ => false,
            };
        padded && is(&stride[axis], 1)
    });
    Some(Window { input: sizes, output: output.try_into().ok()?, kernel, marker, halves_each_axis, is_causal })
}

/// What a layer with windows takes.
pub(super) fn takes<const R: usize>() -> &'static str {
    if R == 1 { "an input [length, channels]" } else { "an input [height, width, channels]" }
}

/// The names of the spatial axes.
pub(super) fn axis_names<const R: usize>() -> [&'static str; R] {
    let names: &[&str] = if R == 1 { &["length"] } else { &["height", "width"] };
    core::array::from_fn(|axis| names[axis])
}

pub(super) fn pool<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
) -> Option<ValueId> {
    // The default stride of a pool is its kernel, so that windows do not overlap.
    let kernel = arguments.per_axis::<R>(builder, "kernel", None)?;
    let window = window::<R>(builder, arguments, input, Some(kernel))?;
    let [rounds_up, counts_padding] =
        ["ceil_mode", "count_include_pad"].map(|name| arguments.flag(builder, name, false));
    let (rounds_up, counts_padding) = (rounds_up?, counts_padding?);
    if rounds_up && counts_padding {
        let message = format!("{}: ceil_mode and count_include_pad do not go together", arguments.text());
        builder.errors.at(arguments.span, message);
        return None;
    }
    if arguments.get("stride").is_none() && arguments.get("padding").is_none() && !rounds_up {
        for axis in 0..R {
            let (text, name) = (arguments.text(), axis_names::<R>()[axis]);
            let at = arguments.get("kernel").map_or(arguments.span, Spanned::span);
            match (&window.kernel[axis], &window.input[axis]) {
                (Dim::Literal(kernel), Dim::Literal(size)) => {
                    if let Err(error) = shapes::covers(&text, name, *kernel, *size) {
                        builder.errors.at(at, error.as_str());
                        return None;
                    }
                }
                (kernel, size) => {
                    let (kernel, size) = (kernel.tokens(), size.tokens());
                    builder.check(at, quote!(::monomorph::shapes::covers(#text, #name, #kernel, #size)));
                }
            }
        }
    }
    let shape = Shape::Known(window.output.iter().cloned().chain([window.input[R].clone()]).collect());
    let (x, y) = (builder.ty(input), shape.ty(&builder.scalar));
    let (layer, marker) = (Ident::new(layer, Span::call_site()), &window.marker);
    let ty = if counts_padding {
        quote!(::monomorph::layers::Pool<::monomorph::layers::MeanWithPadding, #x, #y, #marker>)
    } else if layer == "LpPool1d" || layer == "LpPool2d" {
        let p = arguments.real(builder, "p", 2.0, Range::Any)?;
        quote!(::monomorph::layers::#layer<#x, #y, #marker, #p>)
    } else {
        quote!(::monomorph::layers::#layer<#x, #y, #marker>)
    };
    let op = Op::Layer(Capabilities {
        is_max_pool_2x2: R == 2 && layer == "MaxPool2d" && window.halves_each_axis,
        ..Capabilities::READS_INPUT
    });
    Some(builder.node(op, arguments.field(ty), arguments.title(), input, shape))
}

pub(super) fn adaptive_pool<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
) -> Option<ValueId> {
    let output = arguments.per_axis::<R>(builder, "size", None);
    let sizes = builder.sizes(&arguments.name, arguments.span, takes::<R>(), R + 1, input)?;
    let shape = Shape::Known(output?.into_iter().chain([sizes[R].clone()]).collect());
    let (x, y, layer) = (builder.ty(input), shape.ty(&builder.scalar), Ident::new(layer, Span::call_site()));
    let ty = quote!(::monomorph::layers::#layer<#x, #y>);
    Some(builder.node(Op::Layer(Capabilities::READS_INPUT), arguments.field(ty), arguments.title(), input, shape))
}

pub(super) fn global_pool<const R: usize>(
    builder: &mut Builder,
    arguments: &Arguments,
    input: ValueId,
    layer: &str,
) -> Option<ValueId> {
    let sizes = builder.sizes(&arguments.name, arguments.span, takes::<R>(), R + 1, input)?;
    let (x, layer) = (builder.ty(input), Ident::new(layer, Span::call_site()));
    let ty = quote!(::monomorph::layers::#layer<#x>);
    let shape = Shape::Known(vec![sizes[R].clone()]);
    let op = Op::Layer(Capabilities::READS_INPUT);
    Some(builder.node(op, arguments.field(ty), arguments.title(), input, shape))
}

pub(super) fn upsample(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let text = arguments.text();
    let mode = arguments.word(builder, "mode", &["nearest", "bilinear", "bicubic"]);
    let by_size = arguments.get("size").is_some();
    if by_size == arguments.get("factor").is_some() {
        let message = format!("{text}: give a factor or a size: `Upsample2d(2)` or `Upsample2d(size = (7, 5))`");
        builder.errors.at(arguments.span, message);
        return None;
    }
    let factors = arguments.per_axis::<2>(builder, if by_size { "size" } else { "factor" }, None);
    let sizes = builder.sizes(&arguments.name, arguments.span, takes::<2>(), 3, input)?;
    let (factors, mode, mut output) = (factors?, mode?, sizes.clone());
    for (axis, factor) in factors.into_iter().enumerate() {
        output[axis] = if by_size {
            factor
        } else {
            worked_out(
                builder,
                arguments,
                arguments.span,
                &[&sizes[axis], &factor],
                |sizes| shapes::numbers(&text, sizes),
                |sizes| quote!(::monomorph::shapes::numbers(#text, &[#(#sizes),*])),
            )?
        };
    }
    let output = Shape::Known(output);
    let (x, y) = (builder.ty(input), output.ty(&builder.scalar));
    let mode = match mode {
        "nearest" => quote!(),
        "bilinear" => quote!(, ::monomorph::layers::Linear),
        _ => quote!(, ::monomorph::layers::Cubic),
    };
    let ty = quote!(::monomorph::layers::Upsample2d<#x, #y #mode>);
    Some(builder.node(Op::Layer(Capabilities::NONE), arguments.field(ty), arguments.title(), input, output))
}
