//! `#[derive(Plain)]`: zeros are a valid value of a struct if they are a valid value of each of its fields.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Generics, Ident, Result, Type};

use crate::spans::at;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let what = match &input.data {
        Data::Struct(data) => return implementation(&input.ident, &input.generics, &data.fields),
        Data::Enum(_) => "an enum",
        Data::Union(_) => "a union",
    };
    let message =
        format!("`{}` is {what}; only structs are plain data, because zeros are a value of them", input.ident);
    Err(Error::new(input.ident.span(), message))
}

/// The implementation of `Plain` for a struct, and the checks that make it sound:
///
/// - a bound of the implementation requires each field whose type depends on a type parameter to be plain;
/// - the type of any other field is checked where the struct is declared, for any const parameters;
/// - a type that implements `Drop` would get two implementations of a trait, which is an error.
pub(crate) fn implementation(ident: &Ident, generics: &Generics, fields: &Fields) -> Result<TokenStream> {
    if let Some(lifetime) = generics.lifetimes().next() {
        return Err(Error::new(lifetime.span(), format!("plain data borrows nothing, but `{ident}` has a lifetime")));
    }
    let parameters: Vec<&Ident> = generics.type_params().map(|parameter| &parameter.ident).collect();
    let (generic, fixed): (Vec<&Type>, Vec<&Type>) =
        fields.iter().map(|field| &field.ty).partition(|ty| mentions(ty.to_token_stream(), &parameters));

    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!('static));
    }
    let predicates = &mut generics.make_where_clause().predicates;
    for ty in generic {
        predicates.push(syn::parse_quote_spanned!(at(ty.span())=> #ty: ::monomorph::memory::Plain));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let checks = fixed.iter().map(|ty| quote_spanned!(ty.span()=> is_plain::<#ty>();));

    Ok(quote! {
        // SAFETY: every field is plain data, as the bounds or the checks below say, and the struct has no `Drop`.
        #[automatically_derived]
        unsafe impl #impl_generics ::monomorph::memory::Plain for #ident #type_generics #where_clause {}

        #[allow(dead_code, drop_bounds)]
        const _: () = {
            trait PlainHasNoDrop {
                fn check_fields() {}
            }

            impl<X: ::core::ops::Drop> PlainHasNoDrop for X {}

            #[automatically_derived]
            impl #impl_generics PlainHasNoDrop for #ident #type_generics #where_clause {
                fn check_fields() {
                    fn is_plain<X: ::monomorph::memory::Plain>() {}
                    #(#checks)*
                }
            }
        };
    })
}

/// Whether one of these identifiers is among the tokens.
pub(crate) fn mentions(tokens: TokenStream, identifiers: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => identifiers.iter().any(|ident| **ident == found),
        TokenTree::Group(group) => mentions(group.stream(), identifiers),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
