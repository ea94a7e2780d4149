//! The names and types that all parts of the emitted code share.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Generics, Ident, parse_quote};

use crate::graph::{Model, Node, Shape, ValueId};

/// A model, and the names and types that all parts of the emitted code share.
pub(super) struct Network<'a> {
    pub(super) model: &'a Model,
    pub(super) name: &'a Ident,
    pub(super) scalar: &'a TokenStream,
    pub(super) generics: Generics,
    /// The generics followed by the batch size.
    pub(super) batched: Generics,
    pub(super) input: TokenStream,
    pub(super) output: TokenStream,
    /// Whether buffers are in an arena at planned offsets. Otherwise each is a separate field, because
    /// stable Rust cannot compute array lengths from generic parameters.
    pub(super) arena: bool,
}

impl<'a> Network<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        let scalar = &model.scalar;
        let mut generics = model.declaration.generics.clone();
        for parameter in generics.type_params_mut() {
            parameter.bounds.push(parse_quote!(::monomorph::Scalar));
        }
        let opaque = model.values.iter().any(|value| matches!(value.shape, Shape::Opaque(_)));
        let scalar_is_parameter = generics.type_params().next().is_some();
        let mut batched = generics.clone();
        batched.params.push(parse_quote!(const __B: usize));
        Self {
            model,
            name: &model.declaration.name,
            scalar,
            generics,
            batched,
            input: model.input.ty(scalar),
            output: model.output.ty(scalar),
            arena: !(model.parametric || opaque && scalar_is_parameter),
        }
    }

    /// `Digits` + `Saved` → `DigitsSaved`.
    pub(super) fn part(&self, suffix: &str) -> Ident {
        format_ident!("{}{suffix}", self.name)
    }

    /// The name and type of each layer's field.
    pub(super) fn fields(&self) -> Vec<(&'a Ident, &'a TokenStream)> {
        self.owners().filter_map(|node| node.field.as_ref().map(|(name, ty)| (name, ty))).collect()
    }

    /// The nodes that own a field: all layers at their first use.
    pub(super) fn owners(&self) -> impl Iterator<Item = &'a Node> {
        self.model.nodes.iter().filter(|node| node.uses == 0 && node.field.is_some())
    }

    pub(super) fn ty(&self, value: ValueId) -> TokenStream {
        self.model.values[value].shape.ty(self.scalar)
    }

    /// The type as which a node reads one of its inputs.
    pub(super) fn takes(&self, node: &Node, slot: usize) -> TokenStream {
        let scalar = self.scalar;
        match &node.field {
            Some((_, ty)) if node.capabilities().user_defined => quote!(<#ty as __m::Layer<#scalar>>::Input),
            _ => self.ty(node.inputs[slot]),
        }
    }

    /// `DigitsSaved<T, B>`.
    pub(super) fn batch_of(&self, suffix: &str) -> TokenStream {
        let name = self.part(suffix);
        let (_, type_generics, _) = self.batched.split_for_impl();
        quote!(#name #type_generics)
    }
}

/// A literal without the suffix `usize` that `quote!` would add.
pub(super) fn index(number: usize) -> proc_macro2::Literal {
    proc_macro2::Literal::usize_unsuffixed(number)
}
