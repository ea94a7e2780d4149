//! The macros of `monomorph`; use them from there.

mod derive;

use proc_macro::TokenStream;

/// Derives `monomorph::Parameters` for a `#[repr(C)]` struct of tensors and layers.
///
/// `#[parameters(start = 1.0)]` on a tensor gives it that value at initialisation instead of a
/// random one; `#[parameters(state)]` marks a running statistic, which no optimizer touches.
#[proc_macro_derive(Parameters, attributes(parameters))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
