//! The packed networks of `#[stored(..)]`, which hold the weights of the declared one in fewer bits.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use crate::expand::network::Network;
use crate::graph::Stored;
use crate::plan::Places;

/// A field of a packed network.
struct StoredField<'a> {
    name: &'a Ident,
    ty: TokenStream,
    how: How,
}

/// How a field is filled from that of the declared network.
enum How {
    /// It has the same type and is copied.
    Copy,
    /// It is a layer whose weights are converted.
    Weights,
    /// It is itself a packed network, which the user named here.
    Network(Span),
}

impl<'a> Network<'a> {
    /// The fields of a packed network.
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

    /// The struct of a packed network, and its methods.
    pub(super) fn stored(&self, stored: &Stored) -> TokenStream {
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

    /// The traits of a packed network. Its `evaluate` is the same code as that of the declared network.
    pub(super) fn stored_layer(&self, stored: &Stored, evaluate: &Places) -> TokenStream {
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
            How::Network(span) => quote_spanned! {*span=>
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

            // SAFETY: the table of contents is empty; every field is a layer, so the struct is made of numbers only.
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
}
