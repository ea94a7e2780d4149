//! The macros of `monomorph`; use them from there.
//!
//! `network!` is a pipeline: `parse` reads what the user wrote, `resolve` works out what it means
//! (with the table of `layers` and the rules of `shapes`) as a `graph` of values and nodes, `plan`
//! decides where every value lives, and `expand` writes the code. Mistakes are collected in
//! `errors`, so that the compiler reports all of them at once.
//!
//! A module imports only from modules below it; the test `imports_point_downward` lists the order.

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
mod sizes;
#[cfg(test)]
mod tests;
mod text;
mod unroll;

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
    // The type is emitted even after a mistake, so that editors can still complete its methods.
    let code = expand::network(&model, errors.is_empty());
    let errors = errors.into_tokens();
    quote!(#errors #code).into()
}

/// Derives `monomorph::Parameters` for a `#[repr(C)]` struct of tensors and layers.
///
/// `#[parameters(start = 1.0)]` on a tensor gives it that value at initialization instead of a random one;
/// `#[parameters(state)]` marks a running statistic, which optimizers do not change.
#[proc_macro_derive(Parameters, attributes(parameters))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::parameters::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives `monomorph::memory::Plain` for a struct of plain data.
///
/// Every field is checked: by a bound, if its type depends on a type parameter of the struct, and otherwise
/// where the struct is declared. The struct cannot implement `Drop`.
#[proc_macro_derive(Plain)]
pub fn derive_plain(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::plain::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
