//! The code of a network: a struct with a field a layer, and passes in straight lines.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{Generics, Ident, parse_quote};

use crate::graph::{Along, Model, Node, Op, Shape, Stored, ValueId};
use crate::plan::{self, Gradients, Place, Places, Reach};

/// All code of a network; of one with mistakes, what an editor needs to go on.
pub(crate) fn network(model: &Model, correct: bool) -> TokenStream {
    let network = Network::new(model);
    let constants = model.constants.iter();
    if !correct {
        let (structure, layer, inherent) = (network.structure(&[]), network.stub(), network.inherent());
        let (input, output) =
            (network.parts("Input", &model.input_parts), network.parts("Output", &model.output_parts));
        return quote! {
            #structure
            #input
            #output
            #inherent
            const _: () = {
                use ::monomorph::__private as __m;
                #layer
            };
        };
    }
    let evaluate = plan::evaluate(model);
    let forward = plan::forward(model);
    let backward = plan::backward(model);
    let plans = network.plans(&evaluate, &backward);
    let structure = network.structure(&network.fields());
    let workspace = network.workspace(&evaluate);
    let saved = network.saved(&forward, &backward);
    let layer = network.layer(&evaluate, &forward, &backward);
    let inherent = network.inherent();
    let stored = model.stored.iter().map(|stored| network.stored(stored));
    let stored_layers = model.stored.iter().map(|stored| network.stored_layer(stored, &evaluate));
    let (input, output) = (network.parts("Input", &model.input_parts), network.parts("Output", &model.output_parts));
    let budget = network.budget();
    // Only the struct is for all to see; the rest lives where its short names meet no others.
    quote! {
        #(#constants)*
        #structure
        #input
        #output
        #inherent
        #(#stored)*
        #budget
        const _: () = {
            use ::monomorph::__private as __m;
            #plans
            #workspace
            #saved
            #layer
            #(#stored_layers)*
        };
    }
}

/// What the implementation of `Layer` is filled with.
struct Passes {
    macs: TokenStream,
    evaluate: TokenStream,
    forward: TokenStream,
    backward: TokenStream,
    saved: TokenStream,
    workspace: TokenStream,
    graph: TokenStream,
}

/// Names and types that all parts share.
struct Network<'a> {
    model: &'a Model,
    name: &'a Ident,
    scalar: &'a TokenStream,
    generics: Generics,
    /// The generics with the batch size behind them.
    batched: Generics,
    input: TokenStream,
    output: TokenStream,
    /// Whether buffers lie in an arena at planned offsets. Else each is a field of its own,
    /// because stable Rust cannot compute with the parameters of a network.
    arena: bool,
}

/// A field of a network that stores its weights.
struct StoredField<'a> {
    name: &'a Ident,
    ty: TokenStream,
    how: How,
}

/// How a field comes to be stored.
enum How {
    /// It is the same as before.
    Copy,
    /// A layer whose weights are in fewer bits.
    Weights,
    /// A stored network; here the user has named it.
    Network(Span),
}

/// The memory of a pass: where its buffers lie and what its ends are called.
struct Memory<'a> {
    places: &'a Places,
    /// `workspace` or `saved`.
    owner: Ident,
    store: Store,
    /// The variables of the caller's input and output.
    ends: [Ident; 2],
}

/// How buffers lie in the owner.
enum Store {
    /// In this arena, where this plan says.
    Arena(Ident, Ident),
    /// Each in a field of its own, named for what gives the value, with this before it.
    Fields(&'static str),
}

impl<'a> Network<'a> {
    fn new(model: &'a Model) -> Self {
        let scalar = &model.scalar;
        let mut generics = model.declaration.generics.clone();
        for parameter in generics.type_params_mut() {
            parameter.bounds.push(parse_quote!(::monomorph::Scalar));
        }
        let opaque = model.values.iter().any(|value| matches!(value.shape, Shape::Opaque(_)));
        let scalar_is_parameter = generics.type_params().next().is_some();
        let mut batched = generics.clone();
        batched.params.push(parse_quote!(const __B: usize));
        Self {
            model,
            name: &model.declaration.name,
            scalar,
            generics,
            batched,
            input: model.input.ty(scalar),
            output: model.output.ty(scalar),
            arena: !(model.parametric || opaque && scalar_is_parameter),
        }
    }

    /// `Digits` + `Saved` → `DigitsSaved`.
    fn part(&self, suffix: &str) -> Ident {
        format_ident!("{}{suffix}", self.name)
    }

    /// The fields of layers: name and type.
    fn fields(&self) -> Vec<(&'a Ident, &'a TokenStream)> {
        self.owners().filter_map(|node| node.field.as_ref().map(|(name, ty)| (name, ty))).collect()
    }

    /// The layers that have a field of their own.
    fn owners(&self) -> impl Iterator<Item = &'a Node> {
        self.model.nodes.iter().filter(|node| node.uses == 0 && node.field.is_some())
    }

    fn ty(&self, value: ValueId) -> TokenStream {
        self.model.values[value].shape.ty(self.scalar)
    }

    fn structure(&self, fields: &[(&Ident, &TokenStream)]) -> TokenStream {
        let Self { name, scalar, generics, .. } = self;
        let declaration = &self.model.declaration;
        let (attributes, visibility) = (&declaration.attributes, &declaration.visibility);
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        // Stable Rust cannot compute with const parameters, so such a network has no padding.
        let padded = !fields.is_empty() && !self.model.parametric;
        let padding = |index: usize| {
            let (field, ty) = (format_ident!("_padding{index}"), self.padding(index));
            quote!(#[doc(hidden)] #[parameters(padding)] #visibility #field: #ty,)
        };
        let lines = fields.iter().enumerate().map(|(index, (field, ty))| {
            let docs = format!("`{field}`, a layer of [`{name}`].");
            let before = (padded && index > 0 && self.is_padded(index)).then(|| padding(index));
            quote!(#before #[doc = #docs] #visibility #field: #ty)
        });
        let phantom = (fields.is_empty() && !self.model.declaration.generics.params.is_empty()).then(|| {
            let types = generics.type_params().map(|parameter| &parameter.ident);
            quote!(#[doc(hidden)] #visibility parameters: ::core::marker::PhantomData<(#(#types,)*)>)
        });
        let where_clause = where_clause.cloned();
        let shapes = self.contents();
        let representation = self.representation(padded);
        let end = padded.then(|| padding(fields.len()));
        quote! {
            #(#attributes)*
            #[doc = ""]
            #[doc = #shapes]
            #[derive(::monomorph::Parameters)]
            #[parameters(scalar = #scalar)]
            #representation
            #visibility struct #name #impl_generics #where_clause {
                #(#lines,)*
                #end
                #phantom
            }
        }
    }

    /// How a struct lies in memory: at a cache line, if it `can` and the user has not said otherwise.
    fn representation(&self, can: bool) -> TokenStream {
        if can && !self.model.unaligned { quote!(#[repr(C, align(64))]) } else { quote!(#[repr(C)]) }
    }

    /// Whether the field `index` begins at a cache line of its own; a layer that is the user's, where its type must.
    ///
    /// A register that is read across two lines takes twice the time, and the weights of most layers are whole lines
    /// long: what follows one whose are not would be read so to the end. Small layers are not worth the room.
    fn is_padded(&self, index: usize) -> bool {
        self.owners().nth(index).is_some_and(|node| is_user_defined(node) || self.is_large(node))
    }

    fn is_large(&self, node: &Node) -> bool {
        !self.model.unaligned && !is_user_defined(node) && node.parameters.is_some_and(|count| count >= 256)
    }

    /// The type of the numbers that fill up a cache line before the field `index`, or after the last.
    fn padding(&self, index: usize) -> TokenStream {
        let concrete = |tokens: &TokenStream| self.model.concrete(tokens);
        let (number, scalar) = (self.scalar, concrete(self.scalar));
        let owners: Vec<_> = self.owners().collect();
        let fields = self.fields();
        // Lines are counted from the last field that began one.
        let first = (1..index).rev().find(|&before| self.is_large(owners[before])).unwrap_or(0);
        let layouts = fields[first..index].iter().map(|(_, ty)| {
            let ty = concrete(ty);
            quote!((::core::mem::size_of::<#ty>(), ::core::mem::align_of::<#ty>()))
        });
        let next = match owners.get(index) {
            Some(node) if is_user_defined(node) => {
                let ty = concrete(fields[index].1);
                quote!(::core::mem::align_of::<#ty>())
            }
            None if self.model.unaligned => quote!(0),
            _ => quote!(64),
        };
        let size = quote!(::core::mem::size_of::<#scalar>());
        quote!([#number; ::monomorph::__private::padding(#size, &[#(#layouts),*], #next)])
    }

    /// The documentation of the network: what it takes and gives, and its layers.
    fn contents(&self) -> String {
        let end = |whole: &Shape, parts: &[(Ident, Shape)]| match parts {
            [] => whole.text(),
            parts => {
                let parts: Vec<_> = parts.iter().map(|(name, shape)| format!("{name}: {}", shape.text())).collect();
                format!("({})", parts.join(", "))
            }
        };
        let model = self.model;
        let (from, to) = (end(&model.input, &model.input_parts), end(&model.output, &model.output_parts));
        let mut text = format!("A network `{from} -> {to}`.");
        let all: Option<usize> = model.nodes.iter().map(|node| node.parameters).sum();
        if let Some(all) = all {
            text += &format!(" It has {all} parameters.");
        }
        text += "\n\n| layer | | gives | parameters |\n| --- | --- | --- | ---: |\n";
        for node in &model.nodes {
            if matches!(node.op, Op::Part { .. } | Op::Join(Along::Whole)) {
                continue;
            }
            let count = match node.parameters {
                Some(0) => String::new(),
                Some(count) => count.to_string(),
                None => "its own".to_owned(),
            };
            text += &format!(
                "| {} | {} | `{}` | {count} |\n",
                node.name,
                node.kind,
                model.values[node.output].shape.text()
            );
        }
        text
    }

    /// The struct of several inputs or outputs, a tensor as a whole.
    fn parts(&self, suffix: &str, parts: &[(Ident, Shape)]) -> TokenStream {
        if parts.is_empty() {
            return TokenStream::new();
        }
        let (name, scalar, visibility) = (self.part(suffix), self.scalar, &self.model.declaration.visibility);
        let (impl_generics, type_generics, where_clause) = self.generics.split_for_impl();
        let (names, types): (Vec<_>, Vec<_>) = parts.iter().map(|(name, shape)| (name, shape.ty(scalar))).unzip();
        let what = if suffix == "Input" { "takes" } else { "gives" };
        let docs = format!("What [`{}`] {what}.", self.name);
        let fields = parts.iter().map(|(part, shape)| format!("`{part}`, of shape `{}`.", shape.text()));
        quote! {
            #[doc = #docs]
            #[derive(Clone, Copy, Debug, PartialEq)]
            #[repr(C)]
            #visibility struct #name #impl_generics #where_clause {
                #(#[doc = #fields] #visibility #names: #types,)*
            }

            // SAFETY: every field is an array of numbers, for which zeros are valid.
            #[automatically_derived]
            unsafe impl #impl_generics ::monomorph::memory::Plain for #name #type_generics #where_clause {}

            // SAFETY: arrays of one number type, one after another, leave no padding.
            #[automatically_derived]
            unsafe impl #impl_generics ::monomorph::Tensor<#scalar> for #name #type_generics #where_clause {
                type Rows = [#scalar; 1];
                const SHAPE: &'static [usize] = &[<Self as ::monomorph::Tensor<#scalar>>::LEN];
                const LEN: usize = 0 #(+ <#types as ::monomorph::Tensor<#scalar>>::LEN)*;
            }
        }
    }

    /// Const items that stop the compiler if the network needs more than it may.
    fn budget(&self) -> TokenStream {
        let (Some(budget), name, scalar) = (&self.model.budget, self.name, self.scalar) else {
            return TokenStream::new();
        };
        let check = |(span, limit): (Span, usize), what: &str, needs: TokenStream, of: &[TokenStream]| {
            let stop = quote::quote_spanned!(span=> ::core::panic!("{}", error.as_str()));
            let limit = index(limit);
            quote! {
                const _: () = if let ::core::result::Result::Err(error) =
                    ::monomorph::shapes::budget(#what, #limit, #needs, &[#(#of),*])
                {
                    #stop
                };
            }
        };
        let flash = budget.flash.map(|limit| {
            let layers: Vec<_> = self
                .fields()
                .into_iter()
                .map(|(field, ty)| {
                    let text = field.to_string();
                    quote!((#text, ::core::mem::size_of::<#ty>()))
                })
                .collect();
            check(limit, "flash", quote!(::core::mem::size_of::<#name>()), &layers)
        });
        let ram = budget.ram.map(|limit| {
            let model = self.model;
            let layers: Vec<_> = model
                .nodes
                .iter()
                .enumerate()
                // Pixels of which only the maxima are kept are nowhere.
                .filter(|(index, node)| plan::pool(model, plan::fused_into(model, node).unwrap_or(*index)).is_none())
                .map(|(_, node)| {
                    let (text, ty) = (&node.name, self.ty(node.output));
                    quote!((#text, ::core::mem::size_of::<#ty>()))
                })
                .collect();
            let layer = quote!(<#name as ::monomorph::Layer<#scalar>>);
            let needs = quote! {
                <#name as ::monomorph::Network>::EVALUATE_BYTES
                    + ::core::mem::size_of::<#layer::Input>() + ::core::mem::size_of::<#layer::Output>()
            };
            check(limit, "RAM (input, output and workspace)", needs, &layers)
        });
        quote!(#flash #ram)
    }

    /// The nodes, for summaries.
    fn graph(&self) -> TokenStream {
        let scalar = self.scalar;
        // The input of a network with several is not shown as a whole, nor is its output.
        let several = !self.model.input_parts.is_empty();
        let mut of_value = vec![0; self.model.values.len()];
        let mut nodes = Vec::new();
        if !several {
            let (name, shape) =
                (self.model.values[0].source.replace("the input", "input"), self.model.input.slice(scalar));
            nodes.push(
                quote!(__m::Node { name: #name, kind: "input", inputs: &[], shape: #shape, parameters: 0, macs: 0 }),
            );
        }
        for node in &self.model.nodes {
            if matches!(node.op, Op::Join(Along::Whole)) {
                continue;
            }
            of_value[node.output] = nodes.len();
            let inputs = node.inputs.iter().map(|input| index(of_value[*input]));
            let inputs = if matches!(node.op, Op::Part { .. }) { quote!() } else { quote!(#(#inputs),*) };
            let (name, kind, shape) = (&node.name, &node.kind, self.model.values[node.output].shape.slice(scalar));
            let (parameters, macs) = match &node.field {
                Some((_, ty)) => {
                    let entries = quote!(<#ty as ::monomorph::Parameters<#scalar>>::ENTRIES);
                    let count = quote!(::monomorph::parameters::tensor_count(#entries));
                    let parameters = if node.uses == 0 { count } else { quote!(0) };
                    (parameters, quote!(<#ty as __m::Layer<#scalar>>::MACS))
                }
                None => (quote!(0), quote!(0)),
            };
            nodes.push(quote! {
                __m::Node { name: #name, kind: #kind, inputs: &[#inputs], shape: #shape, parameters: #parameters, macs: #macs }
            });
        }
        quote!(&[#(#nodes),*])
    }

    /// Const items: where the buffers of each pass lie.
    fn plans(&self, evaluate: &Places, backward: &Gradients) -> TokenStream {
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
                        // Every number type has arrays of the same lengths.
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

    /// The memory of `evaluate`.
    fn working<'p>(&self, places: &'p Places) -> Memory<'p> {
        let store = self.store("arena", "__EVALUATE", "");
        Memory { places, owner: format_ident!("workspace"), store, ends: ends("input", "output") }
    }

    /// The values that `forward` keeps.
    fn keeping<'p>(&self, places: &'p Places) -> Memory<'p> {
        Memory { places, owner: format_ident!("saved"), store: Store::Fields(""), ends: ends("input", "output") }
    }

    /// The gradients of values in `backward`.
    fn deriving<'p>(&self, gradients: &'p Gradients) -> Memory<'p> {
        let store = self.store("gradients", "__BACKWARD", "gradient_");
        let ends = ends("grad_input", "grad_output");
        Memory { places: &gradients.places, owner: format_ident!("saved"), store, ends }
    }

    fn store(&self, arena: &str, plan: &str, field: &'static str) -> Store {
        if self.arena { Store::Arena(format_ident!("{arena}"), format_ident!("{plan}")) } else { Store::Fields(field) }
    }

    /// The field of a buffer, where each is one.
    fn buffer(&self, memory: &Memory, prefix: &str, index: usize) -> Ident {
        let source = |index: usize| &self.model.values[memory.places.buffers[index].value].source;
        // What gives several values, as a layer whose gradient is added up, is numbered.
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

    /// A struct of plain data with the batch size as a parameter.
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

    fn workspace(&self, evaluate: &Places) -> TokenStream {
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

    fn saved(&self, forward: &Places, backward: &Gradients) -> TokenStream {
        let scalar = self.scalar;
        let mut fields = self.buffers(&self.keeping(forward));
        for node in &self.model.nodes {
            if let (true, Some((_, ty))) = (saves(node), &node.field) {
                let name = format_ident!("{}_saved", node.name);
                fields.push(quote!(#name: <#ty as __m::Layer<#scalar>>::Saved<__B>));
            }
        }
        fields.extend(self.buffers(&self.deriving(backward)));
        let docs = format!("What the forward pass of [`{}`] keeps for its backward pass.", self.name);
        self.plain("Saved", &docs, fields)
    }

    fn layer(&self, evaluate: &Places, forward: &Places, backward: &Gradients) -> TokenStream {
        let evaluate = self.evaluate(evaluate);
        let passes = self.forward(forward);
        let back = self.backward(forward, backward);
        let scalar = self.scalar;
        let layers = self.model.nodes.iter().filter_map(|node| node.field.as_ref());
        let macs = layers.map(|(_, ty)| quote!(<#ty as __m::Layer<#scalar>>::MACS));
        self.layer_with(&Passes {
            macs: quote!(0 #(+ #macs)*),
            evaluate,
            forward: passes,
            backward: back,
            saved: self.batch_of("Saved"),
            workspace: self.batch_of("Workspace"),
            graph: self.graph(),
        })
    }

    /// Passes that do nothing, for a network with mistakes.
    fn stub(&self) -> TokenStream {
        self.layer_with(&Passes {
            macs: quote!(0),
            evaluate: TokenStream::new(),
            forward: TokenStream::new(),
            backward: TokenStream::new(),
            saved: quote!(()),
            workspace: quote!(()),
            graph: quote!(&[]),
        })
    }

    /// `DigitsSaved<T, B>`.
    fn batch_of(&self, suffix: &str) -> TokenStream {
        let name = self.part(suffix);
        let (_, type_generics, _) = self.batched.split_for_impl();
        quote!(#name #type_generics)
    }

    fn layer_with(&self, passes: &Passes) -> TokenStream {
        let Passes { macs, evaluate, forward, backward, saved, workspace, graph } = passes;
        let Self { name, scalar, generics, input, output, .. } = self;
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let text = name.to_string();
        quote! {
            #[automatically_derived]
            impl #impl_generics __m::Layer<#scalar> for #name #type_generics #where_clause {
                type Input = #input;
                type Output = #output;
                type Saved<const __B: usize> = #saved;
                type Workspace<const __B: usize> = #workspace;
                const MACS: usize = #macs;

                #[inline(always)]
                fn evaluate<__S: __m::Simd, const __B: usize>(
                    &self,
                    simd: __S,
                    input: &[Self::Input; __B],
                    output: &mut [Self::Output; __B],
                    workspace: &mut Self::Workspace<__B>,
                ) {
                    #evaluate
                }

                #[inline(always)]
                fn forward<__S: __m::Simd, const __B: usize>(
                    &self,
                    simd: __S,
                    input: &[Self::Input; __B],
                    output: &mut [Self::Output; __B],
                    saved: &mut Self::Saved<__B>,
                    noise: &mut __m::Noise,
                ) {
                    #forward
                }

                #[inline(always)]
                fn backward<__S: __m::Simd, const __B: usize>(
                    &self,
                    simd: __S,
                    input: &[Self::Input; __B],
                    output: &[Self::Output; __B],
                    saved: &mut Self::Saved<__B>,
                    grad_output: &mut [Self::Output; __B],
                    grad_input: ::core::option::Option<&mut [Self::Input; __B]>,
                    gradient: &mut Self,
                ) {
                    #backward
                }
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::Network for #name #type_generics #where_clause {
                type Scalar = #scalar;
                const NAME: &'static str = #text;
                const GRAPH: &'static [__m::Node] = #graph;
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::network::Trainable for #name #type_generics #where_clause {}
        }
    }

    /// The methods by which users evaluate a network and read it from flash.
    fn evaluations(&self) -> TokenStream {
        let Self { scalar, input, output, .. } = self;
        let visibility = &self.model.declaration.visibility;
        quote! {
            /// Evaluates one sample, without allocation; works on the stack.
            #[inline]
            #visibility fn evaluate(&self, input: &#input) -> #output {
                ::monomorph::network::evaluate(self, input)
            }

            /// Evaluates `BATCH` samples into `output`, working in memory of the caller's:
            /// `monomorph::memory::zeroed()` in a `static`, or `monomorph::memory::boxed()`.
            #[inline]
            #visibility fn evaluate_in<const BATCH: usize>(
                &self,
                input: &[#input; BATCH],
                output: &mut [#output; BATCH],
                workspace: &mut ::monomorph::network::Workspace<Self, BATCH>,
            ) {
                ::monomorph::network::evaluate_in(self, input, output, workspace);
            }

            /// The network that a blob holds, where it lies; see `monomorph::weights::blob`.
            ///
            /// # Errors
            /// If the bytes are no blob of this network, are damaged, or are not aligned.
            #visibility fn from_bytes(
                bytes: &[u8],
            ) -> ::core::result::Result<&Self, ::monomorph::weights::blob::BlobError>
            where
                #scalar: ::monomorph::__private::Stored,
            {
                ::monomorph::weights::blob::from_blob(bytes)
            }
        }
    }

    /// The methods that users call.
    fn inherent(&self) -> TokenStream {
        let Self { name, generics, .. } = self;
        let (visibility, evaluations) = (&self.model.declaration.visibility, self.evaluations());
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics #name #type_generics #where_clause {
                /// How many parameters it has.
                #visibility const PARAMS: usize = <Self as ::monomorph::Network>::PARAMS;
                /// How many bytes its parameters take.
                #visibility const PARAM_BYTES: usize = <Self as ::monomorph::Network>::PARAM_BYTES;
                /// How many bytes it works in while it evaluates one sample.
                #visibility const EVALUATE_BYTES: usize = <Self as ::monomorph::Network>::EVALUATE_BYTES;
                /// How many bytes the gradient of one sample takes: activations kept, their
                /// gradients, and the gradient of the parameters.
                #visibility const TRAIN_BYTES: usize = <Self as ::monomorph::Network>::TRAIN_BYTES;
                /// Multiply-accumulate operations of one evaluation.
                #visibility const MACS: usize = <Self as ::monomorph::Network>::OPERATIONS;

                #evaluations
            }
        }
    }

    /// The fields of a network that stores its weights.
    fn stored_fields(&self, stored: &Stored) -> Vec<StoredField<'a>> {
        let (scalar, format) = (self.scalar, stored.format_type());
        self.owners()
            .filter_map(|node| {
                let (name, ty) = node.field.as_ref()?;
                let stores = node.capabilities().packs_weights;
                let network = stored.networks.iter().find(|(field, _)| field == name);
                Some(match network {
                    Some((_, ty)) => StoredField { name, ty: ty.to_token_stream(), how: How::Network(ty.span()) },
                    None if stores => {
                        let ty = quote!(::monomorph::layers::Stored<#scalar, #ty, #format>);
                        StoredField { name, ty, how: How::Weights }
                    }
                    None => StoredField { name, ty: ty.clone(), how: How::Copy },
                })
            })
            .collect()
    }

    /// A network beside this one, its weights in fewer bits: the struct and what users call.
    fn stored(&self, stored: &Stored) -> TokenStream {
        let Self { name, generics, .. } = self;
        let (visibility, small, format) = (&self.model.declaration.visibility, &stored.name, stored.format);
        let evaluations = self.evaluations();
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let fields = self.stored_fields(stored).into_iter().map(|StoredField { name: field, ty, .. }| {
            let docs = format!("`{field}`, a layer of [`{small}`].");
            quote!(#[doc = #docs] #visibility #field: #ty)
        });
        let representation = self.representation(!self.model.parametric);
        let docs = format!(
            "[`{name}`] with the weights of dense and convolutional layers stored as `{format}`, for evaluation."
        );
        let store = format!("Stores the parameters of a [`{name}`], in place.");
        quote! {
            #[doc = #docs]
            #representation
            #visibility struct #small #impl_generics #where_clause {
                #(#fields,)*
            }

            #[automatically_derived]
            impl #impl_generics #small #type_generics #where_clause {
                /// How many bytes its parameters take.
                #visibility const PARAM_BYTES: usize = ::core::mem::size_of::<Self>();
                /// How many bytes it works in while it evaluates one sample.
                #visibility const EVALUATE_BYTES: usize = <Self as ::monomorph::Network>::EVALUATE_BYTES;
                /// Multiply-accumulate operations of one evaluation.
                #visibility const MACS: usize = <Self as ::monomorph::Network>::OPERATIONS;

                #[doc = #store]
                #visibility fn store(&mut self, network: &#name #type_generics) {
                    ::monomorph::network::StoredNetwork::store(self, network);
                }

                #evaluations
            }
        }
    }

    /// What a network beside this one implements. It is evaluated by the very same code.
    fn stored_layer(&self, stored: &Stored, evaluate: &Places) -> TokenStream {
        let Self { name, scalar, generics, .. } = self;
        let evaluate = self.evaluate(evaluate);
        let (small, format, format_type) = (&stored.name, stored.format, stored.format_type());
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let (text, workspace) = (small.to_string(), self.batch_of("Workspace"));
        let of = quote!(<#name #type_generics as ::monomorph::Network>);
        let of_layer = quote!(<#name #type_generics as __m::Layer<#scalar>>);
        let refusal = format!("{small} is stored in {format} and cannot be trained; train {name} and store it");
        let fields = self.stored_fields(stored);
        let stores = fields.iter().map(|StoredField { name: field, how, .. }| match how {
            How::Copy => {
                quote!(::monomorph::__private::copy_parameters::<#scalar, _>(&network.#field, &mut self.#field);)
            }
            How::Weights => quote!(self.#field.store(&network.#field);),
            How::Network(span) => quote::quote_spanned! {*span=>
                ::monomorph::network::StoredNetwork::store(&mut self.#field, &network.#field);
            },
        });
        let pieces = fields.iter().map(|StoredField { name: field, how, .. }| match how {
            How::Copy => quote!(::monomorph::__private::pieces::<#scalar, _>(&self.#field, f);),
            How::Weights => quote!(self.#field.pieces(f);),
            How::Network(_) => quote!(::monomorph::Network::pieces(&self.#field, f);),
        });
        let inside = fields.iter().filter(|field| matches!(field.how, How::Network(_))).map(|field| {
            let ty = &field.ty;
            quote!(<#ty as ::monomorph::Network>::STRUCTURE)
        });
        quote! {
            // SAFETY: every field is plain data, for which zeros are valid.
            #[automatically_derived]
            unsafe impl #impl_generics __m::memory::Plain for #small #type_generics #where_clause {}

            // SAFETY: it has no number of a table of contents; every field is a layer, made of such numbers.
            #[automatically_derived]
            unsafe impl #impl_generics ::monomorph::Parameters<#scalar> for #small #type_generics #where_clause {
                const ENTRIES: &'static [::monomorph::parameters::Entry] = &[];
            }

            #[automatically_derived]
            impl #impl_generics __m::Layer<#scalar> for #small #type_generics #where_clause {
                type Input = #of_layer::Input;
                type Output = #of_layer::Output;
                type Saved<const __B: usize> = ();
                type Workspace<const __B: usize> = #workspace;
                const MACS: usize = #of_layer::MACS;

                #[inline(always)]
                fn evaluate<__S: __m::Simd, const __B: usize>(
                    &self,
                    simd: __S,
                    input: &[Self::Input; __B],
                    output: &mut [Self::Output; __B],
                    workspace: &mut Self::Workspace<__B>,
                ) {
                    #evaluate
                }

                ::monomorph::__private::untrained!(#refusal);
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::Network for #small #type_generics #where_clause {
                type Scalar = #scalar;
                const NAME: &'static str = #text;
                const GRAPH: &'static [__m::Node] = #of::GRAPH;
                const PARAMS: usize = #of::PARAMS;
                const STRUCTURE: u64 =
                    ::monomorph::weights::blob::structure_stored(#of::STRUCTURE, #format, &[#(#inside),*]);

                fn pieces(&self, f: &mut dyn FnMut(&[u8]))
                where
                    #scalar: ::monomorph::__private::Stored,
                {
                    #(#pieces)*
                }

                fn summary() -> ::monomorph::summary::Summary {
                    ::monomorph::summary::Summary {
                        name: #text,
                        number_bytes: ::core::mem::size_of::<#format_type>(),
                        train_bytes: 0,
                        ..#of::summary()
                    }
                }
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::network::StoredNetwork for #small #type_generics #where_clause {
                type Of = #name #type_generics;
                const FORMAT: &'static str = #format;

                fn store(&mut self, network: &Self::Of) {
                    #(#stores)*
                }
            }
        }
    }

    /// The array type that a node reads.
    fn takes(&self, node: &Node, slot: usize) -> TokenStream {
        let scalar = self.scalar;
        match &node.field {
            Some((_, ty)) if is_user_defined(node) => quote!(<#ty as __m::Layer<#scalar>>::Input),
            _ => self.ty(node.inputs[slot]),
        }
    }

    fn evaluate(&self, places: &Places) -> TokenStream {
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
                // In place, the other value is added; else one is copied and the other added.
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

    fn forward(&self, places: &Places) -> TokenStream {
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

    fn backward(&self, kept: &Places, gradients: &Gradients) -> TokenStream {
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

    /// In place: the gradient times the derivative of an activation.
    fn activation_back(&self, kept: &Places, gradients: &Gradients, node: &Node, marker: &TokenStream) -> TokenStream {
        let (values, scalar, ty) = (self.keeping(kept), self.scalar, self.ty(node.output));
        let y = self.get(&values, kept.of[node.output], &ty);
        // What ran inside the layer before it has left no input behind, and needs none.
        let x = self.get(&values, kept.of[node.inputs[0]], &ty);
        let gradient = self.get_mut(&self.deriving(gradients), gradients.places.of[node.output], &ty);
        quote!(__m::passes::derive::<#scalar, __S, #marker, _, __B>(simd, #x, #y, #gradient);)
    }

    /// Copies one input of a node to its output.
    fn copy(&self, memory: &Memory, node: &Node, slot: usize) -> TokenStream {
        let scalar = self.scalar;
        self.step(memory, node, slot, |x, y| quote!(__m::passes::copy::<#scalar, _, _, __B>(#x, #y)))
    }

    /// Adds one input of a node to its output, or multiplies it in.
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

    /// Which numbers of each row of the whole are a part: the part's width, the whole's, the offset.
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

    /// The gradient of what is no layer goes on to one of its inputs.
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

    /// The backward pass of a layer, its input's gradient written or added where it belongs.
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

    fn epilogue(&self, producer: usize, into: fn(&Model, &Node) -> Option<usize>) -> Option<TokenStream> {
        let node = &self.model.nodes[plan::epilogue(self.model, producer, into)?];
        if let Op::Activation { marker, .. } = &node.op { Some(marker.clone()) } else { None }
    }

    /// A statement that reads one input of a node and changes its output.
    fn step(
        &self,
        memory: &Memory,
        node: &Node,
        slot: usize,
        code: impl Fn(TokenStream, TokenStream) -> TokenStream,
    ) -> TokenStream {
        self.step_to(memory, node, slot, node.output, code)
    }

    /// The same, changing another value.
    fn step_to(
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

    /// A statement that changes two places.
    fn both(
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

    /// A place to read, as a batch of `want`.
    fn get(&self, memory: &Memory, place: Place, want: &TokenStream) -> TokenStream {
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

    /// A place to change, as a batch of `want`.
    fn get_mut(&self, memory: &Memory, place: Place, want: &TokenStream) -> TokenStream {
        let scalar = self.scalar;
        match place {
            Place::Input => self.cast_mut(memory.ends[0].to_token_stream(), &self.input, want),
            Place::Output => self.cast_mut(memory.ends[1].to_token_stream(), &self.output, want),
            Place::Buffer(index) => match &memory.store {
                Store::Arena(arena, plan) => {
                    let (owner, index) = (&memory.owner, self::index(index));
                    quote!(__m::memory::at::<#scalar, #want, _, __B>(&mut #owner.#arena, #plan.offsets[#index]))
                }
                Store::Fields(prefix) => {
                    let (owner, field) = (&memory.owner, self.buffer(memory, prefix, index));
                    self.cast_mut(quote!(&mut #owner.#field), &self.ty(memory.places.buffers[index].value), want)
                }
            },
        }
    }

    fn cast_mut(&self, expression: TokenStream, have: &TokenStream, want: &TokenStream) -> TokenStream {
        let scalar = self.scalar;
        if have.to_string() == want.to_string() {
            return expression;
        }
        quote!(__m::tensor::reshape_mut::<#scalar, #have, #want, __B>(#expression))
    }
}

/// What a layer saves, to change.
fn saved_of(node: &Node) -> TokenStream {
    if saves(node) {
        let name = format_ident!("{}_saved", node.name);
        quote!(&mut saved.#name)
    } else {
        quote!(&mut ())
    }
}

/// A number without the suffix that `quote!` gives it.
fn index(number: usize) -> proc_macro2::Literal {
    proc_macro2::Literal::usize_unsuffixed(number)
}

fn ends(input: &str, output: &str) -> [Ident; 2] {
    [format_ident!("{input}"), format_ident!("{output}")]
}

/// Whether a node's layer keeps something for `backward`.
fn saves(node: &Node) -> bool {
    node.capabilities().saves
}

/// Whether a node's layer is the user's own.
fn is_user_defined(node: &Node) -> bool {
    node.capabilities().user_defined
}
