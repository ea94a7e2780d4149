//! The macros of `monomorph`; use them from there.
//!
//! `network!` works in four steps: `parse` reads what the user wrote, `model` (with the table of
//! `layers` and the rules of `shapes`) works out what it means, `plan` gives every value a place,
//! `expand` writes the code. Mistakes are collected in `errors` and reported at once.

mod attributes;
mod builder;
mod combine;
mod derive;
mod errors;
mod expand;
mod graph;
mod layers;
mod names;
mod parse;
mod plan;
mod resolve;
#[allow(dead_code, reason = "the library uses the other half of this file")]
mod shapes;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use quote::quote;

/// Declares a neural network.
///
#[proc_macro]
pub fn network(input: TokenStream) -> TokenStream {
    let declaration = match syn::parse::<parse::Declaration>(input) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error().into(),
    };
    let mut errors = errors::Errors::default();
    let model = resolve::build(declaration, &mut errors);
    // After a mistake the type still exists, so that the editor goes on completing.
    let code = expand::network(&model, errors.is_empty());
    let errors = errors.into_tokens();
    quote!(#errors #code).into()
}

/// Derives `monomorph::Parameters` for a `#[repr(C)]` struct of tensors and layers.
///
/// `#[parameters(start = 1.0)]` on a tensor gives it that value at initialisation instead of a
/// random one; `#[parameters(state)]` marks a running statistic, which no optimizer touches.
#[proc_macro_derive(Parameters, attributes(parameters))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
