//! The nodes of a network, for summaries.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::network::{Network, index};
use crate::graph::{Op, Shape};

impl Network<'_> {
    /// The nodes, for summaries.
    pub(super) fn graph(&self) -> TokenStream {
        // If there are several inputs or outputs, the struct that holds them is not shown.
        let several = !self.model.input_parts.is_empty();
        let mut of_value = vec![0; self.model.values.len()];
        let mut nodes = Vec::new();
        if !several {
            let (name, shape) =
                (self.model.values[0].source.replace("the input", "input"), self.sizes(&self.model.input));
            nodes.push(quote!(__m::Node::step(#name, "input", &[], #shape)));
        }
        for node in &self.model.nodes {
            if matches!(node.op, Op::Outputs(_) | Op::Copy) {
                continue;
            }
            of_value[node.output] = nodes.len();
            let inputs = node.inputs.iter().map(|input| index(of_value[*input]));
            let inputs =
                if matches!(node.op, Op::Part(..)) && node.inputs == [0] { quote!() } else { quote!(#(#inputs),*) };
            let (name, kind, shape) = (&node.name, &node.kind, self.sizes(&self.model.values[node.output].shape));
            nodes.push(match self.layer_type(node) {
                Some(ty) if node.uses == 0 => quote!(__m::node::<#ty>(#name, #kind, &[#inputs], #shape)),
                Some(ty) => quote!(__m::node_again::<#ty>(#name, #kind, &[#inputs], #shape)),
                None => quote!(__m::Node::step(#name, #kind, &[#inputs], #shape)),
            });
        }
        quote!(&[#(#nodes),*])
    }

    /// The sizes of a shape as a constant, because the compiler does not cache what it evaluates in an argument.
    fn sizes(&self, shape: &Shape) -> TokenStream {
        let sizes = shape.slice(self.scalar);
        if shape.literals().is_some() { sizes } else { quote!(const { #sizes }) }
    }
}
