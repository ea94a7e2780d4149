//! What `#[streaming]` adds to a network: its state, and the pass over one step.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;

use crate::expand::network::{Network, index};
use crate::expand::passes::Mode;
use crate::graph::Op;
use crate::plan::Places;

impl Network<'_> {
    /// The state of a network, and its methods.
    pub(super) fn streaming(&self) -> TokenStream {
        if !self.model.streaming {
            return TokenStream::new();
        }
        let Self { name, generics, .. } = self;
        let (state, visibility) = (self.part("State"), &self.model.declaration.visibility);
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let fields = self.model.nodes.iter().filter(|node| node.capabilities().has_state).filter_map(|node| {
            let (field, ty) = (format_ident!("{}", node.name), self.layer_type(node)?);
            Some(quote!(#field: <#ty as ::monomorph::Streaming>::State,))
        });
        let types: Vec<_> = generics.type_params().map(|parameter| &parameter.ident).collect();
        let phantom =
            (!types.is_empty()).then(|| quote!(__parameters: ::core::marker::PhantomData<fn() -> (#(#types,)*)>,));
        let docs = format!("What [`{name}`] remembers between the steps of a sequence.");
        let methods = self.step_methods(name);
        let packed = self.model.packed.iter().map(|packed| self.step_methods(&packed.name));
        quote! {
            #[doc = #docs]
            #[derive(::core::clone::Clone, ::monomorph::memory::Plain)]
            #[monomorph(crate = ::monomorph)]
            #visibility struct #state #impl_generics #where_clause {
                #(#fields)*
                #phantom
            }

            ::monomorph::__private::methods! {
                state [#impl_generics] #state #type_generics; [#where_clause] #visibility,
            }

            #methods
            #(#packed)*
        }
    }

    fn step_methods(&self, name: &Ident) -> TokenStream {
        let (state, visibility) = (self.part("State"), &self.model.declaration.visibility);
        let (impl_generics, type_generics, where_clause) = self.generics.split_for_impl();
        let Self { input, output, .. } = self.step_by_step();
        quote! {
            ::monomorph::__private::methods! {
                step [#impl_generics] #name #type_generics; [#where_clause] #visibility #input => #output;
                #state #type_generics
            }
        }
    }

    /// The implementation of `Streaming`, for the network or one of its packed forms.
    pub(super) fn streaming_layer(&self, name: &Ident, evaluate: &Places) -> TokenStream {
        if !self.model.streaming {
            return TokenStream::new();
        }
        let network = self.step_by_step();
        let Self { input, output, .. } = &network;
        let (state, locals) = (self.part("State"), network.locals(&network.stepping(evaluate)));
        let (body, starts, reach) = (network.evaluate(evaluate, Mode::Step), self.starts(), self.receptive_field());
        let (impl_generics, type_generics, where_clause) = self.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics __m::Streaming for #name #type_generics #where_clause {
                type State = #state #type_generics;
                type StepInput = #input;
                type StepOutput = #output;
                const RECEPTIVE_FIELD: ::core::option::Option<usize> = #reach;

                fn start(&self, __state: &mut Self::State) {
                    #(#starts)*
                }

                #[inline(always)]
                fn step<__S: __m::Simd>(
                    &self,
                    __simd: __S,
                    __state: &mut Self::State,
                    __input: &Self::StepInput,
                    __output: &mut Self::StepOutput,
                ) {
                    let (__input, __output) = (::core::array::from_ref(__input), ::core::array::from_mut(__output));
                    __m::Streaming::steps(self, __simd, __state, __input, __output);
                }

                #[inline(always)]
                fn steps<__S: __m::Simd, const __B: usize>(
                    &self,
                    __simd: __S,
                    __state: &mut Self::State,
                    __input: &[Self::StepInput; __B],
                    __output: &mut [Self::StepOutput; __B],
                ) {
                    #locals
                    #body
                }
            }
        }
    }

    /// The plan of the memory of `steps`.
    pub(super) fn step_plan(&self, evaluate: &Places) -> TokenStream {
        if !self.model.streaming {
            return TokenStream::new();
        }
        let network = self.step_by_step();
        network.plan(&network.stepping(evaluate))
    }

    /// How many steps of the input a step of the output depends on.
    fn receptive_field(&self) -> TokenStream {
        let nodes = self.model.nodes.iter().map(|node| {
            let (output, inputs) = (index(node.output), node.inputs.iter().map(|input| index(*input)));
            let own = match (&node.op, &node.field) {
                (Op::Layer(_), Some((_, ty))) => quote!(<#ty as __m::Streaming>::RECEPTIVE_FIELD),
                _ => quote!(::core::option::Option::Some(1)),
            };
            quote!((#output, &[#(#inputs),*], #own))
        });
        let (values, result) = (index(self.model.values.len()), index(self.model.result));
        quote!(__m::receptive_field::<#values>(&[#(#nodes),*], #result))
    }

    /// The layers that may begin with a state other than zeros.
    fn starts(&self) -> impl Iterator<Item = TokenStream> {
        let nodes = self.model.nodes.iter().filter(|node| node.capabilities().has_state);
        nodes.filter_map(|node| {
            let (layer, state) = (self.layer_in(&node.field.as_ref()?.0), format_ident!("{}", node.name));
            Some(quote!(__m::Streaming::start(#layer, &mut __state.#state);))
        })
    }
}
