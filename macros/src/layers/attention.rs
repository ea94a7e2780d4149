//! Attention and positions.

#![expect(clippy::result_large_err, reason = "a shape rule makes a text only after a mistake")]

use quote::quote;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::layers::arguments::Arguments;
use crate::layers::same_shape::{same_shape, worked_out};
use crate::shapes::{self, Range};

const SEQUENCE: &str = "a sequence `[time, features]`";

/// A sequence that attends to itself: `SelfAttention(heads = 4)`, `(x, length) |> SelfAttention(heads = 4)`.
pub(super) fn self_attention(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    match inputs {
        [x] => attention(builder, arguments, *x, None, None),
        [x, length] if builder.values[*length].element.is_some() => {
            attention(builder, arguments, *x, None, Some(*length))
        }
        _ => {
            let message = format!(
                "{0} takes a sequence, or `(x, length) |> {1}(..)` with a length such as an input `[u16; 1]`; \
                 attention to another sequence is `(x, memory) |> Attention(..)`",
                arguments.name,
                arguments.title().1
            );
            builder.errors.at(arguments.span, message);
            None
        }
    }
}

/// A sequence that attends to another: `(x, memory) |> Attention(heads = 4)`, and a length behind them.
pub(super) fn cross_attention(builder: &mut Builder, arguments: &Arguments, inputs: &[ValueId]) -> Option<ValueId> {
    match inputs {
        [x, memory] if builder.values[*memory].element.is_none() => {
            attention(builder, arguments, *x, Some(*memory), None)
        }
        [x, memory, length] if builder.values[*length].element.is_some() => {
            attention(builder, arguments, *x, Some(*memory), Some(*length))
        }
        _ => {
            let message = format!(
                "{} takes two sequences: `(x, memory) |> Attention(..)`, and behind them a length such as an input \
                 `[u16; 1]`; of one sequence, it is `SelfAttention(..)`",
                arguments.name
            );
            builder.errors.at(arguments.span, message);
            None
        }
    }
}

fn attention(
    builder: &mut Builder,
    arguments: &Arguments,
    x: ValueId,
    memory: Option<ValueId>,
    length: Option<ValueId>,
) -> Option<ValueId> {
    // All arguments are read before any is unwrapped, so that every mistake in them is reported.
    let (text, written) = (arguments.text(), arguments.get("heads")?);
    let heads = builder.dim(&text, "heads", written);
    let kv_heads = arguments.get("kv_heads").map(|kv| (kv.span(), builder.dim(&text, "kv_heads", kv)));
    let causal = arguments.flag(builder, "causal", false);
    let bias = arguments.flag(builder, "bias", true);
    let rotary = arguments.get("rotary").map(|_| arguments.word(builder, "rotary", &["interleaved", "half"]));
    let base = arguments.real(builder, "base", 10_000.0, Range::Positive);
    if let (Some(base), None) = (arguments.get("base"), rotary) {
        let message =
            format!("{text}: base is that of rotary positions; add `rotary = interleaved` or `rotary = half`");
        builder.errors.at(base.span(), message);
    }
    let sizes = builder.sizes(&arguments.name, arguments.span, SEQUENCE, 2, x);
    let from = memory.map(|memory| {
        builder.numbers(arguments.span, &text, memory)?;
        builder.sizes(&arguments.name, arguments.span, SEQUENCE, 2, memory)
    });
    let (heads, causal, bias, base) = (heads?, causal?, bias?, base?);
    let features = sizes?.last()?.clone();
    let from = match from {
        Some(sizes) => sizes?.last()?.clone(),
        None => features.clone(),
    };
    if causal && memory.is_some() {
        let written = arguments.get("causal").map_or(arguments.span, Spanned::span);
        let message = format!("{text}: only attention of a sequence to itself is causal: `SelfAttention(.., causal)`");
        builder.errors.at(written, message);
        return None;
    }
    if let Some(length) = length {
        let value = &builder.values[length];
        let one = value.shape.literals().is_none_or(|sizes| sizes == [1]);
        if !one {
            let message = format!(
                "{text} takes one length for a sample, `[u16; 1]`, but {} gives {}",
                value.source,
                value.shape.text()
            );
            builder.errors.at(arguments.span, message);
            return None;
        }
    }
    // Sizes that a parameter of the network gives are compared by the layer's own assertions.
    let unknown = [&heads, &features].iter().any(|size| size.parameter().is_some());
    let head = if unknown && kv_heads.is_none() && rotary.is_none() {
        None
    } else {
        Some(worked_out(
            builder,
            arguments,
            written.span(),
            &[&heads, &features],
            |sizes| shapes::share(&text, "heads", sizes[0], "features", sizes[1]),
            |sizes| {
                let (heads, features) = (&sizes[0], &sizes[1]);
                quote!(::monomorph::shapes::share(#text, "heads", #heads, "features", #features))
            },
        )?)
    };
    let (kv_heads, keys) = match (kv_heads, &head) {
        (Some((span, kv_heads)), Some(head)) => {
            let kv_heads = kv_heads?;
            let keys = worked_out(
                builder,
                arguments,
                span,
                &[&kv_heads, &heads, head],
                |sizes| shapes::share(&text, "kv_heads", sizes[0], "heads", sizes[1]).map(|_| sizes[0] * sizes[2]),
                |sizes| {
                    let (kv_heads, heads, head) = (&sizes[0], &sizes[1], &sizes[2]);
                    quote! {
                        match ::monomorph::shapes::share(#text, "kv_heads", #kv_heads, "heads", #heads) {
                            ::core::result::Result::Ok(_) => ::core::result::Result::Ok(#kv_heads * #head),
                            ::core::result::Result::Err(__error) => ::core::result::Result::Err(__error),
                        }
                    }
                },
            )?;
            (kv_heads, keys)
        }
        _ => (heads.clone(), features.clone()),
    };
    let rotation = match (rotary, &head) {
        (Some(order), Some(head)) => {
            let half = order? == "half";
            let span = arguments.get("rotary").map_or(arguments.span, Spanned::span);
            worked_out(
                builder,
                arguments,
                span,
                &[head],
                |sizes| shapes::share(&text, "halves", 2, "numbers of a head", sizes[0]),
                |sizes| quote!(::monomorph::shapes::share(#text, "halves", 2, "numbers of a head", #(#sizes)*)),
            )?;
            quote!(::monomorph::layers::attention::Rotary<#half, #base>)
        }
        _ => quote!(::monomorph::layers::attention::Unrotated),
    };

    let scalar = &builder.scalar;
    let array = |sizes: &[&Dim]| Shape::Known(sizes.iter().copied().cloned().collect()).ty(scalar);
    let (q, k) = (array(&[&features]), array(&[&keys]));
    let (wq, wk) = (array(&[&features, &features]), array(&[&from, &keys]));
    let sequence = builder.ty(x);
    let others = memory.iter().chain(&length).map(|value| builder.ty(*value));
    let form = match (memory, length) {
        (None, None) => quote!(Itself),
        (None, Some(_)) => quote!(ItselfPadded),
        (Some(_), None) => quote!(Another),
        (Some(_), Some(_)) => quote!(AnotherPadded),
    };
    let form = quote!(::monomorph::layers::attention::#form<#sequence #(, #others)*>);
    let (of, by) = (heads.tokens(), kv_heads.tokens());
    let options = quote!(::monomorph::layers::attention::Grouped<#of, #by, #causal, #rotation, #bias>);
    let ty = quote!(::monomorph::layers::MultiHeadAttention<#form, #options, #q, #k, #wq, #wk, #wq>);
    let streams = causal && length.is_none();
    let capabilities =
        Capabilities { streams, has_state: streams, packs_weights: true, ..Capabilities::SAVES_AND_NEEDS_WORKSPACE };
    let inputs = [x].into_iter().chain(memory).chain(length).collect();
    let (name, kind) = arguments.title();
    let shape = builder.values[x].shape.clone();
    let given = builder.layer(Op::Layer(capabilities), arguments.field(ty), (name, kind), inputs, shape);
    let none = Dim::Literal(0);
    let [more, fewer] = [&features, &keys].map(|size| if bias { size } else { &none });
    builder.count(
        arguments.span,
        &[
            &[&features, &features],
            &[&from, &keys],
            &[&from, &keys],
            &[&features, &features],
            &[more],
            &[fewer],
            &[fewer],
            &[more],
        ],
    );
    Some(given)
}

/// A learned vector for each step.
pub(super) fn positions(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let sizes = builder.sizes(&arguments.name, arguments.span, SEQUENCE, 2, input)?;
    let x = builder.ty(input);
    let op = Op::Layer(Capabilities { streams: true, has_state: true, ..Capabilities::NONE });
    let output = same_shape(builder, op, arguments, input, quote!(::monomorph::layers::Positions<#x>));
    builder.count(arguments.span, &[&[&sizes[0], &sizes[1]]]);
    Some(output)
}

/// Sines and cosines of the step.
pub(super) fn sinusoidal_positions(builder: &mut Builder, arguments: &Arguments, input: ValueId) -> Option<ValueId> {
    let base = arguments.real(builder, "base", 10_000.0, Range::Positive);
    let features = builder.sizes(&arguments.name, arguments.span, SEQUENCE, 2, input)?.last()?.clone();
    let (base, text) = (base?, arguments.text());
    worked_out(
        builder,
        arguments,
        arguments.span,
        &[&features],
        |sizes| shapes::share(&text, "halves", 2, "features", sizes[0]),
        |sizes| quote!(::monomorph::shapes::share(#text, "halves", 2, "features", #(#sizes)*)),
    )?;
    let x = builder.ty(input);
    let op = Op::Layer(Capabilities { streams: true, has_state: true, ..Capabilities::NONE });
    let ty = quote!(::monomorph::layers::SinusoidalPositions<#x, #base>);
    Some(same_shape(builder, op, arguments, input, ty))
}
