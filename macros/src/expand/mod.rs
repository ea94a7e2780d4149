//! Writes the code of a network: a struct with one field for each layer, and straight-line passes.

mod graph;
mod layer;
mod memory;
mod network;
mod packed;
mod passes;
mod streaming;
mod structure;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;
use crate::expand::network::Network;
use crate::graph::Model;
use crate::items::with_attributes;
use crate::plan;

/// All the code of a network and its mistakes; if there are any, just enough for editors to complete its methods.
pub(crate) fn network(model: &Model, errors: Errors) -> TokenStream {
    let correct = errors.is_empty();
    let (errors, code) = (errors.into_tokens(), items(model, correct));
    let code = quote!(#errors #code);
    let Model { conditions, declaration, .. } = model;
    with_attributes(code, conditions, &declaration.attributes)
}

fn items(model: &Model, correct: bool) -> TokenStream {
    let network = Network::new(model);
    let constants = model.constants.iter();
    let inner = model.inner.iter().map(|(inner, problem)| {
        let problem = problem.as_ref().filter(|_| correct).map(|problem| Network::new(inner).problem(problem));
        let code = items(inner, correct);
        quote!(#code #problem)
    });
    let inner = quote!(#(#inner)*);
    if !correct {
        let (structure, layer, inherent) = (network.structure(&[]), network.stub(), network.inherent());
        let (input, output) =
            (network.parts("Input", &model.input_parts), network.parts("Output", &model.output_parts));
        return quote! {
            #inner
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
    let (plans, step_plan) = (network.plans(&evaluate, &backward), network.step_plan(&evaluate));
    let structure = network.structure(&network.fields());
    let workspace = network.workspace(&evaluate);
    let saved = network.saved(&forward, &backward);
    let layer = network.layer(&evaluate, &forward, &backward);
    let inherent = network.inherent();
    let packed = model.packed.iter().map(|packed| network.packed(packed));
    let packed_layers = model.packed.iter().map(|packed| network.packed_layer(packed, &evaluate));
    let forms = model.packed.iter().map(|packed| (&packed.name, network.packed_as(packed)));
    let streaming_layers: Vec<_> = forms.map(|(name, form)| form.streaming_layer(name, &evaluate)).collect();
    let streaming_layer = network.streaming_layer(network.name, &evaluate);
    let streaming = network.streaming();
    let watched = network.watched(&forward);
    let (aliases, assertions) = (network.aliases(), network.assertions());
    let (input, output) = (network.parts("Input", &model.input_parts), network.parts("Output", &model.output_parts));
    let file = model.declaration.file.as_ref().and_then(|file| file.as_ref().ok());
    let file = file.map(|file| file.items(network.name, &model.declaration.visibility));
    let (budget, counted, comparison) = (network.budget(), network.counted(), network.comparison());
    // Only what users name is in their scope. The rest is in an anonymous const, where short names cannot clash.
    quote! {
        #(#constants)*
        #inner
        #aliases
        #structure
        #input
        #output
        #inherent
        #(#packed)*
        #streaming
        #file
        #budget
        const _: () = {
            use ::monomorph::__private as __m;
            #counted
            #plans
            #step_plan
            #workspace
            #saved
            #layer
            #comparison
            #(#packed_layers)*
            #(#streaming_layers)*
            #streaming_layer
            #watched
            #assertions
        };
    }
}
