//! The nodes of a network, for summaries.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::network::{Network, index};
use crate::graph::{Along, Op};

impl Network<'_> {
    /// The nodes, for summaries.
    pub(super) fn graph(&self) -> TokenStream {
        let scalar = self.scalar;
        // If there are several inputs or outputs, the struct that holds them is not shown.
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
}
