//! `TransformerBlock`: opened into the layers that it consists of.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use crate::builder::Builder;
use crate::graph::{Op, Shape, ValueId};
use crate::layers;
use crate::layers::arguments::{Arguments, Signature};
use crate::parse::{Call, Step};
use crate::shapes::Range;
use crate::words::text;

const SIGNATURE: Signature = Signature {
    name: "TransformerBlock",
    places: &["heads", "ffn"],
    names: &["causal", "kv_heads", "rotary", "base", "bias", "norm", "post_norm", "epsilon", "activation", "dropout"],
    required: 2,
};

/// Whether a call is that of a block.
pub(crate) fn is_block(call: &Call) -> bool {
    call.path.is_ident(SIGNATURE.name)
}

/// Adds the layers of a block, which attends to its first input and then to the second, if there is one; returns its
/// output.
pub(crate) fn add(builder: &mut Builder, call: &Call, inputs: &[ValueId]) -> ValueId {
    // Its layers are named after it if it has a name, and like any others if not.
    let name = call.name.clone().unwrap_or_else(|| Ident::new(SIGNATURE.name, call.span()));
    Arguments::new(builder, &SIGNATURE, name, call)
        .and_then(|arguments| opened(builder, &arguments, call, inputs))
        .unwrap_or_else(|| builder.value(Shape::Unknown, "a layer with a mistake"))
}

fn opened(builder: &mut Builder, arguments: &Arguments, call: &Call, inputs: &[ValueId]) -> Option<ValueId> {
    let [x, memory @ ..] = inputs else { return None };
    if memory.len() > 1 {
        let message = "TransformerBlock takes a sequence, or a sequence and the memory that it also attends to";
        builder.errors.at(arguments.span, message);
        return None;
    }
    builder.numbers(arguments.span, SIGNATURE.name, *x)?;
    let sizes = builder.sizes(&arguments.name, arguments.span, "a sequence `[time, features]`", 2, *x)?;
    let features = sizes.last()?.argument();
    arguments.check_input(builder, *x)?;

    let norm = arguments.word(builder, "norm", &["layer", "rms"]);
    let activation = arguments.word(builder, "activation", &["gelu", "gelu_tanh", "relu", "silu", "swiglu", "geglu"]);
    let post = arguments.flag(builder, "post_norm", false);
    let causal = arguments.flag(builder, "causal", false);
    let bias = arguments.flag(builder, "bias", true);
    arguments.real(builder, "dropout", 0.0, Range::Probability)?;
    let (norm, activation, post, causal, bias) = (norm?, activation?, post?, causal?, bias?);

    let block = Block { span: call.span(), prefix: call.name.as_ref().map(text), post };
    let [heads, ffn] = ["heads", "ffn"].map(|name| arguments.get(name));
    let passed = |names: &[&str]| -> TokenStream {
        let given = names.iter().filter_map(|name| Some((format_ident!("{name}"), arguments.get(name)?)));
        given.map(|(name, value)| quote_spanned!(value.span()=> #name = #value,)).collect()
    };
    let at = block.span;
    let dropout = arguments.get("dropout").map(|rate| quote_spanned!(at=> Dropout(#rate)));
    let own = passed(&["kv_heads", "rotary", "base"]);
    let of_memory = passed(&["kv_heads"]);
    let epsilon = passed(&["epsilon"]);
    let norm =
        if norm == "rms" { quote_spanned!(at=> RmsNorm(#epsilon)) } else { quote_spanned!(at=> LayerNorm(#epsilon)) };

    let attention = quote_spanned!(at=> SelfAttention(heads = #heads, causal = #causal, bias = #bias, #own));
    let mut value = block.around(builder, *x, &norm, 1, |builder, value| {
        let value = block.layer(builder, &[value], "attention", &attention)?;
        block.dropped(builder, value, dropout.as_ref())
    })?;
    if let [memory] = memory {
        let attention = quote_spanned!(at=> Attention(heads = #heads, bias = #bias, #of_memory));
        value = block.around(builder, value, &norm, 2, |builder, value| {
            let value = block.layer(builder, &[value, *memory], "cross", &attention)?;
            block.dropped(builder, value, dropout.as_ref())
        })?;
    }
    block.around(builder, value, &norm, 2 + memory.len(), |builder, value| {
        let wide = quote_spanned!(at=> Dense(#ffn, bias = #bias));
        let function = match activation {
            "relu" => quote_spanned!(at=> Relu),
            "gelu" | "geglu" => quote_spanned!(at=> Gelu),
            "gelu_tanh" => quote_spanned!(at=> GeluTanh),
            _ => quote_spanned!(at=> Silu),
        };
        let mut inner = block.layer(builder, &[value], "dense1", &wide)?;
        inner = block.layer(builder, &[inner], "activation", &function)?;
        let gated = activation.ends_with("glu");
        if gated {
            let gate = block.layer(builder, &[value], "dense2", &wide)?;
            inner = builder.combine(&Ident::new("multiply", at), None, None, vec![inner, gate]);
        }
        let narrow = quote_spanned!(at=> Dense(#features, bias = #bias));
        let value = block.layer(builder, &[inner], if gated { "dense3" } else { "dense2" }, &narrow)?;
        block.dropped(builder, value, dropout.as_ref())
    })
}

/// What the parts of a block have in common.
struct Block {
    span: Span,
    prefix: Option<String>,
    /// Whether the sums are normalized, not what is added to them.
    post: bool,
}

impl Block {
    /// `x + inner(norm(x))`, or `norm(x + inner(x))`.
    fn around(
        &self,
        builder: &mut Builder,
        x: ValueId,
        norm: &TokenStream,
        index: usize,
        inner: impl FnOnce(&mut Builder, ValueId) -> Option<ValueId>,
    ) -> Option<ValueId> {
        let norm = |builder: &mut Builder, value| self.layer(builder, &[value], &format!("norm{index}"), norm);
        let start = if self.post { x } else { norm(builder, x)? };
        let value = inner(builder, start)?;
        // After a mistake in a layer there is nothing to add.
        if matches!(builder.values[value].shape, Shape::Unknown) {
            return None;
        }
        let (name, shape) = (text(&builder.names.next("residual", None, self.span)), builder.values[x].shape.clone());
        let sum = builder.fieldless_node(Op::Add, name, "Add", vec![value, x], shape);
        if self.post { norm(builder, sum) } else { Some(sum) }
    }

    /// Adds a layer, written as in a network.
    fn layer(&self, builder: &mut Builder, inputs: &[ValueId], name: &str, written: &TokenStream) -> Option<ValueId> {
        let Ok(Step::Layer(mut call)) = syn::parse2(written.clone()) else { return None };
        call.name = self.prefix.as_ref().map(|prefix| Ident::new(&format!("{prefix}_{name}"), self.span));
        Some(match inputs {
            [input] => layers::add(builder, &call, *input),
            inputs => layers::add_several(builder, &call, inputs),
        })
    }

    fn dropped(&self, builder: &mut Builder, value: ValueId, dropout: Option<&TokenStream>) -> Option<ValueId> {
        let Some(Ok(Step::Layer(call))) = dropout.map(|written| syn::parse2(written.clone())) else {
            return Some(value);
        };
        Some(layers::add(builder, &call, value))
    }
}
