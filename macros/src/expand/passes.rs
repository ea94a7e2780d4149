//! The bodies of the passes: one or a few statements for each node.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Ident;

use crate::expand::memory::{Item, Memory};
use crate::expand::network::{Network, index};
use crate::graph::{Model, Node, Op, ValueId};
use crate::plan::{self, Gradients, Place, Places, Reach};

/// Which pass a body is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `evaluate`.
    Evaluate,
    /// `sample`, in which stochastic layers draw random numbers.
    Sample,
    /// `steps`, consecutive steps of a sequence.
    Step,
}

impl Network<'_> {
    /// The body of `evaluate`, of `sample`, or of `steps`.
    pub(super) fn evaluate(&self, places: &Places, mode: Mode) -> TokenStream {
        let memory = if mode == Mode::Step { self.stepping(places) } else { self.working(places) };
        let steps = self.model.nodes.iter().enumerate().map(|(index, node)| match (&node.op, &node.field) {
            (Op::Layer(_), Some(_)) if plan::pooled_into(self.model, node).is_some() => TokenStream::new(),
            (Op::Layer(_), Some((name, _))) => self.call(&memory, index, node, name, mode),
            (Op::Activation { .. }, Some(_)) if plan::fused_into(self.model, node).is_some() => TokenStream::new(),
            (Op::Activation { marker, .. }, Some((name, _))) => {
                if places.of[node.inputs[0]] == places.of[node.output] {
                    return self.apply(&memory, node, marker);
                }
                self.step(&memory, node, 0, |x, y| match mode {
                    Mode::Step => quote!(__m::Streaming::steps(&self.#name, __simd, &mut (), #x, #y)),
                    _ => quote!(__m::Layer::evaluate(&self.#name, __simd, #x, #y, &mut ())),
                })
            }
            _ => self.rearrange(&memory, node),
        });
        quote!(#(#steps)*)
    }

    /// Calls a layer, together with the following activation if the layer applies it itself.
    fn call(&self, memory: &Memory, index: usize, node: &Node, name: &Ident, mode: Mode) -> TokenStream {
        let capabilities = node.capabilities();
        let (field, state) = (format_ident!("{name}_workspace"), format_ident!("{}", node.name));
        let workspace = if capabilities.needs_workspace { quote!(&mut __workspace.#field) } else { quote!(&mut ()) };
        let layer = self.layer_of(node, name);
        let state = if capabilities.has_state { quote!(&mut __state.#state) } else { quote!(&mut ()) };
        let pool = plan::pool(self.model, index);
        let then = self.epilogue(index, plan::fused_into);
        let output = self.output_item(memory, pool.unwrap_or(node).output);
        let items: Vec<_> = self.reads(memory, node).chain([output.clone()]).collect();
        let samples = mode == Mode::Sample && capabilities.random;
        let call = self.statement(memory, &items, |values| {
            let (x, y) = self.inputs_and_output(node, values);
            match (&then, mode) {
                _ if pool.is_some() => {
                    let then = then.clone().unwrap_or_else(|| quote!(::monomorph::layers::Identity));
                    quote!(self.#name.evaluate_pooled::<__S, __B, #then, _>(__simd, #x, #y))
                }
                (Some(then), Mode::Step) => quote! {
                    __m::Streaming::steps_then::<__S, #then, __B>(#layer, __simd, #state, #x, #y)
                },
                (None, Mode::Step) => quote!(__m::Streaming::steps(#layer, __simd, #state, #x, #y)),
                _ if samples => quote!(__m::Layer::sample(#layer, __simd, #x, #y, #workspace, __noise)),
                (Some(then), _) => {
                    quote!(__m::Layer::evaluate_then::<__S, __B, #then>(#layer, __simd, #x, #y, #workspace))
                }
                (None, _) => quote!(__m::Layer::evaluate(#layer, __simd, #x, #y, #workspace)),
            }
        });
        let apply = then.filter(|_| samples).map(|then| {
            let (scalar, ty) = (self.scalar, &output.ty);
            let value = self.get_mut(memory, output.place, ty);
            quote!(__m::passes::apply::<#scalar, __S, #then, #ty, __B>(__simd, #value);)
        });
        quote!(#call #apply)
    }

    /// The last of some values, and the others as a layer takes them.
    fn inputs_and_output<'v>(&self, node: &Node, values: &'v [TokenStream]) -> (TokenStream, &'v TokenStream) {
        let (output, inputs) = values.split_last().expect("a layer has an output");
        (self.given(node, inputs.to_vec(), "read"), output)
    }

    pub(super) fn forward(&self, places: &Places) -> TokenStream {
        let memory = self.keeping(places);
        let steps = self.model.nodes.iter().enumerate().map(|(index, node)| match (&node.op, &node.field) {
            (Op::Activation { .. }, _) if plan::trained_into(self.model, node).is_some() => TokenStream::new(),
            (Op::Activation { marker, .. }, _) if places.of[node.inputs[0]] == places.of[node.output] => {
                self.apply(&memory, node, marker)
            }
            (Op::Layer(_) | Op::Activation { .. }, Some((name, _))) => {
                let saved = saved_of(node);
                let then = self.epilogue(index, plan::trained_into);
                let layer = self.layer_of(node, name);
                let items = self.reads(&memory, node).chain([self.output_item(&memory, node.output)]);
                self.statement(&memory, &items.collect::<Vec<_>>(), |values| {
                    let (x, y) = self.inputs_and_output(node, values);
                    match &then {
                        Some(then) => quote! {
                            __m::Layer::forward_then::<__S, __B, #then>(#layer, __simd, #x, #y, #saved, __pass)
                        },
                        None => quote!(__m::Layer::forward(#layer, __simd, #x, #y, #saved, __pass)),
                    }
                })
            }
            _ => self.rearrange(&memory, node),
        });
        quote!(#(#steps)*)
    }

    pub(super) fn backward(&self, kept: &Places, gradients: &Gradients) -> TokenStream {
        let nodes = self.model.nodes.iter().enumerate().rev();
        let steps = nodes.map(|(index, node)| {
            let reach = &gradients.reach[index];
            match (&node.op, &node.field) {
                (Op::Activation { marker, .. }, Some(_)) if reach[0] == Reach::Shared => {
                    self.activation_back(kept, gradients, node, marker)
                }
                (Op::Layer(_) | Op::Activation { .. }, Some((name, _))) => {
                    self.layer_back(kept, gradients, node, reach, name)
                }
                _ => {
                    let slots =
                        (0..node.inputs.len()).map(|slot| self.pass_back(kept, gradients, node, slot, reach[slot]));
                    quote!(#(#slots)*)
                }
            }
        });
        let passed_on = self.model.nodes.iter().zip(&gradients.reach).any(|(node, reach)| {
            let own = |slot: usize| {
                let reaches = !matches!(reach[slot], Reach::Shared | Reach::Nowhere);
                gradients.places.of[node.inputs[slot]] == Place::Input && reaches
            };
            !matches!(node.op, Op::Layer(_) | Op::Activation { .. }) && (0..reach.len()).any(own)
        });
        let again = (passed_on || gradients.input_written_again).then(|| quote!(let mut __grad_input = __grad_input;));
        quote!(#again #(#steps)*)
    }

    /// The inputs of a node in the memory of a pass, for reading.
    fn reads<'s>(&'s self, memory: &'s Memory, node: &'s Node) -> impl Iterator<Item = Item> + 's {
        (0..node.inputs.len()).map(|slot| Item::read(memory.places.of[node.inputs[slot]], self.takes(node, slot)))
    }

    /// A statement that reads one input of a node and writes its output.
    fn step(
        &self,
        memory: &Memory,
        node: &Node,
        slot: usize,
        code: impl Fn(&TokenStream, &TokenStream) -> TokenStream,
    ) -> TokenStream {
        let input = Item::read(memory.places.of[node.inputs[slot]], self.takes(node, slot));
        self.statement(memory, &[input, self.output_item(memory, node.output)], |values| code(&values[0], &values[1]))
    }

    /// Applies an elementwise function in place.
    fn apply(&self, memory: &Memory, node: &Node, marker: &TokenStream) -> TokenStream {
        let ty = self.ty(node.output);
        let value = self.get_mut(memory, memory.places.of[node.output], &ty);
        let scalar = self.scalar;
        quote!(__m::passes::apply::<#scalar, __S, #marker, #ty, __B>(__simd, #value);)
    }

    /// The node of a sum, a product, or of parts of values.
    fn rearrange(&self, memory: &Memory, node: &Node) -> TokenStream {
        let place = |value: ValueId| memory.places.of[value];
        match &node.op {
            Op::Add | Op::Multiply => {
                // If one value already is in the place of the output, the other is added to it; else one is copied
                // there first.
                let in_place = node.inputs.iter().position(|input| place(*input) == place(node.output));
                let first = in_place.unwrap_or(1);
                let copy = in_place
                    .is_none()
                    .then(|| self.step(memory, node, first, |x, y| quote!(__m::passes::copy(#x, #y))));
                let pass = if matches!(node.op, Op::Multiply) { quote!(multiply) } else { quote!(add) };
                let combine = self.step(memory, node, 1 - first, |x, y| quote!(__m::passes::#pass(__simd, #x, #y)));
                quote!(#copy #combine)
            }
            Op::Copy => self.step(memory, node, 0, |x, y| quote!(__m::passes::copy(#x, #y))),
            Op::Concat(axis) => {
                let slots = (0..node.inputs.len()).map(|slot| {
                    let window = self.window(node, slot, *axis);
                    self.step(memory, node, slot, |x, y| quote!(__m::passes::put(#x, #y, #window)))
                });
                quote!(#(#slots)*)
            }
            Op::Part(field, key) => self.step(memory, node, 0, |x, y| match key {
                Some(key) => quote!(__m::passes::take_part::<#key, _, __B>(#x, #y)),
                None => quote!(__m::take_field!(#x, #field, #y)),
            }),
            Op::Outputs(fields) => {
                let slots = fields
                    .iter()
                    .enumerate()
                    .map(|(slot, field)| self.step(memory, node, slot, |x, y| quote!(__m::put_field!(#x, #y, #field))));
                quote!(#(#slots)*)
            }
            _ => TokenStream::new(),
        }
    }

    /// Where one input of a concatenation is in each row of the whole: its width, the width of the whole, the offset. A row
    /// is everything from the axis on.
    fn window(&self, node: &Node, slot: usize, axis: usize) -> TokenStream {
        let whole = &self.model.values[node.output].shape;
        let size = |value: ValueId| match self.model.values[value].shape.literals() {
            Some(sizes) => index(sizes[axis..].iter().product()).to_token_stream(),
            None => {
                // Counted from the last axis, because a step of a sequence lacks the first one.
                let (ty, behind) = (self.ty(value), whole.rank().map_or(0, |rank| rank - 1 - axis));
                match behind {
                    0 => quote!(<#ty as __m::Tensor>::CHANNELS),
                    _ => quote!(const { __m::behind(<#ty as __m::Tensor>::SHAPE, #behind) }),
                }
            }
        };
        let before = node.inputs[..slot].iter().map(|value| size(*value));
        let (width, of) = (size(node.inputs[slot]), size(node.output));
        quote!(#width, #of, 0 #(+ #before)*)
    }

    /// Multiplies a gradient by the derivative of an activation, in place.
    fn activation_back(&self, kept: &Places, gradients: &Gradients, node: &Node, marker: &TokenStream) -> TokenStream {
        let (values, scalar, ty) = (self.keeping(kept), self.scalar, self.ty(node.output));
        let y = self.get(&values, kept.of[node.output], &ty);
        // An activation that was computed in place has overwritten its input; its derivative follows from the output.
        let x = self.get(&values, kept.of[node.inputs[0]], &ty);
        let gradient = self.get_mut(&self.deriving(gradients), gradients.places.of[node.output], &ty);
        quote!(__m::passes::derive::<#scalar, __S, #marker, #ty, __B>(__simd, #x, #y, #gradient);)
    }

    /// Calls the backward pass of a layer, and writes or adds the gradients of its inputs.
    fn layer_back(
        &self,
        kept: &Places,
        gradients: &Gradients,
        node: &Node,
        reach: &[Reach],
        name: &Ident,
    ) -> TokenStream {
        let (values, memory) = (self.keeping(kept), self.deriving(gradients));
        let x = self.reads(&values, node).map(|item| self.get(&values, item.place, &item.ty)).collect();
        let x = self.given(node, x, "read");
        let y = self.get(&values, kept.of[node.output], &self.ty(node.output));
        let saved = saved_of(node);
        let (layer, gradient) = (self.layer_of(node, name), self.gradient_of(node, name));
        let call = |dy: &TokenStream, dx: TokenStream| quote!(__m::Layer::backward(#layer, __simd, #x, #y, #saved, #dy, #dx, #gradient, __pass));
        let place = |slot: usize| gradients.places.of[node.inputs[slot]];
        let none = quote!(::core::option::Option::None);
        let dy = Item::written(gradients.places.of[node.output], self.ty(node.output));
        // Where the gradient of each input goes: to a buffer, to the caller, or nowhere.
        let mut items = vec![dy.clone()];
        let targets: Vec<_> = (0..node.inputs.len())
            .map(|slot| {
                let takes = self.takes(node, slot);
                let buffer = match (reach[slot], place(slot)) {
                    (Reach::Nowhere, _) => return Err(none.clone()),
                    (Reach::Added(Some(buffer)), _) => Place::Buffer(buffer),
                    (_, Place::Input) => {
                        let again = gradients.input_written_again || node.inputs.len() > 1;
                        let target = if again { quote!(__grad_input.as_deref_mut()) } else { quote!(__grad_input) };
                        return Err(if self.input.to_string() == takes.to_string() {
                            target
                        } else {
                            quote!(#target.map(__m::reshape_mut::<_, #takes, __B>))
                        });
                    }
                    (_, place) => place,
                };
                items.push(Item::written(buffer, takes));
                Ok(items.len() - 1)
            })
            .collect();
        let through = self.statement(&memory, &items, |values| {
            let targets = targets.iter().map(|target| match target {
                Ok(index) => {
                    let dx = &values[*index];
                    quote!(::core::option::Option::Some(#dx))
                }
                Err(target) => target.clone(),
            });
            call(&values[0], self.given(node, targets.collect(), "gradient"))
        });
        let added = (0..node.inputs.len()).filter_map(|slot| {
            let Reach::Added(Some(buffer)) = reach[slot] else { return None };
            let takes = self.takes(node, slot);
            let from = Item::read(Place::Buffer(buffer), takes.clone());
            Some(match place(slot) {
                Place::Input => {
                    let from = self.get(&memory, from.place, &from.ty);
                    let to = self.cast_mut(quote!(__grad_input), &self.input, &takes);
                    let add = quote!(__m::passes::add(__simd, #from, #to););
                    (add, true)
                }
                place => {
                    let items = [from, Item::written(place, takes)];
                    let add = self.statement(&memory, &items, |values| {
                        let (from, to) = (&values[0], &values[1]);
                        quote!(__m::passes::add(__simd, #from, #to))
                    });
                    (add, false)
                }
            })
        });
        let added: Vec<_> = added.collect();
        if let ([(add, true)], 1) = (added.as_slice(), node.inputs.len()) {
            // Without a gradient to add to, there is no need to compute one.
            let without = call(&self.get_mut(&memory, dy.place, &dy.ty), none);
            return quote! {
                if let ::core::option::Option::Some(__grad_input) = __grad_input.as_deref_mut() {
                    #through
                    #add
                } else {
                    #without;
                }
            };
        }
        let added = added.into_iter().map(|(add, to_caller)| {
            if to_caller {
                quote! {
                    if let ::core::option::Option::Some(__grad_input) = __grad_input.as_deref_mut() {
                        #add
                    }
                }
            } else {
                add
            }
        });
        quote!(#through #(#added)*)
    }

    /// Passes the gradient of a node that is not a layer on to one of its inputs.
    fn pass_back(&self, kept: &Places, gradients: &Gradients, node: &Node, slot: usize, reach: Reach) -> TokenStream {
        let memory = self.deriving(gradients);
        let again = matches!(reach, Reach::Added(_));
        let pass = |dy: &TokenStream, dx: &TokenStream| match &node.op {
            Op::Multiply => {
                let other = node.inputs[1 - slot];
                let other = self.get(&self.keeping(kept), kept.of[other], &self.ty(other));
                quote!(__m::passes::multiply_back(__simd, #dy, #other, #dx, #again))
            }
            Op::Concat(axis) => {
                let window = self.window(node, slot, *axis);
                let pass = if again { quote!(take_more) } else { quote!(take) };
                quote!(__m::passes::#pass(#dy, #dx, #window))
            }
            Op::Part(_, Some(key)) => quote!(__m::passes::put_part::<#key, _, __B>(#dy, #dx)),
            Op::Part(field, None) => quote!(__m::put_field!(#dy, #dx, #field)),
            Op::Outputs(fields) => {
                let field = &fields[slot];
                let pass = if again { quote!(add_field) } else { quote!(take_field) };
                quote!(__m::#pass!(#dy, #field, #dx))
            }
            _ if again => quote!(__m::passes::add(__simd, #dy, #dx)),
            _ => quote!(__m::passes::copy(#dy, #dx)),
        };
        let (from, to) = (gradients.places.of[node.output], gradients.places.of[node.inputs[slot]]);
        let (y, x) = (self.ty(node.output), self.ty(node.inputs[slot]));
        match (reach, to) {
            (Reach::Shared | Reach::Nowhere, _) => TokenStream::new(),
            (_, Place::Input) => {
                let dy = self.get(&memory, from, &y);
                let pass = pass(&dy, &self.cast_mut(quote!(__grad_input), &self.input, &x));
                quote! {
                    if let ::core::option::Option::Some(__grad_input) = __grad_input.as_deref_mut() {
                        #pass;
                    }
                }
            }
            _ => {
                // The other parts of a nested network's output may have no reader.
                let clear = (matches!(node.op, Op::Part(..)) && reach == Reach::First).then(|| {
                    let dx = self.get_mut(&memory, to, &x);
                    quote!(__m::clear(#dx);)
                });
                let items = [Item::read(from, y), Item::written(to, x)];
                let pass = self.statement(&memory, &items, |values| pass(&values[0], &values[1]));
                quote!(#clear #pass)
            }
        }
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
        quote!(&mut __saved.#name)
    } else {
        quote!(&mut ())
    }
}
