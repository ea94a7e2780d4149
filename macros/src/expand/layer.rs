//! The traits that a network implements.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::network::Network;
use crate::expand::passes::Mode;
use crate::plan::{Gradients, Places};
use crate::words::text;

/// The parts of the implementation of `Layer` that depend on the model.
struct Passes {
    macs: TokenStream,
    evaluate: TokenStream,
    sample: TokenStream,
    forward: TokenStream,
    backward: TokenStream,
    saved: TokenStream,
    workspace: TokenStream,
    graph: TokenStream,
}

impl Network<'_> {
    pub(super) fn layer(&self, evaluate: &Places, forward: &Places, backward: &Gradients) -> TokenStream {
        self.layer_with(&Passes {
            macs: quote!(__m::macs(<Self as ::monomorph::Network>::GRAPH)),
            evaluate: self.evaluate(evaluate, Mode::Evaluate),
            sample: self.sample(evaluate),
            forward: self.forward(forward),
            backward: self.backward(forward, backward),
            saved: self.batch_of("Saved"),
            workspace: self.batch_of("Workspace"),
            graph: self.graph(),
        })
    }

    /// The same traits with empty passes, for a network with errors.
    pub(super) fn stub(&self) -> TokenStream {
        self.layer_with(&Passes {
            macs: quote!(0),
            evaluate: TokenStream::new(),
            sample: TokenStream::new(),
            forward: TokenStream::new(),
            backward: TokenStream::new(),
            saved: quote!(()),
            workspace: quote!(()),
            graph: quote!(&[]),
        })
    }

    /// The method `sample`, if a layer may draw random numbers.
    pub(super) fn sample(&self, evaluate: &Places) -> TokenStream {
        if !self.model.nodes.iter().any(|node| node.capabilities().random) {
            return TokenStream::new();
        }
        let sample = self.evaluate(evaluate, Mode::Sample);
        quote! {
            #[inline(always)]
            fn sample<__S: __m::Simd, const __B: usize>(
                &self,
                __simd: __S,
                __input: &[Self::Input; __B],
                __output: &mut [Self::Output; __B],
                __workspace: &mut Self::Workspace<__B>,
                __noise: &mut __m::Noise,
            ) {
                #sample
            }
        }
    }

    fn layer_with(&self, passes: &Passes) -> TokenStream {
        let Passes { macs, evaluate, sample, forward, backward, saved, workspace, graph } = passes;
        let Self { name, generics, input, output, .. } = self;
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let text = text(name);
        quote! {
            #[automatically_derived]
            impl #impl_generics __m::Layer for #name #type_generics #where_clause {
                type Input = #input;
                type Output = #output;
                type Saved<const __B: usize> = #saved;
                type Workspace<const __B: usize> = #workspace;
                const MACS: usize = #macs;

                #[inline(always)]
                fn evaluate<__S: __m::Simd, const __B: usize>(
                    &self,
                    __simd: __S,
                    __input: &[Self::Input; __B],
                    __output: &mut [Self::Output; __B],
                    __workspace: &mut Self::Workspace<__B>,
                ) {
                    #evaluate
                }

                #sample

                #[inline(always)]
                fn forward<__S: __m::Simd, const __B: usize>(
                    &self,
                    __simd: __S,
                    __input: &[Self::Input; __B],
                    __output: &mut [Self::Output; __B],
                    __saved: &mut Self::Saved<__B>,
                    __pass: &mut __m::Pass<Self::Scalar>,
                ) {
                    #forward
                }

                #[inline(always)]
                fn backward<__S: __m::Simd, const __B: usize>(
                    &self,
                    __simd: __S,
                    __input: &[Self::Input; __B],
                    __output: &[Self::Output; __B],
                    __saved: &mut Self::Saved<__B>,
                    __grad_output: &mut [Self::Output; __B],
                    __grad_input: ::core::option::Option<&mut [Self::Input; __B]>,
                    __gradient: &mut Self,
                    __pass: &__m::Pass<Self::Scalar>,
                ) {
                    #backward
                }
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::Network for #name #type_generics #where_clause {
                const NAME: &'static str = #text;
                const GRAPH: &'static [__m::Node] = #graph;

                __m::samples!();
            }

            #[automatically_derived]
            impl #impl_generics ::monomorph::network::Trainable for #name #type_generics #where_clause {}
        }
    }
}
