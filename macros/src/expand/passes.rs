//! The bodies of `evaluate`, `forward` and `backward`: one statement for each node, or a few.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Ident;

use crate::expand::memory::Memory;
use crate::expand::network::{Network, index};
use crate::graph::{Along, Model, Node, Op, ValueId};
use crate::plan::{self, Gradients, Place, Places, Reach};

impl Network<'_> {
    pub(super) fn evaluate(&self, places: &Places) -> TokenStream {
        let (memory, scalar) = (self.working(places), self.scalar);
        let steps = self.model.nodes.iter().enumerate().map(|(index, node)| match (&node.op, &node.field) {
            (Op::Layer(_), Some(_)) if plan::pooled_into(self.model, node).is_some() => TokenStream::new(),
            (Op::Layer(capabilities), Some((name, _))) => {
                let field = format_ident!("{name}_workspace");
                let workspace =
                    if capabilities.needs_workspace { quote!(&mut workspace.#field) } else { quote!(&mut ()) };
                let then = self.epilogue(index, plan::fused_into);
                if let Some(pool) = plan::pool(self.model, index) {
                    let then = then.unwrap_or_else(|| quote!(::monomorph::layers::Identity));
                    return self.step_to(
                        &memory,
                        node,
                        0,
                        pool.output,
                        |x, y| quote!(self.#name.evaluate_pooled::<__S, __B, #then, _>(simd, #x, #y)),
                    );
                }
                self.step(&memory, node, 0, |x, y| match &then {
                    Some(then) => quote! {
                        __m::Layer::<#scalar>::evaluate_then::<__S, __B, #then>(&self.#name, simd, #x, #y, #workspace)
                    },
                    None => quote!(__m::Layer::<#scalar>::evaluate(&self.#name, simd, #x, #y, #workspace)),
                })
            }
            (Op::Activation { .. }, Some(_)) if plan::fused_into(self.model, node).is_some() => TokenStream::new(),
            (Op::Activation { marker, .. }, Some((name, _))) => {
                let to = places.of[node.output];
                if places.of[node.inputs[0]] == to {
                    let value = self.get_mut(&memory, to, &self.ty(node.output));
                    return quote!(__m::passes::apply::<#scalar, __S, #marker, _, __B>(simd, #value););
                }
                self.step(
                    &memory,
                    node,
                    0,
                    |x, y| quote!(__m::Layer::<#scalar>::evaluate(&self.#name, simd, #x, #y, &mut ())),
                )
            }
            (Op::Add | Op::Multiply, _) => {
                // If one value already is in the place of the output, the other is added to it; else one is copied there
                // first.
                let in_place = node.inputs.iter().position(|input| places.of[*input] == places.of[node.output]);
                let copy = in_place.is_none().then(|| self.copy(&memory, node, 1));
                let other = if in_place == Some(0) { 1 } else { 0 };
                let combine = self.combine(&memory, node, other);
                quote!(#copy #combine)
            }
            (Op::Join(_) | Op::Part { .. }, _) => self.rearrange(&memory, node),
            _ => TokenStream::new(),
        });
        quote!(#(#steps)*)
    }

    pub(super) fn forward(&self, places: &Places) -> TokenStream {
        let (memory, scalar) = (self.keeping(places), self.scalar);
        let steps = self.model.nodes.iter().enumerate().map(|(index, node)| match (&node.op, &node.field) {
            (Op::Layer(_) | Op::Activation { .. }, Some((name, _))) => {
                if plan::trained_into(self.model, node).is_some() {
                    return TokenStream::new();
                }
                let saved = saved_of(node);
                let then = self.epilogue(index, plan::trained_into);
                self.step(&memory, node, 0, |x, y| match &then {
                    Some(then) => quote! {
                        __m::Layer::<#scalar>::forward_then::<__S, __B, #then>(&self.#name, simd, #x, #y, #saved, noise)
                    },
                    None => quote!(__m::Layer::<#scalar>::forward(&self.#name, simd, #x, #y, #saved, noise)),
                })
            }
            (Op::Add | Op::Multiply, _) => {
                let (copy, combine) = (self.copy(&memory, node, 0), self.combine(&memory, node, 1));
                quote!(#copy #combine)
            }
            (Op::Join(_) | Op::Part { .. }, _) => self.rearrange(&memory, node),
            _ => TokenStream::new(),
        });
        quote!(#(#steps)*)
    }

    pub(super) fn backward(&self, kept: &Places, gradients: &Gradients) -> TokenStream {
        let nodes = self.model.nodes.iter().enumerate().rev();
        let steps = nodes.map(|(index, node)| match (&node.op, &node.field) {
            (Op::Activation { marker, .. }, Some(_)) if gradients.reach[index][0] == Reach::Shared => {
                self.activation_back(kept, gradients, node, marker)
            }
            (Op::Layer(_) | Op::Activation { .. }, Some((name, _))) => {
                self.layer_back(kept, gradients, node, gradients.reach[index][0], name)
            }
            _ => {
                let slots = (0..node.inputs.len())
                    .map(|slot| self.pass_back(kept, gradients, node, slot, gradients.reach[index][slot]));
                quote!(#(#slots)*)
            }
        });
        let passed_on = self.model.nodes.iter().zip(&gradients.reach).any(|(node, reach)| {
            let own =
                |slot: usize| gradients.places.of[node.inputs[slot]] == Place::Input && reach[slot] != Reach::Shared;
            !matches!(node.op, Op::Layer(_) | Op::Activation { .. }) && (0..reach.len()).any(own)
        });
        let again = (passed_on || gradients.input_written_again).then(|| quote!(let mut grad_input = grad_input;));
        quote!(#again #(#steps)*)
    }

    /// Multiplies a gradient by the derivative of an activation, in place.
    fn activation_back(&self, kept: &Places, gradients: &Gradients, node: &Node, marker: &TokenStream) -> TokenStream {
        let (values, scalar, ty) = (self.keeping(kept), self.scalar, self.ty(node.output));
        let y = self.get(&values, kept.of[node.output], &ty);
        // An activation that ran inside the layer before it shares its place with its input, which is lost; its derivative
        // follows from the output.
        let x = self.get(&values, kept.of[node.inputs[0]], &ty);
        let gradient = self.get_mut(&self.deriving(gradients), gradients.places.of[node.output], &ty);
        quote!(__m::passes::derive::<#scalar, __S, #marker, _, __B>(simd, #x, #y, #gradient);)
    }

    /// Calls the backward pass of a layer, and writes or adds the gradient of its input.
    fn layer_back(&self, kept: &Places, gradients: &Gradients, node: &Node, reach: Reach, name: &Ident) -> TokenStream {
        let (values, memory, scalar) = (self.keeping(kept), self.deriving(gradients), self.scalar);
        let (takes, gives) = (self.takes(node, 0), self.ty(node.output));
        let x = self.get(&values, kept.of[node.inputs[0]], &takes);
        let y = self.get(&values, kept.of[node.output], &gives);
        let saved = saved_of(node);
        let call = |dy: TokenStream, dx: TokenStream| {
            quote! {
                __m::Layer::<#scalar>::backward(
                    &self.#name, simd, #x, #y, #saved, #dy, #dx, &mut gradient.#name,
                )
            }
        };
        let some = |dy: TokenStream, dx: TokenStream| call(dy, quote!(::core::option::Option::Some(#dx)));
        let (from, to) = (gradients.places.of[node.output], gradients.places.of[node.inputs[0]]);
        let add =
            |dx: TokenStream, sum: TokenStream| quote!(__m::passes::add::<#scalar, __S, _, _, __B>(simd, #dx, #sum));
        match (reach, to) {
            (Reach::Added(Some(buffer)), Place::Input) => {
                let through = self.both(&memory, (from, &gives), (Place::Buffer(buffer), &takes), some);
                let add = add(
                    self.get(&memory, Place::Buffer(buffer), &takes),
                    self.cast_mut(quote!(grad_input), &self.input, &takes),
                );
                let without = call(self.get_mut(&memory, from, &gives), quote!(::core::option::Option::None));
                quote! {
                    if let ::core::option::Option::Some(grad_input) = grad_input.as_deref_mut() {
                        #through
                        #add;
                    } else {
                        #without;
                    }
                }
            }
            (Reach::Added(Some(buffer)), _) => {
                let through = self.both(&memory, (from, &gives), (Place::Buffer(buffer), &takes), some);
                let add = self.both(&memory, (Place::Buffer(buffer), &takes), (to, &takes), add);
                quote!(#through #add)
            }
            (_, Place::Input) => {
                let mut target =
                    if gradients.input_written_again { quote!(grad_input.as_deref_mut()) } else { quote!(grad_input) };
                if self.input.to_string() != takes.to_string() {
                    target = quote!(#target.map(__m::tensor::reshape_mut::<#scalar, _, #takes, __B>));
                }
                let call = call(self.get_mut(&memory, from, &gives), target);
                quote!(#call;)
            }
            _ => self.both(&memory, (from, &gives), (to, &takes), some),
        }
    }

    /// Passes the gradient of a node that is not a layer on to one of its inputs.
    fn pass_back(&self, kept: &Places, gradients: &Gradients, node: &Node, slot: usize, reach: Reach) -> TokenStream {
        let (memory, scalar) = (self.deriving(gradients), self.scalar);
        let again = matches!(reach, Reach::Added(_));
        let pass = |dy: TokenStream, dx: TokenStream| match &node.op {
            Op::Multiply => {
                let other = node.inputs[1 - slot];
                let other = self.get(&self.keeping(kept), kept.of[other], &self.ty(other));
                quote!(__m::passes::multiply_back::<#scalar, __S, _, _, _, __B>(simd, #dy, #other, #dx, #again))
            }
            Op::Join(_) => {
                let window = self.window(node, slot);
                let pass = if again { quote!(take_more) } else { quote!(take) };
                quote!(__m::passes::#pass::<#scalar, _, _, __B>(#dy, #dx, #window))
            }
            Op::Part { .. } => {
                let window = self.window(node, slot);
                quote!(__m::passes::put::<#scalar, _, _, __B>(#dy, #dx, #window))
            }
            _ if again => quote!(__m::passes::add::<#scalar, __S, _, _, __B>(simd, #dy, #dx)),
            _ => quote!(__m::passes::copy::<#scalar, _, _, __B>(#dy, #dx)),
        };
        let (from, to) = (gradients.places.of[node.output], gradients.places.of[node.inputs[slot]]);
        let (y, x) = (self.ty(node.output), self.ty(node.inputs[slot]));
        match (reach, to) {
            (Reach::Shared, _) => TokenStream::new(),
            (_, Place::Input) => {
                let dy = self.get(&memory, from, &y);
                let pass = pass(dy, self.cast_mut(quote!(grad_input), &self.input, &x));
                quote! {
                    if let ::core::option::Option::Some(grad_input) = grad_input.as_deref_mut() {
                        #pass;
                    }
                }
            }
            _ => self.both(&memory, (from, &y), (to, &x), pass),
        }
    }

    /// Copies one input of a node to its output.
    fn copy(&self, memory: &Memory, node: &Node, slot: usize) -> TokenStream {
        let scalar = self.scalar;
        self.step(memory, node, slot, |x, y| quote!(__m::passes::copy::<#scalar, _, _, __B>(#x, #y)))
    }

    /// Adds one input of a node to its output, or multiplies its output by it.
    fn combine(&self, memory: &Memory, node: &Node, slot: usize) -> TokenStream {
        let scalar = self.scalar;
        let pass = if matches!(node.op, Op::Multiply) { quote!(multiply) } else { quote!(add) };
        self.step(memory, node, slot, |x, y| quote!(__m::passes::#pass::<#scalar, __S, _, _, __B>(simd, #x, #y)))
    }

    /// Puts inputs side by side, or takes a part of one.
    fn rearrange(&self, memory: &Memory, node: &Node) -> TokenStream {
        let scalar = self.scalar;
        let slots = (0..node.inputs.len()).map(|slot| {
            let window = self.window(node, slot);
            let pass = if matches!(node.op, Op::Part { .. }) { quote!(take) } else { quote!(put) };
            self.step(memory, node, slot, |x, y| quote!(__m::passes::#pass::<#scalar, _, _, __B>(#x, #y, #window)))
        });
        quote!(#(#slots)*)
    }

    /// Where a part is in each row of the whole: the width of the part, the width of the whole, the offset.
    fn window(&self, node: &Node, slot: usize) -> TokenStream {
        let (part, whole, before, by_channel) = match &node.op {
            Op::Join(along) => (node.inputs[slot], node.output, &node.inputs[..slot], *along == Along::Channels),
            Op::Part { before } => (node.output, node.inputs[0], before.as_slice(), false),
            _ => return TokenStream::new(),
        };
        let scalar = self.scalar;
        let size = |value: ValueId| match self.model.values[value].shape.literals() {
            Some(sizes) if by_channel => index(sizes.last().copied().unwrap_or(1)).to_token_stream(),
            Some(sizes) => index(sizes.iter().product()).to_token_stream(),
            None => {
                let (ty, of) = (self.ty(value), if by_channel { quote!(CHANNELS) } else { quote!(LEN) });
                quote!(<#ty as __m::tensor::Tensor<#scalar>>::#of)
            }
        };
        let (width, of, offsets) = (size(part), size(whole), before.iter().map(|value| size(*value)));
        quote!(#width, #of, 0 #(+ #offsets)*)
    }

    fn epilogue(&self, producer: usize, into: fn(&Model, &Node) -> Option<usize>) -> Option<TokenStream> {
        let node = &self.model.nodes[plan::epilogue(self.model, producer, into)?];
        if let Op::Activation { marker, .. } = &node.op { Some(marker.clone()) } else { None }
    }
}

/// A mutable reference to what a layer saves.
fn saved_of(node: &Node) -> TokenStream {
    if node.capabilities().saves {
        let name = format_ident!("{}_saved", node.name);
        quote!(&mut saved.#name)
    } else {
        quote!(&mut ())
    }
}
