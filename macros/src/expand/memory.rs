//! The memory of each pass, and expressions that read and write the values in it.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Ident;

use crate::expand::network::{Network, index};
use crate::graph::{Op, Shape, ValueId};
use crate::plan::{Gradients, Place, Places};

/// The memory of a pass: where its buffers are and what its input and output are called.
pub(super) struct Memory<'a> {
    pub(super) places: &'a Places,
    /// The variable whose fields hold the buffers, `__workspace` or `__saved`; `None` if they are variables themselves.
    pub(super) owner: Option<Ident>,
    pub(super) store: Store,
    /// What the names of its buffers say, beside the values and numbers: `grad` or nothing.
    what: &'static str,
    /// The variables of the caller's input and output.
    pub(super) ends: [Ident; 2],
}

/// How the owner holds the buffers.
pub(super) enum Store {
    /// In this arena, at the offsets of this plan. Buffers of integers are still separate fields.
    Arena(Ident, Ident),
    /// Each in a separate field, named after what computes the value.
    Fields,
}

/// A value that a statement reads or writes: where it is, and as what array type.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) ty: TokenStream,
    pub(super) is_written: bool,
}

impl Item {
    pub(super) fn read(place: Place, ty: TokenStream) -> Self {
        Self { place, ty, is_written: false }
    }

    pub(super) fn written(place: Place, ty: TokenStream) -> Self {
        Self { place, ty, is_written: true }
    }
}

impl Memory<'_> {
    /// The expression of a field of the owner, or of a variable.
    fn part(&self, name: &Ident) -> TokenStream {
        let owner = self.owner.iter();
        quote!(#(#owner.)* #name)
    }
}

fn ends(input: &str, output: &str) -> [Ident; 2] {
    [format_ident!("__{input}"), format_ident!("__{output}")]
}

impl Network<'_> {
    /// Const items with the plan of each pass and the slot of each buffer.
    pub(super) fn plans(&self, evaluate: &Places, backward: &Gradients) -> TokenStream {
        if !self.arena {
            return TokenStream::new();
        }
        let (evaluate, backward) = (self.plan(&self.working(evaluate)), self.plan(&self.deriving(backward)));
        quote!(#evaluate #backward)
    }

    /// The plan of one pass, if it has an arena.
    pub(super) fn plan(&self, memory: &Memory) -> TokenStream {
        let Store::Arena(_, plan) = &memory.store else { return TokenStream::new() };
        let buffers = &memory.places.buffers;
        let count = index(buffers.len());
        let lives = buffers.iter().map(|buffer| {
            let (from, to) = (index(buffer.from), index(buffer.to));
            let value = &self.value(buffer.value);
            let len = match value.shape.literals() {
                _ if value.element.is_some() => quote!(0),
                Some(sizes) => index(sizes.iter().product()).to_token_stream(),
                None => {
                    // A const item cannot name the type parameter; the length is the same for every number type.
                    let ty = self.model.concrete(&self.ty(buffer.value));
                    quote!(<#ty as __m::Tensor>::LEN)
                }
            };
            quote!((#len, #from, #to))
        });
        let slots = (0..buffers.len()).filter(|buffer| !self.is_field(memory, *buffer)).map(|buffer| {
            let value = buffers[buffer].value;
            let ty = self.model.concrete(&self.ty(value));
            let is_opaque = matches!(self.model.values[value].shape, Shape::Opaque(_));
            let ty = if is_opaque { quote!(__m::Exact<#ty>) } else { ty };
            let (name, buffer) = (self.slot(memory, buffer), index(buffer));
            quote!(const #name: __m::Slot<#ty> = #plan.slot(#buffer);)
        });
        quote! {
            const #plan: __m::Plan<#count> = __m::plan(&[#(#lives),*]);
            #(#slots)*
        }
    }

    pub(super) fn workspace(&self, evaluate: &Places) -> TokenStream {
        let mut fields = self.buffers(&self.working(evaluate));
        for node in &self.model.nodes {
            if let (Some((name, _)), Some(ty)) = (&node.field, self.layer_type(node))
                && node.capabilities().needs_workspace
                && node.uses == 0
            {
                let field = format_ident!("{name}_workspace");
                fields.push(quote!(#field: <#ty as __m::Layer>::Workspace<__B>));
            }
        }
        let docs = format!("What [`{}`] works in while it evaluates `B` samples.", self.name);
        self.plain("Workspace", &docs, fields)
    }

    pub(super) fn saved(&self, forward: &Places, backward: &Gradients) -> TokenStream {
        let mut fields = self.buffers(&self.keeping(forward));
        for node in &self.model.nodes {
            if let (true, Some(ty)) = (node.capabilities().saves, self.layer_type(node)) {
                let name = format_ident!("{}_saved", node.name);
                fields.push(quote!(#name: <#ty as __m::Layer>::Saved<__B>));
            }
        }
        fields.extend(self.buffers(&self.deriving(backward)));
        let docs = format!("What the forward pass of [`{}`] keeps for its backward pass.", self.name);
        self.plain("Saved", &docs, fields)
    }

    /// What `#[watched]` adds: a function that shows what the forward pass keeps.
    pub(super) fn watched(&self, forward: &Places) -> TokenStream {
        if !self.model.watched {
            return TokenStream::new();
        }
        let memory = self.keeping(forward);
        let kept = memory.places.buffers.iter().enumerate().filter_map(|(buffer, kept)| {
            let value = &self.model.values[kept.value];
            let (name, field) = (value.source.as_str(), self.field(&memory, buffer));
            value.element.is_none().then(|| quote!(__m::passes::show(#name, &#field, __f);))
        });
        let name = self.name;
        let (impl_generics, type_generics, where_clause) = self.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics ::monomorph::network::Watched for #name #type_generics #where_clause {
                fn each_kept<const __B: usize>(
                    __saved: &Self::Saved<__B>,
                    __f: &mut ::monomorph::network::Show<'_, Self::Scalar>,
                ) {
                    #(#kept)*
                }
            }
        }
    }

    /// A struct of plain data, generic over the batch size.
    fn plain(&self, suffix: &str, docs: &str, mut fields: Vec<TokenStream>) -> TokenStream {
        let (name, visibility) = (self.part(suffix), &self.model.declaration.visibility);
        let (impl_generics, _, where_clause) = self.batched.split_for_impl();
        let types: Vec<_> = self.generics.type_params().map(|parameter| &parameter.ident).collect();
        if !types.is_empty() {
            fields.push(quote!(__parameters: ::core::marker::PhantomData<fn() -> (#(#types,)*)>));
        }
        quote! {
            #[doc = #docs]
            #[derive(__m::Plain)]
            #[monomorph(crate = ::monomorph)]
            #visibility struct #name #impl_generics #where_clause {
                #(#fields,)*
            }
        }
    }

    /// The memory of `evaluate`.
    pub(super) fn working<'p>(&self, places: &'p Places) -> Memory<'p> {
        let ends = ends("input", "output");
        let store = self.store("arena", "__EVALUATE");
        Memory { places, owner: Some(format_ident!("__workspace")), store, what: "", ends }
    }

    /// The values that `forward` keeps.
    pub(super) fn keeping<'p>(&self, places: &'p Places) -> Memory<'p> {
        let ends = ends("input", "output");
        Memory { places, owner: Some(format_ident!("__saved")), store: Store::Fields, what: "", ends }
    }

    /// The gradients of values in `backward`.
    pub(super) fn deriving<'p>(&self, gradients: &'p Gradients) -> Memory<'p> {
        let ends = ends("grad_input", "grad_output");
        let (places, store) = (&gradients.places, self.store("gradients", "__BACKWARD"));
        Memory { places, owner: Some(format_ident!("__saved")), store, what: "grad", ends }
    }

    fn store(&self, arena: &str, plan: &str) -> Store {
        if self.arena { Store::Arena(format_ident!("{arena}"), format_ident!("{plan}")) } else { Store::Fields }
    }

    /// What a buffer holds, as a part of a name.
    fn held(&self, memory: &Memory, buffer: usize) -> String {
        self.model.values[memory.places.buffers[buffer].value].source.replace([' ', '.'], "_")
    }

    /// The name of a buffer: its number keeps it apart from those of other values, whatever these are called.
    fn buffer(&self, memory: &Memory, index: usize) -> Ident {
        let before = if memory.owner.is_none() { "__" } else { "" };
        format_ident!("{before}{}_{}{index}", self.held(memory, index), memory.what)
    }

    /// The const item with the slot of a buffer in its arena.
    fn slot(&self, memory: &Memory, index: usize) -> Ident {
        let name = format!("{}_{}{index}", self.held(memory, index), memory.what);
        format_ident!("__AT_{}", name.to_uppercase())
    }

    /// Whether a buffer is a field of its own.
    fn is_field(&self, memory: &Memory, buffer: usize) -> bool {
        let value = memory.places.buffers[buffer].value;
        !matches!(memory.store, Store::Arena(..)) || self.model.values[value].element.is_some()
    }

    /// The expression of a buffer that is a field or a variable.
    fn field(&self, memory: &Memory, buffer: usize) -> TokenStream {
        memory.part(&self.buffer(memory, buffer))
    }

    /// The memory of `steps`: variables.
    pub(super) fn stepping<'p>(&self, places: &'p Places) -> Memory<'p> {
        let (ends, store) = (ends("input", "output"), self.store("__arena", "__STEP"));
        Memory { places, owner: None, store, what: "step", ends }
    }

    /// The variables of `steps`.
    pub(super) fn locals(&self, memory: &Memory) -> TokenStream {
        let locals = self.buffers(memory);
        quote!(#(let mut #locals = __m::zeroed();)*)
    }

    /// The fields that hold the buffers of a pass, or its variables.
    fn buffers(&self, memory: &Memory) -> Vec<TokenStream> {
        let (scalar, buffers) = (self.scalar, &memory.places.buffers);
        let arena = match &memory.store {
            Store::Arena(arena, plan) if !buffers.is_empty() => {
                Some(quote!(#arena: [__m::Arena<#scalar, { #plan.total }>; __B]))
            }
            _ => None,
        };
        let fields = (0..buffers.len()).filter(|buffer| self.is_field(memory, *buffer)).map(|buffer| {
            let (field, ty) = (self.buffer(memory, buffer), self.ty(buffers[buffer].value));
            quote!(#field: [#ty; __B])
        });
        arena.into_iter().chain(fields).collect()
    }

    /// A statement that uses several values. Those that share an arena are borrowed from it together, each once.
    pub(super) fn statement(
        &self,
        memory: &Memory,
        items: &[Item],
        code: impl Fn(&[TokenStream]) -> TokenStream,
    ) -> TokenStream {
        let slot = |item: &Item| match item.place {
            Place::Buffer(buffer) if !self.is_field(memory, buffer) => Some(buffer),
            _ => None,
        };
        let mut buffers: Vec<usize> = Vec::new();
        for buffer in items.iter().filter_map(slot) {
            if !buffers.contains(&buffer) {
                buffers.push(buffer);
            }
        }
        let (Store::Arena(arena, _), 2..) = (&memory.store, buffers.len()) else {
            let values: Vec<_> = items.iter().map(|item| self.reference(memory, item)).collect();
            let code = code(&values);
            return quote!(#code;);
        };
        let names: Vec<_> = (0..buffers.len()).map(|index| format_ident!("__v{index}")).collect();
        let values: Vec<_> = items
            .iter()
            .map(|item| match slot(item).and_then(|buffer| buffers.iter().position(|other| *other == buffer)) {
                Some(index) => {
                    let (name, have) = (&names[index], self.ty(memory.places.buffers[buffers[index]].value));
                    let value = self.cast_mut(quote!(#name), &have, &item.ty);
                    if item.is_written { value } else { quote!(&*#value) }
                }
                None => self.reference(memory, item),
            })
            .collect();
        let slots = buffers.iter().map(|buffer| self.slot(memory, *buffer));
        let (apart, arena, code) = (format_ident!("apart{}", buffers.len()), memory.part(arena), code(&values));
        quote! {
            __m::#apart(
                &mut #arena,
                (#(#slots),*),
                #[inline(always)]
                |#(#names),*| #code,
            );
        }
    }

    fn reference(&self, memory: &Memory, item: &Item) -> TokenStream {
        if item.is_written {
            self.get_mut(memory, item.place, &item.ty)
        } else {
            self.get(memory, item.place, &item.ty)
        }
    }

    /// A shared reference to a place, as a batch of `want`.
    pub(super) fn get(&self, memory: &Memory, place: Place, want: &TokenStream) -> TokenStream {
        let (expression, have) = match place {
            Place::Input => (memory.ends[0].to_token_stream(), self.input.clone()),
            Place::Output => {
                let output = &memory.ends[1];
                (quote!(&*#output), self.output.clone())
            }
            Place::Buffer(buffer) if self.is_field(memory, buffer) => {
                let field = self.field(memory, buffer);
                (quote!(&#field), self.ty(memory.places.buffers[buffer].value))
            }
            Place::Buffer(_) => {
                let at = self.get_mut(memory, place, want);
                return quote!(&*#at);
            }
        };
        if have.to_string() == want.to_string() {
            return expression;
        }
        quote!(__m::reshape::<#have, #want, __B>(#expression))
    }

    /// A mutable reference to a place, as a batch of `want`.
    pub(super) fn get_mut(&self, memory: &Memory, place: Place, want: &TokenStream) -> TokenStream {
        match (place, &memory.store) {
            (Place::Input, _) => self.cast_mut(memory.ends[0].to_token_stream(), &self.input, want),
            (Place::Output, _) => self.cast_mut(memory.ends[1].to_token_stream(), &self.output, want),
            (Place::Buffer(buffer), Store::Arena(arena, _)) if !self.is_field(memory, buffer) => {
                let (arena, slot) = (memory.part(arena), self.slot(memory, buffer));
                let have = self.ty(memory.places.buffers[buffer].value);
                self.cast_mut(quote!(__m::at(&mut #arena, #slot)), &have, want)
            }
            (Place::Buffer(buffer), _) => {
                let field = self.field(memory, buffer);
                self.cast_mut(quote!(&mut #field), &self.ty(memory.places.buffers[buffer].value), want)
            }
        }
    }

    /// A mutable reference to another array type of the same length.
    pub(super) fn cast_mut(&self, expression: TokenStream, have: &TokenStream, want: &TokenStream) -> TokenStream {
        if have.to_string() == want.to_string() {
            return expression;
        }
        quote!(__m::reshape_mut::<#have, #want, __B>(#expression))
    }

    /// The value of a node's output in the memory of a pass, for writing.
    pub(super) fn output_item(&self, memory: &Memory, value: ValueId) -> Item {
        Item::written(memory.places.of[value], self.ty(value))
    }

    /// Assertions that the type of each layer has the properties that the plan relies on.
    pub(super) fn assertions(&self) -> TokenStream {
        let assertions = self.owners().filter(|node| !node.capabilities().user_defined).filter_map(|node| {
            let ty = self.model.concrete(&self.layer_type(node)?);
            let (reads_input, reads_output) = (node.backward_reads_input(), node.backward_reads_output());
            Some(match &node.op {
                Op::Layer(_) => {
                    let count = node.parameters.map_or(quote!(None), |count| {
                        let count = index(count);
                        quote!(Some(#count))
                    });
                    quote!(__m::assert_layer::<#ty>(#reads_input, #reads_output, ::core::option::Option::#count);)
                }
                Op::Activation { marker, from_output } => {
                    let (scalar, from_output) = (self.model.concrete(self.scalar), (*from_output)?);
                    quote!(__m::assert_activation::<#scalar, #marker>(#from_output);)
                }
                _ => return None,
            })
        });
        if self.model.parametric {
            return TokenStream::new();
        }
        quote!(const _: () = { #(#assertions)* };)
    }
}
