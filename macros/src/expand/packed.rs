//! The packed networks of `#[packed(..)]`, which hold the weights of the declared network in fewer bits.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use crate::expand::network::Network;
use crate::expand::passes::Mode;
use crate::graph::Packed;
use crate::plan::Places;
use crate::words::text;

/// A field of a packed network.
struct PackedField<'a> {
    name: &'a Ident,
    ty: TokenStream,
    /// Whether it is a network that the user named; a layer otherwise.
    is_network: bool,
}

impl<'a> Network<'a> {
    /// The fields of a packed network. The type of a layer determines its packed type.
    fn packed_fields(&self, packed: &Packed) -> Vec<PackedField<'a>> {
        let format = packed.format_type();
        let fields = self.fields().into_iter().map(|(name, ty)| {
            let network = packed.networks.iter().find(|(field, _)| field == name);
            match network {
                Some((_, ty)) => PackedField { name, ty: ty.to_token_stream(), is_network: true },
                None => {
                    let ty = quote!(<#ty as ::monomorph::parameters::Pack<#format>>::Packed);
                    PackedField { name, ty, is_network: false }
                }
            }
        });
        fields.collect()
    }

    /// The struct of a packed network, and its methods.
    pub(super) fn packed(&self, packed: &Packed) -> TokenStream {
        let Self { name, generics, .. } = self;
        let (visibility, small, format) = (&self.model.declaration.visibility, &packed.name, packed.format);
        let evaluations = self.evaluations(small);
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let fields = self.packed_fields(packed).into_iter().map(|PackedField { name: field, ty, .. }| {
            let docs = format!("`{field}`, a layer of [`{small}`].");
            quote!(#[doc = #docs] #visibility #field: #ty)
        });
        let representation = self.representation(!self.model.parametric);
        let docs = format!("[`{name}`] with its weights packed as `{format}`, for evaluation.");
        quote! {
            #[doc = #docs]
            #[derive(::monomorph::memory::Plain)]
            #[monomorph(crate = ::monomorph)]
            #representation
            #visibility struct #small #impl_generics #where_clause {
                #(#fields,)*
            }

            #evaluations
            ::monomorph::__private::methods! {
                pack [#impl_generics] #small #type_generics; [#where_clause] #visibility #name #type_generics
            }
        }
    }

    /// The traits of a packed network. Its passes are the same code as those of the declared network.
    pub(super) fn packed_layer(&self, packed: &Packed, evaluate: &Places) -> TokenStream {
        let Self { name, scalar, generics, .. } = self;
        let passes = self.packed_as(packed);
        let (body, sample) = (passes.evaluate(evaluate, Mode::Evaluate), passes.sample(evaluate));
        let (small, format, format_type) = (&packed.name, packed.format, packed.format_type());
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let (text, workspace) = (text(small), self.batch_of("Workspace"));
        let of = quote!(<#name #type_generics as ::monomorph::Network>);
        let of_layer = quote!(<#name #type_generics as __m::Layer>);
        let refusal = format!("{small} is packed as {format} and cannot be trained; train {name} and pack it");
        let fields = self.packed_fields(packed);
        let packs = fields.iter().map(|PackedField { name: field, .. }| match passes.packed_inside(field) {
            None => quote!(::monomorph::parameters::Pack::<#format_type>::pack(&__network.#field, &mut self.#field);),
            Some((small, from)) => {
                let this = quote!(&mut self.#field);
                let this = quote_spanned!(small.span()=> <#small as __m::PackedFrom<#from>>::get_mut(#this));
                quote!(::monomorph::network::PackedNetwork::pack(#this, &__network.#field);)
            }
        });
        let names = fields.iter().map(|field| field.name);
        let inside = fields.iter().filter(|field| field.is_network).map(|field| {
            let ty = &field.ty;
            quote!(<#ty as ::monomorph::Network>::STRUCTURE)
        });
        let types = fields.iter().map(|field| &field.ty);
        quote! {
            // SAFETY: the table of contents is empty; every field is a layer, so the struct consists of numbers only.
            #[automatically_derived]
            unsafe impl #impl_generics ::monomorph::Parameters for #small #type_generics #where_clause {
                type Scalar = #scalar;
                const ENTRIES: &'static [::monomorph::parameters::Entry] = &[];

                fn pieces(&self, __f: &mut dyn ::core::ops::FnMut(&[u8]))
                where
                    #scalar: __m::Bits,
                {
                    #(<#types as ::monomorph::Parameters>::pieces(&self.#names, __f);)*
                }
            }

            #[automatically_derived]
            impl #impl_generics __m::Layer for #small #type_generics #where_clause {
                type Input = #of_layer::Input;
                type Output = #of_layer::Output;
                type Saved<const __B: usize> = ();
                type Workspace<const __B: usize> = #workspace;
                const MACS: usize = #of_layer::MACS;

                #[inline(always)]
                fn evaluate<__S: __m::Simd, const __B: usize>(
                    &self,
                    __simd: __S,
                    __input: &[Self::Input; __B],
                    __output: &mut [Self::Output; __B],
                    __workspace: &mut Self::Workspace<__B>,
                ) {
                    #body
                }

                #sample

                __m::untrained!(#refusal);
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::Network for #small #type_generics #where_clause {
                const NAME: &'static str = #text;
                const GRAPH: &'static [__m::Node] = #of::GRAPH;
                const PARAMS: usize = #of::PARAMS;
                const STRUCTURE: u64 = __m::structure_packed(#of::STRUCTURE, #format, &[#(#inside),*]);

                __m::samples!();

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
            impl #impl_generics __m::PackedFrom<#name #type_generics> for #small #type_generics #where_clause {
                __m::packed_from!();
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::network::PackedNetwork for #small #type_generics #where_clause {
                type Of = #name #type_generics;
                const FORMAT: &'static str = #format;

                fn pack(&mut self, __network: &Self::Of) {
                    #(#packs)*
                }
            }
        }
    }
}
