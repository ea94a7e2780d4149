//! What users see of a network: the struct, its documentation, its methods, and its budget.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::Ident;

use crate::errors::stop;
use crate::expand::network::{Network, index};
use crate::graph::{Node, Op, Shape, Value};
use crate::plan;
use crate::sizes;
use crate::words::text;

/// The library's `network::MOST_ON_STACK`.
const MOST_ON_STACK: usize = 256 << 10;

impl Network<'_> {
    pub(super) fn structure(&self, fields: &[(&Ident, TokenStream)]) -> TokenStream {
        let Self { name, scalar, generics, .. } = self;
        let declaration = &self.model.declaration;
        let (attributes, visibility) = (&declaration.attributes, &declaration.visibility);
        let where_clause = &generics.where_clause;
        // Stable Rust cannot compute with const parameters, so a network that has them gets no padding.
        let padded = !fields.is_empty() && !self.model.parametric;
        let padding = |index: usize| {
            let (field, ty) = (format_ident!("__padding{index}"), self.padding(index));
            quote!(#[doc(hidden)] #[parameters(padding)] #visibility #field: #ty,)
        };
        let lines = fields.iter().enumerate().map(|(index, (field, ty))| {
            let docs = self.docs(field);
            let before = (padded && index > 0 && self.is_padded(index)).then(|| padding(index));
            quote!(#before #docs #visibility #field: #ty)
        });
        let phantom = (fields.is_empty() && !self.model.declaration.generics.params.is_empty()).then(|| {
            let types = generics.type_params().map(|parameter| &parameter.ident);
            quote!(#[doc(hidden)] #visibility __parameters: ::core::marker::PhantomData<fn() -> (#(#types,)*)>)
        });
        let shapes = self.contents();
        let representation = self.representation(padded);
        let end = padded.then(|| padding(fields.len()));
        quote! {
            #(#attributes)*
            #[doc = ""]
            #[doc = #shapes]
            #[derive(::monomorph::Parameters)]
            #[parameters(scalar = #scalar)]
            #[monomorph(crate = ::monomorph)]
            #representation
            #visibility struct #name #generics #where_clause {
                #(#lines,)*
                #end
                #phantom
            }
        }
    }

    /// The documentation of a layer's field: the user's, if there is one.
    fn docs(&self, field: &Ident) -> TokenStream {
        if let Some((_, docs)) = self.model.docs.iter().find(|(name, _)| name == field) {
            return quote!(#(#docs)*);
        }
        let docs = format!("`{}`, a layer of [`{}`].", text(field), self.name);
        quote!(#[doc = #docs])
    }

    /// The `repr` of a struct: aligned to a cache line if it `can` be, unless the user declared it `#[unaligned]`.
    pub(super) fn representation(&self, can: bool) -> TokenStream {
        if can && !self.model.unaligned { quote!(#[repr(C, align(64))]) } else { quote!(#[repr(C)]) }
    }

    /// Whether there is padding before the field `index`: a large layer begins at a new cache line, a user-defined one
    /// and one with a network inside at the alignment of its type.
    ///
    /// A vector load across two cache lines takes twice the time. The weights of most layers fill whole lines; after a
    /// layer whose weights do not, all loads up to the end of the network would cross lines. Small layers are not worth
    /// the space.
    fn is_padded(&self, index: usize) -> bool {
        self.owners().nth(index).is_some_and(|node| {
            let capabilities = node.capabilities();
            capabilities.user_defined || capabilities.contains || self.is_large(node)
        })
    }

    fn is_large(&self, node: &Node) -> bool {
        !self.model.unaligned && !node.capabilities().user_defined && node.parameters.is_some_and(|count| count >= 256)
    }

    /// The type of the padding before the field `index`, or after the last field.
    fn padding(&self, index: usize) -> TokenStream {
        let concrete = |tokens: &TokenStream| self.model.concrete(tokens);
        let (number, scalar) = (self.scalar, concrete(self.scalar));
        let owners: Vec<_> = self.owners().collect();
        let fields = self.fields();
        // Offsets are counted from the last field that begins at a cache line.
        let first = (1..index).rev().find(|&before| self.is_large(owners[before])).unwrap_or(0);
        let layers = fields[first..index].iter().map(|(_, ty)| concrete(ty));
        let next = match owners.get(index) {
            Some(node) if node.capabilities().user_defined || node.capabilities().contains => {
                let ty = concrete(&fields[index].1);
                quote!(::core::mem::align_of::<#ty>())
            }
            None if self.model.unaligned => quote!(0),
            _ => quote!(64),
        };
        quote!([#number; ::monomorph::__private::padding!(#scalar; #(#layers),*; #next)])
    }

    /// The documentation of the network: its input and output, and a table of its layers.
    fn contents(&self) -> String {
        let end = |whole: &Shape, parts: &[(Ident, Value)]| match parts {
            [] => whole.text(),
            parts => {
                let parts: Vec<_> =
                    parts.iter().map(|(name, value)| format!("{name}: {}", value.shape.text())).collect();
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
            if matches!(&node.op, Op::Part(..) | Op::Outputs(_) | Op::Copy) && node.kind != "Part" {
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

    /// The struct that holds several inputs or outputs. If all are numbers of the network, it is a tensor as a whole.
    pub(super) fn parts(&self, suffix: &str, parts: &[(Ident, Value)]) -> TokenStream {
        if parts.is_empty() {
            return TokenStream::new();
        }
        let (name, scalar, visibility) = (self.part(suffix), self.scalar, &self.model.declaration.visibility);
        let (impl_generics, type_generics, where_clause) = self.generics.split_for_impl();
        let (names, types): (Vec<_>, Vec<_>) = parts.iter().map(|(name, value)| (name, value.ty(scalar))).unzip();
        let texts = names.iter().map(|name| text(name));
        let what = if suffix == "Input" { "takes" } else { "gives" };
        let docs = format!("What [`{}`] {what}.", self.name);
        let declaration = &self.model.declaration;
        let ports = if suffix == "Input" { &declaration.inputs } else { &declaration.outputs };
        let fields = parts.iter().map(|(part, value)| {
            let docs = ports.iter().find(|port| port.name.as_ref() == Some(part)).map(|port| &port.docs);
            docs.filter(|docs| !docs.is_empty()).map_or_else(
                || {
                    let docs = format!("`{}`, of shape `{}`.", text(part), value.shape.text());
                    quote!(#[doc = #docs])
                },
                |docs| quote!(#(#docs)*),
            )
        });
        let kind = if parts.iter().any(|(_, value)| value.element.is_some()) {
            quote!(::monomorph::__private::mixed_inputs!([#impl_generics] #name #type_generics; [#where_clause] #(#names)*);)
        } else {
            quote! {
                // SAFETY: arrays of one number type, one after another, leave no padding.
                #[automatically_derived]
                unsafe impl #impl_generics ::monomorph::Tensor for #name #type_generics #where_clause {
                    type Element = #scalar;
                    const PARTS: &'static [&'static str] = &[#(#texts),*];
                    const LEN: usize = 0 #(+ <#types as ::monomorph::Tensor>::LEN)*;
                    const SHAPE: &'static [usize] = &[<Self as ::monomorph::Tensor>::LEN];
                    ::monomorph::__private::flat_tensor!();
                }
            }
        };
        let hashes = parts.iter().map(|(part, _)| crate::graph::name_hash(&text(part)));
        let accessors = if suffix == "Input" {
            quote! {#(
                ::monomorph::__private::field!(
                    #names: #types, #hashes; [#impl_generics] #name #type_generics; [#where_clause]
                );
            )*}
        } else {
            let places = 0..parts.len();
            quote! {
                ::monomorph::__private::parts!(
                    [#impl_generics] #name #type_generics; [#where_clause]; #(#names: #types, #hashes, #places;)*
                );
            }
        };
        // A generic array can be copied only if the array that its size stands for can, which generic code does not know.
        let copy = sizes::of(&self.model.declaration.generics).is_empty().then(|| quote!(::core::marker::Copy,));
        quote! {
            #[doc = #docs]
            #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq)]
            #[derive(#copy ::monomorph::memory::Plain)]
            #[monomorph(crate = ::monomorph)]
            #[repr(C)]
            #visibility struct #name #impl_generics #where_clause {
                #(#fields #visibility #names: #types,)*
            }

            #kind
            #accessors
        }
    }

    /// The number of the parameters as a type, if the sizes are known. Without the feature, the macro of the library is
    /// empty.
    pub(super) fn counted(&self) -> TokenStream {
        if self.model.parametric {
            return TokenStream::new();
        }
        let (name, (impl_generics, type_generics, where_clause)) = (self.name, self.generics.split_for_impl());
        let concrete = self.model.concrete(&quote!(#name #type_generics));
        quote! {
            __m::counted!([#impl_generics] #name #type_generics; [#where_clause] #concrete);
        }
    }

    /// `PartialEq`, for a network that derives it.
    pub(super) fn comparison(&self) -> TokenStream {
        if !self.model.comparable {
            return TokenStream::new();
        }
        let (name, (impl_generics, type_generics, where_clause)) = (self.name, self.generics.split_for_impl());
        quote! {
            #[automatically_derived]
            impl #impl_generics ::core::cmp::PartialEq for #name #type_generics #where_clause {
                fn eq(&self, __other: &Self) -> bool {
                    ::monomorph::Parameters::as_slice(self) == ::monomorph::Parameters::as_slice(__other)
                }
            }
        }
    }

    /// The methods that users call.
    pub(super) fn inherent(&self) -> TokenStream {
        let Self { name, generics, .. } = self;
        let (visibility, evaluations) = (&self.model.declaration.visibility, self.evaluations(name));
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        quote! {
            #evaluations
            ::monomorph::__private::methods! {
                train [#impl_generics] #name #type_generics; [#where_clause] #visibility,
            }
        }
    }

    /// The methods with which users evaluate a network and read it from flash.
    pub(super) fn evaluations(&self, name: &Ident) -> TokenStream {
        let Self { scalar, input, output, generics, .. } = self;
        let (visibility, bound) = (&self.model.declaration.visibility, self.stack_bound(name));
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let sample = self.model.nodes.iter().any(|node| node.capabilities().random).then(|| {
            quote! {
                ::monomorph::__private::methods! {
                    sample [#impl_generics] #name #type_generics; [#where_clause] #visibility #input => #output; [#bound]
                }
            }
        });
        quote! {
            ::monomorph::__private::methods! {
                evaluate [#impl_generics] #name #type_generics; [#where_clause] #visibility #input => #output; #scalar; [#bound]
            }
            #sample
        }
    }

    /// The bound with which the compiler refuses to evaluate a large network on the stack. Small ones, and those of
    /// which no constant can say how large they are, have none.
    fn stack_bound(&self, name: &Ident) -> TokenStream {
        // The largest number that a network is made of as a rule has eight bytes.
        let bytes = |value: &Value| value.shape.literals().map(|sizes| 8 * sizes.iter().product::<usize>());
        // The structs of several inputs or outputs consist of other values.
        let is_struct = |id| {
            id == 0 && !self.model.input_parts.is_empty()
                || id == self.model.result && !self.model.output_parts.is_empty()
        };
        let values = self.model.values.iter().enumerate().filter(|(id, _)| !is_struct(*id));
        let all = values.map(|(_, value)| bytes(value)).sum::<Option<usize>>();
        if !self.generics.params.is_empty() || all.is_some_and(|all| all <= MOST_ON_STACK) {
            return TokenStream::new();
        }
        // The lifetime has the compiler check the bound where the method is called, and not where it is declared.
        quote! {
            where for<'__a> ::monomorph::__private::Stack<'__a, { ::monomorph::__private::fits::<#name>() }>:
                ::monomorph::__private::Holds<#name>
        }
    }

    /// Const items that fail to compile if the network exceeds its budget.
    pub(super) fn budget(&self) -> TokenStream {
        let (Some(budget), name) = (&self.model.budget, self.name) else {
            return TokenStream::new();
        };
        let check = |(span, limit): (Span, usize), what: &str, needs: TokenStream, of: &[TokenStream]| {
            let stop = stop(span);
            let limit = index(limit);
            quote! {
                const _: () = if let ::core::result::Result::Err(__error) =
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
                    let text = text(field);
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
                // The output of a convolution that also pools never exists in memory.
                .filter(|(index, node)| plan::pool(model, plan::fused_into(model, node).unwrap_or(*index)).is_none())
                .map(|(_, node)| {
                    let (text, ty) = (&node.name, self.ty(node.output));
                    quote!((#text, ::core::mem::size_of::<#ty>()))
                })
                .collect();
            let layer = quote!(<#name as ::monomorph::Layer>);
            let needs = quote! {
                <#name as ::monomorph::Network>::EVALUATE_BYTES
                    + ::core::mem::size_of::<#layer::Input>() + ::core::mem::size_of::<#layer::Output>()
            };
            check(limit, "RAM (input, output and workspace)", needs, &layers)
        });
        quote!(#flash #ram)
    }
}
