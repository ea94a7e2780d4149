//! The memory of each pass, and expressions that read and write the values in it.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Ident;

use crate::expand::network::{Network, index};
use crate::graph::{Node, Op, ValueId};
use crate::plan::{Gradients, Place, Places};

/// The memory of a pass: where its buffers are and what its input and output are called.
pub(super) struct Memory<'a> {
    pub(super) places: &'a Places,
    /// The variable that holds the buffers: `workspace` or `saved`.
    pub(super) owner: Ident,
    pub(super) store: Store,
    /// The variables of the caller's input and output.
    pub(super) ends: [Ident; 2],
}

/// How the owner holds the buffers.
pub(super) enum Store {
    /// In this arena, at the offsets of this plan.
    Arena(Ident, Ident),
    /// Each in a separate field, named after what computes the value, with this prefix.
    Fields(&'static str),
}

fn ends(input: &str, output: &str) -> [Ident; 2] {
    [format_ident!("{input}"), format_ident!("{output}")]
}

impl Network<'_> {
    /// Const items with the offsets of the buffers of each pass.
    pub(super) fn plans(&self, evaluate: &Places, backward: &Gradients) -> TokenStream {
        if !self.arena {
            return TokenStream::new();
        }
        let plans = [("__EVALUATE", evaluate), ("__BACKWARD", &backward.places)].map(|(which, places)| {
            let (name, count) = (format_ident!("{which}"), index(places.buffers.len()));
            let lives = places.buffers.iter().map(|buffer| {
                let (from, to) = (index(buffer.from), index(buffer.to));
                let len = match self.model.values[buffer.value].shape.literals() {
                    Some(sizes) => {
                        let len = index(sizes.iter().product());
                        quote!(#len)
                    }
                    None => {
                        let (ty, scalar) = (self.ty(buffer.value), self.scalar);
                        // A const item cannot name the type parameter; the length is the same for every number type.
                        let scalar =
                            if self.generics.type_params().next().is_some() { quote!(f32) } else { scalar.clone() };
                        let ty = if scalar.to_string() == self.scalar.to_string() {
                            ty
                        } else {
                            self.model.values[buffer.value].shape.ty(&scalar)
                        };
                        quote!(<#ty as __m::tensor::Tensor<#scalar>>::LEN)
                    }
                };
                quote!(__m::memory::Life { len: #len, from: #from, to: #to })
            });
            quote! {
                const #name: __m::memory::Plan<#count> = __m::memory::plan(&[#(#lives),*]);
            }
        });
        quote!(#(#plans)*)
    }

    pub(super) fn workspace(&self, evaluate: &Places) -> TokenStream {
        let scalar = self.scalar;
        let mut fields = self.buffers(&self.working(evaluate));
        for node in &self.model.nodes {
            if let (Op::Layer(capabilities), Some((name, ty))) = (&node.op, &node.field)
                && capabilities.needs_workspace
                && node.uses == 0
            {
                let field = format_ident!("{name}_workspace");
                fields.push(quote!(#field: <#ty as __m::Layer<#scalar>>::Workspace<__B>));
            }
        }
        let docs = format!("What [`{}`] works in while it evaluates `B` samples.", self.name);
        self.plain("Workspace", &docs, fields)
    }

    pub(super) fn saved(&self, forward: &Places, backward: &Gradients) -> TokenStream {
        let scalar = self.scalar;
        let mut fields = self.buffers(&self.keeping(forward));
        for node in &self.model.nodes {
            if let (true, Some((_, ty))) = (node.capabilities().saves, &node.field) {
                let name = format_ident!("{}_saved", node.name);
                fields.push(quote!(#name: <#ty as __m::Layer<#scalar>>::Saved<__B>));
            }
        }
        fields.extend(self.buffers(&self.deriving(backward)));
        let docs = format!("What the forward pass of [`{}`] keeps for its backward pass.", self.name);
        self.plain("Saved", &docs, fields)
    }

    /// A struct of plain data, generic over the batch size.
    fn plain(&self, suffix: &str, docs: &str, mut fields: Vec<TokenStream>) -> TokenStream {
        let (name, visibility) = (self.part(suffix), &self.model.declaration.visibility);
        let (impl_generics, type_generics, where_clause) = self.batched.split_for_impl();
        let types = self.generics.type_params().map(|parameter| &parameter.ident);
        fields.push(quote!(parameters: ::core::marker::PhantomData<(#(#types,)*)>));
        quote! {
            #[doc = #docs]
            #[doc(hidden)]
            #visibility struct #name #impl_generics #where_clause {
                #(#fields,)*
            }

            // SAFETY: every field is plain data, for which zeros are valid.
            #[automatically_derived]
            unsafe impl #impl_generics __m::memory::Plain for #name #type_generics #where_clause {}
        }
    }

    /// The memory of `evaluate`.
    pub(super) fn working<'p>(&self, places: &'p Places) -> Memory<'p> {
        let store = self.store("arena", "__EVALUATE", "");
        Memory { places, owner: format_ident!("workspace"), store, ends: ends("input", "output") }
    }

    /// The values that `forward` keeps.
    pub(super) fn keeping<'p>(&self, places: &'p Places) -> Memory<'p> {
        Memory { places, owner: format_ident!("saved"), store: Store::Fields(""), ends: ends("input", "output") }
    }

    /// The gradients of values in `backward`.
    pub(super) fn deriving<'p>(&self, gradients: &'p Gradients) -> Memory<'p> {
        let store = self.store("gradients", "__BACKWARD", "gradient_");
        let ends = ends("grad_input", "grad_output");
        Memory { places: &gradients.places, owner: format_ident!("saved"), store, ends }
    }

    fn store(&self, arena: &str, plan: &str, field: &'static str) -> Store {
        if self.arena { Store::Arena(format_ident!("{arena}"), format_ident!("{plan}")) } else { Store::Fields(field) }
    }

    /// The name of a buffer's field, if each has one.
    fn buffer(&self, memory: &Memory, prefix: &str, index: usize) -> Ident {
        let source = |index: usize| &self.model.values[memory.places.buffers[index].value].source;
        // A source can have several buffers, such as a gradient and the buffer through which more is added to it.
        let same = (0..index).filter(|other| source(*other) == source(index)).count();
        let number = if same == 0 { String::new() } else { format!("_{}", same + 1) };
        format_ident!("{prefix}{}{number}", source(index).replace(' ', "_"))
    }

    /// The fields that hold the buffers of a pass.
    fn buffers(&self, memory: &Memory) -> Vec<TokenStream> {
        let scalar = self.scalar;
        let buffers = &memory.places.buffers;
        match &memory.store {
            Store::Arena(..) if buffers.is_empty() => Vec::new(),
            Store::Arena(arena, plan) => {
                vec![quote!(#arena: [__m::memory::Arena<#scalar, { #plan.total }>; __B])]
            }
            Store::Fields(prefix) => {
                let fields = (0..buffers.len()).map(|index| {
                    let (field, ty) = (self.buffer(memory, prefix, index), self.ty(buffers[index].value));
                    quote!(#field: [#ty; __B])
                });
                fields.collect()
            }
        }
    }
}

impl Network<'_> {
    /// A statement that reads one input of a node and writes its output.
    pub(super) fn step(
        &self,
        memory: &Memory,
        node: &Node,
        slot: usize,
        code: impl Fn(TokenStream, TokenStream) -> TokenStream,
    ) -> TokenStream {
        self.step_to(memory, node, slot, node.output, code)
    }

    /// Like [`step`](Self::step), but writes another value.
    pub(super) fn step_to(
        &self,
        memory: &Memory,
        node: &Node,
        slot: usize,
        output: ValueId,
        code: impl Fn(TokenStream, TokenStream) -> TokenStream,
    ) -> TokenStream {
        let (from, to) = (memory.places.of[node.inputs[slot]], memory.places.of[output]);
        let (x, y) = (self.takes(node, slot), self.ty(output));
        if let (Place::Buffer(a), Place::Buffer(b), Store::Arena(arena, plan)) = (from, to, &memory.store) {
            let (owner, scalar, code) = (&memory.owner, self.scalar, code(quote!(x), quote!(y)));
            let (a, b) = (index(a), index(b));
            return quote! {
                __m::memory::between::<#scalar, #x, #y, _, __B, _>(
                    &mut #owner.#arena,
                    #plan.offsets[#a],
                    #plan.offsets[#b],
                    #[inline(always)]
                    |x, y| #code,
                );
            };
        }
        let code = code(self.get(memory, from, &x), self.get_mut(memory, to, &y));
        quote!(#code;)
    }

    /// A statement that writes to two places.
    pub(super) fn both(
        &self,
        memory: &Memory,
        (a, x): (Place, &TokenStream),
        (b, y): (Place, &TokenStream),
        code: impl Fn(TokenStream, TokenStream) -> TokenStream,
    ) -> TokenStream {
        if let (Place::Buffer(a), Place::Buffer(b), Store::Arena(arena, plan)) = (a, b, &memory.store) {
            let (owner, scalar, code) = (&memory.owner, self.scalar, code(quote!(dy), quote!(dx)));
            let (a, b) = (index(a), index(b));
            return quote! {
                __m::memory::between_mut::<#scalar, #x, #y, _, __B, _>(
                    &mut #owner.#arena,
                    #plan.offsets[#a],
                    #plan.offsets[#b],
                    #[inline(always)]
                    |dy, dx| #code,
                );
            };
        }
        let code = code(self.get_mut(memory, a, x), self.get_mut(memory, b, y));
        quote!(#code;)
    }

    /// A shared reference to a place, as a batch of `want`.
    pub(super) fn get(&self, memory: &Memory, place: Place, want: &TokenStream) -> TokenStream {
        let scalar = self.scalar;
        let (expression, have) = match place {
            Place::Input => (memory.ends[0].to_token_stream(), self.input.clone()),
            Place::Output => {
                let output = &memory.ends[1];
                (quote!(&*#output), self.output.clone())
            }
            Place::Buffer(index) => match &memory.store {
                Store::Arena(..) => {
                    let at = self.get_mut(memory, place, want);
                    return quote!(&*#at);
                }
                Store::Fields(prefix) => {
                    let (owner, field) = (&memory.owner, self.buffer(memory, prefix, index));
                    (quote!(&#owner.#field), self.ty(memory.places.buffers[index].value))
                }
            },
        };
        if have.to_string() == want.to_string() {
            return expression;
        }
        quote!(__m::tensor::reshape::<#scalar, #have, #want, __B>(#expression))
    }

    /// A mutable reference to a place, as a batch of `want`.
    pub(super) fn get_mut(&self, memory: &Memory, place: Place, want: &TokenStream) -> TokenStream {
        let scalar = self.scalar;
        match place {
            Place::Input => self.cast_mut(memory.ends[0].to_token_stream(), &self.input, want),
            Place::Output => self.cast_mut(memory.ends[1].to_token_stream(), &self.output, want),
            Place::Buffer(buffer) => match &memory.store {
                Store::Arena(arena, plan) => {
                    let (owner, index) = (&memory.owner, index(buffer));
                    quote!(__m::memory::at::<#scalar, #want, _, __B>(&mut #owner.#arena, #plan.offsets[#index]))
                }
                Store::Fields(prefix) => {
                    let (owner, field) = (&memory.owner, self.buffer(memory, prefix, buffer));
                    self.cast_mut(quote!(&mut #owner.#field), &self.ty(memory.places.buffers[buffer].value), want)
                }
            },
        }
    }

    /// A mutable reference of another array type of the same length.
    pub(super) fn cast_mut(&self, expression: TokenStream, have: &TokenStream, want: &TokenStream) -> TokenStream {
        let scalar = self.scalar;
        if have.to_string() == want.to_string() {
            return expression;
        }
        quote!(__m::tensor::reshape_mut::<#scalar, #have, #want, __B>(#expression))
    }
}
