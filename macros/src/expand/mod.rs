//! Writes the code of a network: a struct with one field for each layer, and straight-line passes.

mod graph;
mod layer;
mod memory;
mod network;
mod passes;
mod stored;
mod structure;

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::network::Network;
use crate::graph::Model;
use crate::plan;

/// All the code of a network; if it has mistakes, just enough for editors to complete its methods.
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
    // Only what users name is in their scope. The rest is in an anonymous const, where short names cannot clash.
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
