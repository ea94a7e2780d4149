//! The names and types that all parts of the emitted code share.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericParam, Generics, Ident, Type, parse_quote};

use crate::graph::{Model, Node, Packed, Shape, Value, ValueId};
use crate::sizes::{mentioned, number_type};
use crate::spans::{at, located};
use crate::words::text;

/// A model, and the names and types that all parts of the emitted code share.
#[derive(Clone)]
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
    /// The format it is packed in, in the passes of a packed network.
    pub(super) packed: Option<&'a Packed>,
    /// Whether the types are those of one step of a sequence, as in `step`.
    pub(super) stepping: bool,
}

impl<'a> Network<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        let scalar = &model.scalar;
        let mut generics = model.declaration.generics.clone();
        for parameter in generics.type_params_mut() {
            if parameter.bounds.is_empty() {
                parameter.bounds.push(parse_quote!(::monomorph::Real));
            }
        }
        let opaque = model.values.iter().any(|value| matches!(value.shape, Shape::Opaque(_)));
        let scalar_is_parameter = number_type(&generics).is_some();
        let mut batched = generics.clone();
        batched.params.push(parse_quote!(const __B: usize));
        Self {
            model,
            name: &model.declaration.name,
            scalar,
            generics,
            batched,
            input: model.values.first().map_or_else(|| model.input.ty(scalar), |value| value.ty(scalar)),
            output: model.output.ty(scalar),
            arena: !(model.parametric || opaque && scalar_is_parameter),
            packed: None,
            stepping: false,
        }
    }

    /// The same network, whose passes are those of a packed one.
    pub(super) fn packed_as(&self, packed: &'a Packed) -> Self {
        Self { packed: Some(packed), ..self.clone() }
    }

    /// The same network, whose values are single steps of sequences.
    pub(super) fn step_by_step(&self) -> Self {
        let (input, output) = (self.model.values[0].step(), self.model.output.step());
        let (input, output) = (input.ty(self.scalar), output.ty(self.scalar));
        Self { input, output, stepping: true, ..self.clone() }
    }

    /// How the equation is solved of which it is the right side.
    pub(super) fn problem(&self, problem: &TokenStream) -> TokenStream {
        let (name, (implement, arguments, clause)) = (self.name, self.generics.split_for_impl());
        quote!(impl #implement ::monomorph::ode::Problem for #name #arguments #clause { #problem })
    }

    /// `Digits` + `Saved` → `DigitsSaved`.
    pub(super) fn part(&self, suffix: &str) -> Ident {
        format_ident!("{}{suffix}", self.name, span = at(self.name.span()))
    }

    /// The name and type of each layer's field.
    pub(super) fn fields(&self) -> Vec<(&'a Ident, TokenStream)> {
        self.owners().filter_map(|node| Some((&node.field.as_ref()?.0, self.layer_type(node)?))).collect()
    }

    /// The type of a node's layer: the alias of a layer of the table, a user-defined type as it is written.
    pub(super) fn layer_type(&self, node: &Node) -> Option<TokenStream> {
        let (name, ty) = node.field.as_ref()?;
        if node.capabilities().user_defined || node.capabilities().transposes {
            return Some(ty.clone());
        }
        let (alias, generics) = (self.alias(name), self.alias_generics(ty));
        let (_, arguments, _) = generics.split_for_impl();
        Some(quote!(#alias #arguments))
    }

    /// `Net__dense1`: no type of the user's is called so.
    fn alias(&self, field: &Ident) -> Ident {
        format_ident!("{}__{}", self.name, text(field), span = at(self.name.span()))
    }

    /// The generics that a type mentions, without bounds: those of its alias.
    fn alias_generics(&self, ty: &TokenStream) -> Generics {
        let words = mentioned(ty.clone());
        let mut generics = self.model.declaration.generics.clone();
        generics.where_clause = None;
        let mentions = |ident: &Ident| words.contains(&ident.to_string());
        generics.params = generics
            .params
            .into_iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(ty) if mentions(&ty.ident) => {
                    let ident = ty.ident;
                    Some(parse_quote!(#ident))
                }
                GenericParam::Const(mut size) if mentions(&size.ident) => {
                    size.default = None;
                    Some(GenericParam::Const(size))
                }
                _ => None,
            })
            .collect();
        generics
    }

    /// A reference to the layer in a field. A field that the user names as a packed network must be packed from the
    /// declared network's field; all violations give the same error at the same position, which the compiler shows
    /// once.
    pub(super) fn layer_in(&self, field: &Ident) -> TokenStream {
        let layer = quote!(&self.#field);
        match self.packed_inside(field) {
            Some((small, from)) => quote_spanned!(small.span()=> <#small as __m::PackedFrom<#from>>::get(#layer)),
            None => layer,
        }
    }

    /// The layer of a node: a field, or the table in it used the other way round.
    pub(super) fn layer_of(&self, node: &Node, field: &Ident) -> TokenStream {
        match &node.field {
            Some((_, ty)) if node.capabilities().transposes => quote!({
                let __layer: &#ty = self.#field.unembedding();
                __layer
            }),
            _ => self.layer_in(field),
        }
    }

    /// The gradient of that layer.
    pub(super) fn gradient_of(&self, node: &Node, field: &Ident) -> TokenStream {
        match &node.field {
            Some((_, ty)) if node.capabilities().transposes => quote!({
                let __layer: &mut #ty = __gradient.#field.unembedding_mut();
                __layer
            }),
            _ => quote!(&mut __gradient.#field),
        }
    }

    /// The packed network that the user named for a field, and the declared one.
    pub(super) fn packed_inside(&self, field: &Ident) -> Option<(&'a Type, TokenStream)> {
        let (_, small) = self.packed?.networks.iter().find(|(name, _)| name == field)?;
        let (_, from) = self.fields().into_iter().find(|(name, _)| *name == field)?;
        Some((small, from))
    }

    /// A type alias for each layer of the table.
    pub(super) fn aliases(&self) -> TokenStream {
        let visibility = &self.model.declaration.visibility;
        let aliases = self.owners().filter(|node| !node.capabilities().user_defined).filter_map(|node| {
            let (name, ty) = node.field.as_ref()?;
            let (alias, generics) = (self.alias(name), self.alias_generics(ty));
            let docs = format!("The layer `{name}` of [`{}`].", self.name);
            Some(quote!(#[doc = #docs] #[doc(hidden)] #visibility type #alias #generics = #ty;))
        });
        quote!(#(#aliases)*)
    }

    /// The nodes that own a field: all layers at their first use.
    pub(super) fn owners(&self) -> impl Iterator<Item = &'a Node> {
        self.model.nodes.iter().filter(|node| node.uses == 0 && node.field.is_some())
    }

    /// A value, or one step of it.
    pub(super) fn value(&self, value: ValueId) -> Value {
        let value = &self.model.values[value];
        if self.stepping { value.step() } else { value.clone() }
    }

    pub(super) fn ty(&self, value: ValueId) -> TokenStream {
        self.value(value).ty(self.scalar)
    }

    /// The type that a node reads one of its inputs as.
    pub(super) fn takes(&self, node: &Node, slot: usize) -> TokenStream {
        match &node.field {
            Some((_, ty)) if node.capabilities().user_defined && self.stepping => {
                quote!(<#ty as __m::Streaming>::StepInput)
            }
            _ => self.ty(node.inputs[slot]),
        }
    }

    /// Values as a layer takes them: one alone, several as a tuple. Those of a user-defined layer may have another type
    /// of the same length; `as_what` is `read` or `gradient`. Where they do not fit, the passes all have the same
    /// error.
    pub(super) fn given(&self, node: &Node, values: Vec<TokenStream>, as_what: &str) -> TokenStream {
        let tuple =
            |parts: Vec<TokenStream>| if let [part] = parts.as_slice() { part.clone() } else { quote!((#(#parts),*)) };
        let value = tuple(values);
        match &node.field {
            Some((_, layer)) if node.capabilities().user_defined && !self.stepping => {
                let gives = node.inputs.iter().map(|input| self.ty(*input));
                let (as_what, span) = (format_ident!("{as_what}"), node.span.unwrap_or_else(Span::call_site));
                let takes = quote!(<<#layer as __m::Layer>::Input as __m::Values>::Tuple);
                located(quote!(<(#(#gives,)*) as __m::Given<#takes>>::#as_what::<__B>(#value)), span)
            }
            _ => value,
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
