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
mod derivative;
mod derive;
mod equation;
mod errors;
mod expand;
mod files;
mod graph;
mod items;
mod layers;
mod names;
mod parse;
mod plan;
mod resolve;
mod sizes;
mod spans;
mod syntax;
#[cfg(test)]
mod tests;
mod transformer;
mod unroll;
mod words;

use monomorph_shapes as shapes;
use proc_macro::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::{DeriveInput, parenthesized};

/// What `monomorph::network!` calls, with the path of the library in parentheses before the declaration.
#[doc(hidden)]
#[proc_macro]
pub fn network(input: TokenStream) -> TokenStream {
    let (library, declaration) = match syn::parse::<Call>(input) {
        Ok(Call { library, declaration }) => (library, declaration),
        Err(error) => return error.into_compile_error().into(),
    };
    let mut errors = errors::Errors::default();
    let model = resolve::build(declaration, &mut errors);
    spans::with_library(expand::network(&model, errors), &library).into()
}

struct Call {
    library: proc_macro2::TokenStream,
    declaration: parse::Declaration,
}

impl Parse for Call {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let library;
        parenthesized!(library in input);
        Ok(Self { library: library.parse()?, declaration: input.parse()? })
    }
}

/// Derives `monomorph::Parameters` for a `#[repr(C)]` struct of tensors and layers.
///
/// `#[parameters(start = 1.0)]` on a tensor gives it that value at initialization instead of a random one;
/// `#[parameters(state)]` marks a running statistic, which optimizers do not change.
///
/// `#[monomorph(crate = path)]` on the struct says what monomorph is called, where it is not `::monomorph`: in a crate
/// that renames it in its `Cargo.toml`, or has it from another crate that re-exports it.
#[proc_macro_derive(Parameters, attributes(parameters, monomorph))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    derived(input, derive::parameters::expand)
}

/// Derives `monomorph::memory::Plain` for a struct of plain data.
///
/// Every field is checked: by a bound, if its type depends on a type parameter of the struct, and otherwise
/// where the struct is declared. The struct cannot implement `Drop`.
///
/// `#[monomorph(crate = path)]` on the struct says what monomorph is called, where it is not `::monomorph`.
#[proc_macro_derive(Plain, attributes(monomorph))]
pub fn derive_plain(input: TokenStream) -> TokenStream {
    derived(input, derive::plain::expand)
}

fn derived(input: TokenStream, expand: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    let code = syn::parse::<DeriveInput>(input).and_then(|input| {
        let code = items::with_attributes(expand(&input)?, &[], &input.attrs);
        Ok(match spans::stated_library(&input.attrs)? {
            Some(path) => spans::with_library(code, &path),
            None => code,
        })
    });
    code.unwrap_or_else(|error| error.into_compile_error()).into()
}
