//! The traits that a network implements.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::network::Network;
use crate::plan::{Gradients, Places};

/// The parts of the implementation of `Layer` that depend on the model.
struct Passes {
    macs: TokenStream,
    evaluate: TokenStream,
    forward: TokenStream,
    backward: TokenStream,
    saved: TokenStream,
    workspace: TokenStream,
    graph: TokenStream,
}

impl Network<'_> {
    pub(super) fn layer(&self, evaluate: &Places, forward: &Places, backward: &Gradients) -> TokenStream {
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

    /// The same traits with empty passes, for a network with mistakes.
    pub(super) fn stub(&self) -> TokenStream {
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
}
